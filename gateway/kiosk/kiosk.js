// The kiosk: choose services, choose what pays, place the card, see what became of it.
//
// A sale is begun with a key that is kept until its end is seen: however often the page asks, loads anew or loses the
// line, it is one sale. What was charged is only ever what the gateway says.

import { amount, ask, banner, button, element, languageInUse, listen, price, randomKey, say, showIn, startLanguage } from "/page/shared.js";

const HOME_AFTER_MS = 30_000;
const ASK_AGAIN_MS = 2_000;
const IDLE_MS = 90_000;
const QUANTITY_MAX = 99;
const KEPT = "sale-under-way";

const page = { view: "choose", basket: new Map(), catalogue: null, status: null, sale: null, begun: 0, note: null, offered: null, online: true };
let homeTimer;

/** Milliseconds that no setting of the clock changes while the page is open. */
const nowMs = () => performance.timeOrigin + performance.now();

const main = () => document.getElementById("main");
const ended = (sale) => !["awaiting_card", "in_progress"].includes(sale.state);
const nameOf = (service) => (languageInUse() === "en" ? service.name_en : service.name_zh);
const serviceOf = (id) => page.catalogue?.services.find((service) => service.id === id);

function reader() {
  const wanted = new URLSearchParams(location.search).get("reader");
  return wanted ?? page.status?.readers[0]?.reader ?? "";
}

function hasPurse() {
  return page.status?.readers.find((known) => known.reader === reader())?.psam !== null;
}

function total() {
  return [...page.basket].reduce((sum, [id, quantity]) => sum + (serviceOf(id)?.price ?? 0) * quantity, 0);
}

function go(view) {
  page.view = view;
  render();
}

function home() {
  clearTimeout(homeTimer);
  sessionStorage.removeItem(KEPT);
  Object.assign(page, { basket: new Map(), sale: null, note: null, offered: null });
  go("choose");
  load();
}

function homeLater(ms) {
  clearTimeout(homeTimer);
  homeTimer = setTimeout(home, ms);
}

// --- Choosing ---

function change(id, by) {
  const quantity = Math.min(QUANTITY_MAX, (page.basket.get(id) ?? 0) + by);
  if (quantity > 0) {
    page.basket.set(id, quantity);
  } else {
    page.basket.delete(id);
  }
  homeLater(IDLE_MS);
  render();
}

function serviceCard(service) {
  const quantity = page.basket.get(service.id) ?? 0;
  const choose = element(
    "button",
    { type: "button", class: "service", onclick: () => change(service.id, 1) },
    element("span", { class: "name" }, nameOf(service)),
    element("span", { class: "price" }, price(service.price)),
  );
  const stepper = element(
    "div",
    { class: "stepper" },
    button("−", "step", () => change(service.id, -1)),
    element("span", { class: "quantity" }, say("kiosk.quantity", { n: quantity })),
    button("+", "step", () => change(service.id, 1)),
  );
  stepper.firstChild.ariaLabel = say("kiosk.fewer", { name: nameOf(service) });
  stepper.lastChild.ariaLabel = say("kiosk.more", { name: nameOf(service) });
  return element("li", { class: quantity ? "chosen" : "" }, choose, quantity ? stepper : null);
}

function chooseView() {
  if (!page.catalogue) {
    return [element("p", { class: "lead" }, say("kiosk.loading"))];
  }
  if (page.catalogue.services.length === 0) {
    return [element("p", { class: "lead" }, say("kiosk.nothing_offered"))];
  }
  const pay = button(say("kiosk.pay"), "primary", () => go("tender"));
  pay.disabled = page.basket.size === 0 || Boolean(page.status?.sales_closed);
  return [
    element("p", { class: "lead" }, say("kiosk.choose")),
    element("ul", { class: "services" }, ...page.catalogue.services.map(serviceCard)),
    element("footer", { class: "bar" }, element("span", { class: "total" }, say("kiosk.total", { amount: price(total()) })), pay),
  ];
}

// --- What pays ---

function lines(items) {
  return element(
    "ul",
    { class: "lines" },
    ...items.map(({ id, quantity, unit }) => {
      const service = serviceOf(id);
      return element("li", {}, element("span", {}, `${service ? nameOf(service) : id} × ${quantity}`), element("span", {}, amount(unit * quantity)));
    }),
  );
}

function tenderView() {
  const chosen = [...page.basket].map(([id, quantity]) => ({ id, quantity, unit: serviceOf(id)?.price ?? 0 }));
  const purse = button(say("kiosk.tender_purse"), "tender", () => begin("purse"));
  const account = button(say("kiosk.tender_account"), "tender", () => begin("account"));
  purse.append(element("small", {}, say("kiosk.tender_purse_hint")));
  account.append(element("small", {}, say("kiosk.tender_account_hint")));
  return [
    element("p", { class: "lead" }, say("kiosk.choose_tender")),
    lines(chosen),
    element("p", { class: "amount" }, price(total())),
    element("div", { class: "tenders" }, account, hasPurse() ? purse : null),
    element("footer", { class: "bar" }, button(say("kiosk.back"), "quiet", () => go("choose"))),
  ];
}

// --- The sale ---

function keep(kept) {
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
}

function kept() {
  return JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
}

function begin(tender) {
  clearTimeout(homeTimer);
  const items = [...page.basket].map(([service, quantity]) => ({ service, quantity }));
  keep({ key: randomKey(), body: { reader: reader(), items, tender }, id: null, begun: nowMs() });
  send();
}

async function send() {
  const under = kept();
  page.sale = null;
  page.begun = under.begun;
  go("sale");
  try {
    const sale = await ask("POST", "/api/v1/sales", under.body, { "Idempotency-Key": under.key });
    keep({ ...under, id: sale.id });
    show(sale);
  } catch (refused) {
    if (refused.status === 401) {
      await fetch("/", { cache: "reload" });
    }
    if (refused.status === 0 || refused.status === 401 || ["late", "busy", "closing"].includes(refused.code)) {
      page.note = say("kiosk.asking_again");
      render();
      setTimeout(() => kept()?.key === under.key && send(), ASK_AGAIN_MS);
      return;
    }
    sessionStorage.removeItem(KEPT);
    page.note = refused.message;
    page.offered = refused.code === "offline" && under.body.tender === "account" && hasPurse() ? under.body : null;
    go("not_begun");
    homeLater(HOME_AFTER_MS);
  }
}

function show(sale) {
  const before = page.sale;
  page.sale = sale;
  page.note = null;
  if (ended(sale) && sale.state !== "unknown" && before?.state !== sale.state) {
    homeLater(HOME_AFTER_MS);
  }
  render();
}

async function look() {
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
      home();
    } else {
      page.note = say("kiosk.asking_again");
      render();
    }
  }
}

async function cancel() {
  try {
    show(await ask("DELETE", `/api/v1/sales/${page.sale.id}`));
  } catch (refused) {
    page.note = refused.message;
    render();
    look();
  }
}

/** The same services again, as a sale of its own. */
function payFromPurse(body) {
  clearTimeout(homeTimer);
  keep({ key: randomKey(), body: { ...body, tender: "purse" }, id: null, begun: nowMs() });
  send();
}

function secondsLeft(sale) {
  return Math.max(0, Math.ceil((page.begun + sale.card_wait_ms - nowMs()) / 1000));
}

function waiting(sale) {
  const touched = sale.state === "in_progress";
  const left = element("p", { class: "countdown", id: "countdown" }, touched ? "" : say("kiosk.seconds_left", { n: secondsLeft(sale) }));
  return [
    element("p", { class: "lead" }, say(touched ? "kiosk.leave_card" : "kiosk.place_card")),
    element("p", { class: "amount" }, price(sale.amount, sale.tender)),
    lines(sale.items.map((item) => ({ id: item.service, quantity: item.quantity, unit: item.unit_price }))),
    left,
    page.note || sale.message ? element("p", { class: "note" }, page.note || sale.message) : null,
    element("footer", { class: "bar" }, touched ? null : button(say("kiosk.cancel"), "quiet", cancel)),
  ];
}

function result(sale) {
  const title = { paid: "kiosk.paid", refused: "kiosk.not_paid", cancelled: "kiosk.cancelled", unknown: "kiosk.unknown" }[sale.state];
  const parts = [element("p", { class: "result", role: "alert" }, say(title))];
  if (sale.state === "paid") {
    parts.push(element("p", { class: "amount" }, price(sale.amount, sale.tender)));
    if (sale.balance !== null) {
      parts.push(element("p", { class: "balance" }, say("kiosk.balance", { amount: price(sale.balance, sale.tender) })));
    }
    parts.push(lines(sale.items.map((item) => ({ id: item.service, quantity: item.quantity, unit: item.unit_price }))));
    parts.push(element("p", { class: "lead" }, say("kiosk.take_card")));
  } else {
    parts.push(element("p", { class: "lead" }, sale.message ?? ""));
    if (sale.state !== "unknown" && sale.balance !== null) {
      parts.push(element("p", { class: "balance" }, say("kiosk.balance", { amount: price(sale.balance, sale.tender) })));
    }
  }
  const bar = element("footer", { class: "bar" });
  if (sale.state === "unknown") {
    parts.push(element("p", { class: "amount" }, price(sale.amount, sale.tender)));
    // A reader does not notice a card that is laid on again within half a second of being torn away.
    parts.push(element("p", { class: "lead" }, say("kiosk.lay_again")));
    bar.append(button(say("kiosk.leave_unknown"), "quiet", home));
  } else {
    bar.append(button(say("kiosk.home"), sale.purse_offered ? "quiet" : "primary", home));
  }
  if (sale.purse_offered && sale.state === "refused") {
    bar.append(button(say("kiosk.pay_from_purse"), "primary", () => payFromPurse(kept().body)));
  }
  return [...parts, bar];
}

function saleView() {
  if (!page.sale) {
    return [element("p", { class: "lead" }, page.note ?? say("kiosk.starting"))];
  }
  return ended(page.sale) ? result(page.sale) : waiting(page.sale);
}

function notBegunView() {
  return [
    element("p", { class: "result", role: "alert" }, say("kiosk.not_paid")),
    element("p", { class: "lead" }, page.note ?? ""),
    element(
      "footer",
      { class: "bar" },
      button(say("kiosk.home"), page.offered ? "quiet" : "primary", home),
      page.offered ? button(say("kiosk.pay_from_purse"), "primary", () => payFromPurse(page.offered)) : null,
    ),
  ];
}

// --- The page ---

const VIEWS = { choose: chooseView, tender: tenderView, sale: saleView, not_begun: notBegunView };

function render() {
  const shown = page.status?.readers.find((known) => known.reader === reader());
  banner([
    page.online ? null : say("common.line_lost"),
    page.status?.sales_closed ? page.status.sales_closed_message : null,
    shown?.state === "gone" ? say("kiosk.reader_gone") : null,
    page.status && !page.status.uplink.online ? say("kiosk.offline") : null,
  ]);
  document.body.dataset.state = page.view === "sale" ? (page.sale?.state ?? "starting") : page.view;
  showIn(main(), VIEWS[page.view]());
}

async function load() {
  try {
    [page.status, page.catalogue] = await Promise.all([ask("GET", "/api/v1/status"), ask("GET", "/api/v1/catalogue")]);
    page.online = true;
  } catch {
    page.online = false;
    setTimeout(load, ASK_AGAIN_MS);
  }
  render();
}

function tick() {
  if (page.view !== "sale" || !page.sale || (ended(page.sale) && page.sale.state !== "unknown")) {
    return;
  }
  const shown = document.getElementById("countdown");
  if (shown && page.sale.state === "awaiting_card") {
    shown.textContent = say("kiosk.seconds_left", { n: secondsLeft(page.sale) });
  }
}

await startLanguage(render);
await load();
if (kept()) {
  page.begun = kept().begun;
  send();
}
listen(
  {
    "sale.changed": (event) => event.sale === kept()?.id && look(),
    "reader.changed": load,
    "uplink.changed": load,
  },
  () => {
    load();
    look();
  },
  (online) => {
    page.online = online;
    render();
  },
);
setInterval(tick, 1000);
setInterval(() => page.view === "sale" && page.sale && (!ended(page.sale) || page.sale.state === "unknown") && look(), ASK_AGAIN_MS * 2);
