// Spoken prompts, by the browser's own voices. Without a voice for the language there is silence, and no button for it.
//
// Invariant: what a card holds is spoken only when somebody taps for it.

import { languageTag } from "/pages/words.js";

const KEPT = "voice";
const synthesis = globalThis.speechSynthesis;
let on = readChoice();

function readChoice() {
  try {
    return sessionStorage.getItem(KEPT) !== "off";
  } catch {
    return true;
  }
}

function voice() {
  const wanted = languageTag().slice(0, 2);
  return synthesis?.getVoices().find((known) => known.lang.toLowerCase().startsWith(wanted)) ?? null;
}

/** Calls back when the browser has found its voices. */
export function whenVoicesChange(changed) {
  synthesis?.addEventListener?.("voiceschanged", changed);
}

/** Whether there is a voice for the language in use. */
export function canSpeak() {
  return voice() !== null;
}

/** Whether prompts are spoken. */
export function speaks() {
  return on && canSpeak();
}

/** Prompts on or off. */
export function turnVoice() {
  on = !on;
  try {
    sessionStorage.setItem(KEPT, on ? "on" : "off");
  } catch {
    // It holds until the page is left.
  }
  if (!on) {
    synthesis?.cancel();
  }
}

/** Says a text now, in place of what is being said; used for what somebody tapped for. */
export function speakNow(text) {
  const chosen = voice();
  if (!chosen) {
    return;
  }
  synthesis.cancel();
  const utterance = new SpeechSynthesisUtterance(text);
  Object.assign(utterance, { voice: chosen, lang: chosen.lang, rate: 0.85 });
  synthesis.speak(utterance);
}

/** Says a prompt, where prompts are on. */
export function prompt(text) {
  if (speaks()) {
    speakNow(text);
  }
}
