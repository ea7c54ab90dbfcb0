// Asks the site for what people do with their hands: one line of JSON there, one line of JSON back, in order.

import { createInterface } from "node:readline";

/** The stage: `await stage.ask("lay_card")`; what may be asked is in `tests/src/browser/stagehand.rs`. */
export class Stage {
  #waiting = [];
  #last = 0;

  constructor() {
    const lines = createInterface({ input: process.stdin });
    lines.on("line", (line) => {
      const { ok, error } = JSON.parse(line);
      const { resolve, reject } = this.#waiting.shift();
      if (error === undefined) {
        resolve(ok);
      } else {
        reject(new Error(`the site: ${error}`));
      }
    });
    lines.on("close", () => this.#waiting.forEach(({ reject }) => reject(new Error("the site ended"))));
  }

  /** Asks for one thing and waits until it is done; gives what the site tells of it. */
  ask(what, details = {}) {
    this.#last += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      process.stdout.write(`${JSON.stringify({ do: what, ...details })}\n`);
    });
  }

  /** A request to one of the site's services, with its bearer token where one is given: status and body. */
  async request(method, base, path, { token, body, headers = {} } = {}) {
    const sent = { ...headers };
    if (token) {
      sent.Authorization = `Bearer ${token}`;
    }
    if (body !== undefined) {
      sent["Content-Type"] = "application/json";
    }
    const response = await fetch(base + path, { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : null };
  }

  /** The same, which must succeed: its body. */
  async read(base, path, token) {
    const { status, body } = await this.request("GET", base, path, { token });
    if (status !== 200) {
      throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    }
    return body;
  }

  /** Asks again and again until `good` says so of the answer; gives it. */
  async until(what, ask, good, within_ms = 20_000) {
    const end = performance.now() + within_ms;
    for (;;) {
      const answer = await ask();
      if (good(answer)) {
        return answer;
      }
      if (performance.now() > end) {
        throw new Error(`${what} did not come within ${within_ms} ms; last: ${JSON.stringify(answer)?.slice(0, 600)}`);
      }
      await new Promise((resume) => setTimeout(resume, 50));
    }
  }
}
