// A page as a person uses it. Finds things by what is to be seen or heard, draws itself, and keeps what the console complains of.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Findings of axe-core that may not be. */
const SERIOUS = ["serious", "critical"];
/** How long anything on a page may take; a loaded machine is slow. */
export const WAIT_MS = 60_000;

/** Sizes of the screens that there are. */
export const SIZES = {
  kioskPortrait: { width: 1080, height: 1920 },
  kioskLandscape: { width: 1280, height: 800 },
  desk: { width: 1600, height: 1000 },
  phone: { width: 390, height: 844 },
};

/** How the browser is started: no window, nothing that asks elsewhere. */
export const BROWSER = {
  executablePath: ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => readable(path)) ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic", "--hide-scrollbars",
  ],
};

function readable(path) {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}

/** A page with its context. */
export class Screen {
  #folder;
  #errors = [];
  #expected = [];

  /**
   * Opens a page. `size` is one of SIZES; `look` are choices kept by the browser (`language`, `theme`, `contrast`, `size`);
   * `touch` whether fingers are used.
   */
  static async open(browser, folder, { size = SIZES.desk, look = {}, touch = false } = {}) {
    const context = await browser.newContext({ viewport: size, hasTouch: touch, locale: look.language === "en" ? "en-GB" : "zh-CN", reducedMotion: "reduce" });
    context.setDefaultTimeout(WAIT_MS);
    await context.addInitScript((choices) => {
      for (const [name, value] of Object.entries(choices)) {
        // Only where nothing was chosen by hand since.
        if (localStorage.getItem(name) === null) {
          localStorage.setItem(name, value);
        }
      }
    }, look);
    return new Screen(context, await context.newPage(), folder, touch);
  }

  constructor(context, page, folder, touch) {
    Object.assign(this, { context, page, touch });
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    page.on("console", (message) => message.type() === "error" && this.#errors.push(`${message.text()} (${message.location().url})`));
    page.on("pageerror", (error) => this.#errors.push(String(error.stack ?? error)));
  }

  /** Goes to an address. */
  async go(url) {
    await this.page.goto(url, { waitUntil: "load" });
  }

  /** Waits until a person sees this text; as a whole or in parts of lines. */
  async sees(text) {
    await this.page.getByText(text).filter({ visible: true }).first().waitFor();
  }

  /** Waits until this text is not to be seen any more. */
  async misses(text) {
    await this.page.waitForFunction((gone) => !document.body.innerText.includes(gone), text);
  }

  /** All text that is to be seen. */
  text() {
    return this.page.evaluate(() => document.body.innerText);
  }

  /** Presses the button of this name, with a finger where there are fingers. */
  async press(name, { exact = false, nth = 0 } = {}) {
    const button = this.page.getByRole("button", { name, exact, disabled: false }).filter({ visible: true }).nth(nth);
    await (this.touch ? button.tap() : button.click());
  }

  /** Presses a key. */
  async key(name, times = 1) {
    for (let time = 0; time < times; time += 1) {
      await this.page.keyboard.press(name);
    }
  }

  /** Goes with Tab to the element of this name, as a person without a mouse does, and presses Enter on it. */
  async enter(name, key = "Enter") {
    for (let step = 0; step < 200; step += 1) {
      const focused = await this.page.evaluate(() => {
        const on = document.activeElement;
        return on === document.body ? "" : (on?.getAttribute("aria-label") ?? on?.innerText ?? "");
      });
      if (typeof name === "string" ? focused.includes(name) : name.test(focused)) {
        await this.page.keyboard.press(key);
        return;
      }
      await this.page.keyboard.press("Tab");
    }
    throw new Error(`no way by Tab to ${name}`);
  }

  /** Draws the screen, or with `whole` all of the page, into the folder of this flow. */
  async draw(name, { whole = false } = {}) {
    await this.page.screenshot({ path: join(this.#folder, `${name}.png`), fullPage: whole, animations: "disabled" });
  }

  /** Lets axe-core look at the page: throws what is serious or critical. */
  async axe(what) {
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    const grave = violations.filter(({ impact }) => SERIOUS.includes(impact));
    if (grave.length > 0) {
      const lines = grave.map(({ id, help, nodes }) => `${id}: ${help}\n    ${nodes.slice(0, 5).map(({ html }) => html.slice(0, 200)).join("\n    ")}`);
      throw new Error(`axe-core at ${what}:\n  ${lines.join("\n  ")}`);
    }
  }

  /** Complaints of the console that are to be expected, such as of a service that was stopped. */
  expect(pattern) {
    this.#expected.push(pattern);
  }

  /** Throws what the console complained of and nobody expected; closes the page. */
  async close() {
    const unexpected = this.#errors.filter((error) => !this.#expected.some((pattern) => pattern.test(error)));
    await this.context.close();
    if (unexpected.length > 0) {
      throw new Error(`the console complained:\n  ${unexpected.join("\n  ")}`);
    }
  }
}
