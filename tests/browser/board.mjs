// What the flows of the operator board have in common.

import { WAIT_MS } from "./screen.mjs";

/** Logs an operator in. */
export async function logIn(screen, site, operator) {
  await screen.go(site.board);
  await screen.page.locator("#who").fill(operator.id);
  await screen.page.locator("#password").fill(operator.password);
  await screen.page.locator("form button.primary").click();
  await screen.page.locator("main.alarms").waitFor();
}

/** What the centre says of an alarm. */
export const alarmAt = (stage, site, id, operator = site.operators[0]) =>
  stage.read(site.centre, `/api/v1/alarms/${encodeURIComponent(id)}`, operator.token);

/** Waits until an alarm has come to the centre, and there so far. */
export function reaches(stage, site, id, state) {
  const path = `/api/v1/alarms/${encodeURIComponent(id)}`;
  const ask = () => stage.request("GET", site.centre, path, { token: site.operators[0].token });
  return stage.until(`${id} is ${state}`, ask, ({ body }) => body.state === state, WAIT_MS);
}

/** Goes to a tab by its link. */
export async function goTo(screen, tab) {
  await screen.page.locator(`nav a[href="#${tab}"]`).click();
  await screen.page.locator(`main.${tab} h1`).waitFor();
}

/** Changes something at the centre in an operator's name. */
export async function put(stage, site, path, body, method = "PUT") {
  const { status, body: answer } = await stage.request(method, site.centre, path, { token: site.operators[0].token, body });
  if (status >= 300) {
    throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`);
  }
  return answer;
}
