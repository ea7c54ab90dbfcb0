// A tone that repeats until it is stopped. A browser may not let a page sound before somebody touched it: that is told, not hidden.

const PATTERN = [
  { at_s: 0, hertz: 880, for_s: 0.18 },
  { at_s: 0.24, hertz: 1175, for_s: 0.18 },
  { at_s: 0.48, hertz: 880, for_s: 0.18 },
];
const EVERY_MS = 2_500;
const VOLUME = 0.35;

/** A siren: `on` says whether it is to sound, `blocked` whether the browser would keep it silent, `quietUntil` is a mute. */
export class Siren {
  #context = null;
  #timer = null;
  #changed;
  #tones;
  #everyMs;
  #mutedUntil = 0;

  /** `changed` is called when what a person hears has changed. */
  constructor(changed = () => {}, tones = PATTERN, every_ms = EVERY_MS) {
    this.#changed = changed;
    this.#tones = tones;
    this.#everyMs = every_ms;
  }

  /** Whether it is to sound. */
  get on() {
    return this.#timer !== null;
  }

  /** Whether the browser would not let it sound, as far as is known. */
  get blocked() {
    return this.#context?.state !== "running";
  }

  /** Milliseconds for which it is muted. */
  get mutedFor() {
    return Math.max(0, this.#mutedUntil - performance.now());
  }

  /** To sound or not; the same again changes nothing. */
  set(on) {
    if (on === this.on) {
      return;
    }
    if (on) {
      this.#timer = setInterval(() => this.#once(), this.#everyMs);
      this.allow();
      this.#once();
    } else {
      clearInterval(this.#timer);
      this.#timer = null;
    }
    this.#changed();
  }

  /** Silent for so long although it is to sound. */
  mute(ms) {
    this.#mutedUntil = performance.now() + ms;
    this.#changed();
  }

  /** Asks the browser to let the page sound; it does from a press on, at the latest. */
  async allow() {
    try {
      this.#context ??= new AudioContext();
      this.#context.onstatechange = () => this.#changed();
      await this.#context.resume();
    } catch {
      // No sound here: `blocked` says so.
    }
    this.#changed();
  }

  #once() {
    if (this.blocked || this.mutedFor > 0) {
      this.#changed();
      return;
    }
    const start = this.#context.currentTime + 0.02;
    for (const { at_s, hertz, for_s } of this.#tones) {
      const tone = new OscillatorNode(this.#context, { frequency: hertz, type: "triangle" });
      const gain = new GainNode(this.#context, { gain: 0 });
      gain.gain.setValueAtTime(0, start + at_s);
      gain.gain.linearRampToValueAtTime(VOLUME, start + at_s + 0.02);
      gain.gain.linearRampToValueAtTime(0, start + at_s + for_s);
      tone.connect(gain).connect(this.#context.destination);
      tone.start(start + at_s);
      tone.stop(start + at_s + for_s + 0.02);
    }
  }
}
