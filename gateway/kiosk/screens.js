// The screens before a sale: start, the card, what there is, how many, what was chosen, what pays. One decision on each.

import { html, nothing, repeat } from "/pages/paper.js";
import { amount, hasWord, languageInUse, price, say, word } from "/pages/words.js";
import { picture, pictureOf } from "/page/picture.js";
import { cardSeen, draw, page, readerSeen, serviceOf, subsidyOf, total } from "/page/state.js";
import { begin } from "/page/sale.js";
import { canSpeak, speakNow } from "/page/voice.js";

const QUANTITY_MAX = 99;
const LINES_MAX = 20;
/** Kinds of services in the order in which they are shown; others come together at the end. */
const CATEGORIES = ["meal", "home", "bath", "rehab", "company"];
const OTHERS = "other";
/** Why points cannot pay, whatever else is asked; of any other reason the gateway decides when it is asked to. */
const NO_POINTS = ["no_account", "card_blocked", "closed", "centre_refused"];
const NO_CARD_TO_PAY = ["expired", "blocked"];

/** A service's name, or description, in the language in use. */
export const nameOf = (thing) => (languageInUse() === "en" ? thing.name_en : thing.name_zh);
const descriptionOf = (service) => (languageInUse() === "en" ? service.description_en : service.description_zh);

/** A button. */
export const button = (kind, text, press) => html`<button type="button" class="button ${kind}" @click=${press}>${text}</button>`;
/** The heading of a screen, which hears of the screen first. */
export const heading = (text) => html`<h1 tabindex="-1">${text}</h1>`;

/** What scrolls to what is below, where there is more. */
export const more = () => button("more", html`↓ ${say("kiosk.more_below")}`, () => {
  const main = document.getElementById("main");
  main.scrollBy({ top: main.clientHeight * 0.7, behavior: "smooth" });
});

/** Goes to a screen. */
export function go(screen, more = {}) {
  Object.assign(page, { screen, ...more });
  draw();
}

function trouble() {
  if (page.status?.sales_closed) {
    return page.status.sales_closed_message;
  }
  return readerSeen()?.state === "gone" ? say("kiosk.reader_gone") : null;
}

function start() {
  const wrong = trouble();
  const browse = html`<button type="button" class="tile" @click=${() => go("categories")}>
    ${picture("choose", "big")}<span><strong>${say("kiosk.choose_first")}</strong><span class="quiet">${say("kiosk.choose_first_more")}</span></span>
  </button>`;
  const [lay, layMore] = page.cardForgotten ? ["kiosk.take_away", "kiosk.take_away_more"] : ["kiosk.place_first", reading() ? "kiosk.reading" : "kiosk.place_first_more"];
  const place = wrong
    ? html`<div class="tile off" role="status">${picture("bad", "big")}<span><strong>${say("kiosk.closed")}</strong><span>${wrong}</span></span></div>`
    : html`<div class="tile told">${picture("lay", "big")}<span><strong>${say(lay)}</strong><span class="quiet">${say(layMore)}</span></span></div>`;
  return html`${heading(say("kiosk.welcome"))}
    <p class="lead">${say("kiosk.welcome_more")}</p>
    <div class="tiles two middle">${place}${browse}</div>`;
}

const reading = () => page.card?.state === "reading" || (page.card?.state === "card" && !cardSeen());

/** An account's balance, or why it is not shown. */
function accountWords(account) {
  if (account.state === "known") {
    return html`<strong class="money">${price(account.available)}</strong>`;
  }
  if (account.state === "asking") {
    return say("kiosk.asking_balance");
  }
  // An answer that did not come over a line that is up says nothing of the line.
  const why = account.reason === "offline" && page.status?.uplink.online ? null : account.reason;
  return hasWord("kiosk_account_why", why) ? word("kiosk_account_why", why) : say("kiosk.balance_not_known");
}

function balances(card) {
  const purse = card.purse === null ? say("kiosk.balance_not_known") : html`<strong class="money">${price(card.purse, "purse")}</strong>`;
  return html`<ul class="tiles two balances">
    <li class="tile told">${picture("points", "big")}<span><span>${word("kiosk_tender", "account")}</span>${accountWords(card.account)}</span></li>
    <li class="tile told">${picture("purse", "big")}<span><span>${word("kiosk_tender", "purse")}</span>${purse}</span></li>
  </ul>`;
}

function readAloud(card) {
  const account = card.account.state === "known" ? say("kiosk.spoken_account", { n: amount(card.account.available) }) : "";
  const purse = card.purse === null ? "" : say("kiosk.spoken_purse", { n: amount(card.purse) });
  speakNow(`${account} ${purse}`);
}

function card() {
  const seen = cardSeen();
  if (!seen) {
    return start();
  }
  if (seen.standing !== "valid") {
    return html`<div class="verdict bad middle" role="alert">${picture("bad", "big")}${heading(word("kiosk_standing", seen.standing))}
      <p class="lead">${seen.message}</p></div>
      <div class="actions">${button("primary", say("kiosk.look_around"), () => go("categories"))}</div>`;
  }
  return html`${heading(say("kiosk.card_read"))}
    <div class="middle stack">${balances(seen)}</div>
    <div class="actions sticky">
      ${canSpeak() ? button("", html`${picture("speak", "small")} ${say("kiosk.read_aloud")}`, () => readAloud(seen)) : nothing}
      ${button("primary", say("kiosk.choose_services"), () => go("categories"))}
    </div>`;
}

const kindOf = (service) => (CATEGORIES.includes(service.category) ? service.category : OTHERS);
const servicesOf = (kind) => page.catalogue.services.filter((service) => kindOf(service) === kind);

function waitForCatalogue() {
  return html`${heading(say("kiosk.loading"))}<p class="lead">${say("kiosk.loading_more")}</p>`;
}

/** Back to what was before, and on to what was chosen. */
function choiceActions(back) {
  const onwards = page.basket.size > 0
    ? button("primary", html`${say("kiosk.chosen")} <span class="count">${say("kiosk.chosen_sum", { n: page.basket.size, amount: price(total()) })}</span>`, () => go("basket"))
    : nothing;
  return html`<div class="actions sticky">${button("back", say("kiosk.back"), back)}${more()}${onwards}</div>`;
}

function categories() {
  if (!page.catalogue) {
    return waitForCatalogue();
  }
  const kinds = [...CATEGORIES, OTHERS].filter((kind) => servicesOf(kind).length > 0);
  if (kinds.length === 0) {
    return html`${heading(say("kiosk.nothing_offered"))}${choiceActions(home)}`;
  }
  return html`${heading(say("kiosk.which_kind"))}
    <ul class="tiles">${kinds.map((kind) => html`<li><button type="button" class="tile" @click=${() => go("services", { category: kind })}>
      ${pictureOf(servicesOf(kind)[0])}<span><strong>${word("kiosk_category", kind)}</strong></span></button></li>`)}</ul>
    ${choiceActions(home)}`;
}

/** The price of one, and what the city pays. */
function priceLines(service) {
  const city = subsidyOf(service);
  return html`<span class="money">${price(service.price)}</span>
    ${city > 0 ? html`<span class="subsidy">${say("kiosk.city_pays", { amount: price(city) })}</span>` : nothing}`;
}

function services() {
  if (!page.catalogue) {
    return waitForCatalogue();
  }
  if (servicesOf(page.category).length === 0) {
    return categories();
  }
  const choose = (service) => go("quantity", { service: service.id, quantity: page.basket.get(service.id) ?? 1 });
  const tile = (service) => html`<li><button type="button" class="tile" @click=${() => choose(service)}>
    ${pictureOf(service)}<span><strong><bdi>${nameOf(service)}</bdi></strong>
    ${descriptionOf(service) ? html`<span class="quiet"><bdi>${descriptionOf(service)}</bdi></span>` : nothing}
    ${priceLines(service)}
    ${page.basket.has(service.id) ? html`<span class="chip good">✓ ${say("kiosk.quantity", { n: page.basket.get(service.id) })}</span>` : nothing}</span></button></li>`;
  return html`${heading(word("kiosk_category", page.category))}
    <ul class="tiles two">${repeat(servicesOf(page.category), (service) => service.id, tile)}</ul>
    ${choiceActions(() => go("categories"))}`;
}

function quantity() {
  const service = serviceOf(page.service);
  if (!service) {
    return categories();
  }
  const change = (by) => {
    page.quantity = Math.min(QUANTITY_MAX, Math.max(1, page.quantity + by));
    draw();
  };
  const take = () => {
    page.basket.set(service.id, page.quantity);
    go("basket");
  };
  const leave = () => {
    page.basket.delete(service.id);
    go("services", { category: kindOf(service) });
  };
  const full = !page.basket.has(service.id) && page.basket.size >= LINES_MAX;
  const name = nameOf(service);
  return html`${heading(say("kiosk.how_many"))}
    <div class="tile told">${pictureOf(service)}<span><strong><bdi>${name}</bdi></strong>${priceLines(service)}</span></div>
    <div class="stepper middle">
      <button type="button" class="button" aria-label=${say("kiosk.fewer", { name })} ?disabled=${page.quantity <= 1} @click=${() => change(-1)}>−</button>
      <span class="huge" role="status">${say("kiosk.quantity", { n: page.quantity })}</span>
      <button type="button" class="button" aria-label=${say("kiosk.more", { name })} ?disabled=${page.quantity >= QUANTITY_MAX} @click=${() => change(1)}>＋</button>
    </div>
    <p class="center lead">${full ? say("kiosk.too_many_lines") : say("kiosk.total", { amount: price(service.price * page.quantity) })}</p>
    <div class="actions sticky">
      ${page.basket.has(service.id) ? button("", say("kiosk.leave_out"), leave) : button("back", say("kiosk.back"), () => go("services", { category: kindOf(service) }))}
      ${full ? button("primary", say("kiosk.chosen"), () => go("basket")) : button("primary", say("kiosk.take"), take)}
    </div>`;
}

/** What was chosen, with prices. */
export function basketLines() {
  return html`<ul class="lines">${[...page.basket].map(([id, count]) => {
    const service = serviceOf(id);
    return service ? html`<li><span><bdi>${nameOf(service)}</bdi> × ${count}</span><span class="money">${price(service.price * count)}</span></li>` : nothing;
  })}</ul>`;
}

function basket() {
  for (const id of [...page.basket.keys()].filter((id) => page.catalogue && !serviceOf(id))) {
    page.basket.delete(id);
  }
  if (page.basket.size === 0) {
    return categories();
  }
  const line = ([id, count]) => {
    const service = serviceOf(id);
    return html`<li><span><bdi>${nameOf(service)}</bdi> × ${count}</span><span class="money">${price(service.price * count)}</span>
      ${button("", say("kiosk.change"), () => go("quantity", { service: id, quantity: count }))}</li>`;
  };
  const city = [...page.basket].reduce((sum, [id, count]) => sum + subsidyOf(serviceOf(id)) * count, 0);
  return html`${heading(say("kiosk.you_chose"))}
    <ul class="lines">${repeat([...page.basket], ([id]) => id, line)}</ul>
    <p class="total"><span>${say("kiosk.to_pay")}</span><span>${price(total())}</span></p>
    ${city > 0 ? html`<p class="subsidy">${say("kiosk.city_pays", { amount: price(city) })}</p>` : nothing}
    <div class="actions sticky">
      ${button("", say("kiosk.one_more"), () => go("categories"))}${more()}
      ${trouble() ? html`<p class="lead" role="status">${trouble()}</p>` : button("primary", say("kiosk.pay"), () => go("tender"))}
    </div>`;
}

/** Why a tender cannot pay, in words; null where it may. */
function whyNot(tender, balance) {
  const seen = cardSeen();
  if (tender === "account" && page.status && !page.status.uplink.online) {
    return say("kiosk.why_offline");
  }
  if (tender === "purse" && readerSeen()?.psam === null) {
    return say("kiosk.why_no_purse");
  }
  if (tender === "account" && seen?.account.state === "not_known" && NO_POINTS.includes(seen.account.reason) && hasWord("kiosk_account_why", seen.account.reason)) {
    return word("kiosk_account_why", seen.account.reason);
  }
  return balance !== null && balance < total() ? say("kiosk.why_too_little", { amount: price(balance, tender) }) : null;
}

function tenderTile(tender, balance) {
  const why = whyNot(tender, balance);
  const title = html`<strong>${word("kiosk_tender", tender)}</strong>`;
  if (why) {
    return html`<li><div class="tile off">${picture("bad")}<span>${title}<span>${why}</span></span></div></li>`;
  }
  const left = balance === null
    ? html`<span class="quiet">${word("kiosk_tender_hint", tender)}</span>`
    : html`<span>${say("kiosk.there_is", { amount: price(balance, tender) })}</span><span class="subsidy">${say("kiosk.will_be_left", { amount: price(balance - total(), tender) })}</span>`;
  return html`<li><button type="button" class="tile" @click=${() => begin(tender)}>${picture(tender === "purse" ? "purse" : "points")}<span>${title}${left}</span></button></li>`;
}

function tender() {
  if (page.basket.size === 0) {
    return categories();
  }
  const seen = cardSeen();
  const valid = !NO_CARD_TO_PAY.includes(seen?.standing);
  const account = seen?.account.state === "known" ? seen.account.available : null;
  const tiles = valid
    ? html`<ul class="tiles two middle">${tenderTile("account", account)}${tenderTile("purse", seen?.purse ?? null)}</ul>`
    : html`<div class="verdict bad middle" role="alert">${picture("bad", "big")}<strong>${word("kiosk_standing", seen.standing)}</strong><p>${seen.message}</p></div>`;
  return html`${heading(say("kiosk.choose_tender"))}
    <p class="total"><span>${say("kiosk.to_pay")}</span><span>${price(total())}</span></p>
    ${tiles}
    <div class="actions sticky">${button("back", say("kiosk.back"), () => go("basket"))}${more()}</div>`;
}

/** A card that somebody left behind lies there. */
function takeAway() {
  return html`<div class="verdict warn middle" role="alert">${picture("unsure", "big")}${heading(say("kiosk.take_away"))}
    <p class="lead">${say("kiosk.take_away_more")}</p></div>
    <div class="actions sticky">${button("back", say("kiosk.back"), () => go("tender"))}</div>`;
}

let forget = () => go("start");

/** What forgets everything and goes to the start. */
export function onHome(forgets) {
  forget = forgets;
}

/** To the start, with everything forgotten; a card that lies there is shown again. */
export function home() {
  forget();
}

export const SCREENS = { start, card, categories, services, quantity, basket, tender, take_away: takeAway };
