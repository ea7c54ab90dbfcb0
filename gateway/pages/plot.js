// Small plots: bars over time, with the same figures as a table for those who do not see them. An unknown value is shown as unknown, never as 0.

import { html, nothing, svg } from "./paper.js";
import { say } from "./words.js";

const WIDTH = 480;
const HEIGHT = 120;
const BELOW = 16;
const LEFT = 34;
const KINDS = ["first", "second", "third"];

function scale(bars) {
  const sums = bars.map(({ values }) => values.reduce((sum, value) => sum + (value ?? 0), 0));
  return Math.max(1, ...sums);
}

function bar({ values }, index, count, most) {
  const room = (WIDTH - LEFT) / count;
  const x = LEFT + index * room;
  const known = values.some((value) => value !== null);
  if (!known) {
    return svg`<rect class="unknown" x=${x} y=${HEIGHT - 4} width=${room * 0.8} height="4" />`;
  }
  let below = HEIGHT;
  return values.map((value, kind) => {
    const height = ((value ?? 0) / most) * (HEIGHT - 12);
    below -= height;
    return svg`<rect class=${KINDS[kind] ?? nothing} x=${x} y=${below} width=${room * 0.8} height=${height} />`;
  });
}

function figures(title, series, bars, shown) {
  const cell = (value) => html`<td>${value === null ? say("common.unknown") : shown(value)}</td>`;
  return html`<table class="for-ears">
    <caption>${title}</caption>
    <tr><th>${say("common.time")}</th>${series.map((name) => html`<th>${name}</th>`)}</tr>
    ${bars.map(({ label, values }) => html`<tr><th>${label}</th>${values.map(cell)}</tr>`)}
  </table>`;
}

/**
 * Bars, one on another for each of `series`. `bars`: `{ label, values }` with a value or null (unknown) for each of the series.
 * `shown` makes a text of a value.
 */
export function plot({ title, series, bars, shown = String }) {
  const most = scale(bars);
  const every = Math.max(1, Math.ceil(bars.length / 8));
  const room = (WIDTH - LEFT) / Math.max(1, bars.length);
  const label = ({ label: text }, index) =>
    index % every === 0 ? svg`<text x=${LEFT + index * room} y=${HEIGHT + BELOW - 3}>${text}</text>` : nothing;
  return html`<figure class="stack plotted">
    <figcaption>${title}</figcaption>
    <svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT + BELOW}" aria-hidden="true">
      <line class="axis" x1=${LEFT} x2=${WIDTH} y1=${HEIGHT} y2=${HEIGHT} />
      <line class="axis" x1=${LEFT} x2=${WIDTH} y1="12" y2="12" />
      <text x="0" y="16">${shown(most)}</text>
      <text x="0" y=${HEIGHT}>${shown(0)}</text>
      ${bars.map((one, index) => bar(one, index, bars.length, most))} ${bars.map(label)}
    </svg>
    ${figures(title, series, bars, shown)}
  </figure>`;
}
