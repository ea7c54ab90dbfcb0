// What both pages of the gateway share: requests, live events, small pieces of page.
// Text comes into the page as text nodes only, never as markup.

import { languageInUse, languageTag, loadWords, otherLanguage, price, say, time, word, amount } from "/pages/words.js";

export { amount, languageInUse, price, say, time, word };

/** An error answer of the gateway: its code, its message in the page's language, and seconds to wait before the next try. */
export class Refused extends Error {
  constructor(status, code, message, retryAfterS = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

/** Loads the texts, wires the language button, and calls `changed` after each change of language. */
export async function startLanguage(changed) {
  const button = document.getElementById("language");
  const show = () => {
    button.textContent = say("look.other_language");
    changed();
  };
  button.addEventListener("click", async () => {
    await otherLanguage();
    show();
  });
  await loadWords();
  show();
}

/** Asks the gateway. Throws `Refused` for an error answer, and with status 0 where no answer came. */
export async function ask(method, path, body, headers = {}) {
  const options = { method, headers: { "Accept-Language": languageTag(), ...headers }, credentials: "same-origin" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  let answer;
  try {
    response = await fetch(path, options);
    answer = response.status === 204 ? null : await response.json();
  } catch {
    throw new Refused(0, "no_answer", say("common.no_answer"));
  }
  if (!response.ok) {
    const wait_s = Number(response.headers.get("Retry-After")) || 0;
    throw new Refused(response.status, answer?.error?.code ?? "", answer?.error?.message ?? say("common.no_answer"), wait_s);
  }
  return answer;
}

/** Listens to events. `handlers` by event name; `reload` after each connect and when the page lagged behind. */
export function listen(handlers, reload, connected) {
  const source = new EventSource("/api/v1/events");
  source.addEventListener("open", () => {
    connected(true);
    reload();
  });
  source.addEventListener("error", () => {
    connected(false);
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => listen(handlers, reload, connected), 3000);
    }
  });
  source.addEventListener("resync", reload);
  for (const [name, handler] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
  }
}

/** An element. `properties` are set on it, `class` and `data-…`, `aria-…` as attributes; children are nodes or text. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class" || name === "for" || name.includes("-")) {
      made.setAttribute(name, value);
    } else {
      made[name] = value;
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Shows `nodes` in `target`, unless it shows the same already: a press that has begun keeps its button. */
export function showIn(target, nodes) {
  const fresh = target.cloneNode(false);
  fresh.append(...nodes.filter(Boolean));
  if (!fresh.isEqualNode(target)) {
    target.replaceChildren(...fresh.childNodes);
  }
}

/** A button. */
export function button(text, kind, pressed) {
  return element("button", { type: "button", class: kind, onclick: pressed }, text);
}

/** Random hex, for keys. */
export function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Shows or hides the line of trouble at the top. */
export function banner(lines) {
  const shown = document.getElementById("banner");
  shown.replaceChildren(...lines.filter(Boolean).map((line) => element("p", {}, line)));
  shown.hidden = shown.childElementCount === 0;
}
