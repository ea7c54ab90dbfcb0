// What the kiosk's page knows, in one place; every module changes it and calls `draw`.

const CHOSEN = "chosen";
const CARD_LEFT = "card-left";

function takenUp(name, otherwise) {
  try {
    return JSON.parse(sessionStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function keepFor(name, value) {
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // It is known as long as the page is.
  }
}

export const page = {
  /** Which screen: start, card, categories, services, quantity, basket, tender, take_away, sale, receipt. */
  screen: "start",
  /** Quantities by the service's id. */
  basket: new Map(),
  category: null,
  service: null,
  quantity: 1,
  /** Answers of the gateway: what can be chosen, how it is, what lies on the reader. */
  catalogue: null,
  status: null,
  card: null,
  /** Whether whoever laid the card on has gone away from it: it shows nothing and pays nothing until it is taken away. */
  cardForgotten: takenUp(CARD_LEFT, false),
  /** The body of a sale that begins once that card is taken away. */
  wish: null,
  /** The sale as the gateway told it last, with how long it still waits for its card. */
  sale: null,
  cardWaitLeft: null,
  /** Why the sale was not begun; what to say beside it. */
  refused: null,
  note: null,
  /** Why the sale could not be taken back. */
  refusedCancel: null,
  /** Since when, on this browser's running clock, the present state of the sale lasts. */
  since: 0,
  /** Whether the gateway answers; since when not. */
  reachable: true,
  goneSince: 0,
  help: null,
  helpNote: null,
  /** Milliseconds that the warning still counts. */
  warning: null,
};

/** Keeps what was chosen for a page that is loaded anew. */
export function keepChoice() {
  keepFor(CHOSEN, [...page.basket]);
}

/** Takes up what was chosen before the page was loaded anew. */
export function takeUpChoice() {
  page.basket = new Map(takenUp(CHOSEN, []));
}

/** A card that lies there was left behind, or nothing lies there any more. */
export function cardIsLeft(left) {
  page.cardForgotten = left;
  keepFor(CARD_LEFT, left);
}

/** A gateway that was started anew knows this page no longer; its first page makes it known. */
export async function askAgainKnown() {
  await fetch("/", { cache: "reload" }).catch(() => null);
}

let redraw = () => {};
let queued = false;

/** What draws the page. */
export function onDraw(draws) {
  redraw = draws;
}

/** Draws the page anew, once for all changes of this turn. */
export function draw() {
  if (!queued) {
    queued = true;
    queueMicrotask(() => {
      queued = false;
      redraw();
    });
  }
}

/** The kiosk's reader: that of the address, else the first. */
export function reader() {
  return new URLSearchParams(location.search).get("reader") ?? page.status?.readers[0]?.reader ?? "";
}

/** The reader as the status has it. */
export function readerSeen() {
  return page.status?.readers.find((known) => known.reader === reader());
}

/** What is known of the card that lies there; null where there is none that was read. */
export function cardSeen() {
  return page.cardForgotten ? null : (page.card?.card ?? null);
}

/** The service of an id. */
export function serviceOf(id) {
  return page.catalogue?.services.find((service) => service.id === id);
}

/** The price of everything chosen, fen, as it is shown; the gateway sets it. */
export function total() {
  return [...page.basket].reduce((sum, [id, quantity]) => sum + (serviceOf(id)?.price ?? 0) * quantity, 0);
}

/** What the city pays of one service, fen. */
export function subsidyOf(service) {
  return Math.max(0, (service.full_price ?? service.price) - service.price);
}

/** Whether a sale waits, runs or is in doubt: nothing is forgotten then. */
export function saleIsOpen() {
  return page.screen === "sale" && (!page.sale ? !page.refused : ["awaiting_card", "in_progress"].includes(page.sale.state));
}
