// Requests to the centre, and its events over a plain request, so that the token can travel in a header.

import { languageTag, say } from "/pages/words.js";

const ANSWER_WITHIN_MS = 15_000;

/** An answer that is an error: status (0: none came), code, a message for the operator, and what else stands with it. */
export class Refused extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.details = error;
  }
}

function headers(token) {
  const sent = { "Accept-Language": languageTag() };
  if (token) {
    sent.Authorization = `Bearer ${token}`;
  }
  return sent;
}

/** Asks the centre; gives the answer's body. No answer in time is none: nothing waits for ever. */
export async function answerTo(method, path, token, body) {
  const options = { method, headers: headers(token), credentials: "omit", signal: AbortSignal.timeout(ANSWER_WITHIN_MS) };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  let text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch {
    throw new Refused(0, { code: "no_answer", message: say("board.no_answer") });
  }
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    throw new Refused(0, { code: "no_answer", message: say("board.no_answer") });
  }
  if (!response.ok) {
    throw new Refused(response.status, answer?.error ?? { code: "", message: String(response.status) });
  }
  return answer;
}

/** Lines of a stream of events, as `{ name, data }`. */
class Events {
  #rest = "";
  #name = "message";

  take(chunk, told) {
    const lines = (this.#rest + chunk).split(/\r\n|\r|\n/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("event:")) {
        this.#name = line.slice(6).trim();
      } else if (line.startsWith("data:")) {
        told({ name: this.#name, data: line.slice(5).trim() });
        this.#name = "message";
      }
    }
  }
}

/**
 * Calls `opened` once when the stream is open, `alive` whenever something comes (a sign of life too), `told` with each event;
 * ends when the stream does.
 */
export async function eventsOf(path, token, signal, { opened, alive, told }) {
  const response = await fetch(path, { headers: headers(token), credentials: "omit", signal });
  if (!response.ok) {
    throw new Refused(response.status, { code: "", message: "" });
  }
  opened();
  const events = new Events();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      return;
    }
    alive();
    events.take(value, told);
  }
}
