// The staff page: who is here, what waits for somebody, and the state of everything else, live.

import { ask } from "/page/shared.js";
import { Alarms, calls, cries } from "/page/staff_alarms.js";
import { Known } from "/page/staff_data.js";
import { Devices } from "/page/staff_devices.js";
import { Quarantine, figuresView, refusalsView, salesView } from "/page/staff_lists.js";
import { Login } from "/page/staff_login.js";
import { stateView, troubles } from "/page/staff_state.js";
import { lookButtons } from "/pages/settings.js";
import { html, nothing, render } from "/pages/paper.js";
import { Siren } from "/pages/sound.js";
import { loadWords, say, span } from "/pages/words.js";

const TICK_MS = 1_000;
/** How long a mute lasts: time to telephone. A new emergency ends it. */
const MUTE_MS = 120_000;
/** Somebody calls from a kiosk and can wait a little: one short tone now and then. */
const CALL_TONES = [{ at_s: 0, hertz: 660, for_s: 0.2 }];
const CALL_EVERY_MS = 8_000;
const UNAUTHORIZED = 401;

const root = document.getElementById("page");
let note = null;
let asked = false;
/** Alarms that nobody acknowledged, and calls from kiosks; each is told by a sound of its own. */
const heardOf = new Set();
const calledBy = new Set();

const siren = new Siren(draw);
const bell = new Siren(draw, CALL_TONES, CALL_EVERY_MS);
const known = new Known(drawAfterLoad, (message) => {
  alarms.forget();
  login.say(message);
  asked = false;
});
const login = new Login(draw, (who) => {
  known.who = who;
  note = null;
  siren.allow();
  bell.allow();
  known.load();
  window.scrollTo(0, 0);
});
const alarms = new Alarms(known, draw, tell);
const devices = new Devices(known, draw, tell);
const quarantine = new Quarantine(known, draw, tell);
const VIEWS = {
  now: () => html`<div class="sides">
    <div class="stack">${alarms.view()}${devices.testsView()}</div>
    ${stateView(known, go)}
  </div>`,
  devices: () => devices.view(),
  sales: () => salesView(known),
  quarantine: () => quarantine.view(),
  figures: () => figuresView(known),
  refusals: () => refusalsView(known),
};

/** Shows why something was not done; nothing once something was. */
function tell(refused) {
  note = refused?.message ?? null;
  if (refused?.status === UNAUTHORIZED) {
    known.who = null;
    alarms.forget();
    login.say(refused.message);
  }
  draw();
}

function go(view) {
  known.view = view;
  known.load();
  draw();
  window.scrollTo(0, 0);
  document.getElementById("main")?.focus();
}

async function logOut() {
  await ask("DELETE", "/api/v1/session").catch(() => null);
  known.who = null;
  login.forget();
  alarms.forget();
  draw();
}

/** Somebody new needs help: the mute of those before does not hold for them. */
function listenFor() {
  const open = known.data.alarms ?? [];
  sound(siren, heardOf, open.filter(cries));
  sound(bell, calledBy, open.filter(calls));
}

function sound(source, before, now) {
  if (now.some(({ id }) => !before.has(id)) && source.mutedFor > 0) {
    source.mute(0);
  }
  before.clear();
  now.forEach(({ id }) => before.add(id));
  source.set(now.length > 0);
}

function drawAfterLoad() {
  listenFor();
  draw();
}

function staleBanner() {
  const silent = known.stale;
  if (silent === null) {
    return nothing;
  }
  return html`<div class="banner bad stale" role="alert"><strong>${say("staff.stale")}</strong><p>${say("staff.stale_for", { age: span(silent) })}</p></div>`;
}

function soundBanner(source, level, told) {
  if (!source.on) {
    return nothing;
  }
  if (source.blocked) {
    return html`<div class="banner ${level} row" role="alert"><span>${told} ${say("staff.sound_blocked")}</span>
      <button type="button" class="button danger" @click=${() => source.allow()}>${say("staff.sound_allow")}</button></div>`;
  }
  const left = source.mutedFor;
  const button =
    left > 0
      ? html`<button type="button" class="button" @click=${() => source.mute(0)}>${say("staff.unmute")}</button>`
      : html`<button type="button" class="button" @click=${() => source.mute(MUTE_MS)}>${say("staff.mute")}</button>`;
  return html`<div class="banner ${level} row"><span role="status">${told}</span>
    ${left > 0 ? html`<span class="figures">${say("staff.muted_for", { left: span(left / 1000) })}</span>` : nothing} ${button}</div>`;
}

function tabs() {
  const { status } = known.data;
  const open = status?.open_alarms ?? 0;
  const ill = status ? status.devices.silent + status.devices.never : 0;
  const tab = (view, title, count) => html`<button type="button" class="button tab" aria-current=${known.view === view ? "page" : "false"} @click=${() => go(view)}>
    ${title}${count > 0 ? html` <span class="count figures">${count}</span>` : nothing}
  </button>`;
  return html`<nav class="tabs" aria-label=${say("staff.views")}>
    ${tab("now", say("staff.tab_now"), Math.max(open, troubles(known)))} ${tab("devices", say("staff.devices"), ill)}
    ${tab("sales", say("staff.tab_sales"), status?.sales_unknown ?? 0)} ${tab("quarantine", say("staff.quarantine"), status?.quarantined ?? 0)}
    ${tab("figures", say("staff.tab_figures"), 0)} ${tab("refusals", say("staff.tab_refusals"), 0)}
  </nav>`;
}

function body() {
  if (!known.who) {
    return login.view(heardOf.size);
  }
  if (!known.data.status || !known.data.alarms) {
    return html`<p class="loading">${say("staff.loading")}</p>`;
  }
  return VIEWS[known.view]();
}

function drawAnew() {
  document.title = say("staff.title");
  draw();
  // Messages of the gateway come in the language in which they are asked for.
  known.load();
}

function draw() {
  render(
    html`<header class="spread">
        <h1>${say("staff.title")}${known.data.status ? html` <span class="gateway">${known.data.status.gateway}</span>` : nothing}</h1>
        <div class="row">
          ${known.who ? html`<bdi class="who">${known.who}</bdi><button type="button" class="button" @click=${logOut}>${say("staff.logout")}</button>` : nothing}
          ${lookButtons(drawAnew)}
        </div>
      </header>
      ${staleBanner()} ${soundBanner(siren, "bad", say("staff.sounding", { n: heardOf.size }))} ${soundBanner(bell, "warn", say("staff.calling", { n: calledBy.size }))}
      ${note && known.who ? html`<div class="banner warn row" role="alert"><span>${note}</span><button type="button" class="button" @click=${() => tell(null)}>${say("staff.understood")}</button></div>` : nothing}
      ${known.who ? tabs() : nothing}
      <main id="main" tabindex="-1" class=${known.stale === null ? "" : "old"}>${body()}</main>`,
    root,
  );
  if (!known.who && !asked) {
    asked = true;
    root.querySelector('input[name="who"]')?.focus();
  }
  devices.drawn();
}

await loadWords();
document.title = say("staff.title");
// From the first touch on the browser lets the page sound.
document.addEventListener("pointerdown", () => [siren, bell].forEach((source) => source.on && source.blocked && source.allow()));
draw();
await known.begin();
setInterval(draw, TICK_MS);
