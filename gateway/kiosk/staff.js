// The staff page: alarms with their steps, and the state of everything else, live.

import { ask, banner, button, element, languageInUse, listen, price, say, showIn, startLanguage, time, word } from "/page/shared.js";

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
const LOAD_AGAIN_MS = 15_000;
const LOAD_SOON_MS = 2_000;

const page = { who: null, data: null, online: true, note: null, closed: false, resolving: null, cause: "" };
let loading = false;
let again = false;
let soon;

const main = () => document.getElementById("main");

// --- Login ---

async function logIn(event) {
  event.preventDefault();
  const form = event.target;
  try {
    page.who = (await ask("POST", "/api/v1/session", { who: form.who.value.trim(), pin: form.pin.value })).who;
    page.note = null;
    await load();
  } catch (refused) {
    page.note = refused.message;
    render();
  }
}

async function logOut() {
  await ask("DELETE", "/api/v1/session").catch(() => null);
  Object.assign(page, { who: null, data: null });
  render();
}

function loginView() {
  return element(
    "form",
    { class: "login", onsubmit: logIn, autocomplete: "off" },
    element("label", { for: "login-who" }, say("staff.number")),
    element("input", { id: "login-who", name: "who", required: true, maxLength: 32, autofocus: true }),
    element("label", { for: "login-pin" }, say("staff.pin")),
    element("input", { id: "login-pin", name: "pin", type: "password", inputMode: "numeric", required: true, maxLength: 12 }),
    page.note ? element("p", { class: "note", role: "alert" }, page.note) : null,
    element("button", { class: "primary" }, say("staff.login")),
  );
}

// --- Alarms ---

async function step(alarm, name, cause) {
  try {
    await ask("POST", `/api/v1/alarms/${encodeURIComponent(alarm.id)}/${name}`, cause === undefined ? undefined : { cause });
    page.note = null;
    page.resolving = null;
  } catch (refused) {
    page.note = refused.message;
    if (refused.status === 401) {
      page.who = null;
    }
  }
  await load();
}

function causeChooser(alarm) {
  const choose = element(
    "select",
    { "aria-label": say("staff.cause") },
    element("option", { value: "" }, say("staff.choose_cause")),
    ...CAUSES.map((cause) => element("option", { value: cause }, word("cause", cause))),
  );
  const confirm = button(say("staff.confirm_resolve"), "primary", () => step(alarm, "resolve", page.cause));
  choose.value = page.cause;
  confirm.disabled = page.cause === "";
  choose.addEventListener("change", () => {
    page.cause = choose.value;
    confirm.disabled = page.cause === "";
  });
  const back = button(say("staff.back"), "quiet", () => {
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
  const buttons = next.map(([name], index) => button(word("step", name), index === 0 ? "primary" : "quiet", () => step(alarm, name)));
  buttons.push(
    button(word("step", "resolve"), next.length ? "quiet" : "primary", () => {
      page.resolving = alarm.id;
      page.cause = "";
      render();
    }),
  );
  return element("div", { class: "steps" }, ...buttons);
}

function history(alarm) {
  const line = ({ what, at, state, by, cause }) =>
    `${time(at)} ${what === "step" ? word("alarm_state", state) : word("alarm_event", what)}${by ? ` · ${by}` : ""}${cause ? ` · ${word("cause", cause)}` : ""}`;
  return element("ol", { class: "history" }, ...alarm.steps.map((one) => element("li", {}, line(one))));
}

/** How long ago, by the gateway's clock: hours and minutes. */
function ago(at) {
  const minutes = Math.max(0, Math.round((Date.parse(page.data.status.now) - Date.parse(at)) / 60_000));
  return say("staff.hours_minutes", { h: Math.floor(minutes / 60), m: minutes % 60 });
}

/** How often, and whether the elder says that all is well: what has to be known before anybody walks. */
function marks(alarm) {
  const times = PRESSED.includes(alarm.kind) ? "staff.presses" : "staff.times";
  const found = [
    alarm.presses > 1 ? element("strong", { class: "presses" }, say(times, { n: alarm.presses })) : null,
    alarm.taken_back && alarm.state !== "resolved" ? element("strong", { class: "taken-back" }, say("staff.taken_back")) : null,
  ].filter(Boolean);
  return found.length ? element("p", { class: "marks" }, ...found) : null;
}

function alarmCard(alarm) {
  const facts = [
    alarm.happened_at ? say("staff.happened", { ago: ago(alarm.happened_at), time: time(alarm.happened_at) }) : null,
    alarm.detail,
  ].filter(Boolean);
  return element(
    "li",
    { class: `alarm ${alarm.urgency} ${alarm.state}` },
    element(
      "div",
      { class: "headline" },
      element("strong", {}, word("alarm_kind", alarm.kind)),
      element("span", { class: "place" }, alarm.place ?? alarm.device ?? say("staff.this_gateway")),
      element("span", { class: "state" }, word("alarm_state", alarm.state)),
    ),
    marks(alarm),
    element("p", { class: "facts" }, [say("staff.raised_at", { time: time(alarm.raised_at) }), word("urgency", alarm.urgency), alarm.id, ...facts].join(" · ")),
    history(alarm),
    alarmSteps(alarm),
  );
}

function alarmsSection(alarms) {
  const toggle = button(say(page.closed ? "staff.only_open" : "staff.also_closed"), "quiet", () => {
    page.closed = !page.closed;
    load();
  });
  const list = alarms.length
    ? element("ul", { class: "alarms" }, ...alarms.map(alarmCard))
    : element("p", { class: "calm" }, say("staff.no_alarms"));
  return section("staff.alarms", toggle, list);
}

// --- Everything else ---

function section(title, ...children) {
  return element("section", {}, element("h2", {}, say(title)), ...children);
}

function table(heads, rows, none) {
  if (rows.length === 0) {
    return element("p", { class: "calm" }, say(none));
  }
  const row = ({ cells, kind }) => element("tr", { class: kind ?? "" }, ...cells.map((cell) => element("td", {}, cell ?? "—")));
  return element(
    "div",
    { class: "scroll" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", {}, say(head))))),
      element("tbody", {}, ...rows.map(row)),
    ),
  );
}

function tile(title, value, kind) {
  return element("div", { class: `tile ${kind ?? ""}` }, element("span", {}, say(title)), element("strong", {}, value));
}

function overview(status) {
  const waiting = status.lanes.map((lane) => `${word("lane", lane.lane)} ${lane.waiting}`).join(" · ");
  const behind = status.lanes.some((lane) => lane.waiting > 0);
  const readers = status.readers.map((one) => `${one.reader}: ${word("reader_state", one.state)}${one.psam === false ? ` · ${say("staff.psam_gone")}` : ""}`);
  const ill = status.readers.some((one) => one.psam === false || one.state === "gone" || one.state === "mute");
  return element(
    "div",
    { class: "tiles" },
    tile("staff.open_alarms", String(status.open_alarms), status.open_alarms ? "bad" : "good"),
    tile("staff.uplink", [say(status.uplink.online ? "staff.online" : "staff.offline"), status.uplink.failure ? word("uplink_failure", status.uplink.failure) : null].filter(Boolean).join(" · "), status.uplink.online ? "good" : "bad"),
    tile("staff.waiting", waiting, behind ? "warn" : "good"),
    tile("staff.readers", readers.join("; ") || "—", ill ? "bad" : "good"),
    tile("staff.device_counts", say("staff.device_counts_value", status.devices), status.devices.silent + status.devices.never ? "warn" : "good"),
    tile("staff.journal", say(status.journal.storing ? "staff.journal_ok" : "staff.journal_down", { n: status.journal.n }), status.journal.storing ? "good" : "bad"),
    tile("staff.sales_state", status.sales_closed ? status.sales_closed_message : say("staff.sales_open"), status.sales_closed ? "bad" : "good"),
    tile("staff.sales_unknown", String(status.sales_unknown), status.sales_unknown ? "bad" : "good"),
    tile("staff.quarantined", String(status.quarantined), status.quarantined ? "warn" : "good"),
    tile("staff.clock", `${time(status.now)} ${word("clock", status.clock)}`, status.clock === "trusted" ? "good" : "warn"),
  );
}

/** What does not work just now, with what to do; nothing when all is well. */
function degradedSection(degraded) {
  if (degraded.length === 0) {
    return null;
  }
  const card = (one) =>
    element(
      "li",
      { class: `alarm ${one.alarms_concerned ? "emergency" : "technical"}` },
      element("div", { class: "headline" }, element("strong", {}, word("part", one.part))),
      element("p", { class: "facts" }, one.detail),
    );
  return section("staff.degraded", element("ul", { class: "alarms" }, ...degraded.map(card)));
}

function devicesSection(devices) {
  const battery = (one) => (one.battery_mv === null ? say("staff.battery_unknown") : `${(one.battery_mv / 1000).toFixed(2)} V`);
  const row = (one) => ({
    kind: one.supervision === "silent" || one.faults.length ? "bad" : one.supervision === "never" || one.battery_low ? "warn" : "",
    cells: [
      one.device,
      one.place,
      word("supervision", one.supervision),
      time(one.last_heard_at),
      battery(one) + (one.battery_low ? ` · ${say("staff.battery_low")}` : ""),
      one.rssi_dbm === null ? null : `${one.rssi_dbm} dBm`,
      one.firmware,
      [...one.faults.map((fault) => word("fault", fault)), one.lost ? say("staff.lost", { n: one.lost }) : null].filter(Boolean).join(" · "),
    ],
  });
  const heads = ["staff.device", "staff.place", "staff.state", "staff.last_heard", "staff.battery", "staff.signal", "staff.firmware", "staff.faults"];
  return section("staff.devices", table(heads, devices.map(row), "staff.no_devices"));
}

function salesSection(sales, catalogue) {
  const name = (id) => {
    const service = catalogue.services.find((known) => known.id === id);
    return service ? (languageInUse() === "en" ? service.name_en : service.name_zh) : id;
  };
  const row = (sale) => ({
    kind: sale.state === "unknown" ? "bad" : "",
    cells: [
      time(sale.started_at),
      sale.items.map((item) => `${name(item.service)} × ${item.quantity}`).join("; "),
      price(sale.amount, sale.tender),
      word("tender", sale.tender),
      word("sale_state", sale.state),
      [sale.reason ? word("refusal", sale.reason) : null, sale.doubt ? word("doubt", sale.doubt) : null].filter(Boolean).join(" · "),
      sale.reader,
    ],
  });
  const heads = ["staff.time", "staff.items", "staff.amount", "staff.tender", "staff.state", "staff.reason", "staff.reader"];
  return section("staff.sales", table(heads, sales.map(row), "staff.no_sales"));
}

function quarantineSection(entries) {
  const row = (one) => ({ kind: "warn", cells: [String(one.n), time(one.recorded_at), word("entry_kind", one.kind), word("set_aside", one.outcome), one.reason ? word("entry_refusal", one.reason) : null, one.origin] });
  const heads = ["staff.number_in_journal", "staff.time", "staff.kind", "staff.state", "staff.reason", "staff.origin"];
  return section("staff.quarantine", table(heads, entries.map(row), "staff.no_quarantine"));
}

/** A refusal of the interface itself, or of what it asked. */
function refusedAtPage(code) {
  const said = word("page_fault", code);
  return said === code ? word("refusal", code) : said;
}

function refusalsSection(refusals) {
  const row = (one) => {
    const when = one.at.slice(5, 19).replace("T", " ");
    if (one.from === "device") {
      return { cells: [when, one.device ?? say("staff.unknown_device"), one.sample, word("report_refusal", one.code)] };
    }
    return { cells: [when, say("staff.this_page"), `${one.method} ${one.route}`, refusedAtPage(one.code)] };
  };
  const heads = ["staff.time_utc", "staff.origin", "staff.what", "staff.reason"];
  return section("staff.refusals", table(heads, refusals.map(row), "staff.no_refusals"));
}

// --- The page ---

function render() {
  document.getElementById("who").textContent = page.who ?? "";
  document.getElementById("logout").hidden = !page.who;
  banner([page.online ? null : say("common.line_lost"), page.who ? page.note : null]);
  if (!page.who) {
    if (!main().querySelector("form") || page.note) {
      main().replaceChildren(loginView());
    }
    return;
  }
  if (!page.data) {
    main().replaceChildren(element("p", {}, say("kiosk.loading")));
    return;
  }
  const { status, alarms, devices, sales, quarantine, refusals, catalogue } = page.data;
  showIn(main(), [
    degradedSection(status.degraded),
    overview(status),
    alarmsSection(alarms),
    devicesSection(devices),
    salesSection(sales, catalogue),
    quarantineSection(quarantine),
    refusalsSection(refusals),
  ]);
}

async function fetchAll() {
  const [status, alarms, devices, sales, quarantine, refusals, catalogue] = await Promise.all([
    ask("GET", "/api/v1/status"),
    ask("GET", page.closed ? "/api/v1/alarms?all=1" : "/api/v1/alarms"),
    ask("GET", "/api/v1/devices"),
    ask("GET", "/api/v1/sales"),
    ask("GET", "/api/v1/quarantine"),
    ask("GET", "/api/v1/refusals"),
    ask("GET", "/api/v1/catalogue"),
  ]);
  return { status, alarms, devices, sales, quarantine, refusals, catalogue };
}

/** Loads everything; changes that come while it loads make it load once more. */
async function load() {
  if (!page.who) {
    return;
  }
  if (loading) {
    again = true;
    return;
  }
  loading = true;
  try {
    do {
      again = false;
      page.data = await fetchAll();
    } while (again);
  } catch (refused) {
    if (refused.status === 401 || refused.status === 403) {
      Object.assign(page, { who: null, data: null, note: refused.message });
    } else {
      page.note = refused.message;
    }
  } finally {
    loading = false;
  }
  const choosing = document.activeElement?.tagName === "SELECT" && page.resolving;
  if (!choosing) {
    render();
  }
}

/** Thousands of devices are heard every hour: what they say is loaded together. */
function loadSoon() {
  soon ??= setTimeout(() => {
    soon = undefined;
    load();
  }, LOAD_SOON_MS);
}

document.getElementById("logout").addEventListener("click", logOut);
await startLanguage(() => {
  main().replaceChildren();
  render();
});
try {
  page.who = (await ask("GET", "/api/v1/session")).who;
} catch (refused) {
  page.note = refused.message;
}
render();
await load();
listen(
  { "alarm.changed": load, "device.changed": loadSoon, "sale.changed": load, "reader.changed": load, "uplink.changed": load },
  load,
  (online) => {
    page.online = online;
    if (page.who) {
      render();
    }
  },
);
setInterval(load, LOAD_AGAIN_MS);
