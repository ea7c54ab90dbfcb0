// The operator board: what is open on every tab, one alarm at a time to its end, and what there is to look up.
//
// One drawing for all: whatever changes, the page is drawn anew in the next frame, and only what differs is touched. What had the focus keeps it.

import { html, nothing, render } from "/pages/paper.js";
import { lookButtons } from "/pages/settings.js";
import { Siren } from "/pages/sound.js";
import { loadWords, say, span, time } from "/pages/words.js";
import { alarmView, listView, startAlarms } from "./alarms.js";
import { desk, isWaiting, logOut, look, others, sounding, start } from "./desk.js";
import { figuresView, openFigures } from "./figures.js";
import { forgetHistory, historyView, openHistory } from "./history.js";
import { startKeys } from "./keys.js";
import { loginView } from "./login.js";
import { mapView, openMap } from "./map.js";
import { forgetMoney, moneyView, openMoney } from "./money.js";
import { tick } from "./page.js";
import { conflictsView, devicesView, forgetRegistry, gatewaysView, openRegistry } from "./registry.js";

const MUTE_MS = 120_000;
const TABS = {
  alarms: { view: () => html`<div class="desk">${listView()}${alarmView()}</div>`, open: () => {} },
  history: { view: () => historyView(draw), open: () => openHistory(draw) },
  figures: { view: () => figuresView(draw), open: () => openFigures(draw) },
  map: { view: () => mapView(draw), open: () => openMap(draw) },
  money: { view: () => moneyView(draw), open: () => openMoney(draw) },
  gateways: { view: () => gatewaysView(draw), open: () => openRegistry("gateways", draw) },
  devices: { view: () => devicesView(draw), open: () => openRegistry("devices", draw) },
  conflicts: { view: () => conflictsView(), open: () => openRegistry("conflicts", draw) },
};

const siren = new Siren(draw);
let tab = "alarms";
let planned = false;
/** The address whose tab is shown: another one is a click that the browser has yet to tell of. */
let followed = "";
let wasIn = false;
let heard = new Set();

/** Draws in the next frame, once for all changes until then. */
export function draw() {
  if (!planned) {
    planned = true;
    requestAnimationFrame(drawNow);
  }
}

function drawNow() {
  planned = false;
  const focused = document.activeElement?.dataset?.key;
  soundFor(desk.token ? sounding().map((alarm) => alarm.id) : []);
  render(desk.token ? page() : html`${lookRow()}${loginView(draw)}`, document.getElementById("board"));
  tick();
  if (focused && document.activeElement === document.body) {
    keepFocus(focused);
  }
  if (wasIn && !desk.token) {
    [forgetHistory, forgetMoney, forgetRegistry].forEach((forget) => forget());
  }
  if (!wasIn && desk.token) {
    TABS[tab].open();
  }
  wasIn = Boolean(desk.token);
  const waiting = sounding().length;
  document.title = `${waiting ? `(${waiting}) ` : ""}${say("board.title")}`;
}

/** Sounds until each of these alarms was taken. A mute is about those that were there when it began: it ends with a new one, and with the last. */
function soundFor(ids) {
  if (siren.mutedFor > 0 && (ids.length === 0 || ids.some((id) => !heard.has(id)))) {
    siren.mute(0);
  }
  heard = new Set(ids);
  siren.set(ids.length > 0);
}

/** What had the focus is gone: what came in its place gets it, so that the next key goes where the eyes are. */
function keepFocus(key) {
  const again = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  const next = again ?? document.querySelector(".next button:not(:disabled)") ?? document.getElementById("subject") ?? document.querySelector(".open");
  next?.focus({ preventScroll: true });
}

const lookRow = () => html`<div class="login-look">${lookButtons(draw)}</div>`;

function sound() {
  const muted = siren.mutedFor;
  const mute = () => siren.mute(muted > 0 ? 0 : MUTE_MS);
  if (siren.blocked) {
    return html`<button type="button" class="button danger" data-key="allow sound" @click=${() => siren.allow()}>${say("board.sound_blocked")}</button>`;
  }
  if (muted > 0) {
    return html`<button type="button" class="button warn muted" data-key="mute" @click=${mute}>${say("board.muted_for", { span: span(Math.ceil(muted / 1000)) })}</button>`;
  }
  return siren.on
    ? html`<button type="button" class="button danger" data-key="mute" @click=${mute}>${say("board.mute")}</button>`
    : html`<span class="quiet">${say("board.sound_ready")}</span>`;
}

function presence() {
  const where = ({ who, alarm }) => {
    const row = alarm ? desk.open.get(alarm) : null;
    return html`<li class="chip info"><bdi>${who}</bdi>${alarm ? html` · <bdi>${row?.name ?? row?.device ?? alarm}</bdi>` : nothing}</li>`;
  };
  return html`<ul class="row presence" aria-label=${say("board.others")}>${others().map(where)}</ul>`;
}

function page() {
  const waiting = [...desk.open.values()].filter(isWaiting).length;
  const link = (name) => html`<a class="button plain" href="#${name}" data-key="tab ${name}" aria-current=${name === tab ? "page" : "false"}>
    ${say(`board.${name}`)}${name === "alarms" && waiting ? html` <span class="count">${waiting}</span>` : nothing}</a>`;
  return html`<a class="skip button" href="#main" @click=${toMain}>${say("board.skip")}</a>
    <header class="top">
      <div class="spread"><strong class="title">${say("board.title")}</strong>${presence()}
        <div class="row">${sound()}${lookButtons(draw)}<span><bdi>${desk.who}</bdi></span>
          <button type="button" class="button" data-key="logout" @click=${logOut}>${say("board.logout")}</button></div></div>
      <nav class="row" aria-label=${say("board.views")}>${Object.keys(TABS).map(link)}</nav>
    </header>
    ${desk.online !== false ? nothing : html`<div class="banner bad stale" role="alert"><p>${say("board.line_lost")}</p><p>${desk.asOf ? say("board.as_of_long", { time: time(desk.asOf) }) : say("board.nothing_known")}</p></div>`}
    <main id="main" tabindex="-1" class=${tab}>${TABS[tab].view()}</main>`;
}

function toMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

/** The tab and the alarm are in the address: a reload in the middle comes back to them. */
function follow() {
  followed = location.hash;
  const [wanted, id] = location.hash.slice(1).split("/");
  const known = Object.hasOwn(TABS, wanted) ? wanted : "alarms";
  if (known !== tab) {
    tab = known;
    if (desk.token) {
      TABS[tab].open();
    }
  }
  if (tab === "alarms" && id && decodeURIComponent(id) !== desk.shownId) {
    look(decodeURIComponent(id));
  }
  draw();
}

/** Keeps the address in step with the alarm that is looked at. */
function address() {
  const wanted = tab === "alarms" && desk.shownId !== null ? `#alarms/${encodeURIComponent(desk.shownId)}` : `#${tab}`;
  if (location.hash === followed && wanted !== followed) {
    history.replaceState(null, "", wanted);
    followed = wanted;
  }
}

function tell(key) {
  document.getElementById("told").textContent = say(key);
}

await loadWords();
startAlarms(draw);
start({
  onChange: () => {
    address();
    draw();
  },
  onTold: tell,
  onOther: (name) => {
    if (desk.token && (name.startsWith("sale.") ? tab === "money" : name.startsWith("gateway.") ? tab === "gateways" : name === "device.state" && tab === "map")) {
      TABS[tab].open();
    }
  },
});
startKeys(() => tab === "alarms");
addEventListener("hashchange", follow);
// Asked from the beginning; any touch or key is a chance that the browser lets it.
["pointerdown", "keydown"].forEach((kind) => document.addEventListener(kind, () => siren.blocked && siren.allow(), true));
siren.allow();
setInterval(() => {
  tick();
  if (siren.mutedFor > 0) {
    draw();
  }
}, 1_000);
follow();
