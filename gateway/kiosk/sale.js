// One sale, from the choice of what pays to what became of it.
//
// A sale is begun with a key that is kept until its end is seen: however often the page asks, loads anew or loses the line, it is
// one sale. What was charged is only ever what the gateway says. A sale begins only while the person who asked for it is likely to stand
// there: later, and on a page that was loaded anew, the page only asks whether it had begun.

import { leftOf } from "/pages/ages.js";
import { say } from "/pages/words.js";
import { ask, randomKey } from "/page/shared.js";
import { askAgainKnown, draw, page, reader } from "/page/state.js";

const KEPT = "sale-under-way";
const ASK_AGAIN_MS = 1_500;
/** How long a wish for a sale that nobody answers may still begin it. */
const MAY_BEGIN_MS = 60_000;
/** With this a wish begins nothing; see the gateway's interface. */
const ONLY_KNOWN = { "Care-Only-Known": "1" };
/** Answers after which the same request is asked again. */
const AGAIN = ["late", "busy", "closing"];

let unkept = null;
let mayBeginUntil = 0;

function keep(sale) {
  unkept = sale;
  try {
    if (sale) {
      sessionStorage.setItem(KEPT, JSON.stringify(sale));
    } else {
      sessionStorage.removeItem(KEPT);
    }
  } catch {
    // It is known as long as the page is.
  }
}

/** The sale under way: its key, what was asked for, its id once there is one. */
export function kept() {
  if (unkept) {
    return unkept;
  }
  try {
    unkept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  } catch {
    unkept = null;
  }
  return unkept;
}

/** Forgets the sale on this page; the gateway knows it. */
export function forgetSale() {
  keep(null);
  Object.assign(page, { sale: null, refused: null, note: null, cardWaitLeft: null, wish: null });
}

/** Begins a sale of what was chosen. */
export function begin(tender) {
  const items = [...page.basket].map(([service, quantity]) => ({ service, quantity }));
  start({ reader: reader(), items, tender });
}

/** The same services once more, as a sale of its own, from the purse. */
export function payFromPurse() {
  start({ ...(kept()?.body ?? page.refused.body), tender: "purse" });
}

function start(body) {
  if (page.cardForgotten) {
    // The card of somebody else would pay.
    Object.assign(page, { screen: "take_away", wish: body });
    return draw();
  }
  mayBeginUntil = performance.now() + MAY_BEGIN_MS;
  keep({ key: randomKey(), body, id: null });
  Object.assign(page, { sale: null, refusedCancel: null, since: performance.now() });
  send();
}

/** Begins the sale that was wished for while somebody else's card lay there. */
export function beginWished() {
  const body = page.wish;
  page.wish = null;
  start(body);
}

const mayBegin = () => performance.now() < mayBeginUntil;

/** Whether nobody has answered to the wish for a sale for so long that it begins no more. */
export function goesUnanswered() {
  return page.screen === "sale" && !page.sale && !page.refused && !mayBegin();
}

/** Goes on with a sale that was under way before the page was loaded anew, or that the gateway says waits here. */
export function resume(id) {
  page.since = performance.now();
  if (!kept() && id) {
    keep({ key: null, body: null, id });
  }
  if (kept()?.id) {
    Object.assign(page, { screen: "sale", sale: null });
    look();
  } else if (kept()) {
    send();
  }
}

async function send() {
  const under = kept();
  const begins = mayBegin();
  Object.assign(page, { screen: "sale", refused: null, note: null });
  draw();
  try {
    const sale = await ask("POST", "/api/v1/sales", under.body, { "Idempotency-Key": under.key, ...(begins ? {} : ONLY_KNOWN) });
    if (kept()?.key === under.key) {
      keep({ ...under, id: sale.id });
      show(sale);
    }
  } catch (refused) {
    if (kept()?.key !== under.key) {
      return;
    }
    if (refused.status === 401) {
      await askAgainKnown();
    }
    if (refused.status === 0 || refused.status === 401 || AGAIN.includes(refused.code)) {
      page.note = "asking_again";
      draw();
      setTimeout(() => kept()?.key === under.key && send(), ASK_AGAIN_MS);
      return;
    }
    keep(null);
    const message = begins || refused.status !== 404 ? refused.message : say("kiosk.not_begun");
    page.refused = { message, code: refused.code, body: under.body };
    draw();
  }
}

function show(sale) {
  if (page.sale?.state !== sale.state) {
    Object.assign(page, { since: performance.now(), refusedCancel: null });
  }
  const waits = sale.card_wait_left_ms;
  Object.assign(page, { screen: page.screen === "receipt" ? "receipt" : "sale", sale, note: null, cardWaitLeft: waits === null ? null : leftOf(waits) });
  draw();
}

/** Asks how the sale is. */
export async function look() {
  const id = kept()?.id;
  if (!id) {
    return;
  }
  try {
    const sale = await ask("GET", `/api/v1/sales/${id}`);
    if (kept()?.id === id) {
      show(sale);
    }
  } catch (refused) {
    if (kept()?.id !== id) {
      return;
    }
    if (refused.status === 401) {
      await askAgainKnown();
    }
    if (refused.status === 404) {
      forgetSale();
      page.screen = "start";
    } else {
      page.note = "asking_again";
    }
    draw();
  }
}

/** Takes the sale back. */
export async function cancel() {
  try {
    show(await ask("DELETE", `/api/v1/sales/${page.sale.id}`));
  } catch (refused) {
    page.note = null;
    page.refusedCancel = refused.message;
    draw();
    look();
  }
}

/** Asks from time to time while the sale has not ended, or is in doubt. */
export function watchSale() {
  setInterval(() => {
    const open = !page.sale || ["awaiting_card", "in_progress", "unknown"].includes(page.sale.state);
    if (page.screen === "sale" && open && kept()?.id) {
      look();
    }
  }, ASK_AGAIN_MS * 2);
}
