// Parts that several views of the board are made of: refusals, tables, names as text, ages that run.

import { html, nothing } from "/pages/paper.js";
import { say, span, word } from "/pages/words.js";

/** A text of a person or a device, isolated: whatever its direction, it turns nothing else. */
export const name = (text) => html`<bdi>${text}</bdi>`;

/** Several such texts in a line, each isolated; nothing where there are none. */
export function names(...parts) {
  const there = parts.filter((part) => part !== null && part !== undefined && part !== "");
  return there.length ? there.map((part, at) => html`${at > 0 ? " · " : nothing}<bdi>${part}</bdi>`) : nothing;
}

/** Several parts in a line, those that are there. */
export const dotted = (...parts) => parts.filter((part) => part !== null && part !== undefined && part !== "").join(" · ");

/** An age or a time left that runs by itself: `of` gives seconds, `text` makes a text of them. See {@link tick}. */
export const runs = (of, text = span) => html`<span class="figures" data-runs .runs=${{ of, text }}></span>`;

/** Tells every age anew; called after each drawing and each second. */
export function tick() {
  for (const element of document.querySelectorAll("[data-runs]")) {
    const text = element.runs.text(element.runs.of());
    if (element.textContent !== text) {
      element.textContent = text;
    }
  }
}

const TONES = { emergency: "bad", urgent: "warn", request: "info" };

export const urgencyChip = (urgency) => html`<span class="chip ${TONES[urgency] ?? ""}">${word("urgency", urgency)}</span>`;

/** A table; `rows` are `{ kind, cells }`. Says `none` where there are none. */
export function table(heads, rows, none) {
  if (rows.length === 0) {
    return html`<p class="quiet">${none}</p>`;
  }
  const row = ({ kind, cells }) => html`<tr class=${kind || nothing}>${cells.map((cell) => html`<td>${cell ?? "—"}</td>`)}</tr>`;
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${heads.join(", ")}>
    <table class="table">
      <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
      <tbody>${rows.map(row)}</tbody>
    </table>
  </div>`;
}

/** A refusal, where there is one. */
export const refusal = (text) => (text ? html`<p class="banner bad" role="alert">${text}</p>` : nothing);

/** What stands in a view until its answer is there. */
export const loading = () => html`<p class="quiet">${say("board.loading")}</p>`;
