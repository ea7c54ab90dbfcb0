// Open alarms, and the one that somebody takes: who, where, whom to call, what happened, and the next step at one press.
//
// From the list to the end it takes four presses: acknowledge, send (one press says who and when), on site, end (one press says why).

import { guard, html, nothing, repeat } from "/pages/paper.js";
import { say, span, time, word } from "/pages/words.js";
import { desk, inOrder, isWaiting, loadShown, look, lookingAt, messageOf, step } from "./desk.js";
import { dotted, loading, name, names, refusal, runs, urgencyChip } from "./page.js";

const CAUSES = [
  "fall", "accidental", "anxiety_talk", "pain_breath", "toilet_transfer", "service_request", "device_false", "test", "visitor",
  "fire_gas", "intruder", "pet", "unknown",
];
const ETAS_MIN = [5, 10, 15, 30];
const PRESSED = ["sos", "pull_cord", "service"];

/** What somebody is about to say of the alarm that is looked at. */
const draft = { id: null, responder: null, typed: "", ending: false, note: null, taken: null, busy: false };
let selected = null;
let redraw = () => {};

export function startAlarms(draw) {
  redraw = draw;
}

function fresh(id) {
  if (draft.id !== id) {
    Object.assign(draft, { id, responder: null, typed: "", ending: false, note: null, taken: null, busy: false });
  }
}

async function take(id, act, body) {
  if (draft.busy && draft.id === id) {
    return;
  }
  fresh(id);
  Object.assign(draft, { busy: true, note: null, taken: null });
  redraw();
  // What was begun while the answer was on its way goes on.
  let outcome = draft.ending ? { ending: false } : {};
  try {
    await step(id, act, body);
  } catch (failure) {
    outcome = { note: messageOf(failure), taken: failure.code === "alarm_taken" ? act : null };
  }
  // Meanwhile the draft may be about another alarm.
  if (draft.id === id) {
    Object.assign(draft, outcome, { busy: false });
  }
  redraw();
}

/** Takes an alarm and looks at it. */
export function acknowledge(id, body = {}) {
  selected = id;
  look(id);
  return take(id, "acknowledge", body);
}

export const isMine = (alarm) => alarm.by === null || alarm.by === desk.who;

// --- The list ---

function marks(alarm) {
  const times = PRESSED.includes(alarm.kind) ? "board.presses" : "board.times";
  return [
    alarm.presses > 1 ? html`<strong class="chip bad">${say(times, { n: alarm.presses })}</strong>` : nothing,
    alarm.taken_back ? html`<strong class="chip warn">${say("board.taken_back")}</strong>` : nothing,
    alarm.happened_at ? html`<strong class="chip warn">${say("board.late", { time: time(alarm.happened_at) })}</strong>` : nothing,
  ];
}

/** Who has it, and who is under way. */
function standing(alarm) {
  if (isWaiting(alarm)) {
    return html`<strong class="nobody">${say("board.nobody_yet")}</strong>`;
  }
  const who = alarm.by === desk.who ? say("board.you") : alarm.by;
  return html`<span>${word("alarm_state", alarm.state)} · ${name(who)}</span>`;
}

function coming(alarm) {
  if (alarm.state !== "dispatched") {
    return nothing;
  }
  const who = alarm.responder ? name(alarm.responder) : say("board.somebody");
  const eta = alarm.eta
    ? runs(alarm.eta, (late) => (late < 0 ? say("board.eta_in", { span: say("board.eta_min", { n: Math.ceil(-late / 60) }) }) : say("board.eta_over", { span: span(late) })))
    : nothing;
  return html`<span class="coming">→ ${who} ${eta}</span>`;
}

const where = (alarm) => (alarm.address || alarm.place ? names(alarm.address, alarm.place) : name(alarm.device ?? alarm.gateway));

function row(alarm) {
  const waits = isWaiting(alarm);
  const present = lookingAt(alarm.id);
  const open = () => {
    selected = alarm.id;
    look(alarm.id);
  };
  const label = dotted(word("urgency", alarm.urgency), word("alarm_kind", alarm.kind), alarm.name ?? alarm.place ?? alarm.device);
  return html`<li class="alarm ${alarm.urgency} ${waits ? "waits" : ""}" aria-current=${alarm.id === desk.shownId ? "true" : "false"}>
    <button type="button" class="open" data-key="open ${alarm.id}" data-alarm=${alarm.id} @click=${open} @focus=${() => (selected = alarm.id)}>
      <span class="headline">${urgencyChip(alarm.urgency)}<strong>${word("alarm_kind", alarm.kind)}</strong>${runs(alarm.age)}</span>
      <span class="who">${alarm.name ? name(alarm.name) : nothing} <span class="where">${where(alarm)}</span></span>
      <span class="foot">${standing(alarm)}${coming(alarm)}${marks(alarm)}
        ${present.length ? html`<span class="chip info">${say("board.looks", { who: present.join(", ") })}</span>` : nothing}</span>
    </button>
    ${waits
      ? html`<button type="button" class="button primary take" data-key="take ${alarm.id}" @click=${() => acknowledge(alarm.id)}>
          ${word("step", "acknowledge")}<span class="for-ears">${label}</span></button>`
      : nothing}
  </li>`;
}

function nothingOpen() {
  if (desk.count === null) {
    return loading();
  }
  return desk.online
    ? html`<p class="calm">${say("board.no_open_alarms")}</p>`
    : html`<p class="banner bad">${say("board.not_known_whether")}</p>`;
}

export function listView() {
  const alarms = inOrder();
  const more = (desk.count ?? 0) - alarms.length;
  const drawn = (alarm) =>
    guard([alarm, alarm.id === desk.shownId, lookingAt(alarm.id).join(), document.documentElement.lang, desk.who], () => row(alarm));
  return html`<section class="list" aria-label=${say("board.open_alarms")}>
    <h1>${say("board.open_alarms")} <span class="figures">${desk.online ? (desk.count ?? "") : nothing}</span>
      ${desk.online || !desk.asOf ? nothing : html`<span class="chip bad">${say("board.as_of", { time: time(desk.asOf) })}</span>`}</h1>
    ${alarms.length ? html`<ul class="alarms">${repeat(alarms, (alarm) => alarm.id, drawn)}</ul>` : nothingOpen()}
    ${more > 0 ? html`<p class="quiet">${say("board.more_open", { n: more })}</p>` : nothing}
  </section>`;
}

// --- The one that is looked at ---

const plain = (one) => (one !== null && typeof one === "object" ? Object.values(one).join(" ") : String(one));

const PHONE = /^[0-9+][0-9 -]{4,}$/;

function contact(one) {
  const called = typeof one?.name === "string" ? one.name : plain(one);
  const phone = typeof one?.phone === "string" ? one.phone : null;
  const rest = one !== null && typeof one === "object" ? Object.entries(one).filter(([key]) => key !== "name" && key !== "phone") : [];
  const dial = phone && PHONE.test(phone) ? html`<a class="phone" href="tel:${phone.replaceAll(" ", "")}">${phone}</a>` : name(phone ?? "");
  return html`<li><strong>${name(called)}</strong> ${dial} ${rest.length ? html`<span class="quiet">${name(rest.map(([, value]) => plain(value)).join(" "))}</span>` : nothing}</li>`;
}

function person(alarm) {
  if (!alarm.who) {
    return html`<p class="quiet">${say("board.nobodys_device", { device: alarm.device ?? alarm.gateway })}</p>`;
  }
  const { who } = alarm;
  const contacts = [who.contacts ?? []].flat();
  const conditions = [who.conditions ?? []].flat().map(plain);
  return html`
    ${conditions.length ? html`<div class="banner warn conditions"><h2>${say("board.conditions")}</h2><ul>${conditions.map((one) => html`<li>${name(one)}</li>`)}</ul></div>` : nothing}
    <h2>${say("board.contacts")}</h2>
    ${contacts.length ? html`<ul class="contacts">${contacts.map(contact)}</ul>` : html`<p class="quiet">${say("board.no_contacts")}</p>`}`;
}

function responders(alarm) {
  const contacts = [alarm.who?.contacts ?? []].flat().map((one) => (typeof one?.name === "string" ? one.name : plain(one)));
  return [say("board.on_duty"), ...contacts].map((one) => [...one].slice(0, 64).join("")).filter((one, at, all) => one && all.indexOf(one) === at);
}

const chosenResponder = (alarm) => draft.typed.trim() || draft.responder || responders(alarm)[0];

/** Sends whoever is chosen; `minutes` null where nobody knows when they are there. */
export function dispatch(alarm, minutes) {
  fresh(alarm.id);
  return take(alarm.id, "dispatch", { responder: chosenResponder(alarm), ...(minutes ? { eta_min: minutes } : {}) });
}

function sendPanel(alarm) {
  const choose = (one) => () => {
    Object.assign(draft, { responder: one, typed: "" });
    redraw();
  };
  const type = (event) => {
    draft.typed = event.target.value;
    redraw();
  };
  const who = (one) => html`<button type="button" class="button" data-key="responder ${one}" aria-pressed=${chosenResponder(alarm) === one} @click=${choose(one)}>${name(one)}</button>`;
  const eta = (minutes, at) => html`<button type="button" class="button primary" data-key="eta ${minutes}" data-digit=${at + 1} ?disabled=${draft.busy} @click=${() => dispatch(alarm, minutes)}>
    <kbd>${at + 1}</kbd> ${say("board.eta_min", { n: minutes })}</button>`;
  return html`<h2>${say("board.who_goes")}</h2>
    <div class="row" role="group" aria-label=${say("board.who_goes")}>${responders(alarm).map(who)}
      <label class="row"><span class="quiet">${say("board.somebody_else")}</span><input class="field" data-key="typed" maxlength="64" .value=${draft.typed} @input=${type} /></label></div>
    <h2>${say("board.there_in")}</h2>
    <div class="row">${ETAS_MIN.map(eta)}
      <button type="button" class="button" data-key="eta none" ?disabled=${draft.busy} @click=${() => dispatch(alarm, null)}>${say("board.eta_unknown")}</button></div>`;
}

/** Ends the alarm. */
export const resolve = (alarm, cause) => take(alarm.id, "resolve", { cause });

/** The cause behind a digit key. */
export const causeOf = (digit) => CAUSES[digit === 0 ? 9 : digit - 1];

function endPanel(alarm) {
  const cause = (one, at) => html`<button type="button" class="button" data-key="cause ${one}" data-cause=${one} ?disabled=${draft.busy} @click=${() => resolve(alarm, one)}>
    ${at < 10 ? html`<kbd>${(at + 1) % 10}</kbd>` : nothing} ${word("cause", one)}</button>`;
  return html`<h2>${say("board.end_because")}</h2><div class="causes" role="group" aria-label=${say("board.end_because")}>${CAUSES.map(cause)}</div>`;
}

/** Shows the causes in place of the next step, before anybody was there: it was no emergency. */
export function beginEnding() {
  draft.ending = true;
  redraw();
}

/** Whether the causes are shown in place of the next step. */
export const isEnding = (alarm) => draft.id === alarm.id && draft.ending;

/** Back to the next step; whether there was a way back. */
export function stopEnding() {
  const was = draft.ending;
  draft.ending = false;
  redraw();
  return was;
}

const takeOver = (alarm) => take(alarm.id, "acknowledge", { take_over: true });

function takenPanel(alarm) {
  return html`<div class="banner warn stack"><p>${say("board.has_it", { who: alarm.by, time: time(alarm.since) })}</p>
    <div><button type="button" class="button danger" data-key="take over" ?disabled=${draft.busy} @click=${() => takeOver(alarm)}>${say("board.take_over")}</button></div></div>`;
}

const NEXT = { raised: "acknowledge", accepted: "acknowledge", acknowledged: "dispatch", dispatched: "on_site", on_site: "resolve" };

/** The next step of an alarm; null where it is over. */
export const nextStep = (alarm) => NEXT[alarm.state] ?? null;

function stepButton(alarm, act, key) {
  return html`<button type="button" class="button primary big" data-key="step ${act}" ?disabled=${draft.busy} @click=${() => take(alarm.id, act)}>
    <kbd>${key}</kbd> ${word("step", act)}</button>`;
}

function nextPanel(alarm) {
  const next = nextStep(alarm);
  if (next === null) {
    return html`<p class="chip good">${say("board.ended", { cause: word("cause", alarm.cause ?? "unknown") })}</p>`;
  }
  if (!isMine(alarm) && !isWaiting(alarm)) {
    return takenPanel(alarm);
  }
  const early = next !== "resolve" && !isWaiting(alarm);
  if (early && draft.ending) {
    return html`${endPanel(alarm)}<div><button type="button" class="button" data-key="end not" @click=${stopEnding}><kbd>Esc</kbd> ${say("board.back")}</button></div>`;
  }
  const panels = {
    acknowledge: () => stepButton(alarm, "acknowledge", "A"),
    dispatch: () => sendPanel(alarm),
    on_site: () => html`<p>${coming(alarm)}</p>${stepButton(alarm, "on_site", "O")}`,
    resolve: () => endPanel(alarm),
  };
  return html`${panels[next]()}
    ${early ? html`<div><button type="button" class="button" data-key="end" @click=${beginEnding}><kbd>R</kbd> ${say("board.end_now")}</button></div>` : nothing}`;
}

function line(event) {
  const what = event.what === "step" ? word("alarm_state", event.state) : word("alarm_event", event.what);
  const sent = event.responder ? say("board.sent", { who: event.responder }) : null;
  const eta = event.eta_min ? say("board.eta_min", { n: event.eta_min }) : null;
  const from = event.took_over ? say("board.from", { who: event.took_over }) : null;
  const cause = event.cause ? word("cause", event.cause) : null;
  return html`<li><time>${time(event.at)}</time> <span>${names(what, event.by ?? event.source, from, sent, eta, cause)}</span></li>`;
}

function small(alarm) {
  const open = (event) => {
    event.preventDefault();
    look(alarm.id);
  };
  return html`<li><a href="#alarms/${encodeURIComponent(alarm.id)}" @click=${open}>${time(alarm.recorded_at)} ${word("alarm_kind", alarm.kind)}</a>
    <span class="quiet">${dotted(word("alarm_state", alarm.state), alarm.cause ? word("cause", alarm.cause) : null)}</span></li>`;
}

export function alarmView() {
  if (desk.shownId === null) {
    return html`<section class="shown empty"><p class="quiet">${say("board.choose_alarm")}</p>${keysHelp()}</section>`;
  }
  const alarm = desk.shown;
  const failed = desk.shownNote
    ? html`${refusal(desk.shownNote)}<div><button type="button" class="button" data-key="load again" @click=${loadShown}>${say("board.try_again")}</button></div>`
    : nothing;
  if (!alarm) {
    return html`<section class="shown stack">${desk.shownNote ? failed : loading()}</section>`;
  }
  fresh(alarm.id);
  const present = lookingAt(alarm.id);
  return html`<section class="shown stack" aria-label=${say("board.this_alarm")}>
    ${failed}
    <header class="stack subject ${alarm.urgency}">
      <div class="spread"><div class="row">${urgencyChip(alarm.urgency)}<strong class="kind">${word("alarm_kind", alarm.kind)}</strong>${marks(alarm)}</div>
        <button type="button" class="button plain" data-key="close" @click=${() => look(null)}><kbd>Esc</kbd> ${say("board.back")}</button></div>
      <h1 tabindex="-1" id="subject">${name(alarm.name ?? alarm.device ?? alarm.gateway)}</h1>
      <p class="address">${where(alarm)}</p>
      <p>${alarm.state === "resolved" ? time(alarm.recorded_at) : runs(alarm.age, (age) => say("board.since", { span: span(age) }))} · ${standing(alarm)}</p>
      ${present.length ? html`<p><span class="chip info">${say("board.looks", { who: present.join(", ") })}</span></p>` : nothing}
    </header>
    <div class="next stack" role="group" aria-label=${say("board.next")}>
      ${draft.taken && !isMine(alarm) ? nothing : refusal(draft.note)}
      ${nextPanel(alarm)}
    </div>
    <div class="about stack">${person(alarm)}</div>
    <div class="stack">
      <h2>${say("board.what_happened")}</h2>
      <ol class="history"><li><time>${time(alarm.recorded_at)}</time> <span>${names(word("alarm_kind", alarm.kind), alarm.device, say("board.by_gateway", { gateway: alarm.gateway }))}</span></li>
        ${alarm.history?.map(line)}</ol>
      ${alarm.same_home?.length ? html`<h2>${say("board.same_home")}</h2><ul class="small">${alarm.same_home.map(small)}</ul>` : nothing}
      ${alarm.before?.length ? html`<h2>${say("board.before")}</h2><ul class="small">${alarm.before.map(small)}</ul>` : nothing}
      <p class="quiet facts">${dotted(alarm.id, alarm.follows ? say("board.follows", { alarm: alarm.follows }) : null)}</p>
    </div>
  </section>`;
}

const KEYS = [
  ["J", "K"], ["Enter"], ["A"], ["D"], ["1 – 4"], ["O"], ["R"], ["0 – 9"], ["Esc"],
];
const KEY_TEXTS = ["keys_move", "keys_open", "keys_acknowledge", "keys_dispatch", "keys_eta", "keys_on_site", "keys_resolve", "keys_cause", "keys_back"];

/** What each key does. */
function keysHelp() {
  return html`<dl class="keys">${KEYS.map(
    (keys, at) => html`<div><dt>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${say(`board.${KEY_TEXTS[at]}`)}</dd></div>`,
  )}</dl>`;
}

/** The alarm that keys are about: the one that is looked at, once it is there; else the selected one of the list, else its first. */
export function keyedAlarm() {
  return desk.shownId !== null ? desk.shown : desk.open.get(selected) ?? inOrder()[0] ?? null;
}

/** Selects the next or the previous alarm of the list. */
export function move(by) {
  const ids = inOrder().map((alarm) => alarm.id);
  if (ids.length === 0) {
    return;
  }
  const at = ids.indexOf(desk.shownId ?? selected);
  selected = ids[Math.min(ids.length - 1, Math.max(0, at + by))];
  if (desk.shownId !== null) {
    look(selected);
  }
  document.querySelector(`[data-alarm="${CSS.escape(selected)}"]`)?.focus();
}
