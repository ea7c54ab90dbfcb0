// Logging in: a wrong PIN, the right one by the pad, too many wrong ones; the lock outlives a restart of the gateway and is told with its time.

import { GONE, NOT_LET_IN } from "./staff_hands.mjs";

const WRONG = "975310";

export default async function play({ assert, open, site, SIZES, stage }) {
  const screen = await open({ size: SIZES.kioskLandscape, touch: true });
  const { page } = screen;
  screen.expect(NOT_LET_IN);
  screen.expect(GONE);
  const pad = async (digits) => {
    await page.locator('input[name="pin"]').tap();
    for (const digit of digits) {
      await page.locator(".pad").getByRole("button", { name: digit, exact: true }).tap();
    }
    await screen.press("登录", { exact: true });
  };
  await screen.go(`${site.kiosk}staff`);
  await screen.sees("请登录");
  await screen.axe("the log-in");
  await screen.draw("1-log-in");
  await page.fill('input[name="who"]', site.nurse);
  await pad(WRONG);
  await screen.sees("工号或密码不正确");
  await pad(site.pin);
  await page.locator(".tabs").waitFor();
  await screen.press("退出");
  await screen.sees("请登录");
  assert.equal(await page.inputValue('input[name="who"]'), "", "the next one is somebody else");

  await page.fill('input[name="who"]', site.nurse);
  for (let tries = 0; tries < 12 && (await page.locator(".locked").count()) === 0; tries += 1) {
    await page.fill('input[name="pin"]', WRONG);
    const answer = page.waitForResponse((one) => one.url().endsWith("/api/v1/session"));
    await page.keyboard.press("Enter");
    await answer;
    await page.waitForFunction(() => document.querySelector('input[name="pin"]').value === "");
  }
  const left = async () => Number(/(\d+) 秒/.exec(await page.locator(".locked").innerText())[1]);
  const before = await left();
  assert.ok(before > 0 && before <= 30, `${before} s`);
  await page.waitForFunction((was) => Number(/(\d+) 秒/.exec(document.querySelector(".locked").innerText)[1]) < was, before);
  await screen.draw("2-locked");
  await stage.ask("kill_gateway");
  await screen.sees("与网关失去联系");
  await stage.ask("start_gateway");
  await page.locator(".stale").waitFor({ state: "detached" });
  await screen.go(`${site.kiosk}staff`);
  await page.fill('input[name="who"]', site.nurse);
  await page.fill('input[name="pin"]', site.pin);
  await page.keyboard.press("Enter");
  await screen.sees("已暂时锁定");
  await screen.sees("还要等");
  await page.locator(".locked").waitFor({ state: "detached" });
  await page.fill('input[name="pin"]', site.pin);
  await page.keyboard.press("Enter");
  await page.locator(".tabs").waitFor();
}
