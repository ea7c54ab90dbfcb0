// Devices: trouble first, found by a search, drawn as far as somebody looks; and a device tried out, with what came in.

import { ask } from "/page/shared.js";
import { kindName } from "/page/staff_alarms.js";
import { guard, html, nothing, repeat } from "/pages/paper.js";
import { say, span, word } from "/pages/words.js";

/** Devices that are drawn at first, and how many more when somebody comes to the last of them. */
const DRAWN = 40;
const WEAK_DBM = -85;

function rank(device) {
  if (device.supervision === "silent") {
    return 0;
  }
  if (device.faults.length > 0) {
    return 1;
  }
  if (device.battery_low) {
    return 2;
  }
  return device.supervision === "never" ? 3 : device.lost > 0 ? 4 : 5;
}

function level(device) {
  return ["bad", "bad", "warn", "warn", "warn", ""][rank(device)];
}

/** The devices of the page. */
export class Devices {
  #known;
  #changed;
  #note;
  #search = "";
  #drawn = DRAWN;
  #starting = new Set();
  #watcher = null;
  #watched = null;

  constructor(known, changed, note) {
    this.#known = known;
    this.#changed = changed;
    this.#note = note;
    this.#watcher = new IntersectionObserver((seen) => {
      if (seen.some(({ isIntersecting }) => isIntersecting)) {
        this.#drawn += DRAWN;
        this.#changed();
      }
    }, { rootMargin: "600px" });
  }

  async #test(device) {
    if (this.#starting.has(device)) {
      return;
    }
    this.#starting.add(device);
    this.#changed();
    try {
      await ask("POST", `/api/v1/devices/${encodeURIComponent(device)}/test`);
      this.#note(null);
    } catch (refused) {
      this.#note(refused);
    }
    this.#starting.delete(device);
    await this.#known.load();
    document.getElementById("tests")?.scrollIntoView({ block: "nearest" });
  }

  #signs(test) {
    const line = (sign) => html`<li class="row">
      <strong>${kindName(sign.kind)}</strong>
      <span class="figures">${say("staff.came_after", { after: span(sign.after_ms / 1000) })}</span>
      <span class="figures">${sign.durable_ms === null ? say("staff.not_safe_yet") : say("staff.safe_after", { ms: sign.durable_ms })}</span>
      <span class="figures">${sign.centre_ms === null ? say("staff.not_at_centre_yet") : say("staff.at_centre_after", { ms: sign.centre_ms })}</span>
      ${sign.rssi_dbm === null ? nothing : html`<span class="figures">${sign.rssi_dbm} dBm${sign.rssi_dbm < WEAK_DBM ? ` · ${say("staff.weak")}` : ""}</span>`}
      ${sign.battery_mv === null ? nothing : html`<span class="figures">${(sign.battery_mv / 1000).toFixed(2)} V</span>`}
    </li>`;
    return html`<ul class="stack">${test.signs.map(line)}</ul>`;
  }

  #testCard(test) {
    const left = Math.max(0, test.ends_in_s - this.#known.since("tests"));
    const found = (this.#known.data.devices ?? []).find((one) => one.device === test.device);
    const tone = test.result === "passed" ? "good" : test.result === null ? "info" : "bad";
    const says = test.result ? word("test_result", test.result) : test.signs.length > 0 ? say("staff.test_waits") : say("staff.press_now");
    return html`<li class="card test ${tone}" data-test=${test.device}>
      <div class="spread">
        <h3><bdi>${found?.place ?? test.device}</bdi> <span class="quiet">${[found?.place ? test.device : null, found?.firmware].filter(Boolean).join(" · ")}</span></h3>
        ${test.running ? html`<span class="figures" role="timer">${say("staff.watched_for", { left: span(left) })}</span>` : nothing}
      </div>
      <p class="says" role="status">${says}</p>
      ${this.#signs(test)}
      ${test.result === "nothing_came" || test.result === "not_at_centre" ? html`<p>${word("test_check", test.result)}</p>` : nothing}
      ${test.running ? html`<p class="quiet">${say("staff.test_is_real")}</p>` : html`<div><button type="button" class="button" @click=${() => this.#test(test.device)}>${say("staff.test_again")}</button></div>`}
    </li>`;
  }

  #row(device) {
    const heard = device.last_heard_age_s === null ? say("staff.not_since_start") : say("staff.ago", { age: span(device.last_heard_age_s + this.#known.since("devices")) });
    const battery = device.battery_mv === null ? say("staff.battery_unknown") : `${(device.battery_mv / 1000).toFixed(2)} V`;
    const facts = [
      device.rssi_dbm === null ? null : `${device.rssi_dbm} dBm`,
      device.firmware,
      ...device.faults.map((fault) => word("fault", fault)),
      device.lost ? say("staff.lost", { n: device.lost }) : null,
    ].filter(Boolean);
    const busy = this.#starting.has(device.device);
    return html`<li class="device ${level(device)}" data-device=${device.device}>
      <div class="who"><bdi class="place">${device.place ?? device.device}</bdi>${device.place === null ? nothing : html`<span class="quiet small">${device.device}</span>`}</div>
      <div class="how">
        <span class="chip ${device.supervision === "well" ? "good" : device.supervision === "silent" ? "bad" : "warn"}">${word("supervision", device.supervision)}</span>
        <span class="figures small">${device.supervision === "never" ? nothing : heard}</span>
      </div>
      <div class="how small figures">
        <span class=${device.battery_low ? "chip warn" : ""}>${battery}${device.battery_low ? ` · ${say("staff.battery_low")}` : ""}</span>
        <bdi>${facts.join(" · ")}</bdi>
      </div>
      <button type="button" class="button" ?disabled=${busy} @click=${() => this.#test(device.device)}>${say("staff.test")}<span class="for-ears"> ${device.place ?? device.device}</span></button>
    </li>`;
  }

  #found() {
    const wanted = this.#search.trim().toLowerCase();
    const devices = (this.#known.data.devices ?? []).filter(
      (one) => wanted === "" || one.device.toLowerCase().includes(wanted) || (one.place ?? "").toLowerCase().includes(wanted),
    );
    return devices.sort((a, b) => rank(a) - rank(b) || (a.place ?? "").localeCompare(b.place ?? "") || (a.device < b.device ? -1 : 1));
  }

  /** Sees to it that more is drawn when somebody comes near the end. */
  drawn() {
    const end = document.getElementById("devices-end");
    if (end !== this.#watched) {
      this.#watcher.disconnect();
      this.#watched = end;
    }
    if (end) {
      // Observed anew each time: it tells again where the end is still in sight.
      this.#watcher.unobserve(end);
      this.#watcher.observe(end);
    }
  }

  /** Tests under way and the last ones. */
  testsView() {
    const tests = this.#known.data.tests ?? [];
    return tests.length === 0
      ? nothing
      : html`<section id="tests" class="stack" aria-label=${say("staff.tests")}>
          <h2>${say("staff.tests")}</h2>
          <ul class="stack">${repeat(tests.slice(0, 6), ({ device, started_at: at }) => device + at, (test) => this.#testCard(test))}</ul>
        </section>`;
  }

  /** The list. */
  view() {
    const type = (event) => {
      this.#search = event.target.value;
      this.#drawn = DRAWN;
      this.#changed();
    };
    const heard = this.#known.heard.devices;
    const list = guard([heard, this.#search, this.#drawn, this.#starting.size, document.documentElement.lang], () => {
      const found = this.#found();
      const more = found.length > this.#drawn;
      return html`<p class="quiet" role="status">${say("staff.found", { n: found.length })}</p>
        <ul class="devices">${repeat(found.slice(0, this.#drawn), ({ device }) => device, (device) => this.#row(device))}</ul>
        ${found.length === 0 ? html`<p class="card">${say("staff.no_devices")}</p>` : nothing}
        <div id="devices-end" ?hidden=${!more}></div>`;
    });
    return html`${this.testsView()}
      <section class="stack" aria-label=${say("staff.devices")}>
        <div class="spread">
          <h2>${say("staff.devices")}</h2>
          <label class="row"><span>${say("staff.search")}</span><input class="field" type="search" autocomplete="off" @input=${type} /></label>
        </div>
        ${heard === undefined ? html`<p>${say("staff.loading")}</p>` : list}
      </section>`;
  }
}
