// 300 open alarms and 2,000 devices, with names of every kind: all of it is there in time, nothing of a name is more than text, nothing typed is lost.

import { alarmCard, go, logIn, pressIn } from "./staff_hands.mjs";

const ALARMS = 300;
/** Goals of the issue for a quiet machine are 1 s and 100 ms; this only finds what has become slow altogether. */
const SLOW_MS = 15_000;

export default async function play({ assert, open, site, SIZES, stage }) {
  await stage.ask("press_many", { devices: "load-", count: ALARMS, kind: "sos" });
  const screen = await open({ size: SIZES.kioskLandscape });
  const { page } = screen;
  await logIn(screen, site);
  await page.waitForFunction((count) => document.querySelectorAll("[data-alarm]").length >= count, ALARMS);
  await page.reload();
  await page.locator("[data-alarm]").first().waitFor();
  const painted = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0);
  await stage.ask("figure", { name: "staff page: first paint", ms: painted });
  await screen.draw("1-alarms");
  await screen.axe("300 alarms");

  await page.evaluate(() => {
    window.seen = new Promise((resolve) => {
      const known = new Set([...document.querySelectorAll("[data-alarm]")].map((one) => one.dataset.alarm));
      const watcher = new MutationObserver(() => {
        if ([...document.querySelectorAll("[data-alarm]")].some((one) => !known.has(one.dataset.alarm))) {
          resolve(performance.now());
        }
      });
      watcher.observe(document.body, { subtree: true, childList: true });
    });
    window.told = new Promise((resolve) => {
      new EventSource("/api/v1/events").addEventListener("alarm.changed", () => resolve(performance.now()));
    });
  });
  const odd = await stage.ask("press", { device: "odd-1", kind: "sos" });
  const update = await page.evaluate(async () => (await window.seen) - (await window.told));
  await stage.ask("figure", { name: "staff page: live update of one of 300 alarms", ms: update });
  assert.ok(painted < SLOW_MS && update < SLOW_MS, `${painted} ms, ${update} ms`);
  await alarmCard(screen, odd.alarm).getByText("<b>粗体</b><script>window.broken = 1</script>").first().waitFor();
  for (const device of ["odd-2", "odd-3", "odd-4"]) {
    const { alarm } = await stage.ask("press", { device, kind: "pull_cord" });
    await alarmCard(screen, alarm).waitFor();
  }
  assert.equal(await page.evaluate(() => window.broken), undefined, "a name is text");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${wide} px too wide`);
  await pressIn(screen, alarmCard(screen, odd.alarm), "我来确认");
  await alarmCard(screen, odd.alarm).getByText("已确认").first().waitFor();
  await alarmCard(screen, odd.alarm).scrollIntoViewIfNeeded();
  await screen.draw("2-odd-names");

  await go(screen, "设备");
  await page.locator("[data-device]").first().waitFor();
  assert.ok((await page.locator("[data-device]").count()) < 200, "what nobody looks at is not drawn");
  await page.fill('input[type="search"]', "many-1999");
  await page.locator('[data-device="many-1999"]').waitFor();
  await stage.ask("press", { device: "btn-0001", kind: "test" });
  const focused = await page.evaluate(() => document.activeElement?.type);
  assert.equal(focused, "search", "the focus stays");
  await screen.draw("3-devices");
  await screen.axe("2,000 devices");
}
