// Names with markup, very long ones, from right to left and with emoji are text, and break nothing.

import { goTo, logIn, put } from "../board.mjs";

const ODD = {
  "person-0001": { name: "<img src=x onerror=alert(1)><b>王</b>", address: "\"><script>alert(2)</script>" },
  "person-0002": { name: "很长的名字".repeat(60), address: "x".repeat(400) },
  "person-0003": { name: "عبد الرحمن بن محمد", address: "شارع النيل ٤٢ \u202Eabc" },
  "person-0004": { name: "👵🏽 陈奶奶 👩‍👩‍👧‍👦", address: "🏠 12 号" },
};

export default async function play({ assert, open, site, stage }) {
  for (const [reference, { name, address }] of Object.entries(ODD)) {
    const contacts = [{ name, phone: "javascript:alert(3)" }, "just a text", { name: null, phone: 5 }, null];
    await put(stage, site, `/api/v1/people/${reference}`, { name, address, contacts, conditions: [name, { a: [1] }, null] });
  }
  for (const device of ["btn-0001", "btn-0002", "cord-0001", "pend-0001"]) {
    await stage.ask("press", { device, kind: "sos" });
  }
  const screen = await open();
  let dialogs = 0;
  screen.page.on("dialog", (dialog) => {
    dialogs += 1;
    dialog.dismiss();
  });
  await logIn(screen, site, site.operators[0]);
  await screen.sees("<img src=x onerror=alert(1)>");
  for (let at = 0; at < 4; at += 1) {
    await screen.page.locator(".alarm .open").nth(at).click();
    await screen.page.locator(".about h2").first().waitFor();
    const wide = await screen.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.ok(!wide, "nothing is wider than the screen");
    await screen.draw(`names-${at}`);
  }
  await goTo(screen, "history");
  await screen.page.locator("tbody tr").first().waitFor();
  await goTo(screen, "map");
  await screen.page.locator("circle.home").first().waitFor();
  await screen.draw("names-map");
  assert.equal(await screen.page.locator("#board img, #board script, #board a[href^='javascript']").count(), 0, "no text became markup");
  assert.equal(dialogs, 0);
}
