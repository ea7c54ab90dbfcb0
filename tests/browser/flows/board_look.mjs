// What there is to look up: history and search, figures, the map, accounts and sales with their proofs, gateways, devices; in each look.

import { goTo, logIn, reaches } from "../board.mjs";

const LOOKS = [
  { language: "zh", theme: "light" },
  { language: "en", theme: "dark" },
  { language: "zh", theme: "light", contrast: "high", size: "large" },
];

export default async function play({ assert, open, site, stage }) {
  const operator = site.operators[0];
  for (const [device, cause] of [["btn-0001", "fall"], ["cord-0001", "accidental"]]) {
    const { alarm } = await stage.ask("press", { device, kind: "sos" });
    const body = { cause };
    await reaches(stage, site, alarm, "accepted");
    await stage.request("POST", site.centre, `/api/v1/alarms/${alarm}/resolve`, { token: operator.token, body });
  }
  await stage.ask("press", { device: "pend-0001", kind: "fall" });
  for (const look of LOOKS) {
    const name = `${look.language}-${look.theme}${look.contrast ? "-high" : ""}`;
    const zh = look.language === "zh";
    const screen = await open({ look });
    await logIn(screen, site, operator);
    await screen.sees("周阿福");
    await screen.page.locator(".alarm .open").click();
    await screen.page.locator(".next button").first().waitFor();
    await screen.axe(`the alarm, ${name}`);
    await screen.draw(`alarm-${name}`);
    for (const tab of ["history", "figures", "map", "money", "gateways", "devices", "conflicts"]) {
      await goTo(screen, tab);
      await screen.page.waitForFunction(() => !document.querySelector("main").innerText.match(/正在读取|Loading/));
      if (tab === "history") {
        await screen.page.locator("tbody tr").first().waitFor();
        await screen.page.locator('[name="q"]').fill("王秀英");
        await screen.key("Enter");
        await screen.page.waitForFunction(() => document.querySelectorAll("tbody tr").length > 0 && [...document.querySelectorAll("tbody tr")].every((row) => row.innerText.includes("王秀英")));
      }
      if (tab === "money") {
        await screen.page.locator('[name="person"]').fill("person-0001");
        await screen.key("Enter");
        await screen.page.locator('[data-key="person person-0001"]').click();
        await screen.sees(zh ? "500.00 重阳分" : "500.00");
      }
      if (tab === "map") {
        assert.equal(await screen.page.locator("circle.home").count() >= 4, true, "every home has a mark");
        await screen.draw(`map-all-${name}`);
        await screen.press(zh ? "放大" : "Nearer");
      }
      await screen.axe(`${tab}, ${name}`);
      await screen.draw(`${tab}-${name}`);
    }
  }
}
