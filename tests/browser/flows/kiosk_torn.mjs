// What goes wrong in mid-sale: the card is torn away, the gateway dies. Unknown is shown as unknown until the card is back; nothing
// is pretended while nobody answers.

import { AWAY, Elder, SAYS_NO } from "../elder.mjs";

const DEBIT = 0x54;

export default async function play({ assert, open, site, stage, SIZES }) {
  const screen = await open({ size: SIZES.kioskPortrait, touch: true });
  screen.expect(AWAY);
  screen.expect(SAYS_NO);
  const elder = new Elder(screen, site);
  await elder.come();
  const purse = await stage.ask("purse");

  await elder.order("purse");
  await elder.at("sale-awaiting_card");
  await stage.ask("tear_card", { ins: DEBIT, after: true });
  await stage.ask("lay_card");
  await elder.at("sale-unknown");
  await screen.sees("请把卡放回去");
  await screen.sees("不要再付");
  await elder.look("1-unknown");
  await elder.page.reload();
  await elder.at("sale-unknown");
  await stage.until("the reader is empty", () => stage.read(site.gateway, "/api/v1/status"), (status) => status.readers[0].state === "empty");
  await stage.ask("lay_card");
  await elder.at("sale-paid");
  await elder.look("2-settled");
  assert.equal(await stage.ask("purse"), purse - 1250, "charged once");
  await elder.leave(stage);

  // Taken back, and not charged, where the card was torn before the debit.
  await elder.order("purse");
  await elder.at("sale-awaiting_card");
  await stage.ask("kill_gateway");
  await elder.at("gone");
  await screen.sees("不要再付");
  await elder.look("3-gateway-gone-in-a-sale");
  await elder.tap("help");
  await screen.sees("直接去找工作人员");
  await stage.ask("start_gateway");
  await elder.at("sale-cancelled");
  await elder.look("4-gateway-back");
  assert.equal(await stage.ask("purse"), purse - 1250);
  await elder.tap("home");
  await elder.at("start");

  // Between the card's debit and its answer: nobody says paid or not paid before the card was asked.
  await elder.order("purse");
  await elder.at("sale-awaiting_card");
  await stage.ask("lay_card_and_kill_gateway", { ins: DEBIT });
  await elder.at("gone");
  await screen.sees("不要再付");
  await stage.ask("start_gateway");
  await elder.at("sale-paid");
  await elder.look("5-killed-in-the-debit-and-settled");
  assert.equal(await stage.ask("purse"), purse - 2500, "charged once");
  await elder.leave(stage);

  await stage.ask("kill_gateway");
  await elder.at("gone");
  await elder.look("6-gateway-gone");
  await stage.ask("start_gateway");
  await elder.at("start");
  await stage.until("the reader is back", () => stage.read(site.gateway, "/api/v1/status"), (status) => status.readers[0].state === "empty");
  await stage.until("prices are here", () => stage.read(site.gateway, "/api/v1/status"), (status) => status.uplink.online && status.sales_closed === null);
  await elder.page.reload();
  await elder.at("start");
  await elder.order("account");
  await elder.at("sale-awaiting_card");
  await stage.ask("lay_card");
  await elder.at("sale-paid");
}
