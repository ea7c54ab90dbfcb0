// What an elder pays at the kiosk, from the purse and with points, stands at the board with what proves it.

import { goTo, logIn } from "../board.mjs";
import { Elder } from "../elder.mjs";

async function pays(elder, stage, tender) {
  await elder.pay(stage, tender);
  await elder.tap("receipt");
  await elder.at("receipt");
  const receipt = await elder.screen.text();
  await elder.leave(stage);
  return receipt;
}

export default async function play({ assert, open, site, stage, SIZES }) {
  const kiosk = await open({ size: SIZES.kioskLandscape, touch: true });
  const elder = new Elder(kiosk, site);
  await elder.come();
  const board = await open({});
  await logIn(board, site, site.operators[0]);
  await goTo(board, "money");
  await board.sees("没有交易");
  // The board is open while it is paid: what comes is shown without a reload.
  const receipts = { purse: await pays(elder, stage, "purse"), account: await pays(elder, stage, "account") };
  await board.page.waitForFunction(() => document.querySelectorAll("main tbody tr").length === 2);
  await board.draw("1-sales");
  await board.axe("sales");
  const { sales } = await stage.until(
    "the issuer has checked the card's proof",
    () => stage.read(site.centre, "/api/v1/sales", site.operators[0].token),
    (answer) => answer.sales.some((sale) => sale.tender === "purse" && sale.verdict === "valid"),
  );
  for (const tender of ["purse", "account"]) {
    const sale = sales.find((one) => one.tender === tender);
    await board.page.locator(`[data-key="sale ${sale.origin}"]`).click();
    const proofs = board.page.locator("#proofs");
    await proofs.filter({ hasText: sale.origin }).waitFor();
    await board.draw(`2-proofs-of-${tender}`, { whole: true });
    await board.axe(`proofs of ${tender}`);
    const words = await proofs.innerText();
    assert.match(words, /12\.50/);
    assert.match(words, /[0-9a-f]{64}/, "the entries' hashes");
    assert.equal((words.match(/已验证/g) ?? []).length >= 2, true, "each entry's place in its chain was checked");
    assert.equal(/TAC/.test(words), tender === "purse", "what the card signed");
    await board.page.locator('[data-key="sale close"]').click();
  }
  assert.match(receipts.account, /12\.50/);
  assert.match(receipts.purse, /12\.50/);
}
