// One sale, from the choice of what pays to what became of it.
//
// A sale is begun with a key that is kept until its end is seen: however often the page asks, loads anew or loses the line, it is
// one sale. What was charged is only ever what the gateway says.

import { leftOf } from "/pages/ages.js";
import { ask, randomKey } from "/page/shared.js";
import { draw, page, reader } from "/page/state.js";

const KEPT = "sale-under-way";
const ASK_AGAIN_MS = 1_500;
/** Answers after which the same request is asked again. */
const AGAIN = ["late", "busy", "closing"];

let unkept = null;

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
  Object.assign(page, { sale: null, refused: null, note: null, cardWaitLeft: null });
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
  keep({ key: randomKey(), body, id: null });
  Object.assign(page, { sale: null, refusedCancel: null, since: performance.now() });
  send();
}

/** Goes on with a sale that was under way before the page was loaded anew, or that the gateway says waits here. */
export function resume(id) {
  page.since = performance.now();
  if (kept()) {
    send();
  } else if (id) {
    keep({ key: null, body: null, id });
    Object.assign(page, { screen: "sale", sale: null });
    look();
  }
}

async function send() {
  const under = kept();
  if (under.key === null) {
    return look();
  }
  Object.assign(page, { screen: "sale", refused: null, note: null });
  draw();
  try {
    const sale = await ask("POST", "/api/v1/sales", under.body, { "Idempotency-Key": under.key });
    keep({ ...under, id: sale.id });
    show(sale);
  } catch (refused) {
    if (kept()?.key !== under.key) {
      return;
    }
    if (refused.status === 401) {
      await fetch("/", { cache: "reload" }).catch(() => null);
    }
    if (refused.status === 0 || refused.status === 401 || AGAIN.includes(refused.code)) {
      page.note = "asking_again";
      draw();
      setTimeout(() => kept()?.key === under.key && send(), ASK_AGAIN_MS);
      return;
    }
    keep(null);
    page.refused = { message: refused.message, code: refused.code, body: under.body };
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
