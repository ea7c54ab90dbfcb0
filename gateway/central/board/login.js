// Logging in: name and password, and why it did not work.

import { html } from "/pages/paper.js";
import { say } from "/pages/words.js";
import { logIn, desk, messageOf } from "./desk.js";
import { refusal } from "./page.js";

const state = { busy: false, note: null };

export function loginView(draw) {
  const submit = async (event) => {
    event.preventDefault();
    const { who, password } = event.target.elements;
    Object.assign(state, { busy: true, note: null });
    draw();
    try {
      await logIn(who.value, password.value);
      password.value = "";
    } catch (failure) {
      state.note = messageOf(failure);
      password.select();
    }
    state.busy = false;
    draw();
  };
  return html`<main class="login">
    <form class="card stack" @submit=${submit}>
      <h1>${say("board.title")}</h1>
      ${refusal(state.note ?? desk.note)}
      <label for="who">${say("board.who")}</label>
      <input class="field" id="who" name="who" autocomplete="username" required maxlength="32" autocapitalize="none" spellcheck="false" autofocus />
      <label for="password">${say("board.password")}</label>
      <input class="field" id="password" name="password" type="password" autocomplete="current-password" required maxlength="256" />
      <button class="button primary" ?disabled=${state.busy}>${say(state.busy ? "board.checking" : "board.login")}</button>
    </form>
  </main>`;
}
