//! H7: what an elder's data is stays out of logs, metrics and error texts, also at the most talkative level.

use std::time::Duration;

use tests::demo;
use tests::site::gateway::PIN;
use tests::site::mosquitto::{self, Version};
use tests::site::till::{Tender, fresh_key, id_of, order};
use tests::site::{Site, SiteSettings};
use tests::virtual_card::{Fault, When};

const WITHIN: Duration = Duration::from_secs(20);
const DEBIT: u8 = 0x54;

/// Names and identity numbers of the made-up people, of the district and on the card.
const PEOPLE: [&str; 6] = ["王秀英", "李建国", "陈桂兰", "测试老人", "3301009999999900", "示范街道"];

#[tokio::test(flavor = "multi_thread")]
async fn h7_no_card_number_name_pin_or_secret_is_in_any_log_metric_or_error() {
    let settings = SiteSettings {
        devices: ["btn-0001", "btn-0002", "cord-0001"].map(str::to_owned).into(),
        log: "trace",
        ..SiteSettings::with_cards()
    };
    let mut site = Site::start(&settings).await.expect("a site");
    demo::play(&mut site, &mut std::io::sink()).await.expect("the story happens");
    let mut seen = troubles(&site).await;
    for api in [&site.gateway.api, &site.centre.api] {
        for path in ["/metrics", "/healthz", "/readyz"] {
            seen.push((format!("{}{path}", api.base()), api.get(path).await.expect("an answer").text));
        }
    }
    for path in ["/api/v1/status", "/api/v1/alarms?all=1", "/api/v1/devices", "/api/v1/sales", "/api/v1/refusals"] {
        seen.push((path.to_owned(), site.gateway.staff.get(path).await.expect("an answer").text));
    }
    site.gateway.stop(WITHIN).await.expect("it ends");
    site.centre.stop(WITHIN).await.expect("it ends");
    for log in [site.gateway.log(), site.centre.log()] {
        let text = String::from_utf8_lossy(&std::fs::read(log).expect("the log is there")).into_owned();
        assert!(text.lines().count() > 1, "{} is all but empty", log.display());
        seen.push((log.display().to_string(), text));
    }
    let canaries = canaries(&site);
    for (place, text) in &seen {
        for (what, canary) in &canaries {
            let found = text.lines().find(|line| line.to_lowercase().contains(canary.as_str()));
            assert!(found.is_none(), "{what} is in {place}: {found:?}");
        }
    }
}

/// Things that go wrong are what logs talk about most. Gives the answers.
async fn troubles(site: &Site) -> Vec<(String, String)> {
    let till = site.till();
    till.card.arm(Fault::tear_after(When::Ins(DEBIT)));
    let answer = order(&till.staff, &fresh_key(), Tender::Purse, "meal-lunch", 1).await.expect("an answer");
    let id = id_of(answer).expect("a sale");
    till.lay_card().await.expect("noticed");
    let sale = till.wait_sale(&id, WITHIN).await.expect("it ends");
    assert_eq!(sale["state"], "unknown", "{sale}");
    till.wait_reader("empty").await.expect("noticed");
    let mut answers = vec![("a sale in doubt".to_owned(), sale.to_string())];
    let mut wrong = site.login("btn-0001");
    wrong.secret = "0".repeat(40);
    let refused = mosquitto::publish(&wrong, Version::V311, "care/v1/btn-0001/event", "{}", &[]).await;
    assert!(!refused.expect("the tool runs").status.success());
    let body = serde_json::json!({"who": "n1024", "pin": "135790"});
    let login = site.gateway.api.post("/api/v1/session", &body).await.expect("an answer");
    assert_eq!(login.code(), "pin_wrong");
    answers.push(("a refused login".to_owned(), login.text));
    let right = site.gateway.api.post("/api/v1/session", &serde_json::json!({"who": "n1024", "pin": PIN})).await;
    assert!(right.expect("an answer").is_success());
    let secret = site.login("btn-0002").secret;
    let payload = format!("{{\"v\":1,\"seq\":1,\"kind\":{secret}");
    let said =
        mosquitto::publish(&site.login("btn-0002"), Version::V311, "care/v1/btn-0002/status", &payload, &[]).await;
    assert!(said.expect("the tool runs").status.success());
    answers
}

/// What must not be found, in lower case.
fn canaries(site: &Site) -> Vec<(&'static str, String)> {
    let mut canaries: Vec<(&'static str, String)> =
        PEOPLE.iter().map(|name| ("a person", (*name).to_owned())).collect();
    for card in &site.centre.district.cards {
        canaries.push(("a card's number", card.serial.trim_start_matches('0').to_owned()));
    }
    canaries.push(("a card's number in bytes", "[49, 0, 0, 0, 18, 52, 86, 120]".to_owned()));
    canaries.push(("a name in GBK", hex::encode([0xB2, 0xE2, 0xCA, 0xD4, 0xC0, 0xCF, 0xC8, 0xCB])));
    canaries.push(("a PIN", format!("\"{PIN}\"")));
    canaries.push(("a gateway's token", site.centre.district.gateway.token.clone()));
    for operator in &site.centre.district.operators {
        canaries.push(("an operator's token", operator.token.clone()));
    }
    for device in ["btn-0001", "cord-0001"] {
        canaries.push(("a device's secret", site.login(device).secret));
    }
    for key in ["303132333435363738393a3b3c3d3e3f", "202122232425262728292a2b2c2d2e2f"] {
        canaries.push(("a master key", key.to_owned()));
    }
    canaries.into_iter().map(|(what, canary)| (what, canary.to_lowercase())).collect()
}
