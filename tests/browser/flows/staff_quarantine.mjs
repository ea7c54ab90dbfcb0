// An entry that the centre refuses: shown with its reason, sent again, refused again, sent again, taken. The line is arranged by whoever plays this flow.

import { go, logIn, pressIn } from "./staff_hands.mjs";

export default async function play({ open, site, SIZES, stage }) {
  const screen = await open({ size: SIZES.kioskLandscape, touch: true });
  const { page } = screen;
  await logIn(screen, site);
  await stage.ask("press", { device: "btn-0001", kind: "mains_restored" });
  await screen.sees("隔离区记录");
  await screen.draw("1-state");
  await go(screen, "隔离区");
  const entry = page.locator("[data-entry]");
  await entry.getByText("内容与类型不符").waitFor();
  await screen.axe("quarantine");
  await screen.draw("2-quarantine");
  await pressIn(screen, entry, "再次发送");
  await entry.getByText("再次发送后又被拒绝").waitFor();
  await screen.draw("3-refused-again");
  await pressIn(screen, entry, "再次发送");
  await screen.sees("隔离区为空");
  await screen.sees("已离开隔离区");
  await screen.draw("4-sent");
}
