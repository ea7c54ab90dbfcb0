// An elder chooses first and lays the card on last: pays from the purse; takes a sale back; loads the page anew while it waits for
// the card, also in another window as after a power cut; all by keyboard alone.

import { Elder } from "../elder.mjs";

export default async function play({ assert, open, site, stage, SIZES }) {
  const screen = await open({ size: SIZES.kioskPortrait, look: { language: "en" } });
  const elder = new Elder(screen, site, "en");
  await elder.come();
  const purse = await stage.ask("purse");
  const way = [["Choose a service first", "categories"], ["Meals", "services"], ["Lunch", "quantity"], ["more", "quantity"], ["Take it", "basket"], ["Pay", "tender"]];
  for (const [name, then] of way) {
    await screen.enter(name);
    await elder.at(then);
  }
  await screen.enter("Money on the card");
  await elder.at("sale-awaiting_card");
  await elder.look("1-place");
  const left = async () => Number(/(\d+) seconds left/.exec(await screen.text())[1]);
  const first = await left();
  assert.ok(first > 60 && first <= 90, `${first} s`);
  await elder.page.reload();
  await elder.at("sale-awaiting_card");
  assert.ok((await left()) <= first, "the gateway's clock counts on");
  await screen.key("Escape");
  await elder.at("sale-cancelled");
  await elder.look("2-cancelled");
  await screen.enter("To the start");
  await elder.at("start");

  await elder.order("purse", 1);
  await elder.at("sale-awaiting_card");
  // The whole browser went away: another one finds the sale by its reader.
  const other = await open({ size: SIZES.kioskLandscape, look: { language: "en" } });
  const next = new Elder(other, site, "en");
  await next.come();
  await next.at("sale-awaiting_card");
  await next.look("3-place-in-another-window");
  await stage.ask("lay_card");
  await elder.at("sale-paid");
  await next.at("sale-paid");
  assert.equal(await stage.ask("purse"), purse - 2500, "charged once");
  assert.match(await screen.text(), new RegExp(`${((purse - 2500) / 100).toFixed(2)}`), "what is left is told");
  await next.look("4-paid-from-the-purse");
  await stage.ask("take_card");
}
