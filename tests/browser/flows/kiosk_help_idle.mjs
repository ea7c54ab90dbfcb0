// Calling the staff, from the call to its end; and the page that forgets whoever went away, with a warning, and never in a payment.

import { Elder } from "../elder.mjs";
import { alarmCard, logIn } from "./staff_hands.mjs";

export default async function play({ assert, open, site, stage, SIZES }) {
  const screen = await open({ size: SIZES.kioskLandscape, touch: true });
  const elder = new Elder(screen, site);
  const staff = await open({ size: SIZES.desk });
  await logIn(staff, site);
  await elder.come();
  await elder.tap("help");
  await screen.sees("已经叫了");
  await elder.look("1-called");
  for (let time = 0; time < 10; time += 1) {
    await screen.press("再叫一次");
  }
  const [operator] = site.operators;
  const open_calls = () => stage.read(site.centre, "/api/v1/alarms?open=1", operator.token);
  const alarms = await stage.until("the centre has the call", open_calls, (all) => all.alarms?.some((one) => one.kind === "help") ?? all.some?.((one) => one.kind === "help"));
  const calls = (alarms.alarms ?? alarms).filter((one) => one.kind === "help");
  assert.equal(calls.length, 1, "one alarm, however often the button was pressed");
  await staff.sees("服务台有 1 个呼叫没有人回应");
  await alarmCard(staff, calls[0].id).locator(".place").getByText("读卡器 kiosk-1").waitFor();
  await staff.draw("staff-called");
  await staff.axe("a call at the staff's page");
  const step = async (name, body) => {
    const { status } = await stage.request("POST", site.centre, `/api/v1/alarms/${encodeURIComponent(calls[0].id)}/${name}`, { token: operator.token, body });
    assert.ok(status < 300, `${name}: ${status}`);
  };
  await step("acknowledge", {});
  await screen.sees("马上来");
  await staff.misses("个呼叫没有人回应");
  await elder.page.reload();
  await screen.sees("马上来");
  await step("dispatch", {});
  await screen.sees("正在过来");
  await step("on_site", {});
  await screen.sees("工作人员到了");
  await elder.look("2-here");
  await step("resolve", { cause: "helped" });
  await screen.misses("工作人员到了");

  // Idle: time is turned forward in the page.
  const alone = await open({ size: SIZES.kioskPortrait, touch: true });
  const gone = new Elder(alone, site);
  await alone.page.clock.install();
  await gone.come();
  await gone.chooseLunch();
  await alone.press("English");
  await alone.sees("You chose");
  await alone.page.clock.runFor(62_000);
  await alone.sees("Are you still there?");
  await gone.look("3-still-there");
  await alone.press("I am here");
  await alone.misses("Are you still there?");
  assert.equal(await gone.where(), "basket", "who answers keeps everything");
  await alone.page.clock.runFor(62_000);
  await alone.sees("Are you still there?");
  await alone.page.clock.runFor(22_000);
  await gone.at("start");
  await alone.sees("您好");
  await gone.chooseLunch();
  assert.doesNotMatch(await alone.text(), /× 2/, "nothing of the one before is left");
  await gone.tap("pay");
  await gone.tap("purse");
  await gone.at("sale-awaiting_card");
  await alone.page.clock.runFor(80_000);
  assert.equal(await gone.where(), "sale-awaiting_card", "nobody is asked whether they are there while they look for the card");
  await gone.tap("cancel");
}
