// What people leave behind at the kiosk: a payment that nobody answered to, a card on the reader. None of it pays for the next person,
// and nobody else's doings are taken for theirs.

import { AWAY, Elder, SAYS_NO } from "../elder.mjs";

const SALES = "**/api/v1/sales";
const CARD = "**/api/v1/readers/*/card";

/** Keeps the page's wishes for a sale from the gateway, or its answers from the page; which of them may begin none. */
async function cutOff(elder, heard) {
  const onlyKnown = [];
  await elder.page.route(SALES, async (route) => {
    onlyKnown.push(route.request().headers()["care-only-known"] === "1");
    if (heard) {
      await route.fetch();
    }
    await route.abort();
  });
  return onlyKnown;
}

async function unanswered(elder, screen, stage, assert) {
  const waits = () => elder.page.evaluate(async (path) => (await (await fetch(path)).json()).sale, `/api/v1/readers/${elder.reader}/card`);
  let wishes = await cutOff(elder, false);
  await elder.order("purse");
  await elder.at("sale-starting");
  await elder.page.clock.runFor(62_000);
  await screen.sees("机器没有回答");
  const lost = wishes.length;
  await stage.until("the page asks on", async () => wishes.length, (count) => count > lost + 1);
  assert.ok(wishes.slice(lost + 1).every(Boolean), "after a minute the page only asks");
  await elder.page.unrouteAll({ behavior: "wait" });
  await elder.at("sale-not_begun");
  await screen.sees("没有扣钱");
  await elder.look("1-not-begun");
  assert.equal(await waits(), null, "nothing was begun");
  await elder.tap("home");
  await elder.at("start");

  wishes = await cutOff(elder, false);
  await elder.order("purse");
  await elder.at("sale-starting");
  await elder.page.clock.runFor(62_000);
  await elder.page.clock.runFor(52_000);
  await elder.at("start");
  await elder.page.unrouteAll({ behavior: "wait" });
  await elder.page.clock.runFor(10_000);
  assert.equal(await waits(), null, "nor once nobody waits for it any more");

  // The gateway heard it, and the page does not know.
  wishes = await cutOff(elder, true);
  await elder.order("purse");
  await elder.page.waitForFunction(() => JSON.parse(sessionStorage.getItem("sale-under-way"))?.id === null);
  await stage.until("the gateway has begun it", waits, Boolean);
  await elder.page.unrouteAll({ behavior: "wait" });
  await elder.page.reload();
  await elder.at("sale-awaiting_card");
  await elder.tap("cancel");
  await elder.at("sale-cancelled");
  await elder.tap("home");
  await elder.at("start");
}

async function cardLeft(elder, screen, stage, assert) {
  const purse = await stage.ask("purse");
  await stage.ask("lay_card");
  await elder.at("card");
  await elder.page.clock.runFor(62_000);
  await screen.sees("您还在吗");
  await elder.page.clock.runFor(22_000);
  await elder.at("start");
  await screen.sees("请先把那张卡拿走");
  await elder.page.reload();
  await screen.sees("请先把那张卡拿走");
  assert.doesNotMatch(await screen.text(), /\d\.\d\d/, "nobody sees what the one before has");
  await elder.order("purse");
  await elder.at("take_away");
  await elder.look("2-take-it-away");
  assert.equal(await stage.ask("purse"), purse, "it pays for nobody");
  await stage.ask("take_card");
  await elder.at("sale-awaiting_card");
  await stage.ask("lay_card");
  await elder.at("sale-paid");
  await stage.ask("take_card");
  await elder.tap("done");
  await elder.at("start");
}

async function othersReader(elder, screen) {
  const tell = (reader, state) => elder.page.evaluate((data) => heard.dispatchEvent(new MessageEvent("reader.changed", { data })), JSON.stringify({ reader, state }));
  await elder.chooseLunch();
  await elder.page.clock.runFor(62_000);
  await screen.sees("您还在吗");
  await tell("another", "card");
  await tell(elder.reader, "empty");
  await screen.sees("您还在吗");
  await tell(elder.reader, "card");
  await screen.misses("您还在吗");
  await elder.page.reload();
  await elder.at("basket");
}

async function crossingAnswers(elder, stage, assert) {
  let letGo = null;
  await elder.page.route(CARD, async (route) => {
    const response = await route.fetch();
    if (letGo === null) {
      await new Promise((done) => { letGo = done; });
    }
    await route.fulfill({ response });
  });
  await elder.page.clock.runFor(10_500);
  await stage.until("an answer is under way", async () => letGo !== null, Boolean);
  await stage.ask("lay_card");
  await elder.at("card");
  const late = elder.page.waitForResponse(CARD);
  letGo();
  await late;
  await elder.page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  assert.equal(await elder.where(), "card", "an answer that comes late says nothing of what lies there now");
  await elder.page.unrouteAll({ behavior: "wait" });
  await stage.ask("take_card");
  await elder.at("start");
}

/** As with a centre that knows no question for balances, or does not answer it in time. */
async function balanceNotKnown(elder, screen, stage) {
  await elder.page.route(CARD, async (route) => {
    const response = await route.fetch();
    const json = await response.json();
    if (json.card) {
      json.card.account = { state: "not_known", available: null, reason: "offline", message: null };
    }
    await route.fulfill({ response, json });
  });
  await stage.ask("lay_card");
  await elder.at("card");
  await screen.sees("现在查不到");
  await elder.order("account");
  await elder.at("sale-paid");
  await elder.page.unrouteAll({ behavior: "wait" });
  await stage.ask("take_card");
  await elder.tap("done");
  await elder.at("start");
}

export default async function play({ assert, open, site, stage, SIZES }) {
  const screen = await open({ size: SIZES.kioskLandscape, touch: true });
  screen.expect(AWAY);
  screen.expect(SAYS_NO);
  const elder = new Elder(screen, site);
  elder.reader = (await stage.read(site.gateway, "/api/v1/status")).readers[0].reader;
  await elder.page.clock.install();
  await elder.page.addInitScript(() => {
    globalThis.EventSource = class extends EventSource {
      constructor(...address) {
        super(...address);
        globalThis.heard = this;
      }
    };
  });
  await elder.come();
  await unanswered(elder, screen, stage, assert);
  await cardLeft(elder, screen, stage, assert);
  await crossingAnswers(elder, stage, assert);
  await balanceNotKnown(elder, screen, stage);
  await othersReader(elder, screen);
}
