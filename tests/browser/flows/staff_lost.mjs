// The gateway is killed and comes back: what is shown is marked as old, never as calm; nobody has to log in by guess, and what was open goes on.

import { GONE, NOT_LET_IN, alarmCard, logIn } from "./staff_hands.mjs";

/** The alarms alone do not come: whatever else is answered, the page is not calm. */
async function withoutAlarms({ assert, open, site }) {
  const screen = await open({ look: { language: "zh" } });
  screen.expect(GONE);
  screen.expect(NOT_LET_IN);
  await screen.page.clock.install();
  await logIn(screen, site);
  await screen.sees("没有人在等待帮助");
  await screen.page.route("**/api/v1/alarms", (route) => route.abort());
  await screen.page.clock.runFor(20_000);
  await screen.sees("与网关失去联系");
  const shown = await screen.text();
  assert.ok(!shown.includes("没有人在等待帮助") && !shown.includes("系统一切正常"), "nothing is calm that nobody knows");
  await screen.page.unroute("**/api/v1/alarms");
  await screen.misses("与网关失去联系");
}

/** A request that is never answered ends, and counts as no answer: what it was refused with. */
async function neverAnswered({ open, site }) {
  const screen = await open();
  screen.expect(GONE);
  screen.expect(NOT_LET_IN);
  const { page } = screen;
  await page.goto(`${site.kiosk}staff`);
  await page.locator("form.login").waitFor();
  await page.route("**/api/v1/session", () => {});
  return page.evaluate(async () => {
    const { ask } = await import("/page/shared.js");
    const waits = new Promise((end) => setTimeout(() => end("still waiting"), 20_000));
    return Promise.race([waits, ask("GET", "/api/v1/session").catch((refused) => refused.status)]);
  });
}

export default async function play({ assert, open, site, stage }) {
  const [ended] = await Promise.all([neverAnswered({ open, site }), withoutAlarms({ assert, open, site })]);
  assert.equal(ended, 0, "it counts as no answer");
  for (const [language, lost, calm] of [["zh", "与网关失去联系", "系统一切正常"], ["en", "The gateway does not answer", "The systems are well"]]) {
    const screen = await open({ look: { language } });
    screen.expect(GONE);
    screen.expect(NOT_LET_IN);
    await logIn(screen, site);
    const { alarm } = await stage.ask("press", { device: "btn-0001", kind: language === "zh" ? "sos" : "fall" });
    await alarmCard(screen, alarm).waitFor();
    await stage.ask("kill_gateway");
    await screen.sees(lost);
    await screen.draw(`1-lost-${language}`);
    const shown = await screen.text();
    assert.ok(!shown.includes(calm), "nothing is calm that nobody knows");
    await alarmCard(screen, alarm).waitFor();
    await stage.ask("start_gateway");
    await screen.misses(lost);
    // A session does not outlive the gateway: that is told, and the alarm is still there afterwards.
    await screen.page.locator("form.login").waitFor();
    await screen.draw(`2-back-${language}`);
    await screen.page.fill('input[name="who"]', site.nurse);
    await screen.page.fill('input[name="pin"]', site.pin);
    await screen.page.keyboard.press("Enter");
    await alarmCard(screen, alarm).waitFor();
  }
}
