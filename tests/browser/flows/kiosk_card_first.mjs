// An elder lays the card on first: sees what is in it, chooses, pays with points, reads the receipt. In both sizes and languages, by
// touch; the page is loaded anew on every screen and goes on where it was.

import { Elder } from "../elder.mjs";

async function pays({ assert, open, site, stage, SIZES }, language, size, name) {
  const screen = await open({ size: SIZES[size], look: { language }, touch: true });
  const elder = new Elder(screen, site, language);
  const told = [];
  elder.page.on("response", (response) => response.url().includes("/api/v1/readers/") && told.push(response.text().catch(() => "")));
  await elder.come();
  await elder.at("start");
  await elder.look(`${name}-1-start`);
  await stage.ask("lay_card");
  await elder.at("card");
  const before = await stage.read(site.gateway, `/api/v1/status`);
  assert.equal(before.uplink.online, true);
  await screen.sees(/\d+\.\d\d/);
  await elder.look(`${name}-2-card`);
  await elder.page.reload();
  await elder.at("card");
  await elder.tap("services");
  await elder.at("categories");
  await elder.look(`${name}-3-categories`);
  await elder.tap("meals");
  await elder.at("services");
  await elder.look(`${name}-4-services`);
  await elder.tap("lunch");
  await elder.at("quantity");
  await elder.tap("more");
  await elder.look(`${name}-5-quantity`);
  await elder.tap("take");
  await elder.at("basket");
  assert.match(await screen.text(), /25\.00/);
  await elder.look(`${name}-6-basket`);
  assert.deepEqual(await elder.tooSmall(), []);
  await elder.page.reload();
  await elder.at("basket");
  await elder.tap("pay");
  await elder.at("tender");
  await elder.look(`${name}-7-tender`);
  await elder.tap("account");
  await elder.at("sale-paid");
  await elder.look(`${name}-8-paid`);
  await elder.page.reload();
  await elder.at("sale-paid");
  await elder.tap("receipt");
  await elder.at("receipt");
  assert.match(await screen.text(), /11\.00/, "the city's share");
  await elder.look(`${name}-9-receipt`);
  await stage.ask("take_card");
  await elder.tap("done");
  await elder.at("start");
  const known = (await Promise.all(told)).join();
  assert.match(known, /"purse":\d+/, "what is on the card was told");
  assert.doesNotMatch(known, /12345678|王秀英|person-/, "and nothing of whose it is");
  const left = await elder.page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.startsWith("sale")));
  assert.deepEqual(left, [], "nothing of the person stays on the page");
}

export default async function play(tools) {
  await pays(tools, "zh", "kioskLandscape", "zh-landscape");
  await pays(tools, "zh", "kioskPortrait", "zh-portrait");
  await pays(tools, "en", "kioskLandscape", "en-landscape");
}
