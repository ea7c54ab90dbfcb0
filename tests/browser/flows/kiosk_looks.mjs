// The main screens in each look: dark, high contrast, extra large; names that are long, run from right to left, or look like markup.
// Prompts are spoken where there is a voice, and a balance only when somebody taps for it.

import { Elder } from "../elder.mjs";

const LOOKS = { dark: { theme: "dark" }, contrast: { contrast: "high" }, extra: { size: "extra" }, "extra-dark-contrast": { size: "extra", theme: "dark", contrast: "high" } };
const ODD = [
  { id: "odd-1", provider: "canteen-01", category: "meal", name_zh: "<img src=x onerror=alert(1)><b>午餐</b>", name_en: "<script>alert(1)</script>", price: 100 },
  { id: "odd-2", provider: "canteen-01", category: "meal", name_zh: "\u202eوجبة الغداء مع الحساء 🍜👵🏽", name_en: "وجبة الغداء 🍜", price: 200, full_price: 300, picture: "robot" },
  { id: "odd-3", provider: "canteen-01", category: "meal", name_zh: "很长的名字".repeat(7), name_en: "Averyveryverylongwordwithoutanyspace".repeat(3), price: 300 },
  { id: "odd-4", provider: "canteen-01", category: "dancing", name_zh: "跳舞", name_en: "Dancing", price: 400, picture: "walk", description_zh: "说明".repeat(100) },
];

/** What of the quantity or of the head of the page is not wholly seen without looking further; null where all is. */
function covered() {
  const total = document.querySelector("main > p.lead").getBoundingClientRect();
  const actions = document.querySelector("main .actions").getBoundingClientRect();
  if (total.bottom > actions.top) {
    return `the total ends at ${total.bottom}, the buttons begin at ${actions.top}`;
  }
  const buttons = [...document.querySelectorAll(".top .button, .bottom .button")];
  const out = buttons.find((button) => button.getBoundingClientRect().right > innerWidth || button.scrollWidth > button.clientWidth);
  return out ? `${out.innerText} does not fit` : null;
}

export default async function play({ assert, open, site, stage, SIZES }) {
  await stage.ask("lay_card");
  for (const [name, look] of Object.entries(LOOKS)) {
    for (const size of ["kioskPortrait", "kioskLandscape"]) {
      const screen = await open({ size: SIZES[size], look });
      const elder = new Elder(screen, site);
      await elder.come();
      await elder.at("card");
      await elder.look(`${name}-${size}-1-card`);
      await elder.tap("services");
      await elder.look(`${name}-${size}-2-categories`);
      await elder.tap("meals");
      await elder.look(`${name}-${size}-3-services`);
      await elder.tap("lunch");
      await elder.look(`${name}-${size}-4-quantity`);
      assert.equal(await elder.page.evaluate(covered), null, `${name}, ${size}`);
      await elder.tap("take");
      await elder.tap("pay");
      await elder.look(`${name}-${size}-5-tender`);
    }
  }

  // A voice that is not there makes no button; one that is says prompts, and balances when asked.
  const mute = await open({ size: SIZES.kioskLandscape });
  await mute.go(site.kiosk);
  await mute.page.locator("main h1").waitFor();
  assert.doesNotMatch(await mute.text(), /有声|念给我听/);
  const spoken = await open({ size: SIZES.kioskLandscape });
  await spoken.page.addInitScript(() => {
    globalThis.said = [];
    const voices = [{ lang: "zh-CN", name: "made up" }];
    Object.defineProperty(globalThis, "speechSynthesis", { value: { getVoices: () => voices, speak: (one) => said.push(one.text), cancel() {}, addEventListener() {} } });
    globalThis.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
  });
  const elder = new Elder(spoken, site);
  await elder.come();
  await elder.at("card");
  await elder.page.waitForFunction(() => said.some((text) => text.includes("卡读好了")));
  assert.ok(!(await elder.page.evaluate(() => said.join())).match(/\d/), "no balance is spoken unasked");
  await spoken.press("念给我听");
  await elder.page.waitForFunction(() => said.at(-1).includes("1000.00"));
  await spoken.press("语音");
  await elder.tap("services");
  await elder.at("categories");
  assert.ok(!(await elder.page.evaluate(() => said.join())).includes("哪一类"), "silent once it is off");

  const put = await stage.request("PUT", site.centre, "/api/v1/catalogue", { token: site.operators[0].token, body: { services: ODD } });
  assert.equal(put.status, 200, JSON.stringify(put.body));
  const has = (catalogue) => catalogue.services.some((service) => service.id === "odd-1");
  await stage.until("the new catalogue", () => stage.read(site.gateway, "/api/v1/catalogue"), has);
  for (const language of ["zh", "en"]) {
    const screen = await open({ size: SIZES.kioskPortrait, look: { language } });
    const odd = new Elder(screen, site, language);
    await odd.come();
    await odd.tap("services");
    await odd.look(`odd-${language}-1-categories`);
    await odd.tap("meals");
    await screen.sees(language === "zh" ? "<img src=x" : "<script>alert(1)</script>");
    await odd.look(`odd-${language}-2-services`);
    const wide = await odd.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, "no name makes the page wider than the screen");
    assert.equal(await odd.page.locator("main img, main script").count(), 0);
  }
  await stage.ask("take_card");
}
