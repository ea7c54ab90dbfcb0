// "Call staff": one call, its state as the gateway tells it.
//
// Invariant: the page says that somebody was called only after the gateway said so.

import { ask, randomKey } from "/page/shared.js";
import { draw, page, reader } from "/page/state.js";

/** How long the words about a call that did not get through stay. */
const NOTE_MS = 20_000;
let calling = false;

/** Calls the staff to this kiosk. */
export async function callStaff() {
  if (calling) {
    return;
  }
  calling = true;
  page.helpNote = "calling";
  draw();
  try {
    page.help = await ask("POST", "/api/v1/help", { reader: reader() }, { "Idempotency-Key": randomKey() });
    page.helpNote = null;
  } catch {
    page.helpNote = "not_called";
    setTimeout(() => {
      page.helpNote = page.helpNote === "not_called" ? null : page.helpNote;
      draw();
    }, NOTE_MS);
  }
  calling = false;
  draw();
}

/** Asks how far the call has come; takes up one that is open already. */
export async function lookAtHelp(open = null) {
  const id = page.help?.id ?? open;
  if (!id) {
    return;
  }
  try {
    const help = await ask("GET", `/api/v1/help/${id}`);
    page.help = help.state === "resolved" ? null : help;
  } catch (refused) {
    page.help = refused.status === 404 ? null : page.help;
  }
  draw();
}
