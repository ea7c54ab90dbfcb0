// What both pages of the gateway share: requests and live events.

import { languageTag, say } from "/pages/words.js";

/** An error answer of the gateway: its code, its message in the page's language, and seconds to wait before the next try. */
export class Refused extends Error {
  constructor(status, code, message, retryAfterS = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

/** How long an answer may take before it counts as none. */
const ANSWER_WAIT_MS = 10_000;

/** Asks the gateway. Throws `Refused` for an error answer, and with status 0 where no answer came in time. */
export async function ask(method, path, body, headers = {}) {
  const options = { method, headers: { "Accept-Language": languageTag(), ...headers }, credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_WAIT_MS) };
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

/** Random hex, for keys. */
export function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
