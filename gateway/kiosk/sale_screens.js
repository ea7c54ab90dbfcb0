// The screens of a sale: place the card, leave it, what became of it, the receipt. Each wait has a limit after which the page says
// what to do.

import { html, nothing } from "/pages/paper.js";
import { languageInUse, price, say, time, word } from "/pages/words.js";
import { picture } from "/page/picture.js";
import { draw, page, readerSeen } from "/page/state.js";
import { cancel, forgetSale, kept, payFromPurse } from "/page/sale.js";
import { basketLines, button, go, heading, home, more } from "/page/screens.js";

/** A payment takes less than a second, and never more than the gateway's own waits. */
const SLOW_MS = 12_000;
const WAIT_SHOWN_MS = 90_000;
/** A reader does not notice a card that is laid on again within half a second. */
const LIFT_HINT_MS = 6_000;

const nameOf = (line) => (languageInUse() === "en" ? line.name_en : line.name_zh);
const lasts = () => performance.now() - page.since;
const cardLies = () => ["card", "reading", "mute"].includes(page.card?.state);

function lines(sale) {
  const of = (line) => html`<li><span><bdi>${nameOf(line)}</bdi> × ${line.quantity}</span><span class="money">${price(line.unit_price * line.quantity, sale.tender)}</span></li>`;
  return html`<ul class="lines">${sale.lines.map(of)}</ul>`;
}

function starting() {
  const slow = lasts() > SLOW_MS;
  return html`<div class="middle stack center hero">${picture("wait", "big")}${heading(say(slow ? "kiosk.no_answer_title" : "kiosk.starting"))}
    <p class="lead" role="status">${slow ? say("kiosk.no_answer_more") : page.note ? say(`kiosk.${page.note}`) : ""}</p></div>`;
}

function place(sale) {
  const left = page.cardWaitLeft?.() ?? 0;
  const hint = page.refusedCancel ?? sale.message ?? (cardLies() && lasts() > LIFT_HINT_MS ? say("kiosk.lay_again") : null);
  return html`${heading(say("kiosk.place_card"))}
    <div class="middle stack center hero">
      <div class="lay">${picture("lay", "big")}</div>
      <p class="huge">${price(sale.amount, sale.tender)}</p>
      <p class="lead">${word("kiosk_from", sale.tender)}</p>
      ${hint ? html`<p class="lead" role="alert">${hint}</p>` : nothing}
      <progress max=${WAIT_SHOWN_MS} .value=${Math.min(left, WAIT_SHOWN_MS)} aria-hidden="true"></progress>
      <p class="count">${say("kiosk.seconds_left", { n: Math.ceil(left / 1000) })}</p>
    </div>
    <div class="actions sticky">${button("back", say("kiosk.cancel"), cancel)}</div>`;
}

function leave(sale) {
  const slow = lasts() > SLOW_MS;
  return html`<div class="middle stack center hero">${picture("wait", "big")}${heading(say("kiosk.leave_card"))}
    <p class="huge">${price(sale.amount, sale.tender)}</p>
    <p class="lead" role="status">${slow ? say("kiosk.slow") : page.note ? say(`kiosk.${page.note}`) : say("kiosk.leave_card_more")}</p></div>`;
}

function paid(sale) {
  return html`<div class="verdict good" role="alert">${picture("good", "big")}${heading(say("kiosk.paid"))}
      <p class="huge">${price(sale.amount, sale.tender)}</p>
      ${sale.balance === null ? nothing : html`<p class="lead">${say(`kiosk_left.${sale.tender}`, { amount: price(sale.balance, sale.tender) })}</p>`}</div>
    ${cardLies() ? html`<p class="lead center" role="status">${say("kiosk.take_card")}</p>` : nothing}
    <div class="actions sticky">${button("", html`${picture("receipt", "small")} ${say("kiosk.receipt")}`, () => go("receipt"))}${button("primary", say("kiosk.done"), home)}</div>`;
}

function notPaid(sale) {
  const title = sale.state === "cancelled" ? "kiosk.cancelled" : "kiosk.not_paid";
  const offered = sale.state === "refused" && sale.purse_offered && readerSeen()?.psam !== null && kept()?.body;
  const another = sale.state === "refused" && page.basket.size > 0;
  return html`<div class="verdict ${sale.state === "cancelled" ? "info" : "bad"}" role="alert">${picture("bad", "big")}${heading(say(title))}
      <p class="lead">${sale.message ?? say("kiosk.nothing_charged")}</p>
      ${sale.balance === null ? nothing : html`<p>${say(`kiosk_left.${sale.tender}`, { amount: price(sale.balance, sale.tender) })}</p>`}</div>
    ${cardLies() ? html`<p class="lead center">${say("kiosk.take_card")}</p>` : nothing}
    <div class="actions sticky">${button(offered || another ? "" : "primary", say("kiosk.home"), home)}${offered ? button("primary", say("kiosk.pay_from_purse"), payFromPurse) : another ? button("primary", say("kiosk.other_way"), otherWay) : nothing}</div>`;
}

/** The same services, paid otherwise: what pays is asked once more. */
function otherWay() {
  forgetSale();
  go("tender");
}

function unknown(sale) {
  const lies = cardLies() && lasts() > LIFT_HINT_MS;
  return html`<div class="verdict warn" role="alert">${picture("unsure", "big")}${heading(say("kiosk.unknown"))}
      <p class="huge">${say("kiosk.unknown_do")}</p>
      <p class="lead">${say("kiosk.unknown_not_again")}</p>
      <p>${say("kiosk.unknown_amount", { amount: price(sale.amount, sale.tender) })}</p>
      ${lies ? html`<p class="lead">${say("kiosk.lay_again")}</p>` : nothing}</div>
    ${cardLies() ? nothing : html`<div class="actions sticky">${button("", say("kiosk.leave_unknown"), home)}</div>`}`;
}

function notBegun() {
  const { message, body, code } = page.refused;
  const offered = code === "offline" && body.tender === "account" && readerSeen()?.psam !== null;
  return html`<div class="verdict bad" role="alert">${picture("bad", "big")}${heading(say("kiosk.not_paid"))}<p class="lead">${message}</p></div>
    ${basketLines()}
    <div class="actions sticky">${button(offered ? "" : "primary", say("kiosk.home"), home)}${offered ? button("primary", say("kiosk.pay_from_purse"), payFromPurse) : nothing}</div>`;
}

const SHOWN = { awaiting_card: place, in_progress: leave, paid, refused: notPaid, cancelled: notPaid, unknown };

function sale() {
  if (page.refused) {
    return notBegun();
  }
  return page.sale ? SHOWN[page.sale.state](page.sale) : starting();
}

function receipt() {
  const sale = page.sale;
  if (!sale) {
    return starting();
  }
  const row = (name, value) => (value === null || value === undefined ? nothing : html`<li><span>${say(`kiosk.${name}`)}</span><span class="money"><bdi>${value}</bdi></span></li>`);
  const money = (fen) => (fen === null ? null : price(fen, sale.tender));
  return html`${heading(say("kiosk.receipt"))}
    ${lines(sale)}
    <ul class="lines facts">
      ${row("paid_sum", money(sale.amount))}
      ${row("city_paid", sale.subsidy > 0 ? price(sale.subsidy) : null)}
      ${row("paid_from", word("kiosk_tender", sale.tender))}
      ${row("before", money(sale.balance_before))}
      ${row("after", money(sale.balance))}
      ${row("when", time(sale.ended_at ?? sale.started_at))}
      ${row("number", sale.receipt)}
    </ul>
    <div class="actions sticky">${button("back", say("kiosk.back"), () => go("sale"))}${more()}${button("primary", say("kiosk.done"), home)}</div>`;
}

/** Draws again each second while something on the screen counts. */
export function tick() {
  setInterval(() => {
    if (page.screen === "sale" && (!page.sale || ["awaiting_card", "in_progress", "unknown"].includes(page.sale.state))) {
      draw();
    }
  }, 1000);
}

export const SALE_SCREENS = { sale, receipt };
