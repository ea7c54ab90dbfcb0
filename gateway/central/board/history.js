// What was: alarms by person, place, kind, urgency, state and day, page by page.

import { html, nothing } from "/pages/paper.js";
import { languageTag, say, time, word } from "/pages/words.js";
import { askNewest, look, messageOf, STATES, URGENCIES } from "./desk.js";
import { dotted, loading, name, names, refusal, table, urgencyChip } from "./page.js";

const ROWS = 50;
const KINDS = [
  "sos", "pull_cord", "fall", "smoke", "gas", "co", "water", "bed_exit", "inactivity", "wander", "tamper", "service", "low_battery",
  "mains_lost", "device_silent", "fault", "gateway_silent", "test", "unknown",
];

const state = { found: null, next: null, note: null, busy: false, sought: null };

async function seek(form, draw, before = null) {
  let wanted = new URLSearchParams({ limit: ROWS });
  for (const [key, value] of form ? new FormData(form) : []) {
    if (value.trim()) {
      wanted.set(key, value.trim());
    }
  }
  if (before) {
    // More of what was sought, whatever the form says by now.
    wanted = new URLSearchParams(state.sought);
    wanted.set("before", before);
  }
  Object.assign(state, { busy: true, note: null });
  draw();
  try {
    const page = await askNewest("history", `/api/v1/alarms?${wanted}`);
    wanted.delete("before");
    Object.assign(state, { sought: wanted, found: before ? [...state.found, ...page.alarms] : page.alarms, next: page.next });
  } catch (failure) {
    state.note = messageOf(failure);
  }
  state.busy = false;
  draw();
}

function choice(label, key, group, values) {
  return html`<label class="stack-tight">${label}<select class="field" name=${key}><option value="">${say("board.any")}</option>
    ${values.map((value) => html`<option value=${value}>${word(group, value)}</option>`)}</select></label>`;
}

export function historyView(draw) {
  const submit = (event) => {
    event.preventDefault();
    seek(event.target, draw);
  };
  const more = () => seek(null, draw, state.next);
  const day = (key, label) => html`<label class="stack-tight">${say(label)}<input class="field" type="date" name=${key} lang=${languageTag()} /></label>`;
  const row = (alarm) => ({
    kind: alarm.state === "resolved" ? "" : "warn",
    cells: [
      html`<a href="#alarms/${encodeURIComponent(alarm.id)}" @click=${() => look(alarm.id)}>${time(alarm.received_at)}</a>`,
      urgencyChip(alarm.urgency), word("alarm_kind", alarm.kind), alarm.name || alarm.place ? names(alarm.name, alarm.address, alarm.place) : name(alarm.gateway),
      dotted(word("alarm_state", alarm.state), alarm.by), alarm.cause ? word("cause", alarm.cause) : null,
    ],
  });
  const heads = ["time", "urgency", "kind", "who_where", "state", "cause"].map((head) => say(`board.${head}`));
  return html`<section class="stack"><h1>${say("board.history")}</h1>
    <form id="seek" class="row seek" role="search" @submit=${submit}>
      <label class="stack-tight wide">${say("board.seek")}<input class="field" name="q" type="search" maxlength="100" placeholder=${say("board.seek_hint")} /></label>
      ${choice(say("board.kind"), "kind", "alarm_kind", KINDS)} ${choice(say("board.urgency"), "urgency", "urgency", URGENCIES)}
      ${choice(say("board.state"), "state", "alarm_state", STATES.slice(1))} ${day("from", "board.from_day")} ${day("to", "board.to_day")}
      <button class="button primary" ?disabled=${state.busy}>${say("board.find")}</button>
    </form>
    ${refusal(state.note)}
    ${state.found ? table(heads, state.found.map(row), say("board.nothing_found")) : state.busy ? loading() : nothing}
    ${state.next ? html`<button type="button" class="button" ?disabled=${state.busy} @click=${more}>${say("board.older")}</button>` : nothing}
  </section>`;
}

/** Shows the newest alarms where nothing was sought yet. */
export function openHistory(draw) {
  if (!state.found && !state.busy) {
    seek(null, draw);
  }
}

/** Forgets everything: the next operator begins anew. */
export const forgetHistory = () => Object.assign(state, { found: null, next: null, note: null, busy: false });
