// An alarm from the press to its end: by touch in Chinese, and by the keyboard alone in English; others see it too, and the sound is told.

import { alarmCard, logIn, pressIn } from "./staff_hands.mjs";

export default async function play({ assert, open, site, SIZES, stage }) {
  const touch = await open({ size: SIZES.kioskLandscape, touch: true, look: { language: "zh", theme: "light" } });
  const keys = await open({ size: SIZES.desk, look: { language: "en", theme: "dark" } });
  await logIn(touch, site);
  await logIn(keys, site);
  await touch.sees("没有人在等待帮助");
  await touch.draw("1-calm-zh-light", { whole: true });
  await touch.axe("the calm page");
  await keys.draw("1-calm-en-dark", { whole: true });
  await keys.axe("the calm page in the dark");

  const first = await stage.ask("press", { device: "btn-0001", kind: "sos" });
  const card = alarmCard(touch, first.alarm);
  await card.waitFor();
  await touch.sees("条紧急报警没有人确认");
  await touch.draw("2-alarm-zh-light");
  await touch.axe("an alarm");
  await touch.press("静音 2 分钟");
  await touch.sees("静音中，还剩");
  await pressIn(touch, card, "我来确认");
  await touch.misses("条紧急报警没有人确认");
  await alarmCard(keys, first.alarm).getByText("acknowledged").first().waitFor();
  await pressIn(touch, card, "填写谁去");
  await card.locator("input").fill("<i>王</i>护士");
  await touch.axe("who goes");
  await pressIn(touch, card, "5 分钟");
  await card.getByText("<i>王</i>护士 前往").waitFor();
  await pressIn(touch, card, "已到现场");
  await pressIn(touch, card, "结束报警");
  await touch.sees("什么原因");
  await touch.draw("3-causes-zh-light");
  await touch.axe("the causes");
  await pressIn(touch, card, "跌倒");
  await card.waitFor({ state: "detached" });
  await touch.sees("没有人在等待帮助");
  await stage.ask("hear", { device: "btn-0001", seq: first.seq, state: "resolved" });

  const second = await stage.ask("press", { device: "btn-0001", kind: "fall" });
  await alarmCard(keys, second.alarm).waitFor();
  await keys.draw("2-alarm-en-dark");
  for (const name of ["I take it", "Somebody goes", "Somebody is there", "Close", "Fall"]) {
    await alarmCard(keys, second.alarm).getByRole("button", { name, disabled: false }).first().waitFor();
    await keys.enter(name === "Fall" ? /^\s*Fall/ : name);
  }
  await alarmCard(keys, second.alarm).waitFor({ state: "detached" });
  const closed = await stage.until(
    "the centre knows the end",
    () => stage.read(site.centre, "/api/v1/alarms", site.operators[0].token),
    (alarms) => JSON.stringify(alarms).includes(second.alarm) && JSON.stringify(alarms).includes("resolved"),
  );
  assert.ok(closed);
  await touch.press("显示已结束的");
  await alarmCard(touch, second.alarm).waitFor();
  await touch.draw("4-closed-zh-light", { whole: true });
  await oneWhoGoes({ assert, site, stage, touch });
}

/** Who goes is recorded with an alarm: it is said of that one, by the person who is logged in, and is nothing for the next. */
async function oneWhoGoes({ assert, site, stage, touch }) {
  const cards = [];
  for (const kind of ["sos", "fall"]) {
    const { alarm } = await stage.ask("press", { device: "btn-0001", kind });
    cards.push(alarmCard(touch, alarm));
  }
  for (const card of cards) {
    await card.waitFor();
    await pressIn(touch, card, "我来确认");
    await pressIn(touch, card, "填写谁去");
  }
  const [one, other] = cards;
  await one.locator("input").fill("李护士");
  await pressIn(touch, other, "5 分钟");
  await other.getByRole("button", { name: "已到现场" }).waitFor();
  assert.ok(!(await other.innerText()).includes("李护士"), "who goes to one alarm does not go to the other");
  assert.equal(await one.locator("input").inputValue(), "李护士", "what was typed stays");
  await touch.press("退出");
  await touch.page.locator("form.login").waitFor();
  await touch.page.fill('input[name="who"]', site.nurse);
  await touch.page.fill('input[name="pin"]', site.pin);
  await touch.page.keyboard.press("Enter");
  await one.waitFor();
  if ((await one.locator("input").count()) === 0) {
    await pressIn(touch, one, "填写谁去");
  }
  assert.equal(await one.locator("input").inputValue(), "", "nothing is left of whoever logged out");
  await pressIn(touch, one, "5 分钟");
  await one.getByRole("button", { name: "已到现场" }).waitFor();
  assert.ok(!(await one.innerText()).includes("李护士"), "whoever logs in next sends nobody by that name");
}
