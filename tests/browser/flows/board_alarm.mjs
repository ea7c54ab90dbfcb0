// An alarm from the press to its end: with the mouse in four clicks, with the keyboard in four keys.

import { alarmAt, logIn, reaches } from "../board.mjs";

export default async function play({ assert, open, site, stage }) {
  const screen = await open();
  await logIn(screen, site, site.operators[0]);
  await screen.sees("没有未结束的报警");
  await screen.draw("calm");
  await screen.axe("the empty list");

  const first = await stage.ask("press", { device: "btn-0001", kind: "sos" });
  await screen.sees("求助按钮");
  await screen.sees("王秀英");
  await screen.draw("alarm-in-list");
  await screen.axe("the list");
  let clicks = 0;
  const click = async (name) => {
    clicks += 1;
    await screen.press(name);
  };
  await click("确认");
  await screen.sees("谁去？");
  await reaches(stage, site, first.alarm, "acknowledged");
  await screen.draw("alarm-acknowledged");
  await screen.axe("an alarm that was acknowledged");
  await click("10 分钟");
  await reaches(stage, site, first.alarm, "dispatched");
  await screen.sees("后到");
  await screen.draw("alarm-dispatched");
  await click("已到场");
  await reaches(stage, site, first.alarm, "on_site");
  await screen.sees("结束报警");
  await screen.draw("alarm-on-site");
  await screen.axe("an alarm with somebody there");
  await click("跌倒");
  await reaches(stage, site, first.alarm, "resolved");
  assert.ok(clicks <= 4, `${clicks} clicks`);
  await screen.sees("已结束：跌倒");
  const ended = await alarmAt(stage, site, first.alarm);
  assert.deepEqual([ended.responder, ended.cause, ended.by], ["值班人员", "fall", site.operators[0].id]);
  await screen.key("Escape");
  await screen.sees("没有未结束的报警");
  assert.equal(await screen.page.locator(".list h1 .figures").innerText(), "0", "the count is that of the list");

  const second = await stage.ask("press", { device: "cord-0001", kind: "pull_cord" });
  await screen.sees("拉绳求助");
  assert.equal(await screen.page.locator(".list h1 .figures").innerText(), "1", "the count is that of the list");
  let keys = 0;
  const key = async (name, state) => {
    keys += 1;
    await screen.key(name);
    await reaches(stage, site, second.alarm, state);
  };
  await key("a", "acknowledged");
  await screen.sees("谁去？");
  await screen.page.reload();
  await screen.sees("谁去？");
  await key("3", "dispatched");
  await screen.page.locator('[data-key="step on_site"]').waitFor();
  await key("o", "on_site");
  await screen.page.locator("[data-cause]").first().waitFor();
  await key("2", "resolved");
  assert.ok(keys <= 4, `${keys} keys`);
  const byKeys = await alarmAt(stage, site, second.alarm);
  assert.deepEqual([byKeys.cause, byKeys.history.find((event) => event.state === "dispatched").eta_min], ["accidental", 15]);

  // Keys do nothing while somebody types.
  const third = await stage.ask("press", { device: "btn-0002", kind: "sos" });
  await screen.key("Escape");
  await screen.sees("李建国");
  await screen.key("a");
  await reaches(stage, site, third.alarm, "acknowledged");
  await screen.page.locator('[data-key="typed"]').fill("");
  await screen.page.locator('[data-key="typed"]').pressSequentially("rado 1");
  assert.equal((await alarmAt(stage, site, third.alarm)).state, "acknowledged");
  // Its answer comes late, after the news of it.
  let letGo = () => {};
  const held = new Promise((resume) => (letGo = resume));
  await screen.page.route("**/dispatch", async (route) => {
    const response = await route.fetch();
    await held;
    await route.fulfill({ response });
  });
  await screen.press("5 分钟");
  await reaches(stage, site, third.alarm, "dispatched");
  assert.equal((await alarmAt(stage, site, third.alarm)).responder, "rado 1");

  // No visit is needed: R shows the causes, digits mean them then, Esc goes back to the next step.
  await screen.page.locator('[data-key="step on_site"]').waitFor();
  await screen.page.locator("#subject").focus();
  await screen.key("r");
  await screen.sees("结束报警");
  const late = screen.page.waitForResponse((response) => response.url().endsWith("/dispatch"));
  letGo();
  await late;
  await screen.page.locator("[data-cause]:not(:disabled)").first().waitFor();
  await screen.draw("alarm-no-visit");
  await screen.key("Escape");
  await screen.page.locator('[data-key="step on_site"]').waitFor();
  assert.equal((await alarmAt(stage, site, third.alarm)).state, "dispatched");
  await screen.key("r");
  await screen.page.locator('[data-cause="anxiety_talk"]').waitFor();
  await screen.key("3");
  await reaches(stage, site, third.alarm, "resolved");
  assert.equal((await alarmAt(stage, site, third.alarm)).cause, "anxiety_talk");
}
