// A person at the kiosk: finds the way by what the screens say, and waits for the screens that come.

/** What a browser complains of while a service is away, or says no. */
export const AWAY = /ERR_CONNECTION|ERR_INCOMPLETE|ERR_NETWORK|ERR_EMPTY|ERR_SOCKET|net::ERR_FAILED/;
export const SAYS_NO = /status of (4\d\d|503)/;

/** Words by language, as a person looks for them. */
const WORDS = {
  zh: {
    first: "先选服务", meals: "吃饭", lunch: "午餐", dinner: "晚餐", take: "就要这些", pay: "去付款", account: "重阳分", purse: "卡里的钱", more: "多一份", services: "选服务",
    receipt: "小票", back: "返回", done: "完成", home: "回到首页", cancel: "不付了", fromPurse: "改用卡里的钱", help: "叫工作人员", stay: "我还在", another: "再选一样", lookAround: "先看看服务",
  },
  en: {
    first: "Choose a service first", meals: "Meals", lunch: "Lunch", dinner: "Dinner", take: "Take it", pay: "Pay", account: "Chongyang points", purse: "Money on the card", more: "more", services: "Choose services",
    receipt: "Receipt", back: "Back", done: "Done", home: "To the start", cancel: "Do not pay", fromPurse: "Pay with the money on the card", help: "Call staff", stay: "I am here", another: "One more", lookAround: "Look at the services",
  },
};

/** A person before one screen. */
export class Elder {
  constructor(screen, site, language = "zh") {
    Object.assign(this, { screen, site, words: WORDS[language], page: screen.page });
  }

  /** Comes to the kiosk. */
  async come() {
    await this.screen.go(this.site.kiosk);
    await this.page.locator("main h1").first().waitFor();
  }

  /** Waits for a screen by its name. */
  async at(name) {
    await this.page.locator(`main[data-screen="${name}"]`).waitFor();
  }

  /** Which screen it is. */
  where() {
    return this.page.locator("main").getAttribute("data-screen");
  }

  /** Presses what is called so, one of `words`. */
  async tap(word) {
    await this.screen.press(this.words[word]);
  }

  /** From the start or the card to the basket, with one lunch more than `more` in it. */
  async chooseLunch(more = 0) {
    await this.tap((await this.where()) === "card" ? "services" : "first");
    await this.at("categories");
    await this.tap("meals");
    await this.at("services");
    await this.tap("lunch");
    await this.at("quantity");
    for (let time = 0; time < more; time += 1) {
      await this.tap("more");
    }
    await this.tap("take");
    await this.at("basket");
  }

  /** From the start or the card to the sale. */
  async order(tender, more = 0) {
    await this.chooseLunch(more);
    await this.tap("pay");
    await this.at("tender");
    await this.tap(tender);
  }

  /** Orders, lays the card on and has paid. */
  async pay(stage, tender, more = 0) {
    await this.order(tender, more);
    await this.at("sale-awaiting_card");
    await stage.ask("lay_card");
    await this.at("sale-paid");
  }

  /** Takes the card away and goes, from what a sale or its receipt says to the start. */
  async leave(stage) {
    await stage.ask("take_card");
    await this.tap("done");
    await this.at("start");
  }

  /** Draws the screen and lets axe-core look at it. */
  async look(name) {
    await this.screen.draw(name);
    await this.screen.axe(name);
  }

  /** What was seen to be too small for an old hand or eye: words below 24 px, targets below 60 px on either side. */
  async tooSmall() {
    return this.page.evaluate(() => {
      const found = [];
      for (const button of document.querySelectorAll("button")) {
        const { width, height } = button.getBoundingClientRect();
        if (width > 0 && (width < 60 || height < 80)) {
          found.push(`target ${Math.round(width)} × ${Math.round(height)}: ${button.innerText}`);
        }
      }
      for (const words of document.querySelectorAll("main p, main li, main span, main strong, main h1")) {
        const size = parseFloat(getComputedStyle(words).fontSize);
        if (words.innerText && words.offsetParent && size < 25) {
          found.push(`words of ${size} px: ${words.innerText.slice(0, 40)}`);
        }
      }
      return found;
    });
  }
}
