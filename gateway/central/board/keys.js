// The keyboard: an alarm from the list to its end without the mouse. Silent while somebody types, and with a modifier.

import { acknowledge, beginEnding, causeOf, dispatch, isEnding, isMine, keyedAlarm, move, nextStep, resolve, stopEnding } from "./alarms.js";
import { desk, isWaiting, look } from "./desk.js";

const ETAS_MIN = [5, 10, 15, 30];
const USUAL_ETA_MIN = 10;
const BESIDE_TEXT = ["INPUT", "SELECT", "TEXTAREA"];

function digit(alarm, number) {
  if (!isMine(alarm)) {
    return false;
  }
  const next = isEnding(alarm) ? "resolve" : nextStep(alarm);
  if (next === "dispatch" && number >= 1 && number <= ETAS_MIN.length) {
    dispatch(alarm, ETAS_MIN[number - 1]);
    return true;
  }
  if (next === "resolve" && desk.shownId === alarm.id && causeOf(number)) {
    resolve(alarm, causeOf(number));
    return true;
  }
  return false;
}

const MOVES = ["j", "k", "arrowdown", "arrowup"];
const ACTS = {
  j: () => move(1),
  arrowdown: () => move(1),
  k: () => move(-1),
  arrowup: () => move(-1),
  a: (alarm) => isWaiting(alarm) && acknowledge(alarm.id),
  d: (alarm) => isMine(alarm) && !isEnding(alarm) && nextStep(alarm) === "dispatch" && dispatch(alarm, USUAL_ETA_MIN),
  o: (alarm) => isMine(alarm) && nextStep(alarm) === "on_site" && document.querySelector('[data-key="step on_site"]')?.click(),
  r: (alarm) => isMine(alarm) && !isWaiting(alarm) && desk.shownId === alarm.id && beginEnding(),
};

/** Listens to keys; `isAtAlarms` says whether the alarms are what is shown. */
export function startKeys(isAtAlarms) {
  document.addEventListener("keydown", (event) => {
    const typed = BESIDE_TEXT.includes(event.target.tagName);
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !desk.token || !isAtAlarms()) {
      return;
    }
    if (event.key === "Escape") {
      if (typed) {
        event.target.blur();
      } else if (!stopEnding()) {
        look(null);
      }
      return;
    }
    const alarm = keyedAlarm();
    const key = event.key.toLowerCase();
    if (typed || (!alarm && !MOVES.includes(key))) {
      return;
    }
    if (/^[0-9]$/.test(key)) {
      if (digit(alarm, Number(key))) {
        event.preventDefault();
      }
    } else if (ACTS[key]) {
      event.preventDefault();
      ACTS[key](alarm);
    }
  });
}
