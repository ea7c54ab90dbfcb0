// Texts in two languages, one file each; amounts and times as people read them.

import { choose, chosen } from "./choices.js";

const TAGS = { zh: "zh-CN", en: "en" };
let texts = {};

/** The language in use: `zh` or `en`. */
export function languageInUse() {
  return chosen("language");
}

/** The language in use as `Accept-Language` wants it. */
export function languageTag() {
  return TAGS[languageInUse()];
}

/** The text for a dotted key; `{name}` in it stands for a value. The key itself where there is no text. */
export function say(key, values = {}) {
  const text = key.split(".").reduce((part, name) => part?.[name], texts) ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** The text for a word of a service, such as a state; the word itself where there is none. */
export function word(group, name) {
  return texts[group]?.[name] ?? String(name);
}

/** Whether a service's word has a text. */
export function hasWord(group, name) {
  return texts[group]?.[name] !== undefined;
}

/** Loads the texts of the language in use and puts them on every element with `data-text`. */
export async function loadWords() {
  const response = await fetch(`/pages/text/${languageInUse()}.json`);
  texts = await response.json();
  document.documentElement.lang = languageTag();
  for (const named of document.querySelectorAll("[data-text]")) {
    named.textContent = say(named.dataset.text);
  }
}

/** Changes to the other language. */
export async function otherLanguage() {
  choose("language", languageInUse() === "zh" ? "en" : "zh");
  await loadWords();
}

/** Fen as a number with two decimals. */
export function amount(fen) {
  const sign = fen < 0 ? "−" : "";
  const whole = Math.abs(fen);
  return `${sign}${Math.floor(whole / 100)}.${String(whole % 100).padStart(2, "0")}`;
}

/** Fen in the unit of what pays: `account` or `purse`. */
export function price(fen, tender = "account") {
  return say(tender === "purse" ? "common.yuan" : "common.points", { n: amount(fen) });
}

/** Month, day and time of an RFC 3339 text, in the zone it was written in. */
export function time(text) {
  return text ? text.slice(5, 19).replace("T", " ") : "—";
}

/** So many seconds in words: `40 s`, `3 min 05 s`, `2 h 10 min`, `4 d 3 h`. */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days > 0) {
    return say("common.days_hours", { d: days, h: hours });
  }
  if (hours > 0) {
    return say("common.hours_minutes", { h: hours, m: minutes });
  }
  if (minutes > 0) {
    return say("common.minutes_seconds", { m: minutes, s: String(whole % 60).padStart(2, "0") });
  }
  return say("common.seconds", { s: whole });
}
