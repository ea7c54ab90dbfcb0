// Each page in each language: its heading, nothing from elsewhere, nothing that the console complains of.

export default async function play({ assert, open, site }) {
  for (const language of ["zh", "en"]) {
    const screen = await open({ look: { language } });
    const foreign = [];
    const own = [new URL(site.kiosk).host, new URL(site.board).host];
    screen.page.on("request", (request) => {
      const url = new URL(request.url());
      if (!own.includes(url.host) && url.protocol !== "data:") {
        foreign.push(request.url());
      }
    });
    for (const [name, url] of [["kiosk", site.kiosk], ["staff", `${site.kiosk}staff`], ["board", site.board]]) {
      await screen.go(url);
      await screen.page.locator("h1").first().waitFor();
      const lang = await screen.page.evaluate(() => document.documentElement.lang);
      assert.equal(lang, language === "zh" ? "zh-CN" : "en", `${name} is in the language that was chosen`);
      await screen.draw(`${name}-${language}`);
    }
    assert.deepEqual(foreign, [], "no page asks elsewhere");
  }
}
