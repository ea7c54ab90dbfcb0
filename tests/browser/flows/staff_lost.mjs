// The gateway is killed and comes back: what is shown is marked as old, never as calm; nobody has to log in by guess, and what was open goes on.

import { GONE, NOT_LET_IN, alarmCard, logIn } from "./staff_hands.mjs";

export default async function play({ assert, open, site, stage }) {
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
