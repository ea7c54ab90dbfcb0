// The kiosk: an elder who is alone looks, chooses, pays, and sees what became of it.
//
// The gateway decides everything: prices, balances, whether something was paid. The page shows what it says, says at once when it
// says nothing, and forgets the person who went away.

import { html, nothing, render } from "/pages/paper.js";
import { loadWords, say, word } from "/pages/words.js";
import { choose, chosen } from "/pages/choices.js";
import { lookButtons } from "/pages/settings.js";
import { ask, listen } from "/page/shared.js";
import { Idle } from "/page/idle.js";
import { callStaff, lookAtHelp } from "/page/help.js";
import { loadPictures, picture } from "/page/picture.js";
import { beginWished, forgetSale, goesUnanswered, kept, look, resume, watchSale } from "/page/sale.js";
import { SCREENS, heading, onHome } from "/page/screens.js";
import { SALE_SCREENS, tick } from "/page/sale_screens.js";
import { askAgainKnown, cardIsLeft, cardSeen, draw, keepChoice, onDraw, page, reader, saleIsOpen, takeUpChoice } from "/page/state.js";
import { canSpeak, prompt, speaks, turnVoice, whenVoicesChange } from "/page/voice.js";

const IDLE_MS = 60_000;
/** After a result there is less to read. */
const RESULT_MS = 30_000;
const WARN_MS = 20_000;
const ASK_AGAIN_MS = 2_000;
const LOOK_AGAIN_MS = 10_000;
/** After so long without an answer the page says what to do instead. */
const GONE_SAID_MS = 1_500;
/** So much below the edge is worth a button. */
const MORE_PX = 40;
const SITE_LOOK = "site-look";
const LOOKS = ["language", "size", "contrast", "theme"];
/** Screens on which a card that is laid on is shown at once. */
const BEFORE_CHOICE = ["start", "card"];

const ALL = { ...SCREENS, ...SALE_SCREENS };
let drawnScreen = "";
let looks = 0;

// --- Talking with the gateway ---

function gatewayIs(reachable) {
  if (page.reachable !== reachable) {
    Object.assign(page, { reachable, goneSince: performance.now() });
    setTimeout(draw, GONE_SAID_MS + 50);
  }
  draw();
}

async function load() {
  try {
    [page.status, page.catalogue] = await Promise.all([ask("GET", "/api/v1/status"), ask("GET", "/api/v1/catalogue")]);
    gatewayIs(true);
    await lookAtCard();
  } catch {
    gatewayIs(false);
    clearTimeout(load.timer);
    load.timer = setTimeout(load, ASK_AGAIN_MS);
  }
}

async function lookAtCard() {
  if (!reader()) {
    return;
  }
  looks += 1;
  const mine = looks;
  let seen = null;
  try {
    seen = await ask("GET", `/api/v1/readers/${encodeURIComponent(reader())}/card`);
  } catch (refused) {
    if (refused.status === 401) {
      await askAgainKnown();
    }
  }
  if (mine !== looks) {
    // A later question has been asked; this answer may be of what lay there before.
    return;
  }
  page.card = seen;
  if (page.cardForgotten && seen?.state === "none") {
    cardIsLeft(false);
  }
  if (page.card?.help && !page.help) {
    lookAtHelp(page.card.help);
  }
  const waiting = page.card?.state === "reading" || page.card?.card?.account.state === "asking";
  if (waiting) {
    clearTimeout(lookAtCard.timer);
    lookAtCard.timer = setTimeout(lookAtCard, ASK_AGAIN_MS);
  }
  if (BEFORE_CHOICE.includes(page.screen) && seen?.sale && !kept()) {
    // Whoever lays a card on now would pay it: it is shown, and can be taken back.
    return resume(seen.sale);
  }
  if (BEFORE_CHOICE.includes(page.screen)) {
    page.screen = cardSeen() ? "card" : "start";
  }
  if (page.screen === "take_away" && !page.cardForgotten) {
    beginWished();
  }
  draw();
}

function readerChanged(event) {
  if (event.reader !== reader()) {
    return;
  }
  if (event.state === "card") {
    // Somebody laid a card on.
    idle.stay();
  }
  load();
}

// --- Forgetting ---

function siteLook() {
  try {
    const kept = sessionStorage.getItem(SITE_LOOK) ?? JSON.stringify(Object.fromEntries(LOOKS.map((name) => [name, chosen(name)])));
    sessionStorage.setItem(SITE_LOOK, kept);
    return JSON.parse(kept);
  } catch {
    return {};
  }
}

async function forget() {
  forgetSale();
  Object.assign(page, { screen: "start", basket: new Map(), category: null, service: null, quantity: 1, refusedCancel: null, warning: null });
  const before = chosen("language");
  for (const [name, value] of Object.entries(siteLook())) {
    choose(name, value);
  }
  if (before !== chosen("language")) {
    await loadWords();
  }
  draw();
  load();
}

function mayForget() {
  if (goesUnanswered()) {
    return true;
  }
  if (saleIsOpen() || !page.reachable) {
    return false;
  }
  if (page.screen === "sale" && page.sale?.state === "unknown") {
    return page.card?.state === "none";
  }
  return page.screen !== "start" || LOOKS.some((name) => chosen(name) !== (siteLook()[name] ?? chosen(name)));
}

const idle = new Idle({
  mayForget,
  allowMs: () => (page.screen === "sale" && page.sale?.state !== "unknown" ? RESULT_MS : IDLE_MS),
  warnMs: WARN_MS,
  changed: (left) => {
    page.warning = left;
    draw();
  },
  forget: () => {
    // What a card that was left behind holds is not shown to the next person.
    cardIsLeft(page.card?.state !== "none");
    forget();
  },
});

// --- Drawing ---

function top() {
  const voice = canSpeak()
    ? html`<button type="button" class="button plain" aria-pressed=${speaks()} aria-label=${say("kiosk.voice")} @click=${() => { turnVoice(); draw(); }}>${picture("speak", "small")} ${say(speaks() ? "kiosk.voice_on" : "kiosk.voice_off")}</button>`
    : nothing;
  return html`<header class="top"><span class="name">${say("kiosk.title")}</span><div class="row">${voice}${lookButtons(anew)}</div></header>`;
}

function banner() {
  if (!page.reachable || !page.status || page.status.uplink.online) {
    return nothing;
  }
  return html`<div class="banner warn" role="status">${say("kiosk.offline")}</div>`;
}

function bottom() {
  const state = page.help?.state;
  const told = page.helpNote ?? state;
  return html`<footer class="bottom">
    <button type="button" class="button help" @click=${callStaff}>${picture("help", "small")} ${say(state ? "kiosk.help_again" : "kiosk.help")}</button>
    <p class="said" role="status">${told ? word("kiosk_help", told) : ""}</p>
  </footer>`;
}

function gone() {
  const paying = kept();
  return html`<div class="verdict warn middle" role="alert">${picture("gone", "big")}${heading(say("kiosk.gone"))}
    <p class="lead">${say(paying ? "kiosk.gone_paying" : "kiosk.gone_more")}</p></div>`;
}

function warning() {
  const shown = page.warning !== null;
  const stay = () => idle.stay();
  return html`<dialog id="still-there" aria-labelledby="still-there-title" @click=${stay} @cancel=${(event) => { event.preventDefault(); stay(); }}>
    <h2 id="still-there-title">${say("kiosk.still_there")}</h2>
    <p class="huge count">${shown ? Math.ceil(page.warning / 1000) : ""}</p>
    <p>${say("kiosk.still_there_more")}</p>
    <button type="button" class="button primary">${say("kiosk.i_am_here")}</button>
  </dialog>`;
}

/** After a change of language the gateway's own words are asked for again. */
function anew() {
  draw();
  load();
  look();
}

/** What a screen is for those who come to it: another one moves the focus and is said aloud. */
function nameOfScreen() {
  if (isGone()) {
    return "gone";
  }
  return page.screen === "sale" ? `sale-${page.refused ? "not_begun" : (page.sale?.state ?? "starting")}` : page.screen;
}

const isGone = () => !page.reachable && performance.now() - page.goneSince > GONE_SAID_MS;

function drawAll() {
  const name = nameOfScreen();
  render(html`${top()}${banner()}<main id="main" data-screen=${name}>${isGone() ? gone() : ALL[page.screen]()}</main>${bottom()}${warning()}`, document.body);
  keepChoice();
  showMore();
  document.title = say("kiosk.title");
  document.body.dataset.screen = name;
  const dialog = document.getElementById("still-there");
  if ((page.warning !== null) !== dialog.open) {
    page.warning !== null ? dialog.showModal() : dialog.close();
  }
  if (name !== drawnScreen) {
    drawnScreen = name;
    document.querySelector("main h1")?.focus({ preventScroll: true });
    document.getElementById("main").scrollTop = 0;
    const spoken = say(`kiosk_spoken.${name.replace("-", "_")}`);
    if (!spoken.startsWith("kiosk_spoken.")) {
      prompt(spoken);
    }
  }
}

/** Whether there is more below than is seen. */
function showMore() {
  const main = document.getElementById("main");
  main.toggleAttribute("data-more", main.scrollHeight - main.clientHeight - main.scrollTop > MORE_PX);
}

// --- The beginning ---
addEventListener("scroll", showMore, { capture: true, passive: true });
addEventListener("resize", showMore);

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && page.warning === null) {
    document.querySelector(".actions .button.back")?.click();
  }
});
siteLook();
await Promise.all([loadWords(), loadPictures()]);
onHome(forget);
onDraw(drawAll);
takeUpChoice();
draw();
whenVoicesChange(draw);
await load();
if (kept() || page.card?.sale) {
  resume(page.card?.sale);
} else if (page.basket.size > 0) {
  page.screen = "basket";
  draw();
}
listen(
  {
    "sale.changed": (event) => event.sale === kept()?.id && look(),
    "reader.changed": readerChanged,
    "reader.card": (event) => event.reader === reader() && lookAtCard(),
    "alarm.changed": (event) => event.alarm === page.help?.id && lookAtHelp(),
    "uplink.changed": load,
  },
  () => {
    load();
    look();
    lookAtHelp();
  },
  gatewayIs,
);
// What no event tells: a security module that came or went, sales that were closed or opened.
setInterval(() => page.screen !== "sale" && page.reachable && load(), LOOK_AGAIN_MS);
watchSale();
tick();
