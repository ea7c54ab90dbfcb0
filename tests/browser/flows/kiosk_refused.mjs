// What cannot be paid: too little, expired, blocked, a stranger's card, the line down. Each says why and what to do, and nothing is
// charged.

import { Elder, SAYS_NO } from "../elder.mjs";

/** The most lunches that one sale may cost, but one; what the card's account holds after two such sales is less than a third costs, fen. */
const LUNCHES_MORE = 15;
const POINTS_LEFT = 10_000;

export default async function play({ assert, open, site, stage, SIZES }) {
  const screen = await open({ size: SIZES.kioskLandscape, touch: true });
  screen.expect(SAYS_NO);
  const elder = new Elder(screen, site);
  await elder.come();

  // Too little: before paying, where it is known; else after.
  await stage.ask("other_card", { balance: 100 });
  await stage.ask("lay_card");
  await elder.at("card");
  await elder.chooseLunch();
  await elder.tap("pay");
  await screen.sees("不够付");
  await elder.look("1-too-little-is-known");
  assert.equal(await elder.page.getByRole("button", { name: "卡里的钱" }).count(), 0, "what cannot pay is no button");
  await stage.ask("take_card");
  // Nobody knows what is on a card that is not there.
  await elder.tap("purse");
  await elder.at("sale-awaiting_card");
  await stage.ask("lay_card");
  await elder.at("sale-refused");
  await screen.sees("余额不足");
  await elder.look("2-too-little");
  assert.equal(await stage.ask("purse"), 100, "nothing was charged");
  await stage.ask("take_card");
  await elder.tap("home");
  await elder.at("start");

  await stage.ask("other_card", { balance: 10_000, expired: true });
  await stage.ask("lay_card");
  await screen.sees("过期");
  await elder.look("3-expired");
  await stage.ask("take_card");
  await elder.at("start");

  // A card that nobody registered: no points, but a purse.
  await stage.ask("other_card", { balance: 10_000, stranger: true });
  await stage.ask("lay_card");
  await screen.sees("没有重阳分");
  await elder.look("4-no-account");
  await stage.ask("take_card");
  await elder.at("start");
  await elder.order("account");
  await elder.at("sale-awaiting_card");
  await stage.ask("lay_card");
  await elder.at("sale-refused");
  await elder.look("5-no-account-purse-offered");
  await elder.tap("fromPurse");
  await elder.at("sale-paid");
  assert.equal(await stage.ask("purse"), 8_750);
  await stage.ask("take_card");
  await elder.tap("done");

  // A bank's card: said at once, and in the middle of a sale.
  await stage.ask("other_card", { balance: 10_000, other_scheme: true });
  await stage.ask("lay_card");
  await screen.sees("读不出这张卡");
  await elder.look("10-other-scheme");
  await elder.tap("lookAround");
  await elder.at("categories");
  await stage.ask("take_card");
  await elder.tap("back");
  await elder.at("start");
  await elder.order("purse");
  await elder.at("sale-awaiting_card");
  await stage.ask("lay_card");
  await elder.at("sale-refused");
  await screen.sees("请只放一张市民卡");
  await elder.look("11-other-scheme-in-a-sale");
  assert.equal(await stage.ask("purse"), 10_000);
  await stage.ask("take_card");
  await elder.tap("home");
  await elder.at("start");

  // More than one sale may cost.
  await stage.ask("other_card", { balance: 30_000 });
  await elder.order("account", LUNCHES_MORE + 1);
  await elder.at("sale-not_begun");
  await elder.look("12-too-much-for-one-sale");
  await elder.tap("home");
  await elder.at("start");

  // More than there are points: said after without the card, known before with the card on the reader.
  for (let sale = 0; sale < 2; sale += 1) {
    await elder.pay(stage, "account", LUNCHES_MORE);
    await elder.leave(stage);
  }
  await elder.order("account", LUNCHES_MORE);
  await elder.at("sale-awaiting_card");
  await stage.ask("lay_card");
  await elder.at("sale-refused");
  await screen.sees("余额不足");
  await elder.look("13-too-few-points");
  await elder.tap("home");
  await elder.at("card");
  await elder.chooseLunch(LUNCHES_MORE);
  await elder.tap("pay");
  await elder.at("tender");
  await screen.sees("不够付");
  assert.equal(await elder.page.getByRole("button", { name: "重阳分" }).count(), 0, "too few points are no button");
  await elder.look("14-too-few-points-are-known");
  await elder.tap("purse");
  await elder.at("sale-paid");
  assert.equal(await stage.ask("purse"), 10_000, "the purse pays instead");
  await elder.leave(stage);
  const { available } = await stage.read(site.centre, "/api/v1/accounts/person-0001", site.operators[0].token);
  assert.equal(available, POINTS_LEFT, "nothing was taken, and nothing is set aside");

  // Reported as lost.
  await stage.ask("other_card", { balance: 10_000 });
  const { cards } = await stage.read(site.centre, "/api/v1/people/person-0001", site.operators[0].token);
  const hotlist = `/api/v1/hotlist/${cards[0].card ?? cards[0].ref ?? cards[0].reference}`;
  const put = await stage.request("PUT", site.centre, hotlist, { token: site.operators[0].token });
  assert.equal(put.status, 204);
  await stage.ask("lay_card");
  await stage.until("the card is known as blocked", async () => {
    await stage.ask("take_card");
    await elder.at("start");
    await stage.ask("lay_card");
    await elder.at("card");
    return screen.text();
  }, (text) => text.includes("停用"));
  await elder.look("6-blocked");
  await stage.ask("take_card");
  await stage.request("DELETE", site.centre, hotlist, { token: site.operators[0].token });
  await elder.at("start");

  // The security module is gone: said before anything is chosen.
  await stage.ask("take_psam");
  await screen.sees("现在不能付款");
  await elder.look("7-closed");
  await stage.ask("put_psam");
  await screen.misses("现在不能付款");

  // The line is down: said in plain words, the points are no button, the purse pays.
  await stage.ask("kill_centre");
  await screen.sees("网络断了");
  await elder.look("8-line-down");
  await elder.chooseLunch();
  await elder.tap("pay");
  await elder.at("tender");
  assert.equal(await elder.page.getByRole("button", { name: "重阳分" }).count(), 0, "points cannot pay");
  await elder.look("9-line-down-tender");
  await stage.ask("start_centre");
  await screen.misses("网络断了");
  await elder.page.getByRole("button", { name: "重阳分" }).waitFor();
}
