// The operator board: alarms with their steps, sales, gateways. Live.
//
// The operator's token stays in this tab (sessionStorage) and travels only in the Authorization header. Text comes into
// the page as text nodes, never as markup.

import { Refused, answerTo, eventsOf } from "/board/centre.js";
import { amount, element, languageInUse, pressed, say, showIn, startLanguage, word } from "/board/paper.js";

const TOKEN = "operator-token";
const STEPS = [
  ["acknowledge", "acknowledged"],
  ["dispatch", "dispatched"],
  ["on_site", "on_site"],
];
const ORDER = ["raised", "accepted", "acknowledged", "dispatched", "on_site", "resolved"];
const CAUSES = [
  "fall", "pain_breath", "toilet_transfer", "fire_gas", "intruder", "anxiety_talk", "service_request",
  "accidental", "device_false", "test", "pet", "visitor", "unknown",
];
const PRESSED = ["sos", "pull_cord", "service"];
const TABS = ["alarms", "sales", "gateways", "devices", "conflicts"];
const PEOPLE_SHOWN = 20;
const LOAD_AGAIN_MS = 15_000;
const CONNECT_AGAIN_MS = 2_000;
const SETTLE_MS = 100;

const page = {
  tab: "alarms", token: sessionStorage.getItem(TOKEN), data: {}, all: false, opened: new Map(), people: new Map(), resolving: null, approving: null, cause: "",
  note: null, online: true, ahead: 0,
};
let loading = false;
let again = false;
let settle;
let hangUp;

const main = () => document.getElementById("main");

/** The operator logged out, or in anew, while an answer was on its way: it belongs to nobody any more. */
class LoggedOut extends Error {}

async function ask(method, path, body) {
  const token = page.token;
  const answer = await answerTo(method, path, token, languageInUse(), body).catch((refused) => {
    throw page.token === token ? refused : new LoggedOut();
  });
  if (page.token !== token) {
    throw new LoggedOut();
  }
  page.ahead = answer.ahead ?? page.ahead;
  return answer.body;
}

// --- Login ---

function logIn(event) {
  event.preventDefault();
  page.token = event.target.token.value.trim();
  sessionStorage.setItem(TOKEN, page.token);
  page.note = null;
  connect();
  load();
}

function logOut(note = null) {
  sessionStorage.removeItem(TOKEN);
  hangUp?.abort();
  Object.assign(page, { token: null, data: {}, note, resolving: null, approving: null, opened: new Map(), people: new Map() });
  render();
}

function loginView() {
  return [
    element(
      "form",
      { class: "login", onsubmit: logIn, autocomplete: "off" },
      element("label", { for: "token" }, say("board.token")),
      element("input", { id: "token", name: "token", type: "password", required: true, maxLength: 200 }),
      element("p", { class: "facts" }, say("board.token_hint")),
      page.note ? element("p", { class: "note", role: "alert" }, page.note) : null,
      element("button", { class: "primary" }, say("board.login")),
    ),
  ];
}

/** Month, day and time of an RFC 3339 text, in the zone it was written in. */
function time(text) {
  return text ? text.slice(5, 19).replace("T", " ") : "—";
}

// --- Alarms ---

async function step(alarm, name, cause) {
  try {
    await ask("POST", `/api/v1/alarms/${encodeURIComponent(alarm.id)}/${name}`, cause === undefined ? undefined : { cause });
    Object.assign(page, { note: null, resolving: null });
  } catch (refused) {
    if (refused instanceof LoggedOut) {
      return;
    }
    if (refused.status === 401) {
      logOut(refused.message);
      return;
    }
    page.note = refused.message;
  }
  await load();
}

function causeChooser(alarm) {
  const option = (value, text) => element("option", { value }, text);
  const choose = element(
    "select",
    { "aria-label": say("board.cause") },
    option("", say("board.choose_cause")),
    ...CAUSES.map((cause) => option(cause, word("cause", cause))),
  );
  const confirm = pressed(say("board.confirm_resolve"), "primary", () => step(alarm, "resolve", page.cause));
  choose.value = page.cause;
  confirm.disabled = page.cause === "";
  choose.addEventListener("change", () => {
    page.cause = choose.value;
    confirm.disabled = page.cause === "";
  });
  const back = pressed(say("board.back"), "", () => {
    page.resolving = null;
    render();
  });
  return element("div", { class: "steps" }, choose, confirm, back);
}

function alarmSteps(alarm) {
  const reached = ORDER.indexOf(alarm.state);
  if (alarm.state === "resolved") {
    return null;
  }
  if (page.resolving === alarm.id) {
    return causeChooser(alarm);
  }
  const next = STEPS.filter(([, state]) => ORDER.indexOf(state) > reached);
  const buttons = next.map(([name], index) => pressed(word("step", name), index === 0 ? "primary" : "", () => step(alarm, name)));
  const resolve = pressed(word("step", "resolve"), next.length ? "" : "primary", () => {
    Object.assign(page, { resolving: alarm.id, cause: "" });
    render();
  });
  return element("div", { class: "steps" }, ...buttons, resolve);
}

function history(detail) {
  if (!detail) {
    return null;
  }
  const line = (event) => {
    const what = event.state ? word("alarm_state", event.state) : word("alarm_event", event.what);
    const cause = event.cause ? word("cause", event.cause) : null;
    return [time(event.received_at), what, event.by ?? event.source, cause].filter(Boolean).join(" · ");
  };
  return element("ol", { class: "history" }, ...detail.history.map((event) => element("li", {}, line(event))));
}

async function toggle(alarm) {
  if (page.opened.has(alarm.id)) {
    page.opened.delete(alarm.id);
  } else {
    page.opened.set(alarm.id, null);
    await loadDetails();
  }
  render();
}

/** Whom the alarm is about: name, address, whom to call, what helpers have to know. */
function personLines(alarm) {
  const person = page.people.get(alarm.person);
  if (!person) {
    return null;
  }
  const plain = (one) => (typeof one === "string" ? one : Object.values(one).join(" "));
  const contacts = [person.contacts ?? []].flat().map(plain);
  const conditions = [person.conditions ?? []].flat().map(plain);
  return element(
    "div",
    { class: "person" },
    element("p", {}, element("strong", {}, person.name), " ", element("bdi", {}, person.address)),
    contacts.length ? element("p", {}, say("board.contacts", { contacts: contacts.join("; ") })) : null,
    conditions.length ? element("p", {}, say("board.conditions", { conditions: conditions.join("; ") })) : null,
  );
}

/** Minutes and seconds since the centre had it, by the centre's clock. */
function age(alarm) {
  const seconds = Math.max(0, Math.floor((performance.now() + page.ahead - Date.parse(alarm.received_at)) / 1000));
  if (seconds >= 3600) {
    return say("board.age_hours", { h: Math.floor(seconds / 3600), m: Math.floor(seconds / 60) % 60 });
  }
  return say("board.age", { m: Math.floor(seconds / 60), s: String(seconds % 60).padStart(2, "0") });
}

/** How often, and whether the elder says that all is well: what an operator has to know before calling. */
function marks(alarm) {
  const times = PRESSED.includes(alarm.kind) ? "board.presses" : "board.times";
  const last = alarm.last_press_at ? say("board.last_press", { time: time(alarm.last_press_at) }) : "";
  const found = [
    alarm.presses > 1 ? element("strong", { class: "presses" }, say(times, { n: alarm.presses, last })) : null,
    alarm.taken_back && alarm.state !== "resolved" ? element("strong", { class: "taken-back" }, say("board.taken_back")) : null,
  ].filter(Boolean);
  return found.length ? element("p", { class: "marks" }, ...found) : null;
}

function alarmCard(alarm) {
  const open = alarm.state !== "resolved";
  const waits = ORDER.indexOf(alarm.state) < ORDER.indexOf("acknowledged");
  const facts = [
    alarm.id, say("board.by_gateway", { gateway: alarm.gateway }), say("board.received_at", { time: time(alarm.received_at) }),
    alarm.person ? say("board.person", { person: alarm.person }) : null,
    alarm.happened_at ? say("board.happened", { time: time(alarm.happened_at) }) : null,
    alarm.follows ? say("board.follows", { alarm: alarm.follows }) : null,
  ].filter(Boolean);
  const more = pressed(say(page.opened.has(alarm.id) ? "board.less" : "board.more"), "plain", () => toggle(alarm));
  return element(
    "li",
    { class: `alarm ${alarm.urgency} ${open ? "open" : "closed"} ${waits ? "waits" : ""}` },
    element(
      "div",
      { class: "headline" },
      element("strong", {}, word("alarm_kind", alarm.kind)),
      element("span", { class: "place" }, alarm.place ?? alarm.device ?? alarm.gateway),
      open ? element("span", { class: "age" }, age(alarm)) : null,
      element("span", { class: "state" }, word("alarm_state", alarm.state)),
    ),
    marks(alarm),
    open ? personLines(alarm) : null,
    element("p", { class: "facts" }, [word("urgency", alarm.urgency), ...facts].join(" · ")),
    history(page.opened.get(alarm.id)),
    element("div", { class: "foot" }, alarmSteps(alarm), more),
  );
}

function alarmsView() {
  const alarms = page.data.alarms?.alarms ?? [];
  const which = pressed(say(page.all ? "board.only_open" : "board.also_closed"), "", () => {
    page.all = !page.all;
    load();
  });
  const list = alarms.length
    ? element("ul", { class: "alarms" }, ...alarms.map(alarmCard))
    : element("p", { class: "calm" }, say(page.all ? "board.no_alarms" : "board.no_open_alarms"));
  return [element("div", { class: "bar" }, which), list];
}

// --- Sales, gateways, devices, what has to be looked at ---

function table(heads, rows, none) {
  if (rows.length === 0) {
    return element("p", { class: "calm" }, say(none));
  }
  const row = ({ cells, kind }) => element("tr", { class: kind ?? "" }, ...cells.map((cell) => element("td", {}, cell ?? "—")));
  const head = element("tr", {}, ...heads.map((name) => element("th", {}, say(`board.${name}`))));
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows.map(row))));
}

function salesView() {
  const row = (sale) => {
    const outcome = sale.outcome ?? "open";
    const remarks = [
      sale.verdict ? word("verdict", sale.verdict) : null,
      sale.hold ? word("hold", sale.hold) : null,
      sale.reason ? word("refusal", sale.reason) : null,
    ].filter(Boolean);
    return {
      kind: sale.verdict === "invalid" || outcome === "unknown" ? "bad" : sale.verdict === "pending" ? "warn" : "",
      cells: [
        time(sale.intended_at ?? sale.received_at), sale.gateway,
        (sale.items ?? []).map((item) => `${item.service} × ${item.quantity}`).join("; ") || null,
        sale.amount === null ? null : amount(sale.amount), sale.tender ? word("tender", sale.tender) : null,
        word("outcome", outcome), remarks.join(" · ") || null, sale.person, sale.origin,
      ],
    };
  };
  const heads = ["time", "gateway", "items", "amount", "tender", "state", "reason", "person_ref", "origin"];
  return [table(heads, (page.data.sales?.sales ?? []).map(row), "board.no_sales")];
}

async function approve(gateway) {
  try {
    await ask("POST", `/api/v1/gateways/${encodeURIComponent(gateway.gateway)}/approve`);
    page.note = null;
  } catch (refused) {
    if (refused instanceof LoggedOut) {
      return;
    }
    if (refused.status === 401) {
      logOut(refused.message);
      return;
    }
    page.note = refused.message;
  }
  page.approving = null;
  await load();
}

/** Approving opens sales of a gateway whose journal is not the one the centre knew: asked twice. */
function approval(gateway) {
  if (gateway.sales === "open") {
    return say("board.open");
  }
  const closed = element("p", {}, say("board.closed", { reason: word("closed_reason", gateway.closed_reason) }));
  if (page.approving !== gateway.gateway) {
    const start = pressed(say("board.approve"), "", () => {
      page.approving = gateway.gateway;
      render();
    });
    return element("div", {}, closed, start);
  }
  const back = pressed(say("board.back"), "", () => {
    page.approving = null;
    render();
  });
  const confirm = pressed(say("board.approve_sure"), "primary", () => approve(gateway));
  return element("div", {}, closed, element("div", { class: "steps" }, confirm, back));
}

function gatewaysView() {
  const row = (gateway) => ({
    kind: gateway.sales === "closed" || gateway.chain === "forked" ? "bad" : gateway.chain === "gap" || !gateway.last_seen ? "warn" : "",
    cells: [
      gateway.gateway, time(gateway.last_seen), gateway.journal, String(gateway.head?.n ?? "—"), String(gateway.entries),
      word("chain", gateway.chain), approval(gateway),
    ],
  });
  const heads = ["gateway", "last_seen", "journal", "head", "entries", "chain", "sales"];
  return [table(heads, (page.data.gateways?.gateways ?? []).map(row), "board.no_gateways")];
}

function devicesView() {
  const well = ["back", "battery_ok", "fault_over"];
  const row = (device) => ({
    kind: !device.state || well.includes(device.state) ? "" : device.state === "silent" ? "bad" : "warn",
    cells: [
      device.device, word("device_kind", device.kind), device.place, device.person, device.gateway,
      device.state ? word("trouble", device.state) : say("board.no_trouble"), device.state_since ? time(device.state_since) : null,
    ],
  });
  const heads = ["device", "kind", "place", "person_ref", "gateway", "state", "since"];
  return [table(heads, (page.data.devices?.devices ?? []).map(row), "board.no_devices")];
}

function conflictsView() {
  const { entries = [], sales = [], orders = [] } = page.data.conflicts ?? {};
  const aside = (one) => ({
    kind: "warn",
    cells: [time(one.received_at), one.gateway, String(one.n ?? "—"), one.kind ? word("entry_kind", one.kind) : null, word("set_aside", one.outcome), one.reason ? word("entry_refusal", one.reason) : null, one.origin],
  });
  const doubt = (one) => ({ kind: "bad", cells: [time(one.at), one.gateway, word("doubt", one.what), one.origin] });
  const refused = (one) => ({ kind: "warn", cells: [time(one.received_at), one.gateway, word("order_kind", one.kind), one.reason ? word("order_refusal", one.reason) : null, one.order] });
  return [
    element("h2", {}, say("board.doubts")),
    table(["time", "gateway", "reason", "origin"], sales.map(doubt), "board.no_doubts"),
    element("h2", {}, say("board.set_aside")),
    table(["time", "gateway", "number", "kind", "state", "reason", "origin"], entries.map(aside), "board.none_set_aside"),
    element("h2", {}, say("board.refused_orders")),
    table(["time", "gateway", "kind", "reason", "order"], orders.map(refused), "board.no_refused_orders"),
  ];
}

// --- The page ---

const VIEWS = { alarms: alarmsView, sales: salesView, gateways: gatewaysView, devices: devicesView, conflicts: conflictsView };

function render() {
  const waiting = (page.data.open?.alarms ?? []).filter((alarm) => ORDER.indexOf(alarm.state) < ORDER.indexOf("acknowledged")).length;
  document.title = `${waiting ? `(${waiting}) ` : ""}${say("board.title")}`;
  document.getElementById("logout").hidden = !page.token;
  const tab = (name) => {
    const text = name === "alarms" && waiting ? `${say("board.alarms")} ${waiting}` : say(`board.${name}`);
    const made = pressed(text, name === page.tab ? "current" : "", () => {
      page.tab = name;
      load();
    });
    made.setAttribute("aria-current", name === page.tab ? "page" : "false");
    return made;
  };
  showIn(document.getElementById("tabs"), page.token ? TABS.map(tab) : []);
  const banner = document.getElementById("banner");
  const lines = page.token ? [page.online ? null : say("board.line_lost"), page.note].filter(Boolean) : [];
  showIn(banner, lines.map((line) => element("p", {}, line)));
  banner.hidden = lines.length === 0;
  if (!page.token) {
    if (!main().querySelector("form") || page.note) {
      showIn(main(), loginView());
    }
  } else if (document.activeElement?.tagName !== "SELECT") {
    showIn(main(), VIEWS[page.tab]());
  }
}

async function loadDetails() {
  for (const id of page.opened.keys()) {
    page.opened.set(id, await ask("GET", `/api/v1/alarms/${encodeURIComponent(id)}`));
  }
}

/** A person, or nothing where the centre does not tell: an alarm is never hidden for it. */
async function onePerson(reference) {
  try {
    return await ask("GET", `/api/v1/people/${encodeURIComponent(reference)}`);
  } catch (refused) {
    if (refused.status === 401 || refused instanceof LoggedOut) {
      throw refused;
    }
    return undefined;
  }
}

/** The people behind the open alarms that stand on top; none of them stays on the page after their alarm. */
async function loadPeople() {
  const wanted = [...new Set(page.data.open.alarms.map((alarm) => alarm.person).filter(Boolean))].slice(0, PEOPLE_SHOWN);
  const known = new Map();
  for (const person of wanted) {
    known.set(person, page.people.get(person) ?? (await onePerson(person)));
  }
  page.people = known;
}

async function fetchTab() {
  page.data.open = await ask("GET", "/api/v1/alarms?open=1");
  if (page.tab === "alarms") {
    page.data.alarms = page.all ? await ask("GET", "/api/v1/alarms") : page.data.open;
    render();
    await loadPeople();
    await loadDetails();
  } else {
    page.data[page.tab] = await ask("GET", `/api/v1/${page.tab}`);
  }
}

function loadFailed(refused) {
  if (refused instanceof LoggedOut) {
    return;
  }
  if (refused.status === 401) {
    logOut(refused.message);
  } else if (refused.status === 0) {
    page.online = false;
  } else {
    page.note = refused.message;
  }
}

/** Loads what is shown; changes that come while it loads make it load once more. */
async function load() {
  if (!page.token) {
    return;
  }
  if (loading) {
    again = true;
    return;
  }
  loading = true;
  do {
    again = false;
    try {
      await fetchTab();
      page.online = true;
    } catch (refused) {
      loadFailed(refused);
    }
  } while (again && page.token);
  loading = false;
  render();
}

/** Listens as long as there is a token; loads everything after each connect and each event. */
async function connect() {
  hangUp?.abort();
  const mine = new AbortController();
  hangUp = mine;
  while (page.token && !mine.signal.aborted) {
    try {
      await eventsOf("/api/v1/events", page.token, mine.signal, () => {
        clearTimeout(settle);
        settle = setTimeout(load, SETTLE_MS);
      });
    } catch (failure) {
      if (!mine.signal.aborted && !(failure instanceof Refused)) {
        page.online = false;
        render();
      }
    }
    await new Promise((resume) => setTimeout(resume, CONNECT_AGAIN_MS));
  }
}

document.getElementById("logout").addEventListener("click", () => logOut());
await startLanguage(() => {
  showIn(main(), []);
  render();
});
if (page.token) {
  connect();
  await load();
}
setInterval(load, LOAD_AGAIN_MS);
setInterval(() => page.token && page.tab === "alarms" && render(), 1000);
