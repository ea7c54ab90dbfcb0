// Requests to the centre, and its events over a plain request, so that the token can travel in a header.

/** An answer that is an error: status (0: none came), code, and a message for the operator. */
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function headers(token, language) {
  const sent = { "Accept-Language": language };
  if (token) {
    sent.Authorization = `Bearer ${token}`;
  }
  return sent;
}

/** Asks the centre. `ahead` is how many milliseconds its clock is ahead of this one, where it says. */
export async function answerTo(method, path, token, language, body) {
  const options = { method, headers: headers(token, language), credentials: "omit" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  let answer;
  try {
    response = await fetch(path, options);
    answer = await response.json();
  } catch {
    throw new Refused(0, "no_answer", "");
  }
  if (!response.ok) {
    throw new Refused(response.status, answer?.error?.code ?? "", answer?.error?.message ?? String(response.status));
  }
  const date = Date.parse(response.headers.get("date") ?? "");
  return { body: answer, ahead: Number.isNaN(date) ? null : date - performance.now() };
}

/** Calls `told` once when the stream is open and after each event; ends when the stream does. */
export async function eventsOf(path, token, signal, told) {
  const response = await fetch(path, { headers: headers(token, "zh-CN"), credentials: "omit", signal });
  if (!response.ok) {
    throw new Refused(response.status, "", "");
  }
  told();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      return;
    }
    const lines = (line + value).split(/\r\n|\r|\n/);
    line = lines.pop();
    if (lines.some((text) => text.startsWith("data:") || text.startsWith("event:"))) {
      told();
    }
  }
}
