// What staff do on their page again and again, for the flows.

/** Complaints of the console while the gateway is gone or somebody is not let in. */
export const GONE = /ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|net::ERR/;
export const NOT_LET_IN = /status of (401|429)/;

/** Opens the page and logs in, by keys. */
export async function logIn(screen, site) {
  await screen.go(`${site.kiosk}staff`);
  await screen.page.locator("form.login").waitFor();
  await screen.page.fill('input[name="who"]', site.nurse);
  await screen.page.fill('input[name="pin"]', site.pin);
  await screen.page.keyboard.press("Enter");
  await screen.page.locator(".tabs").waitFor();
}

/** The card of an alarm. */
export function alarmCard(screen, id) {
  return screen.page.locator(`[data-alarm="${id}"]`);
}

/** Presses a button inside something, with a finger where there are fingers. */
export async function pressIn(screen, place, name) {
  const button = place.getByRole("button", { name }).first();
  await (screen.touch ? button.tap() : button.click());
}

/** Opens one of the views. */
export async function go(screen, name) {
  await pressIn(screen, screen.page.locator(".tabs"), name);
}
