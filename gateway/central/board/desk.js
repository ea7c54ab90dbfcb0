// What the board knows: who is logged in, the open alarms, who else is there, whether the line is up. Views read it, and tell it what an
// operator wants.
//
// The session's token stays in this tab and travels only in the Authorization header.

import { ageOf } from "/pages/ages.js";
import { answerTo, eventsOf, Refused } from "./centre.js";

const TOKEN = "operator-session";
const WHO = "operator-name";
const CONNECT_AGAIN_MS = 1_500;
/** The centre gives a sign of life every 15 s: without one for longer, nothing on the page is certain. */
const SILENT_MS = 20_000;
/** How long the first answer may take before the line counts as down. */
const FIRST_ANSWER_MS = 3_000;
const LOAD_AGAIN_MS = 30_000;
const PRESENCE_MS = 10_000;
/** Alarms that changed at once: more are loaded as one list. */
const ONE_BY_ONE_MAX = 8;

export const STATES = ["raised", "accepted", "acknowledged", "dispatched", "on_site", "resolved"];
export const URGENCIES = ["emergency", "urgent", "request", "technical", "test"];
const SOUNDING = ["emergency", "urgent", "request"];

export const desk = {
  token: sessionStorage.getItem(TOKEN),
  who: sessionStorage.getItem(WHO),
  /** Open alarms by id, as the list tells them. */
  open: new Map(),
  /** How many are open in all; null until the centre said so. */
  count: null,
  /** The alarm that is looked at, in full; null while it loads. */
  shown: null,
  shownId: null,
  /** Why it could not be loaded; null where it was. */
  shownNote: null,
  present: [],
  /** Whether the line is up; null while the first answer is on its way. */
  online: null,
  /** When the list was right last, by the centre's clock. */
  asOf: null,
  /** Why the operator has to log in. */
  note: null,
};

let changed = () => {};
let told = () => {};
let elsewhere = () => {};
let hangUp = null;
let heardAt = 0;
let waiting = new Set();
let collecting = false;
let loadAgain = null;
/** Lists on their way, each as the alarms of which something was heard or kept since it was asked for. */
const listsAsked = new Set();
/** The centre's time of what is kept of an alarm, where that is newer than the list. */
let keptAt = new Map();
let listsBegun = 0;
let listShown = 0;
let listNow = "";
const newest = {};

/** Nobody wants the answer any more: the operator logged out, or asked for another of its kind. */
class Unwanted extends Error {}

/** Asks the centre in the operator's name. */
export async function ask(method, path, body) {
  const token = desk.token;
  try {
    const answer = await answerTo(method, path, token, body);
    if (desk.token !== token) {
      throw new Unwanted();
    }
    return answer;
  } catch (refused) {
    if (desk.token !== token) {
      throw new Unwanted();
    }
    if (refused instanceof Refused && refused.status === 401) {
      leave(refused.message);
      throw new Unwanted();
    }
    throw refused;
  }
}

/** Asks for one of a kind; the answer is wanted until another of the kind is asked for. */
export async function askNewest(kind, path) {
  const mine = (newest[kind] = {});
  const answer = ask("GET", path);
  await answer.catch(() => {});
  if (newest[kind] !== mine) {
    throw new Unwanted();
  }
  return answer;
}

/** What to tell of a failure; null where nobody is to be told. */
export function messageOf(failure) {
  if (failure instanceof Unwanted) {
    return null;
  }
  if (failure instanceof Refused) {
    return failure.message;
  }
  throw failure;
}

const pathOf = (id) => `/api/v1/alarms/${encodeURIComponent(id)}`;

/** `onChange`: draw anew; `onTold(text key, alarm)`: read to those who do not see; `onOther(event)`: news that is not about alarms. */
export function start({ onChange, onTold, onOther }) {
  changed = onChange;
  told = onTold;
  elsewhere = onOther;
  setInterval(() => desk.token && loadList(), LOAD_AGAIN_MS);
  setInterval(() => desk.token && sayPresence(), PRESENCE_MS);
  setInterval(watchLine, 1_000);
  if (desk.token) {
    connect();
  }
}

// --- The session ---

export async function logIn(who, password) {
  const opened = await answerTo("POST", "/api/v1/session", null, { who, password });
  Object.assign(desk, { token: opened.token, who: opened.who, note: null });
  sessionStorage.setItem(TOKEN, opened.token);
  sessionStorage.setItem(WHO, opened.who);
  connect();
  changed();
}

/** Ends the session, here at once and at the centre as soon as it hears. */
export function logOut() {
  answerTo("DELETE", "/api/v1/session", desk.token).catch(() => {});
  leave(null);
}

function leave(note) {
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(WHO);
  hangUp?.abort();
  keptAt = new Map();
  listNow = "";
  Object.assign(desk, {
    token: null, who: null, open: new Map(), count: null, shown: null, shownId: null, shownNote: null, present: [], online: null, asOf: null, note,
  });
  changed();
}

// --- The line ---

function lineIs(up) {
  if (desk.online !== up) {
    desk.online = up;
    changed();
  }
}

function watchLine() {
  const silent = performance.now() - heardAt;
  if (desk.token && desk.online === null && silent > FIRST_ANSWER_MS) {
    lineIs(false);
  } else if (desk.token && desk.online && silent > SILENT_MS) {
    lineIs(false);
    connect();
  }
}

/** Listens as long as there is a session; loads everything after each connect. */
async function connect() {
  hangUp?.abort();
  const mine = new AbortController();
  hangUp = mine;
  heardAt = performance.now();
  while (desk.token && !mine.signal.aborted) {
    try {
      await eventsOf("/api/v1/events", desk.token, mine.signal, {
        opened: () => {
          heardAt = performance.now();
          loadList();
          sayPresence();
        },
        alive: () => (heardAt = performance.now()),
        told: hear,
      });
    } catch (failure) {
      if (failure instanceof Refused && failure.status === 401 && !mine.signal.aborted) {
        await ask("GET", "/api/v1/session").catch(() => {});
      }
    }
    if (!mine.signal.aborted) {
      lineIs(false);
      await new Promise((resume) => setTimeout(resume, CONNECT_AGAIN_MS));
    }
  }
}

function hear({ name, data }) {
  if (name === "presence") {
    const { who, alarm } = JSON.parse(data);
    desk.present = [...desk.present.filter((one) => one.who !== who), { who, alarm }];
    changed();
  } else if (name.startsWith("alarm.")) {
    const { id } = JSON.parse(data);
    isNewer(id);
    if (name === "alarm.raised") {
      told("board.told_raised");
    }
    collect(id);
  } else if (name === "missed") {
    loadList();
  } else {
    elsewhere(name);
  }
}

/** Loads alarms that changed: each once for all events of one moment. */
function collect(id) {
  waiting.add(id);
  if (!collecting) {
    collecting = true;
    queueMicrotask(loadWaiting);
  }
}

async function loadWaiting() {
  const ids = [...waiting];
  waiting = new Set();
  collecting = false;
  if (ids.length > ONE_BY_ONE_MAX || ids.includes(null)) {
    await loadList();
  } else {
    await Promise.all(ids.map(loadOne));
  }
}

// --- Alarms ---

function timed(alarm) {
  return { ...alarm, age: ageOf(alarm.age_s), eta: alarm.eta_s === null ? null : ageOf(-alarm.eta_s) };
}

const isNewer = (id) => listsAsked.forEach((ids) => ids.add(id));

/** Keeps what is told of an alarm, unless what is known is newer. */
function keep(alarm) {
  if (alarm.now < (keptAt.get(alarm.id) ?? listNow)) {
    return;
  }
  keptAt.set(alarm.id, alarm.now);
  isNewer(alarm.id);
  const row = timed(alarm);
  const before = desk.open.size;
  if (alarm.state === "resolved") {
    desk.open.delete(alarm.id);
  } else {
    desk.open.set(alarm.id, row);
  }
  if (desk.count !== null) {
    desk.count += desk.open.size - before;
  }
  if (desk.shownId === alarm.id) {
    desk.shown = row;
  }
}

async function loadOne(id) {
  try {
    const alarm = await ask("GET", pathOf(id));
    keep(alarm);
    desk.asOf = desk.asOf > alarm.now ? desk.asOf : alarm.now;
    changed();
  } catch (failure) {
    if (messageOf(failure) !== null) {
      loadList();
    }
  }
}

/** Loads the list of what is open, and the alarm that is looked at. */
async function loadList() {
  const [ids, number] = [new Set(), (listsBegun += 1)];
  listsAsked.add(ids);
  try {
    const list = await ask("GET", "/api/v1/alarms?open=1");
    listsAsked.delete(ids);
    if (number < listShown) {
      return;
    }
    listShown = number;
    showList(list);
    [...ids].filter((id) => !keptAt.has(id)).forEach(collect);
    clearTimeout(loadAgain);
    heardAt = performance.now();
    lineIs(true);
    changed();
    if (desk.shownId !== null) {
      await loadShown();
    }
  } catch (failure) {
    listsAsked.delete(ids);
    if (!(failure instanceof Unwanted)) {
      // Whatever the centre cannot do, what stands here is not certain any more.
      lineIs(false);
      clearTimeout(loadAgain);
      loadAgain = setTimeout(() => desk.token && loadList(), CONNECT_AGAIN_MS);
    }
  }
}

/** Shows a list; what was kept of a later moment stays. */
function showList(list) {
  const open = new Map(list.alarms.map((alarm) => [alarm.id, timed(alarm)]));
  keptAt = new Map([...keptAt].filter(([, at]) => at > list.now));
  for (const id of keptAt.keys()) {
    open.delete(id);
    if (desk.open.has(id)) {
      open.set(id, desk.open.get(id));
    }
  }
  listNow = list.now;
  Object.assign(desk, { open, count: list.open + open.size - list.alarms.length, asOf: list.now });
}

/** Looks at an alarm; null looks at the list. */
export async function look(id) {
  desk.shownId = id;
  desk.shown = null;
  desk.shownNote = null;
  changed();
  sayPresence();
  if (id !== null) {
    await loadShown();
  }
}

export async function loadShown() {
  const id = desk.shownId;
  try {
    const alarm = await ask("GET", pathOf(id));
    if (desk.shownId === id) {
      keep(alarm);
      desk.shown ??= timed(alarm);
      desk.shownNote = null;
    }
  } catch (failure) {
    const note = messageOf(failure);
    if (note !== null && desk.shownId === id) {
      desk.shownNote = note;
    }
  }
  changed();
}

/** Takes a step; the alarm is shown as it is then, whatever the answer is. */
export async function step(id, name, body = {}) {
  try {
    await ask("POST", `${pathOf(id)}/${name}`, body);
  } finally {
    await loadOne(id);
  }
}

/** Open alarms, the most urgent first, then the oldest: the same order as the centre's. */
export function inOrder() {
  const rank = (alarm) => URGENCIES.indexOf(alarm.urgency);
  const before = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return [...desk.open.values()].sort((a, b) => rank(a) - rank(b) || before(a.received_at, b.received_at) || before(a.id, b.id));
}

/** Whether nobody has seen an alarm yet. */
export const isWaiting = (alarm) => STATES.indexOf(alarm.state) < STATES.indexOf("acknowledged");

/** Alarms for which the board sounds. */
export const sounding = () => [...desk.open.values()].filter((alarm) => isWaiting(alarm) && SOUNDING.includes(alarm.urgency));

// --- Who else is there ---

async function sayPresence() {
  try {
    const { operators } = await ask("PUT", "/api/v1/presence", { alarm: desk.shownId });
    desk.present = operators;
    changed();
  } catch {
    // The line says so itself.
  }
}

/** Others at a board. */
export const others = () => desk.present.filter((one) => one.who !== desk.who);

/** Others who look at an alarm. */
export const lookingAt = (id) => others().filter((one) => one.alarm === id).map((one) => one.who);
