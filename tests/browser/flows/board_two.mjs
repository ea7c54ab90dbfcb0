// Two operators at once: they see each other, only one takes an alarm, the other sees who has it and may take it over.

import { alarmAt, logIn } from "../board.mjs";

export default async function play({ assert, open, site, stage }) {
  const [first, second] = [await open(), await open({ look: { language: "en" } })];
  second.expect(/409/);
  first.expect(/409/);
  await logIn(first, site, site.operators[0]);
  await logIn(second, site, site.operators[1]);
  await first.sees(site.operators[1].id);
  const { alarm } = await stage.ask("press", { device: "btn-0001", kind: "sos" });
  await first.sees("求助按钮");
  await second.sees("Emergency button");
  // Both press at the same moment.
  await Promise.all([first.press("确认"), second.press("acknowledge")]);
  const taken = await stage.until("one has it", () => alarmAt(stage, site, alarm), (one) => one.state === "acknowledged");
  const [winner, loser] = taken.by === site.operators[0].id ? [first, second] : [second, first];
  await loser.sees(taken.by);
  await loser.page.locator('[data-key="take over"]').waitFor();
  await loser.draw("two-somebody-has-it");
  await loser.axe("an alarm that somebody else has");
  await winner.page.locator('[data-key="eta 10"]').waitFor();
  await winner.draw("two-winner");
  assert.equal((await alarmAt(stage, site, alarm)).history.filter((event) => event.state === "acknowledged").length, 1, "one took it");
  await loser.page.locator('[data-key="take over"]').click();
  await loser.page.locator('[data-key="eta 10"]').waitFor();
  await winner.page.locator('[data-key="take over"]').waitFor();
  const over = await alarmAt(stage, site, alarm);
  assert.equal(over.history.at(-1).took_over, taken.by);
  await winner.draw("two-taken-over");
  // Who leaves is not there any more.
  await second.press("Log out");
  await first.page.waitForFunction((gone) => !document.querySelector(".presence").innerText.includes(gone), site.operators[1].id);
}
