// Trying devices out: one passes, its press is a real alarm that says so and closes in one press; one says nothing and people hear what to check.

import { alarmCard, go, logIn, pressIn } from "./staff_hands.mjs";

/** A test of this site lasts twenty seconds. */
const TEST_WAIT_MS = 60_000;

export default async function play({ assert, open, site, SIZES, stage }) {
  const screen = await open({ size: SIZES.phone, touch: true });
  const { page } = screen;
  await logIn(screen, site);
  await go(screen, "设备");
  await page.locator("[data-device]").first().waitFor();
  await page.fill('input[type="search"]', "load-0001");
  await page.locator('[data-device="load-0001"]').waitFor();
  await pressIn(screen, page.locator('[data-device="load-0001"]'), "测试");
  const silent = page.locator('[data-test="load-0001"]');
  await silent.getByText("现在请去按这个设备").waitFor();
  assert.equal(await page.inputValue('input[type="search"]'), "load-0001", "what was typed stays");

  await page.fill('input[type="search"]', "btn-0001");
  await pressIn(screen, page.locator('[data-device="btn-0001"]'), "测试");
  const tried = page.locator('[data-test="btn-0001"]');
  await tried.getByText("现在请去按这个设备").waitFor();
  await screen.draw("1-press-now");
  await screen.axe("a test");
  const { alarm } = await stage.ask("press", { device: "btn-0001", kind: "sos" });
  await tried.getByText("好的：中心也收到了").waitFor();
  await tried.getByText(/毫秒后存好/).waitFor();
  await screen.draw("2-passed");
  await go(screen, "现在");
  await alarmCard(screen, alarm).getByText("测试期间按下").waitFor();
  await screen.draw("3-alarm-of-the-test");
  await pressIn(screen, alarmCard(screen, alarm), "是测试，结束");
  await alarmCard(screen, alarm).waitFor({ state: "detached" });

  const own = await stage.ask("press", { device: "btn-0001", kind: "test" });
  await go(screen, "设备");
  await page.locator('[data-test="btn-0001"]').getByText("测试", { exact: true }).first().waitFor();
  assert.equal(await alarmCard(screen, own.alarm).count(), 0, "a test report is no alarm");
  await silent.getByText("没有收到任何消息").waitFor({ timeout: TEST_WAIT_MS });
  await silent.getByText("请检查").waitFor();
  await screen.draw("4-nothing-came");
  await screen.axe("a test that failed");
}
