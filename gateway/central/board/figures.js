// How many alarms, and how quickly they were answered.

import { plot } from "/pages/plot.js";
import { html } from "/pages/paper.js";
import { say, span, word } from "/pages/words.js";
import { ask, messageOf } from "./desk.js";
import { loading, refusal, table } from "./page.js";

const DAYS = [1, 7, 30, 90, 365];
const STEPS = ["acknowledged", "dispatched", "on_site", "resolved"];
const state = { days: 7, sheet: null, note: null };

export async function openFigures(draw) {
  const { days } = state;
  try {
    const sheet = await ask("GET", `/api/v1/figures?days=${days}`);
    if (state.days === days) {
      Object.assign(state, { sheet, note: null });
    }
  } catch (failure) {
    state.note = messageOf(failure);
  }
  draw();
}

/** Seconds as people read them; unknown where nothing was measured. */
const shown = (seconds) => (seconds === null ? say("common.unknown") : seconds < 10 ? say("common.seconds", { s: seconds.toFixed(1) }) : span(Math.round(seconds)));

const spreadCells = (spread) => [String(spread.n), ...["p50_s", "p90_s", "p97_5_s", "p99_s"].map((key) => shown(spread[key]))];

function plots(sheet) {
  const label = ({ from }) => (sheet.by_hour ? from.slice(11, 16) : from.slice(5, 10));
  const counts = sheet.buckets.map((bucket) => ({ label: label(bucket), values: [bucket.alarms, bucket.tests] }));
  const times = sheet.buckets.map((bucket) => ({ label: label(bucket), values: [bucket.acknowledged.p90_s] }));
  return html`<div class="grid plots">
    <div class="card">${plot({ title: say(sheet.by_hour ? "board.alarms_by_hour" : "board.alarms_by_day"), series: [say("board.alarms"), word("urgency", "test")], bars: counts })}</div>
    <div class="card">${plot({ title: say("board.p90_acknowledged"), series: [say("board.p90")], bars: times, shown })}</div>
  </div>`;
}

export function figuresView(draw) {
  const choose = (days) => () => {
    state.days = days;
    openFigures(draw);
    draw();
  };
  const button = (days) => html`<button type="button" class="button" data-key="days ${days}" aria-pressed=${state.days === days} @click=${choose(days)}>${say("board.days", { n: days })}</button>`;
  const { sheet } = state;
  const percentiles = ["p50", "p90", "p97_5", "p99"].map((key) => say(`board.${key}`));
  const heads = [say("board.step_from_raised"), say("board.measured"), ...percentiles];
  const step = (name) => ({ cells: [word("alarm_state", name), ...spreadCells(sheet.times[name])] });
  const urgency = (of) => ({
    cells: [word("urgency", of.urgency), String(of.alarms), String(of.open), of.times ? shown(of.times.acknowledged.p90_s) : "—", of.times ? shown(of.times.on_site.p90_s) : "—"],
  });
  const cause = (of) => ({ cells: [of.cause ? word("cause", of.cause) : say("board.other_causes"), String(of.alarms)] });
  return html`<section class="stack"><div class="spread"><h1>${say("board.figures")}</h1><div class="row">${DAYS.map(button)}</div></div>
    ${refusal(state.note)}
    ${sheet
      ? html`${plots(sheet)}
          <h2>${say("board.response_times")}</h2><p class="quiet">${say("board.response_times_of")}</p>${table(heads, STEPS.map(step), "")}
          <h2>${say("board.by_urgency")}</h2>${table(["urgency", "alarms", "still_open", "p90_acknowledged", "p90_on_site"].map((head) => say(`board.${head}`)), sheet.by_urgency.map(urgency), "")}
          <h2>${say("board.by_cause")}</h2>${table([say("board.cause"), say("board.alarms")], sheet.causes.map(cause), say("board.nothing_ended"))}`
      : loading()}
  </section>`;
}
