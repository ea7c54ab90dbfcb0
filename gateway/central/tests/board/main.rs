//! The operator board in a real browser, against a centre on a real database file.

mod chromium;
#[allow(dead_code, reason = "the board needs only a part of what the other tests need")]
#[path = "../http/support.rs"]
mod support;

use serde_json::{Value, json};

use chromium::Page;
use support::{Centre, Journal, alarm_body, device_origin, hold_request};

async fn fill(page: &mut Page, centre: &Centre, password: &str) {
    page.go(&centre.url).await;
    page.sees("密码").await;
    for (field, text) in [("who", centre.district.operators[0].id.as_str()), ("password", password)] {
        page.value(&format!("document.getElementById('{field}').value = {}", json!(text))).await;
    }
    page.press("登录").await;
}

async fn log_in(page: &mut Page, centre: &Centre) {
    fill(page, centre, &centre.district.operators[0].password).await;
    page.sees("未结束的报警").await;
}

async fn to_tab(page: &mut Page, tab: &str) {
    page.value(&format!("document.querySelector('nav a[href=\"#{tab}\"]').click()")).await;
    page.waits(&format!("document.querySelector('main.{tab} h1') !== null"), tab).await;
}

async fn alarm_state(centre: &Centre) -> Value {
    let (status, body) = centre.get("/api/v1/alarms").await;
    assert_eq!(status, 200);
    body["alarms"][0]["state"].clone()
}

#[tokio::test]
async fn an_operator_sees_an_alarm_and_takes_it_to_its_end_in_four_presses() {
    let Some(mut page) = Page::open(1400, 900, "zh-CN").await else { return };
    let centre = Centre::start().await;
    log_in(&mut page, &centre).await;
    page.sees("没有未结束的报警").await;
    let mut journal = Journal::new("j1");
    let n = journal.press("btn-0001", 42);
    centre.upload(&journal, n..=n).await;
    page.sees("求助按钮").await;
    page.sees("卧室").await;
    page.draw("board-1-alarm").await;
    // Each is there once the one before has reached the centre.
    let presses = [
        ("take btn-0001.1.42", "accepted"),
        ("eta 10", "acknowledged"),
        ("step on_site", "dispatched"),
        ("cause fall", "on_site"),
    ];
    for (press, state) in presses {
        let button = format!("document.querySelector('[data-key=\"{press}\"]')");
        page.waits(&format!("{button} !== null && !{button}.disabled"), press).await;
        assert_eq!(alarm_state(&centre).await, state);
        page.value(&format!("{button}.click()")).await;
    }
    page.sees("已结束：跌倒").await;
    assert_eq!(alarm_state(&centre).await, "resolved");
    page.sees("op-demo").await;
    page.draw("board-2-resolved").await;
    page.press("Esc").await;
    page.sees("没有未结束的报警").await;
}

#[tokio::test]
async fn a_wrong_password_shows_nothing_and_is_asked_for_anew() {
    let Some(mut page) = Page::open(1400, 900, "zh-CN").await else { return };
    let centre = Centre::start().await;
    let mut journal = Journal::new("j1");
    let n = journal.press("btn-0001", 42);
    centre.upload(&journal, n..=n).await;
    fill(&mut page, &centre, "not the password").await;
    page.sees("姓名或密码不正确").await;
    assert!(!page.text().await.contains("卧室"), "nothing is told to a wrong password");
    assert_eq!(page.value("sessionStorage.length").await, 0);
    assert_ne!(alarm_state(&centre).await, "acknowledged");
}

#[tokio::test]
async fn the_session_stays_in_the_tab_and_in_no_address_or_cookie() {
    let Some(mut page) = Page::open(1400, 900, "zh-CN").await else { return };
    let centre = Centre::start().await;
    log_in(&mut page, &centre).await;
    page.sees("没有未结束的报警").await;
    let kept = page.value("sessionStorage.getItem('operator-session')").await;
    let seen = page
        .value("location.href + document.cookie + JSON.stringify({...localStorage}) + document.body.innerHTML")
        .await;
    let seen = seen.as_str().unwrap_or("");
    for secret in [kept.as_str().expect("a token"), &centre.district.operators[0].password] {
        assert!(!seen.contains(secret));
    }
    page.press("退出").await;
    page.sees("密码").await;
    assert_eq!(page.value("sessionStorage.length").await, 0);
}

#[tokio::test]
async fn an_operator_sees_who_needs_help_and_whom_to_call() {
    let Some(mut page) = Page::open(1400, 900, "zh-CN").await else { return };
    let centre = Centre::start().await;
    log_in(&mut page, &centre).await;
    let mut journal = Journal::new("j1");
    let n = journal.press("btn-0001", 42);
    centre.upload(&journal, n..=n).await;
    page.sees("王秀英").await;
    page.value("document.querySelector('.alarm .open').click()").await;
    for text in ["示范街道 1 号 1 单元 101", "示范联系人", "000-0000-0000"] {
        page.sees(text).await;
    }
    page.press("Esc").await;
    page.draw("board-3-person").await;
    let resolve = json!({"cause": "test"});
    let path = "/api/v1/alarms/btn-0001.1.42/resolve";
    assert_eq!(centre.post(path, centre.operator(1), &resolve).await.0, 200);
    page.sees("没有未结束的报警").await;
    assert!(!page.text().await.contains("王秀英"), "no person stays on the page after their alarm");
}

#[tokio::test]
async fn an_operator_sees_how_often_a_button_was_pressed_and_that_it_was_taken_back_without_opening_it() {
    let Some(mut page) = Page::open(1400, 900, "zh-CN").await else { return };
    let centre = Centre::start().await;
    let mut journal = Journal::new("j1");
    journal.press("btn-0001", 1);
    let alarm = device_origin("btn-0001", 1, 1);
    let mut counted = alarm_body("btn-0001", "sos");
    counted["folded"] = json!(7);
    let own = journal.own();
    journal.push(&own, "alarm.repeated", &alarm, &counted);
    centre.upload(&journal, 1..=2).await;
    log_in(&mut page, &centre).await;
    page.sees("按了 8 次").await;
    assert!(!page.text().await.contains("老人说取消"));
    let cancel = alarm_body("btn-0001", "cancel");
    let n = journal.push(&device_origin("btn-0001", 1, 9), "alarm.cancelled", &alarm, &cancel);
    centre.upload(&journal, n..=n).await;
    page.sees("老人说取消，仍需核实").await;
    page.draw("board-7-presses").await;
    page.press("English").await;
    page.sees("pressed 8 times").await;
    page.sees("taken back by the elder; still to be checked").await;
    assert_eq!(alarm_state(&centre).await, "accepted");
}

/// Names that are more than a name: markup, a text that turns the direction, one that never ends.
#[tokio::test]
async fn whatever_a_name_or_a_place_is_it_is_shown_as_text_and_breaks_no_line_beside_it() {
    let Some(mut page) = Page::open(1400, 900, "zh-CN").await else { return };
    let centre = Centre::start().await;
    let markup = "<img src=x onerror=\"window.entered=1\"><script>window.entered=1</script>&amp;王";
    let turned = "\u{202e}\u{5d0}\u{5d1}\u{5d2}";
    let (name, address) = (format!("{turned}{markup}"), format!("示范街道 {}", "长".repeat(2_000)));
    let put = async |path: &str, body: &Value| {
        let request = centre.http.put(format!("{}{path}", centre.url)).bearer_auth(centre.operator(0));
        assert_eq!(support::answer(request.body(body.to_string())).await.0, 204, "{path}");
    };
    let person = json!({"name": name, "address": format!("{address}{}", "w".repeat(3_000)),
        "contacts": [{"name": markup, "phone": turned}], "conditions": [markup]});
    put("/api/v1/people/person-0001", &person).await;
    let device = json!({"kind": markup, "place": markup, "person": "person-0001", "gateway": "gw-demo",
        "silent_after_s": 180, "heartbeat_s": 60});
    put("/api/v1/devices/btn-0001", &device).await;
    let mut journal = Journal::new("j1");
    let mut body = alarm_body("btn-0001", markup);
    body["detail"] = json!(markup);
    let n = journal.push(&device_origin("btn-0001", 1, 42), "alarm.raised", &Value::Null, &body);
    centre.upload(&journal, n..=n).await;
    log_in(&mut page, &centre).await;
    page.sees(markup).await;
    page.value("document.querySelector('.alarm .open').click()").await;
    page.sees(&address).await;
    for tab in ["alarms", "devices"] {
        if tab == "devices" {
            to_tab(&mut page, tab).await;
        }
        page.sees(markup).await;
        let inert = "window.entered === undefined && !document.querySelector('main img, main script')";
        assert_eq!(page.value(inert).await, true, "{tab}");
        let wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(page.value(wide).await, 0, "{tab}: the page is as wide as its window");
    }
    to_tab(&mut page, "alarms").await;
    let alone = "getComputedStyle(document.querySelector('.subject h1 bdi')).unicodeBidi";
    assert_eq!(page.value(alone).await, "isolate", "a turned name leaves the address as it is");
}

#[tokio::test]
async fn an_operator_sees_sales_and_approves_a_new_journal_after_being_asked_twice() {
    let Some(mut page) = Page::open(1400, 900, "zh-CN").await else { return };
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let origin = journal.own();
    centre.hold(&hold_request(&origin, 1250)).await;
    let body = json!({"sale": "s1", "outcome": "paid", "reason": null, "purse": null});
    let n = journal.push(&origin, "sale.outcome", &origin, &body);
    centre.upload(&journal, n..=n).await;
    let mut second = Journal::new("j0000000000000002");
    let n = second.press("btn-0002", 1);
    centre.upload(&second, n..=n).await;
    log_in(&mut page, &centre).await;
    to_tab(&mut page, "money").await;
    page.sees("gw-demo").await;
    page.value("document.querySelector('[data-key^=\"sale \"]').click()").await;
    for proof in ["日志条目", "冻结", &hex::encode(journal.hash(n))] {
        page.sees(proof).await;
    }
    page.draw("board-4-sales").await;
    to_tab(&mut page, "gateways").await;
    page.sees("已停止收款：新日志待批准").await;
    page.draw("board-5-gateways").await;
    page.press("批准新日志").await;
    let closed = centre.get("/api/v1/gateways").await.1["gateways"][0]["sales"].clone();
    assert_eq!(closed, "closed", "the first press only asks");
    page.press("确认批准并开放收款").await;
    page.sees("开放").await;
    page.waits("!document.body.innerText.includes('已停止收款')", "open sales").await;
    assert_eq!(centre.get("/api/v1/gateways").await.1["gateways"][0]["sales"], "open");
}

#[tokio::test]
async fn a_click_is_not_lost_to_news_that_come_with_it() {
    let Some(mut page) = Page::open(1400, 900, "zh-CN").await else { return };
    let centre = Centre::start().await;
    let mut journal = Journal::new("j1");
    journal.press("btn-0001", 42);
    centre.upload(&journal, 1..=1).await;
    log_in(&mut page, &centre).await;
    page.sees("王秀英").await;
    page.value("document.querySelector('.open').click()").await;
    page.waits("location.hash.startsWith('#alarms/')", "the alarm in the address").await;
    let key = "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))";
    page.value(&format!("document.querySelector('nav a[href=\"#devices\"]').click(); {key}")).await;
    page.waits("document.querySelector('main.devices h1') !== null", "devices").await;
    page.value("history.back()").await;
    page.waits("document.querySelector('main.alarms h1') !== null", "alarms").await;
}

#[tokio::test]
async fn an_operator_sees_devices_and_what_was_not_taken() {
    let Some(mut page) = Page::open(1400, 900, "zh-CN").await else { return };
    let centre = Centre::start().await;
    let mut journal = Journal::new("j1");
    journal.press("btn-0001", 42);
    let other = alarm_body("btn-0001", "fall");
    journal.push(&device_origin("btn-0001", 1, 42), "alarm.raised", &Value::Null, &other);
    centre.upload(&journal, 1..=2).await;
    log_in(&mut page, &centre).await;
    to_tab(&mut page, "devices").await;
    page.sees("cord-0001").await;
    to_tab(&mut page, "conflicts").await;
    page.sees("内容冲突").await;
    page.sees("同一编号，内容不同").await;
    page.draw("board-6-conflicts").await;
    page.press("English").await;
    page.sees("Entries that were not taken").await;
}
