// The log-in: wrong, right, out again, and locked; in both languages.

import { logIn } from "../board.mjs";

const TRIES_FREE = 5;

export default async function play({ assert, open, site }) {
  const [operator, other] = site.operators;
  for (const language of ["zh", "en"]) {
    const screen = await open({ look: { language } });
    screen.expect(/401|429/);
    await screen.go(site.board);
    await screen.page.locator("#who").fill(operator.id);
    await screen.page.locator("#password").fill("not the password");
    await screen.key("Enter");
    await screen.sees(language === "zh" ? "姓名或密码不正确" : "The name or the password is wrong");
    await screen.axe("the log-in");
    await screen.draw(`login-wrong-${language}`);
    await logIn(screen, site, operator);
    assert.ok(!(await screen.page.evaluate(() => location.href + document.cookie + JSON.stringify({ ...localStorage }))).includes(operator.password));
    await screen.page.reload();
    await screen.page.locator("main.alarms").waitFor();
    await screen.press(language === "zh" ? "退出" : "Log out");
    await screen.page.locator("#who").waitFor();
    assert.equal(await screen.page.evaluate(() => sessionStorage.length), 0, "nothing of the session stays");
  }
  const screen = await open();
  screen.expect(/401|429/);
  await screen.go(site.board);
  await screen.page.locator("#who").fill(other.id);
  for (let wrong = 0; wrong < TRIES_FREE; wrong += 1) {
    await screen.page.locator("#password").fill(`wrong ${wrong}`);
    const answered = screen.page.waitForResponse((answer) => answer.url().endsWith("/api/v1/session"));
    await screen.key("Enter");
    assert.equal((await answered).status(), 401);
    await screen.page.locator("form button.primary:not(:disabled)").waitFor();
  }
  await screen.page.locator("#password").fill(other.password);
  await screen.key("Enter");
  await screen.sees(/请在 \d+ 秒后再试/);
  await screen.draw("login-locked");
}
