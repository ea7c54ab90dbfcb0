// Forgets the person who went away: a warning that counts down, then the start. A touch, a key or a press of a card keeps them.

/** Watches for a person. `mayForget()` says whether there is anything to forget now, `allow()` milliseconds without a sign. */
export class Idle {
  #last = performance.now();
  #warned = false;

  /** `warnMs`: how long the warning counts down; `changed(leftMs)` each second of it, null when it ends; `forget()` at its end. */
  constructor({ mayForget, allowMs, warnMs, changed, forget }) {
    Object.assign(this, { mayForget, allowMs, warnMs, changed, forget });
    for (const sign of ["pointerdown", "keydown", "wheel"]) {
      // While it is warned, the answer is a tap on the warning.
      addEventListener(sign, () => this.#warned || this.stay(), { passive: true, capture: true });
    }
    setInterval(() => this.#look(), 250);
  }

  /** Somebody is there. */
  stay() {
    this.#last = performance.now();
    if (this.#warned) {
      this.#warned = false;
      this.changed(null);
    }
  }

  #look() {
    if (!this.mayForget()) {
      return this.stay();
    }
    const left = this.allowMs() + this.warnMs - (performance.now() - this.#last);
    if (left > this.warnMs) {
      return;
    }
    if (left > 0) {
      this.#warned = true;
      this.changed(left);
      return;
    }
    this.stay();
    this.forget();
  }
}
