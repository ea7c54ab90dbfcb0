// The state of everything in one strip: trouble first and large, with what to do; what is well small.

import { html, nothing, repeat } from "/pages/paper.js";
import { say, span, word } from "/pages/words.js";

const LEVELS = ["bad", "warn", "good"];
/** Entries that wait so long are trouble although the line is up; alarms much sooner. */
const WAITS_S = { alarms: 20, alarm_notes: 120, sales: 600, rest: 600 };
/** Without an answer for so long the line counts as doubtful although nobody said that it is down. */
const ANSWER_AGE_S_MAX = 120;
const GIGABYTE = 1e9;

function line(status, passed) {
  const { online, failure, last_answer_age_s: age } = status.uplink;
  const answered = age === null ? say("staff.never_answered") : say("staff.answered", { age: span(age + passed) });
  if (!online) {
    const why = failure ? word("uplink_failure", failure) : say("staff.offline");
    return { key: "line", level: "bad", title: say("staff.uplink"), text: say("staff.line_down", { why }), hint: `${say("staff.line_down_hint")} ${answered}` };
  }
  const level = age !== null && age + passed > ANSWER_AGE_S_MAX ? "warn" : "good";
  return { key: "line", level, title: say("staff.uplink"), text: say("staff.online"), hint: answered };
}

function lanes(status, passed) {
  return status.lanes.map(({ lane, waiting, oldest_age_s: oldest }) => {
    const age = oldest === null ? null : oldest + passed;
    const late = waiting > 0 && age !== null && age > WAITS_S[lane];
    const level = late ? (lane === "alarms" ? "bad" : "warn") : "good";
    const text = waiting === 0 ? "0" : age === null ? String(waiting) : say("staff.waiting_since", { n: waiting, age: span(age) });
    return { key: `lane-${lane}`, level, title: say("staff.lane", { lane: word("lane", lane) }), text, hint: late ? say("staff.lane_hint") : null };
  });
}

function disk(status) {
  if (!status.disk) {
    return [];
  }
  const { free_bytes: free, total_bytes: total, low } = status.disk;
  const text = say("staff.disk_free", { free: (free / GIGABYTE).toFixed(1), total: (total / GIGABYTE).toFixed(1) });
  return [{ key: "disk", level: low ? "bad" : "good", title: say("staff.disk"), text, hint: low ? say("staff.disk_hint") : null }];
}

function journal(status) {
  const { storing, n, scrub } = status.journal;
  const damaged = scrub?.damaged > 0;
  const hint = !storing ? say("staff.journal_hint") : damaged ? say("staff.damaged", { n: scrub.damaged }) : null;
  return { key: "journal", level: !storing ? "bad" : damaged ? "warn" : "good", title: say("staff.journal"), text: storing ? say("staff.journal_ok", { n }) : say("staff.journal_down", { n }), hint };
}

function readers(status) {
  return status.readers.map(({ reader, state, psam }) => {
    const bad = state === "gone" || psam === false;
    const hint = state === "gone" ? say("staff.reader_hint") : psam === false ? say("staff.psam_hint") : null;
    const text = [word("reader_state", state), psam === false ? say("staff.psam_gone") : null].filter(Boolean).join(" · ");
    return { key: `reader-${reader}`, level: bad ? "bad" : state === "mute" ? "warn" : "good", title: say("staff.reader", { name: reader }), text, hint };
  });
}

function counted(key, level, title, n, view, hint) {
  return { key, level: n > 0 ? level : "good", title, text: String(n), hint: n > 0 ? hint : null, view: n > 0 ? view : null };
}

function devices(status) {
  const { silent, never, total } = status.devices;
  const text = say("staff.device_counts_value", status.devices);
  const level = silent > 0 ? "bad" : never > 0 ? "warn" : "good";
  return { key: "devices", level, title: say("staff.device_counts"), text, hint: silent > 0 ? say("staff.devices_hint") : never > 0 ? say("staff.never_hint") : null, view: total > 0 ? "devices" : null };
}

function clock(status) {
  const good = status.clock === "trusted";
  return { key: "clock", level: good ? "good" : "warn", title: say("staff.clock"), text: word("clock", status.clock), hint: good ? null : say("staff.clock_hint") };
}

function all(status, passed) {
  const closed = status.sales_closed !== null;
  const sales = { key: "sales", level: closed ? "bad" : "good", title: say("staff.sales_state"), text: closed ? status.sales_closed_message : say("staff.sales_open"), hint: null };
  return [
    ...status.degraded.map((one) => ({ key: `part-${one.part}`, level: one.alarms_concerned ? "bad" : "warn", title: say("staff.degraded"), text: word("part", one.part), hint: one.detail })),
    line(status, passed),
    ...lanes(status, passed),
    journal(status),
    ...disk(status),
    devices(status),
    counted("quarantine", "warn", say("staff.quarantined"), status.quarantined, "quarantine", say("staff.quarantine_hint")),
    counted("unknown", "warn", say("staff.sales_unknown"), status.sales_unknown, "sales", say("staff.unknown_hint")),
    sales,
    ...readers(status),
    clock(status),
    { key: "uptime", level: "good", title: say("staff.uptime"), text: span(status.uptime_s + passed), hint: null },
  ];
}

/** How many things are not well. */
export function troubles(known) {
  return known.data.status ? all(known.data.status, 0).filter(({ level }) => level !== "good").length : 0;
}

/** The strip; `go` opens another view. */
export function stateView(known, go) {
  if (!known.data.status) {
    return nothing;
  }
  const told = all(known.data.status, known.since("status"));
  told.sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
  const ill = told.filter(({ level }) => level !== "good");
  const well = told.filter(({ level }) => level === "good");
  const told_now = ill.length > 0 ? say("staff.to_look_after", { n: ill.length }) : say("staff.all_well");
  const heading = known.stale === null ? told_now : say("staff.nobody_knows");
  const card = ({ level, title, text, hint, view }) => html`<li class="card trouble ${level}">
    <h3>${title}</h3>
    <p><strong>${text}</strong></p>
    ${hint ? html`<p class="quiet">${hint}</p>` : nothing}
    ${view ? html`<button type="button" class="button" @click=${() => go(view)}>${say("staff.look")}<span class="for-ears"> ${title}</span></button>` : nothing}
  </li>`;
  const calm = ({ title, text, hint }) => html`<li><span class="good mark" aria-hidden="true">✓</span> <span class="quiet">${title}</span> <span class="figures">${text}</span>${hint ? html` <span class="quiet small">${hint}</span>` : nothing}</li>`;
  return html`<section class="state stack" aria-label=${say("staff.state_of_all")}>
    <h2>${heading}</h2>
    <ul class="stack">${repeat(ill, ({ key }) => key, card)}</ul>
    <ul class="calm-list">${repeat(well, ({ key }) => key, calm)}</ul>
  </section>`;
}
