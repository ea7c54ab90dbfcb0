// What the staff page knows of the gateway, and how it learns it. Ages are told by the gateway and go on by the time that
// passed since; a list of alarms that does not come makes everything old, and that is shown.

import { ask, listen } from "/page/shared.js";

/** How often everything that is shown is asked for anew. */
const LOAD_AGAIN_MS = 10_000;
/** Thousands of devices are heard every hour: what they say is loaded together. */
const LOAD_SOON_MS = 1_500;
/** How often a test of a device is looked at while one runs. */
const TEST_LOOK_MS = 1_000;
/** Without the alarms for so long what is shown counts as old. */
const STALE_MS = 6_000;
/** How long an answer may take before it counts as none. */
const ANSWER_WAIT_MS = 8_000;

/** What each view needs besides alarms and state; keys of `data`. */
const NEEDED = {
  now: [],
  devices: ["devices"],
  sales: ["sales", "catalogue"],
  quarantine: ["quarantine"],
  figures: ["figures"],
  refusals: ["refusals"],
};
const PATHS = {
  status: "/api/v1/status",
  alarms: "/api/v1/alarms",
  devices: "/api/v1/devices",
  sales: "/api/v1/sales",
  catalogue: "/api/v1/catalogue",
  quarantine: "/api/v1/quarantine",
  figures: "/api/v1/figures",
  refusals: "/api/v1/refusals",
  tests: "/api/v1/tests",
  closed: "/api/v1/alarms?all=1",
};

/** The gateway's state as it was heard last. */
export class Known {
  data = {};
  /** When each part was heard, by the time since the page was opened. */
  heard = {};
  who = null;
  view = "now";
  closed = false;
  #changed;
  #sessionEnded;
  #loading = false;
  #again = false;
  #soon = null;
  #connected = true;
  /** When the alarms were heard last: no other answer stands in for them. */
  #alarmsAt = performance.now();

  /** `changed` draws the page; `sessionEnded` is told when the gateway no longer knows who this is. */
  constructor(changed, sessionEnded) {
    this.#changed = changed;
    this.#sessionEnded = sessionEnded;
  }

  /** For how many seconds no alarms were heard, where that is so long that what is shown may be old; else null. */
  get stale() {
    const silent_ms = performance.now() - this.#alarmsAt;
    return (!this.#connected && silent_ms > STALE_MS / 2) || silent_ms > STALE_MS + LOAD_AGAIN_MS ? silent_ms / 1000 : null;
  }

  /** Seconds that have passed since a part was heard. */
  since(part) {
    return (performance.now() - (this.heard[part] ?? performance.now())) / 1000;
  }

  /** Whether a test of a device runs. */
  get testing() {
    return (this.data.tests ?? []).some((test) => test.running);
  }

  /** Begins: asks who this is, loads, and listens. */
  async begin() {
    try {
      this.who = (await ask("GET", "/api/v1/session")).who;
    } catch {
      // Shown as no answer by what follows.
    }
    await this.load();
    listen(
      {
        "alarm.changed": () => this.load(),
        "device.changed": () => this.#loadSoon(),
        "sale.changed": () => this.load(),
        "reader.changed": () => this.load(),
        "uplink.changed": () => this.load(),
      },
      () => this.load(),
      (connected) => {
        this.#connected = connected;
        this.#changed();
      },
    );
    setInterval(() => this.load(), LOAD_AGAIN_MS);
    setInterval(() => this.testing && this.#part("tests").then(() => this.#changed(), () => null), TEST_LOOK_MS);
  }

  async #part(name) {
    const waits = new Promise((_, late) => setTimeout(() => late(new Error("late")), ANSWER_WAIT_MS));
    this.data[name] = await Promise.race([ask("GET", PATHS[name]), waits]);
    this.heard[name] = performance.now();
    if (name === "alarms") {
      this.#alarmsAt = performance.now();
    }
  }

  #parts() {
    const alarms = ["status", "alarms"];
    if (!this.who) {
      return alarms;
    }
    return [...alarms, "tests", ...(this.closed ? ["closed"] : []), ...NEEDED[this.view]];
  }

  /** Loads what is shown; changes that come while it loads make it load once more. */
  async load() {
    if (this.#loading) {
      this.#again = true;
      return;
    }
    this.#loading = true;
    do {
      this.#again = false;
      const results = await Promise.allSettled(this.#parts().map((name) => this.#part(name)));
      const refused = results.find(({ reason }) => reason?.status === 401 || reason?.status === 403);
      if (refused && this.who) {
        this.who = null;
        this.#sessionEnded(refused.reason.message);
      }
      this.#changed();
    } while (this.#again);
    this.#loading = false;
  }

  #loadSoon() {
    if (this.view !== "devices") {
      return;
    }
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      this.load();
    }, LOAD_SOON_MS);
  }
}
