// What a board is not sure of, it does not show as certain: a centre that fails, a list that comes late, a sound that the browser holds
// back, answers out of turn. And a key or a choice is about the alarm that is on the screen.

import { alarmAt, goTo, logIn, reaches } from "../board.mjs";

const BROKEN = { status: 500, json: { error: { code: "internal", message: "the test broke it" } } };

/** A browser that lets nothing sound until `lets` is set and the page asks once more. */
function holdSound() {
  globalThis.AudioContext = class extends AudioContext {
    #held = true;
    get state() {
      return this.#held ? "suspended" : super.state;
    }
    async resume() {
      await super.resume();
      this.#held = !globalThis.lets;
    }
  };
}

/** Holds back the next answer to a request: `asked` when the service has answered, `release` lets it through. */
async function hold(page, url) {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  let route;
  const asked = new Promise((resolve, reject) => {
    const answer = async (one) => {
      const response = await one.fetch();
      resolve();
      await held;
      await one.fulfill({ response });
    };
    route = page.route(url, (one) => answer(one).catch(reject), { times: 1 });
  });
  await route;
  return { asked, release };
}

async function failing({ assert, screen, stage }) {
  const anyAlarm = /\/api\/v1\/alarms/;
  await screen.page.route(anyAlarm, (route) => route.fulfill(BROKEN));
  const { alarm } = await stage.ask("press", { device: "btn-0001", kind: "sos" });
  await screen.sees("与中心的连接已中断");
  assert.ok(!(await screen.text()).includes("没有未结束的报警"), "a centre that fails is not calm");
  await screen.page.unroute(anyAlarm);
  await screen.sees("王秀英");
  await screen.misses("与中心的连接已中断");
  return alarm;
}

async function lateList({ assert, screen, stage }) {
  const list = await hold(screen.page, "**/api/v1/alarms?open=1");
  await screen.page.reload();
  await list.asked;
  const { alarm } = await stage.ask("press", { device: "btn-0002", kind: "sos" });
  await screen.sees("李建国");
  list.release();
  const shown = await screen.page.waitForFunction(() => {
    const count = document.querySelector(".list h1 .figures")?.innerText;
    return count ? `${count}: ${document.querySelectorAll(".alarms .alarm").length}` : null;
  });
  assert.equal(await shown.jsonValue(), "2: 2", "a list from before an alarm does not wipe it out");
  return alarm;
}

async function choice({ assert, screen, site, stage }, first, second) {
  const { token } = site.operators[0];
  await stage.request("POST", site.centre, `/api/v1/alarms/${second}/acknowledge`, { token, body: {} });
  await screen.page.locator(`[data-key="take ${second}"]`).waitFor({ state: "detached" });
  await screen.page.locator(`[data-key="take ${first}"]`).click();
  await screen.page.locator('[data-key="typed"]').fill("护士甲");
  await screen.key("Escape", 2);
  await screen.page.locator(".shown.empty").waitFor();
  await screen.page.locator(`[data-key="open ${second}"]`).focus();
  await screen.key("d");
  await reaches(stage, site, second, "dispatched");
  assert.equal((await alarmAt(stage, site, second)).responder, "值班人员", "who was chosen for one alarm is not sent to another");
}

async function notOnScreen({ assert, screen, site, stage }, alarm) {
  const path = `**/api/v1/alarms/${alarm}`;
  await screen.page.route(path, (route) => route.fulfill(BROKEN));
  await screen.page.locator(`[data-key="open ${alarm}"]`).click();
  await screen.sees("the test broke it");
  await screen.draw("alarm-not-loaded");
  await screen.key("d");
  await screen.page.unroute(path);
  await screen.press("再试一次");
  await screen.sees("谁去？");
  assert.equal((await alarmAt(stage, site, alarm)).state, "acknowledged", "a key does nothing to an alarm that is not on the screen");
  await screen.key("d");
  await reaches(stage, site, alarm, "dispatched");
}

async function outOfTurn({ assert, screen }) {
  await goTo(screen, "money");
  await screen.page.locator('[name="person"]').fill("person-000");
  await screen.key("Enter");
  await screen.page.locator('[data-key="person person-0002"]').waitFor();
  const late = await hold(screen.page, "**/api/v1/accounts/person-0001**");
  await screen.page.locator('[data-key="person person-0001"]').click();
  await late.asked;
  await screen.page.locator('[data-key="person person-0002"]').click();
  const shown = screen.page.locator("section.card h2").first();
  await shown.filter({ hasText: "person-0002" }).waitFor();
  const came = screen.page.waitForResponse(/person-0001/);
  late.release();
  await (await came).finished();
  await screen.page.evaluate(() => new Promise((drawn) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(drawn)))));
  assert.match(await shown.innerText(), /person-0002/, "an answer that nobody waits for any more is not shown");
}

export default async function play({ assert, open, site, stage }) {
  const screen = await open();
  screen.expect(/500/);
  await screen.page.addInitScript(holdSound);
  await logIn(screen, site, site.operators[0]);
  await screen.sees("没有未结束的报警");
  await screen.sees("浏览器没有放出声音");
  await screen.page.evaluate(() => (globalThis.lets = true));
  await screen.key("Shift");
  await screen.sees("声音已开");
  const stageOf = { assert, screen, site, stage };
  const first = await failing(stageOf);
  const second = await lateList(stageOf);
  await choice(stageOf, first, second);
  await notOnScreen(stageOf, first);
  await outOfTurn(stageOf);
}
