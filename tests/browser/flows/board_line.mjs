// The centre is gone and comes back: the board says so, and never looks calm meanwhile. The sound goes on until somebody takes the alarm.

import { logIn } from "../board.mjs";

export default async function play({ assert, open, site, stage }) {
  const screen = await open();
  screen.expect(/ERR_|Failed to load|network/i);
  await logIn(screen, site, site.operators[0]);
  await screen.sees("没有未结束的报警");
  await stage.ask("kill_centre");
  await screen.sees("与中心的连接已中断");
  await screen.sees("不知道有没有新的报警");
  assert.ok(!(await screen.text()).includes("没有未结束的报警"), "a board without a line is not calm");
  await screen.axe("the board without a line");
  await screen.draw("line-lost");
  await stage.ask("start_centre");
  await screen.misses("与中心的连接已中断");
  await screen.sees("没有未结束的报警");
  const pressed = await stage.ask("press", { device: "btn-0001", kind: "sos" });
  await screen.sees("求助按钮");
  await screen.page.locator('[data-key="mute"], [data-key="allow sound"]').first().waitFor();
  if (await screen.page.locator('[data-key="allow sound"]').count()) {
    await screen.press("打开");
  }
  await screen.page.locator('[data-key="mute"]:not(.muted)').click();
  await screen.sees("已静音");
  await screen.draw("muted");
  // A mute is about the alarms that were there: a new one sounds.
  const second = await stage.ask("press", { device: "btn-0002", kind: "sos" });
  await screen.sees("李建国");
  await screen.misses("已静音");
  await stage.ask("kill_centre");
  await screen.sees("下面是");
  await screen.draw("line-lost-with-alarm");
  await stage.ask("start_centre");
  await screen.misses("与中心的连接已中断");
  for (const { alarm } of [pressed, second]) {
    await screen.page.locator(`[data-key="take ${alarm}"]`).click();
  }
  await screen.sees("声音已开");
}
