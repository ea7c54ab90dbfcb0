//! E5: a gateway with a token of its own reaches only its own alarms and sales.

use serde_json::{Value, json};

use crate::holds::{intent, outcome};
use crate::support::{Centre, Journal, alarm_body, answer, device_origin, hold_request, outcomes};

const ALARM: &str = "/api/v1/alarms/btn-0001.1.1";

/// Another gateway of the district.
struct Other {
    token: String,
    journal: Journal,
}

impl Other {
    async fn enrolled(centre: &Centre) -> Self {
        let request = centre.http.put(format!("{}/api/v1/gateways/gw-2", centre.url)).bearer_auth(centre.operator(0));
        let (_, enrolled) = answer(request.body(json!({"trusted": true}).to_string())).await;
        let token = enrolled["token"].as_str().expect("a token").to_owned();
        Self { token, journal: Journal::new("j0000000000000002") }
    }

    /// An origin of this gateway's own.
    fn own(&self) -> Value {
        json!({"source": "gateway:gw-2", "epoch": self.journal.name, "seq": self.journal.entries.len() + 1})
    }

    /// Adds an entry and uploads it.
    async fn tell(&mut self, centre: &Centre, origin: &Value, kind: &str, about: &Value, body: &Value) -> String {
        let n = self.journal.push(origin, kind, about, body);
        let upload = json!({"v": 1, "journal": self.journal.name, "entries": [self.journal.upload(n)]});
        let (status, results) = centre.post("/v1/gateways/gw-2/entries", &self.token, &upload).await;
        assert_eq!(status, 200, "{results}");
        let result = &results["results"][0];
        format!("{}:{}", result["outcome"].as_str().unwrap_or(""), result["reason"].as_str().unwrap_or(""))
    }

    async fn resolve(&mut self, centre: &Centre) -> String {
        let (own, about) = (self.own(), device_origin("btn-0001", 1, 1));
        let step = json!({"state": "resolved", "by": "mallory", "cause": "nothing"});
        self.tell(centre, &own, "alarm.state", &about, &step).await
    }
}

async fn state(centre: &Centre) -> Value {
    centre.get(ALARM).await.1["state"].clone()
}

#[tokio::test]
async fn e5_a_gateway_cannot_close_or_take_back_an_alarm_that_it_did_not_tell() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    assert_eq!(other.resolve(&centre).await, "refused:foreign_origin");
    let (origin, about) = (device_origin("btn-0001", 1, 2), device_origin("btn-0001", 1, 1));
    let taken_back = other.tell(&centre, &origin, "alarm.cancelled", &about, &alarm_body("btn-0001", "cancel")).await;
    assert_eq!(taken_back, "refused:foreign_origin");
    assert_eq!(state(&centre).await, "accepted");
    assert_eq!(centre.get(ALARM).await.1["history"], json!([]));
}

#[tokio::test]
async fn e5_a_step_that_comes_before_its_alarm_counts_only_from_a_gateway_that_tells_the_alarm() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    assert_eq!(other.resolve(&centre).await, "accepted:", "nobody knows yet whose alarm that is");
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    assert_eq!(state(&centre).await, "accepted", "the step was of a gateway that never told the alarm");
    let press = device_origin("btn-0001", 1, 1);
    let told = other.tell(&centre, &press, "alarm.raised", &Value::Null, &alarm_body("btn-0001", "sos")).await;
    assert_eq!(told, "duplicate:");
    assert_eq!(state(&centre).await, "resolved", "now it has a part in it");
}

#[tokio::test]
async fn a_further_press_on_an_alarm_of_another_gateway_is_an_alarm_of_its_own() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    let (origin, about) = (device_origin("btn-0001", 1, 2), device_origin("btn-0001", 1, 1));
    let again = other.tell(&centre, &origin, "alarm.repeated", &about, &alarm_body("btn-0001", "sos")).await;
    assert_eq!(again, "accepted:");
    assert_eq!(centre.get("/api/v1/alarms/btn-0001.1.2").await.1["gateway"], "gw-2");
    assert_eq!(centre.get(ALARM).await.1["history"], json!([]));
}

#[tokio::test]
async fn e5_a_gateway_cannot_end_a_purse_sale_of_another_one_before_or_after_its_intent() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    let mut journal = Journal::new("j0000000000000001");
    let sales = [42, 43].map(|n| json!({"source": "terminal:310000000042", "epoch": "00003100000000000042", "seq": n}));
    let purse = |n: u64| {
        json!({"counter": 7, "old_balance": 5000, "transaction_type": 6, "terminal": "310000000042",
        "psam": "00003100000000000042", "terminal_seq": n, "date": "20261123", "time": "093000", "mac1": "7518df38",
        "key_version": 1, "algorithm": 0})
    };
    let cancelled = json!({"sale": "s1", "outcome": "cancelled", "reason": null, "purse": null});
    let own = other.own();
    assert_eq!(other.tell(&centre, &own, "sale.outcome", &sales[0], &cancelled).await, "accepted:");
    intent(&mut journal, &sales[0], "purse", 1250, &purse(42));
    intent(&mut journal, &sales[1], "purse", 1250, &purse(43));
    assert_eq!(outcomes(&centre.upload(&journal, 1..=2).await), ["accepted"; 2]);
    let own = other.own();
    assert_eq!(other.tell(&centre, &own, "sale.outcome", &sales[1], &cancelled).await, "refused:foreign_origin");
    let proof = json!({"tac": null, "mac2": null, "transaction_proof": null, "log_record": null, "new_balance": 3750});
    for sale in &sales {
        outcome(&mut journal, sale, "paid", &proof);
    }
    assert_eq!(outcomes(&centre.upload(&journal, 3..=4).await), ["accepted"; 2]);
    let (_, list) = centre.get("/api/v1/sales").await;
    let shown: Vec<_> =
        list["sales"].as_array().expect("sales").iter().map(|s| (&s["outcome"], &s["gateway"])).collect();
    assert_eq!(shown, [(&json!("paid"), &json!("gw-demo")); 2]);
}

#[tokio::test]
async fn e5_a_gateway_cannot_give_back_what_another_one_holds() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    let mut journal = Journal::new("j0000000000000001");
    let sale = journal.own();
    assert_eq!(centre.hold(&hold_request(&sale, 1250)).await["outcome"], "held");
    intent(&mut journal, &sale, "account", 1250, &Value::Null);
    centre.upload(&journal, 1..=1).await;
    let cancelled = json!({"sale": "s1", "outcome": "cancelled", "reason": null, "purse": null});
    let own = other.own();
    assert_eq!(other.tell(&centre, &own, "sale.outcome", &sale, &cancelled).await, "refused:foreign_origin");
    assert_eq!(centre.get("/api/v1/accounts/person-0001").await.1["available"], 50_000 - 1250);
}
