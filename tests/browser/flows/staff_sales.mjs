// A sale of which nobody knows whether it was paid: staff see what settles it, and that it is settled when the card is laid on again. And the other views.

import { go, logIn } from "./staff_hands.mjs";

/** DEBIT FOR PURCHASE. */
const DEBIT = 0x54;

async function sell(kiosk, site) {
  return kiosk.page.evaluate(async (reader) => {
    const body = JSON.stringify({ reader, items: [{ service: "meal-lunch", quantity: 1 }], tender: "purse" });
    const headers = { "Content-Type": "application/json", "Idempotency-Key": "flow-staff-sales" };
    const answer = await fetch("/api/v1/sales", { method: "POST", headers, body });
    return answer.json();
  }, site.reader);
}

export default async function play({ assert, open, site, SIZES, stage }) {
  const kiosk = await open({ size: SIZES.kioskLandscape });
  await kiosk.go(site.kiosk);
  const staff = await open({ size: SIZES.kioskLandscape });
  await logIn(staff, site);
  const sale = await sell(kiosk, site);
  assert.equal(sale.state, "awaiting_card", JSON.stringify(sale));
  await stage.ask("tear_card", { ins: DEBIT, after: true });
  await stage.ask("lay_card");
  await staff.sees("待确认的付款");
  await go(staff, "付款");
  const doubtful = staff.page.locator(`[data-sale="${sale.id}"]`);
  await doubtful.getByText("请老人把同一张卡再放到读卡器上").waitFor();
  await staff.axe("payments");
  await staff.draw("1-unknown");
  await stage.ask("take_card");
  await stage.ask("lay_card");
  await doubtful.waitFor({ state: "detached" });
  await staff.sees("已付款");
  await staff.draw("2-settled");
  for (const [name, view] of [["24 小时", "figures"], ["被拒绝", "refusals"], ["隔离区", "quarantine"], ["设备", "devices"]]) {
    await go(staff, name);
    await staff.page.locator("main section").first().waitFor();
    await staff.axe(view);
    await staff.draw(`3-${view}`);
  }
}
