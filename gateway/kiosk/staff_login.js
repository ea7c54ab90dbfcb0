// Logging in: a number and a PIN, by keys or by the pad for fingers. A lock against guessing is told with the time that is left.

import { ask } from "/page/shared.js";
import { leftOf } from "/pages/ages.js";
import { html, nothing } from "/pages/paper.js";
import { live } from "/pages/vendor/lit-html/directives/live.js";
import { say, span } from "/pages/words.js";

const PAD = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
const PIN_LEN_MAX = 12;
const WHO_LEN_MAX = 32;

/** The log-in; `entered(who)` is told who came in. */
export class Login {
  #who = "";
  #pin = "";
  #field = "who";
  #note = null;
  #busy = false;
  #locked = null;
  #changed;
  #entered;

  constructor(changed, entered) {
    this.#changed = changed;
    this.#entered = entered;
  }

  /** Why a person has to log in (again). */
  say(note) {
    this.#note = note;
  }

  /** The next one is somebody else. */
  forget() {
    this.#who = "";
    this.#field = "who";
    this.#note = null;
  }

  async #submit(event) {
    event.preventDefault();
    if (this.#who.trim() === "" || this.#pin === "" || this.#busy || this.#left() > 0) {
      return;
    }
    this.#busy = true;
    this.#note = null;
    this.#changed();
    try {
      const { who } = await ask("POST", "/api/v1/session", { who: this.#who.trim(), pin: this.#pin });
      this.#entered(who);
    } catch (refused) {
      this.#note = refused.message;
      this.#locked = refused.retryAfterS > 0 ? leftOf(refused.retryAfterS * 1000) : null;
      this.#field = "pin";
    } finally {
      this.#pin = "";
      this.#busy = false;
      this.#changed();
    }
  }

  #left() {
    return Math.ceil((this.#locked?.() ?? 0) / 1000);
  }

  #type(digit) {
    const length_max = this.#field === "pin" ? PIN_LEN_MAX : WHO_LEN_MAX;
    const before = this.#field === "pin" ? this.#pin : this.#who;
    this.#put(digit === null ? before.slice(0, -1) : (before + digit).slice(0, length_max));
  }

  #put(text) {
    if (this.#field === "pin") {
      this.#pin = text;
    } else {
      this.#who = text;
    }
    this.#changed();
  }

  #input(name, label, more) {
    const type = (event) => {
      this.#field = name;
      this.#put(event.target.value);
    };
    const aim = () => {
      if (this.#field !== name) {
        this.#field = name;
        this.#changed();
      }
    };
    const value = name === "pin" ? this.#pin : this.#who;
    return html`<label class="stack">
      <span>${label}</span>
      <input
        class="field ${this.#field === name ? "aimed" : ""}" name=${name} autocomplete="off" autocapitalize="off" spellcheck="false"
        type=${more.type} inputmode=${more.inputmode} maxlength=${more.length_max} .value=${live(value)} @input=${type} @focus=${aim}
      />
    </label>`;
  }

  /** The form; `alarms` is how many people wait for somebody. */
  view(alarms) {
    const left = this.#left();
    const key = (digit, label, name) => html`<button type="button" class="button" aria-label=${name ?? nothing} @click=${() => this.#type(digit)}>${label}</button>`;
    return html`<form class="login card" @submit=${(event) => this.#submit(event)}>
      <div class="stack">
      <h2>${alarms > 0 ? say("staff.login_alarms") : say("staff.login_title")}</h2>
      ${this.#input("who", say("staff.number"), { type: "text", inputmode: "text", length_max: WHO_LEN_MAX })}
      ${this.#input("pin", say("staff.pin"), { type: "password", inputmode: "numeric", length_max: PIN_LEN_MAX })}
      ${this.#note ? html`<p class="note" role="alert">${this.#note}</p>` : nothing}
      ${left > 0 ? html`<p class="locked figures" role="timer">${say("staff.locked_for", { left: span(left) })}</p>` : nothing}
      <button class="button primary large" ?disabled=${this.#busy || left > 0}>${say("staff.login")}</button>
      </div>
      <div class="pad" role="group" aria-label=${say("staff.pad")}>
        ${PAD.map((digit) => key(digit, digit))} ${key(null, "⌫", say("staff.pad_back"))} ${key("0", "0")}
      </div>
    </form>`;
  }
}
