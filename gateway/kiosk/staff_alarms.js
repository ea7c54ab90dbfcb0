// Open alarms: the most urgent first, each with its age, what has to happen next and by when, and one press for it.

import { ask } from "/page/shared.js";
import { html, nothing, repeat } from "/pages/paper.js";
import { live } from "/pages/vendor/lit-html/directives/live.js";
import { hasWord, say, span, time, word } from "/pages/words.js";

const ORDER = ["raised", "accepted", "acknowledged", "dispatched", "on_site", "resolved"];
const STEPS = [
  ["acknowledge", "acknowledged"],
  ["dispatch", "dispatched"],
  ["on_site", "on_site"],
];
const URGENCIES = ["emergency", "urgent", "request", "technical", "test"];
const FOR_PEOPLE = ["emergency", "urgent", "request"];
const CAUSES = [
  "fall", "pain_breath", "toilet_transfer", "fire_gas", "intruder", "anxiety_talk", "service_request",
  "accidental", "device_false", "test", "pet", "visitor", "unknown",
];
const PRESSED = ["sos", "pull_cord", "service"];
/** Minutes until somebody arrives that can be said with one press. */
const ETAS_MIN = [5, 10, 15, 30];
/** Technical alarms that are shown before somebody asks for all. */
const TECHNICAL_SHOWN = 5;
const NO_DEADLINE_S = Number.MAX_SAFE_INTEGER;

/** Whether somebody has to be woken for an alarm. */
export function cries(alarm) {
  return (alarm.urgency === "emergency" || alarm.urgency === "urgent") && ORDER.indexOf(alarm.state) < ORDER.indexOf("acknowledged");
}

/** Whether somebody at a kiosk calls and nobody has said that they come. */
export function calls(alarm) {
  return alarm.kind === "help" && ORDER.indexOf(alarm.state) < ORDER.indexOf("acknowledged");
}

/** Where somebody has to go: a call names the kiosk's reader. */
function placeOf({ kind, place, device, detail }) {
  const reader = kind === "help" && detail ? say("staff.reader", { name: detail }) : null;
  return place ?? reader ?? device ?? say("staff.this_gateway");
}

/** The alarms of the page. `known` has them, `note` tells what was refused. */
export class Alarms {
  #known;
  #changed;
  #note;
  /** The alarm whose details are open, or for which something is being chosen. */
  #open = new Map();
  #busy = new Set();
  /** Who goes, as it is typed: for one alarm each, since it is recorded with that alarm. */
  #responders = new Map();
  #all = false;

  constructor(known, changed, note) {
    this.#known = known;
    this.#changed = changed;
    this.#note = note;
  }

  /** The next one is somebody else: nothing of what was begun is left. */
  forget() {
    this.#open.clear();
    this.#responders.clear();
  }

  async #step(alarm, name, body) {
    if (this.#busy.has(alarm.id)) {
      return;
    }
    this.#busy.add(alarm.id);
    this.#changed();
    try {
      await ask("POST", `/api/v1/alarms/${encodeURIComponent(alarm.id)}/${name}`, body);
      this.#open.delete(alarm.id);
      this.#responders.delete(alarm.id);
      this.#note(null);
    } catch (refused) {
      this.#note(refused);
    }
    this.#busy.delete(alarm.id);
    await this.#known.load();
  }

  #show(alarm, what) {
    if (what === null || this.#open.get(alarm.id) === what) {
      this.#open.delete(alarm.id);
    } else {
      this.#open.set(alarm.id, what);
    }
    this.#changed();
  }

  #press(alarm, name) {
    if (name === "resolve") {
      this.#show(alarm, "causes");
    } else {
      this.#step(alarm, name);
    }
  }

  #due(alarm) {
    const { next } = alarm;
    if (!next) {
      return nothing;
    }
    const name = word("next_step", next.step);
    if (next.due_in_s === null) {
      return html`<p class="next"><strong>${say("staff.next", { step: name })}</strong></p>`;
    }
    const left = next.due_in_s - this.#known.since("alarms");
    const late = left < 0;
    const told = late ? say("staff.overdue", { by: span(-left) }) : say("staff.time_left", { left: span(left) });
    return html`<p class="next ${late ? "late" : ""}"><strong>${say("staff.next", { step: name })}</strong> <span class="figures">${told}</span></p>`;
  }

  #causes(alarm) {
    const choose = (cause) => html`<button type="button" class="button" ?disabled=${this.#busy.has(alarm.id)} @click=${() => this.#step(alarm, "resolve", { cause })}>
      ${word("cause", cause)}
    </button>`;
    return html`<div class="choice stack" role="group" aria-label=${say("staff.choose_cause")}>
      <p>${say("staff.choose_cause")}</p>
      <div class="row">${CAUSES.map(choose)}</div>
      <button type="button" class="button plain" @click=${() => this.#show(alarm, null)}>${say("staff.back")}</button>
    </div>`;
  }

  #dispatching(alarm) {
    const typed = this.#responders.get(alarm.id) ?? "";
    const go = (eta_min) => {
      const responder = typed.trim();
      this.#step(alarm, "dispatch", { ...(responder ? { responder } : {}), ...(eta_min ? { eta_min } : {}) });
    };
    const busy = this.#busy.has(alarm.id);
    const type = (event) => {
      this.#responders.set(alarm.id, event.target.value);
      this.#changed();
    };
    return html`<div class="choice stack" role="group" aria-label=${say("staff.who_goes")}>
      <label class="stack"><span>${say("staff.who_goes")}</span><input class="field" maxlength="64" autocomplete="off" .value=${live(typed)} @input=${type} /></label>
      <p>${say("staff.there_in")}</p>
      <div class="row">
        ${ETAS_MIN.map((eta) => html`<button type="button" class="button primary" ?disabled=${busy} @click=${() => go(eta)}>${say("staff.minutes", { n: eta })}</button>`)}
        <button type="button" class="button" ?disabled=${busy} @click=${() => go(null)}>${say("staff.there_unsaid")}</button>
        <button type="button" class="button plain" @click=${() => this.#show(alarm, null)}>${say("staff.back")}</button>
      </div>
    </div>`;
  }

  #details(alarm) {
    const reached = ORDER.indexOf(alarm.state);
    const others = STEPS.filter(([name, state]) => ORDER.indexOf(state) > reached && name !== alarm.next?.step);
    const line = ({ what, at, state, by, cause, responder, eta_min: eta }) =>
      [
        time(at), what === "step" ? word("alarm_state", state) : word("alarm_event", what), by, responder,
        eta ? say("staff.minutes", { n: eta }) : null, cause ? word("cause", cause) : null,
      ].filter(Boolean).join(" · ");
    const facts = [say("staff.raised_at", { time: time(alarm.raised_at) }), alarm.device, alarm.id, alarm.detail].filter(Boolean);
    return html`<div class="details stack">
      <p class="quiet"><bdi>${facts.join(" · ")}</bdi></p>
      <ol class="history">${alarm.steps.map((one) => html`<li><bdi>${line(one)}</bdi></li>`)}</ol>
      <div class="row">
        ${others.map(([name]) => html`<button type="button" class="button" ?disabled=${this.#busy.has(alarm.id)} @click=${() => this.#press(alarm, name)}>${word("do_step", name)}</button>`)}
        ${alarm.state !== "resolved" && alarm.next?.step !== "resolve" ? html`<button type="button" class="button" @click=${() => this.#show(alarm, "causes")}>${word("do_step", "resolve")}</button>` : nothing}
      </div>
    </div>`;
  }

  #marks(alarm) {
    const times = PRESSED.includes(alarm.kind) ? say("staff.presses", { n: alarm.presses }) : say("staff.times", { n: alarm.presses });
    const happened = () => say("staff.happened", { time: time(alarm.happened_at) });
    const marks = [
      alarm.during_test ? html`<span class="chip info">${say("staff.during_test")}</span>` : null,
      alarm.responder ? html`<span class="chip info"><bdi>${say("staff.goes", { who: alarm.responder })}</bdi></span>` : null,
      alarm.presses > 1 ? html`<span class="chip bad">${times}</span>` : null,
      alarm.taken_back && alarm.state !== "resolved" ? html`<span class="chip warn">${say("staff.taken_back")}</span>` : null,
      alarm.happened_at ? html`<span class="chip warn">${happened()}</span>` : null,
    ].filter(Boolean);
    return marks.length > 0 ? html`<p class="row marks">${marks}</p>` : nothing;
  }

  #card(alarm) {
    const open = this.#open.get(alarm.id);
    const busy = this.#busy.has(alarm.id);
    const age = alarm.age_s + this.#known.since("alarms");
    const place = placeOf(alarm);
    const next = alarm.next?.step;
    const details = alarm.state !== "resolved" || this.#known.closed;
    return html`<li class="alarm card ${alarm.urgency} ${cries(alarm) ? "crying" : ""}" data-alarm=${alarm.id}>
      <div class="headline">
        <strong class="kind">${word("alarm_kind", alarm.kind)}</strong>
        <bdi class="place">${place}</bdi>
        <span class="chip state ${cries(alarm) ? "bad" : "info"}">${word("alarm_state", alarm.state)}</span>
        <span class="age figures">${say("staff.ago", { age: span(age) })}</span>
      </div>
      ${this.#marks(alarm)}
      <div class="spread">
        ${this.#due(alarm)}
        <div class="row acts">
          ${next ? html`<button type="button" class="button ${cries(alarm) ? "danger" : "primary"} large" aria-expanded=${next === "resolve" ? String(open === "causes") : nothing} ?disabled=${busy} @click=${() => this.#press(alarm, next)}>
            ${word("do_step", next)}<span class="for-ears"> ${place}</span>
          </button>` : nothing}
          ${next === "dispatch" ? html`<button type="button" class="button" aria-expanded=${String(open === "dispatch")} @click=${() => this.#show(alarm, "dispatch")}>${say("staff.dispatch_with")}<span class="for-ears"> ${place}</span></button>` : nothing}
          ${alarm.during_test && next ? html`<button type="button" class="button" ?disabled=${busy} @click=${() => this.#step(alarm, "resolve", { cause: "test" })}>${say("staff.close_as_test")}</button>` : nothing}
          ${details ? html`<button type="button" class="button plain" aria-expanded=${String(open === "details")} @click=${() => this.#show(alarm, "details")}>${say("staff.more")}<span class="for-ears"> ${place}</span></button>` : nothing}
        </div>
      </div>
      ${open === "causes" ? this.#causes(alarm) : nothing} ${open === "dispatch" ? this.#dispatching(alarm) : nothing}
      ${open === "details" ? this.#details(alarm) : nothing}
    </li>`;
  }

  #list(alarms) {
    return html`<ul class="alarms stack">${repeat(alarms, ({ id }) => id, (alarm) => this.#card(alarm))}</ul>`;
  }

  #technical(alarms) {
    if (alarms.length === 0) {
      return nothing;
    }
    const shown = this.#all ? alarms : alarms.slice(0, TECHNICAL_SHOWN);
    const toggle = () => {
      this.#all = !this.#all;
      this.#changed();
    };
    return html`<section class="stack">
      <h2>${say("staff.technical", { n: alarms.length })}</h2>
      ${this.#list(shown)}
      ${alarms.length > TECHNICAL_SHOWN ? html`<button type="button" class="button" @click=${toggle}>${this.#all ? say("staff.fewer") : say("staff.all_of_them", { n: alarms.length })}</button>` : nothing}
    </section>`;
  }

  #closedOnes() {
    const toggle = () => {
      this.#known.closed = !this.#known.closed;
      this.#known.load();
    };
    const closed = this.#known.closed ? (this.#known.data.closed ?? []).filter((alarm) => alarm.state === "resolved") : [];
    return html`<button type="button" class="button plain" @click=${toggle}>${this.#known.closed ? say("staff.only_open") : say("staff.also_closed")}</button>
      ${closed.length > 0 ? this.#list(closed) : nothing}`;
  }

  /** All of them. */
  view() {
    const alarms = [...(this.#known.data.alarms ?? [])];
    const due = ({ next }) => next?.due_in_s ?? NO_DEADLINE_S;
    alarms.sort((a, b) => URGENCIES.indexOf(a.urgency) - URGENCIES.indexOf(b.urgency) || due(a) - due(b) || b.age_s - a.age_s);
    const people = alarms.filter(({ urgency }) => FOR_PEOPLE.includes(urgency));
    const technical = alarms.filter(({ urgency }) => !FOR_PEOPLE.includes(urgency));
    return html`<section class="stack" aria-label=${say("staff.alarms")}>
        <h2>${people.length > 0 ? say("staff.people_wait", { n: people.length }) : say("staff.alarms")}</h2>
        ${people.length > 0 ? this.#list(people) : html`<p class="calm card">${this.#known.stale === null ? say("staff.no_alarms") : say("staff.nobody_knows")}</p>`}
      </section>
      ${this.#technical(technical)} ${this.#closedOnes()}`;
  }
}

/** What is known of an alarm's kind, for other views. */
export function kindName(kind) {
  return hasWord("alarm_kind", kind) ? word("alarm_kind", kind) : kind;
}
