// Runs one flow: `node run.mjs FLOW`, with the site at the other end of standard input and output. Ends with 0 when all of it was seen.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { BROWSER, SIZES, Screen } from "./screen.mjs";
import { Stage } from "./stage.mjs";

const flow = process.argv[2];
const folder = join(process.env.SCREENS ?? "screens", flow);
mkdirSync(folder, { recursive: true });
const { default: play } = await import(`./flows/${flow}.mjs`);
const stage = new Stage();
const browser = await chromium.launch(BROWSER);
const screens = [];
const open = async (settings) => {
  const screen = await Screen.open(browser, folder, settings);
  screens.push(screen);
  return screen;
};
let failed = null;
try {
  const site = await stage.ask("tell");
  await play({ assert, browser, open, site, SIZES, stage });
  for (const screen of screens) {
    await screen.close();
  }
} catch (error) {
  failed = error;
  for (const [index, screen] of screens.entries()) {
    await screen.draw(`failed-${index}`).catch(() => null);
    console.error(`--- screen ${index} shows:\n${await screen.text().catch(() => "nothing")}`);
  }
}
await browser.close();
if (failed) {
  console.error(failed.stack ?? failed);
  process.exit(1);
}
process.exit(0);
