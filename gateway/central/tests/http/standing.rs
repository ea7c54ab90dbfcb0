//! E5: a gateway with a token of its own reaches only the alarms of its devices, and its own sales.

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

    async fn raise(&mut self, centre: &Centre, device: &str) -> String {
        let (press, body) = (device_origin(device, 1, 1), alarm_body(device, "sos"));
        self.tell(centre, &press, "alarm.raised", &Value::Null, &body).await
    }

    async fn resolve(&mut self, centre: &Centre, about: &Value) -> String {
        let own = self.own();
        let step = json!({"state": "resolved", "by": "mallory", "cause": "nothing"});
        self.tell(centre, &own, "alarm.state", about, &step).await
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
    assert_eq!(other.resolve(&centre, &device_origin("btn-0001", 1, 1)).await, "refused:foreign_origin");
    let (origin, about) = (device_origin("btn-0001", 1, 2), device_origin("btn-0001", 1, 1));
    let taken_back = other.tell(&centre, &origin, "alarm.cancelled", &about, &alarm_body("btn-0001", "cancel")).await;
    assert_eq!(taken_back, "refused:foreign_origin");
    assert_eq!(state(&centre).await, "accepted");
    assert_eq!(centre.get(ALARM).await.1["history"], json!([]));
}

/// Gives a device of the demonstration to gateways.
async fn assign(centre: &Centre, device: &str, gateway: Option<&str>, standby: &[&str]) -> u16 {
    let body = json!({"kind": "button", "place": "卧室", "person": "person-0001", "gateway": gateway, "standby": standby,
        "silent_after_s": 180, "heartbeat_s": 60});
    let request = centre.http.put(format!("{}/api/v1/devices/{device}", centre.url)).bearer_auth(centre.operator(0));
    answer(request.body(body.to_string())).await.0
}

/// A centre with two gateways that have one device: the demonstration's, and one that stands by.
async fn sharing() -> (Centre, Other) {
    let centre = Centre::start().await;
    let other = Other::enrolled(&centre).await;
    assert_eq!(assign(&centre, "btn-0001", Some("gw-demo"), &["gw-2"]).await, 204);
    (centre, other)
}

#[tokio::test]
async fn e5_telling_an_alarm_of_another_gateways_device_gives_no_right_to_close_take_back_or_date_it() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    assert_eq!(other.raise(&centre, "btn-0001").await, "duplicate:", "a press is taken from everybody");
    let about = device_origin("btn-0001", 1, 1);
    assert_eq!(other.resolve(&centre, &about).await, "refused:foreign_origin");
    let (origin, body) = (device_origin("btn-0001", 1, 2), alarm_body("btn-0001", "cancel"));
    assert_eq!(other.tell(&centre, &origin, "alarm.cancelled", &about, &body).await, "refused:foreign_origin");
    let (own, dated) = (other.own(), json!({"age_ms": 10_800_000, "boot": 1, "up_ms": 5}));
    assert_eq!(other.tell(&centre, &own, "alarm.dated", &about, &dated).await, "refused:foreign_origin");
    let (_, alarm) = centre.get(ALARM).await;
    assert_eq!((&alarm["state"], &alarm["taken_back"]), (&json!("accepted"), &json!(false)));
    assert_eq!((&alarm["happened_at"], &alarm["history"]), (&Value::Null, &json!([])));
    let (_, kept) = centre.get("/api/v1/conflicts").await;
    assert!(kept.to_string().contains("foreign_origin"), "people see what was refused: {kept}");
}

#[tokio::test]
async fn e5_an_alarm_of_another_gateways_device_cannot_be_closed_before_it_is_pressed() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    let about = device_origin("btn-0001", 1, 1);
    assert_eq!(other.resolve(&centre, &about).await, "refused:foreign_origin");
    assert_eq!(other.raise(&centre, "btn-0001").await, "accepted:", "a press is taken from everybody");
    assert_eq!(other.resolve(&centre, &about).await, "refused:foreign_origin");
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    assert_eq!(outcomes(&centre.upload(&journal, 1..=1).await), ["duplicate"]);
    assert_eq!(state(&centre).await, "accepted");
    let own = journal.own();
    journal.push(&own, "alarm.state", &about, &json!({"state": "on_site", "by": "staff-1", "cause": null}));
    assert_eq!(outcomes(&centre.upload(&journal, 2..=2).await), ["accepted"]);
    assert_eq!(state(&centre).await, "on_site", "the gateway that has the device moves it");
}

#[tokio::test]
async fn a_gateway_that_stands_by_for_a_device_takes_its_alarms_further() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    assert_eq!(assign(&centre, "btn-0001", Some("gw-demo"), &["gw-none"]).await, 404);
    assert_eq!(assign(&centre, "btn-0001", Some("gw-demo"), &["gw-2"]).await, 204);
    let listed = centre.get("/api/v1/people/person-0001").await.1["devices"][0].clone();
    assert_eq!((&listed["gateway"], &listed["standby"]), (&json!("gw-demo"), &json!(["gw-2"])));
    // The step overtakes the press.
    let about = device_origin("btn-0001", 1, 1);
    let (own, step) = (other.own(), json!({"state": "on_site", "by": "staff-2", "cause": null}));
    assert_eq!(other.tell(&centre, &own, "alarm.state", &about, &step).await, "accepted:");
    assert_eq!(other.raise(&centre, "btn-0001").await, "accepted:");
    assert_eq!(state(&centre).await, "on_site");
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    assert_eq!(other.resolve(&centre, &about).await, "accepted:");
    assert_eq!(state(&centre).await, "resolved");
}

#[tokio::test]
async fn a_stand_by_gateway_that_tells_of_presses_again_hears_of_the_alarms_that_have_them() {
    let (centre, mut other) = sharing().await;
    let about = device_origin("btn-0001", 1, 1);
    let body = alarm_body("btn-0001", "sos");
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    for seq in [2, 3] {
        journal.push(&device_origin("btn-0001", 1, seq), "alarm.repeated", &about, &body);
    }
    centre.upload(&journal, 1..=2).await;
    let path = |seq| format!("/api/v1/alarms/btn-0001.1.{seq}");
    let resolved = centre.post(&format!("{}/resolve", path(1)), centre.operator(0), &json!({"cause": "helped"})).await;
    assert_eq!(resolved.0, 200, "{resolved:?}");
    // The third press comes after that: an alarm of its own.
    centre.upload(&journal, 3..=3).await;
    assert_eq!(other.raise(&centre, "btn-0001").await, "duplicate:");
    for seq in [2, 3] {
        let told = other.tell(&centre, &device_origin("btn-0001", 1, seq), "alarm.repeated", &about, &body).await;
        assert_eq!(told, "duplicate:");
    }
    centre.post(&format!("{}/acknowledge", path(3)), centre.operator(0), &json!({})).await;
    let request =
        centre.http.get(format!("{}/v1/gateways/gw-2/orders?lane=alarms&stream=&after=0&wait_s=0", centre.url));
    let (_, page) = answer(request.bearer_auth(&other.token)).await;
    let orders: Vec<(&Value, &Value, &Value)> = page["orders"]
        .as_array()
        .expect("orders")
        .iter()
        .map(|order| &order["body"])
        .map(|body| (&body["alarm"]["seq"], &body["state"], &body["presses"]))
        .collect();
    let ended = json!([device_origin("btn-0001", 1, 2)]);
    assert!(orders.contains(&(&json!(1), &json!("resolved"), &ended)), "{page}");
    assert!(orders.contains(&(&json!(3), &json!("acknowledged"), &Value::Null)), "{page}");
}

/// A gateway without a disk makes an alarm of a press that is counted into another one elsewhere: who counted it has a part in both.
#[tokio::test]
async fn a_gateway_that_counted_a_press_hears_of_the_alarm_that_another_one_made_of_it() {
    let (centre, mut other) = sharing().await;
    let (about, body) = (device_origin("btn-0001", 1, 1), alarm_body("btn-0001", "sos"));
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    // One that was counted here before it was an alarm, too, and one that was not.
    journal.push(&device_origin("btn-0001", 1, 2), "alarm.repeated", &about, &body);
    for seq in [2, 3] {
        journal.press("btn-0001", seq);
    }
    centre.upload(&journal, 1..=4).await;
    for seq in [2, 3] {
        let path = format!("/api/v1/alarms/btn-0001.1.{seq}/resolve");
        assert_eq!(centre.post(&path, centre.operator(0), &json!({"cause": "helped"})).await.0, 200);
    }
    assert_eq!(other.raise(&centre, "btn-0001").await, "duplicate:");
    for (seq, outcome) in [(2, "duplicate:"), (3, "accepted:")] {
        let told = other.tell(&centre, &device_origin("btn-0001", 1, seq), "alarm.repeated", &about, &body).await;
        assert_eq!(told, outcome);
    }
    let request =
        centre.http.get(format!("{}/v1/gateways/gw-2/orders?lane=alarms&stream=&after=0&wait_s=0", centre.url));
    let (_, page) = answer(request.bearer_auth(&other.token)).await;
    let ended: Vec<&Value> = page["orders"]
        .as_array()
        .expect("orders")
        .iter()
        .map(|order| &order["body"])
        .filter(|body| body["state"] == "resolved")
        .map(|body| &body["alarm"]["seq"])
        .collect();
    assert_eq!(ended, [2, 3], "{page}");
}

/// Its gateway had no disk when it was pressed, and told of it as an alarm; with its disk back it folds the press that comes again.
#[tokio::test]
async fn a_press_that_is_an_ended_alarm_stays_ended_when_it_is_told_as_one_on_another_ended_alarm() {
    let centre = Centre::start().await;
    let (press, body) = (|seq| device_origin("btn-0001", 1, seq), alarm_body("btn-0001", "sos"));
    let mut journal = Journal::new("j0000000000000001");
    for seq in [1, 2] {
        journal.press("btn-0001", seq);
    }
    journal.push(&press(2), "alarm.repeated", &press(1), &body);
    centre.upload(&journal, 1..=2).await;
    for seq in [2, 1] {
        let path = format!("/api/v1/alarms/btn-0001.1.{seq}/resolve");
        assert_eq!(centre.post(&path, centre.operator(0), &json!({"cause": "helped"})).await.0, 200);
    }
    assert_eq!(outcomes(&centre.upload(&journal, 3..=3).await), ["accepted"]);
    let page = centre.orders("alarms", "", 0, 0).await;
    let told: Vec<_> = page["orders"].as_array().expect("orders").iter().map(|order| &order["body"]).collect();
    assert!(told.iter().any(|body| body["alarm"] == press(2) && body["state"] == "resolved"), "{page}");
    let (_, alarm) = centre.get("/api/v1/alarms/btn-0001.1.2").await;
    assert_eq!((&alarm["state"], &alarm["presses"]), (&json!("resolved"), &json!(1)));
}

/// Of two gateways that hear a device one heard the first press, and the other did not: they count the third into different alarms.
#[tokio::test]
async fn a_press_that_gateways_count_into_different_alarms_ends_with_each_of_them() {
    let (centre, mut other) = sharing().await;
    let (press, body) = (|seq| device_origin("btn-0001", 1, seq), alarm_body("btn-0001", "sos"));
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    journal.push(&press(3), "alarm.repeated", &press(1), &body);
    centre.upload(&journal, 1..=2).await;
    // Told again and again: it is counted once.
    for _ in 0..2 {
        assert_eq!(other.tell(&centre, &press(3), "alarm.repeated", &press(2), &body).await, "duplicate:");
    }
    assert_eq!(other.tell(&centre, &press(2), "alarm.raised", &Value::Null, &body).await, "accepted:");
    let (_, open) = centre.get("/api/v1/alarms?open=1").await;
    let mut open: Vec<_> =
        open["alarms"].as_array().expect("alarms").iter().map(|one| (one["id"].to_string(), &one["presses"])).collect();
    open.sort_unstable_by(|one, next| one.0.cmp(&next.0));
    assert_eq!(open, [(r#""btn-0001.1.1""#.to_owned(), &json!(2)), (r#""btn-0001.1.2""#.to_owned(), &json!(2))]);
    for (seq, gateway, token) in [(2, "gw-2", other.token.as_str()), (1, "gw-demo", centre.token())] {
        let path = format!("/api/v1/alarms/btn-0001.1.{seq}/resolve");
        assert_eq!(centre.post(&path, centre.operator(0), &json!({"cause": "helped"})).await.0, 200);
        let path = format!("{}/v1/gateways/{gateway}/orders?lane=alarms&stream=&after=0&wait_s=0", centre.url);
        let (_, page) = answer(centre.http.get(path).bearer_auth(token)).await;
        let ended = page["orders"].as_array().expect("orders").iter().map(|order| &order["body"]);
        let ended: Vec<_> = ended.filter(|body| body["state"] == "resolved" && body["alarm"] == press(seq)).collect();
        assert_eq!(ended.iter().map(|body| &body["presses"]).collect::<Vec<_>>(), [&json!([press(3)])], "{page}");
    }
}

#[tokio::test]
async fn presses_that_two_gateways_tell_of_an_ended_alarm_are_an_alarm_for_each_as_at_those_gateways() {
    let (centre, mut other) = sharing().await;
    let (about, body) = (device_origin("btn-0001", 1, 1), alarm_body("btn-0001", "sos"));
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    for seq in [2, 4] {
        journal.push(&device_origin("btn-0001", 1, seq), "alarm.repeated", &about, &body);
    }
    centre.upload(&journal, 1..=1).await;
    assert_eq!(other.raise(&centre, "btn-0001").await, "duplicate:");
    centre.post(&format!("{ALARM}/resolve"), centre.operator(0), &json!({"cause": "helped"})).await;
    centre.upload(&journal, 2..=2).await;
    assert_eq!(
        other.tell(&centre, &device_origin("btn-0001", 1, 3), "alarm.repeated", &about, &body).await,
        "accepted:"
    );
    centre.upload(&journal, 3..=3).await;
    let (_, open) = centre.get("/api/v1/alarms?open=1").await;
    let mut open: Vec<_> =
        open["alarms"].as_array().expect("alarms").iter().map(|one| (&one["id"], &one["presses"])).collect();
    open.sort_unstable_by_key(|(id, _)| id.to_string());
    assert_eq!(open, [(&json!("btn-0001.1.2"), &json!(2)), (&json!("btn-0001.1.3"), &json!(1))]);
}

#[tokio::test]
async fn a_gateway_still_ends_the_alarms_that_it_told_before_their_device_moved() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    assert_eq!(assign(&centre, "btn-0001", Some("gw-2"), &[]).await, 204);
    let (own, about) = (journal.own(), device_origin("btn-0001", 1, 1));
    journal.push(&own, "alarm.state", &about, &json!({"state": "on_site", "by": "staff-1", "cause": null}));
    assert_eq!(outcomes(&centre.upload(&journal, 2..=2).await), ["accepted"]);
    assert_eq!(state(&centre).await, "on_site");
    assert_eq!(other.resolve(&centre, &about).await, "accepted:", "it has the device now");
    assert_eq!(state(&centre).await, "resolved");
}

#[tokio::test]
async fn e5_a_step_of_somebody_who_told_of_a_device_before_it_was_assigned_does_not_count_afterwards() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    let about = device_origin("new-1", 1, 1);
    assert_eq!(other.resolve(&centre, &about).await, "accepted:", "nobody has that device yet");
    assert_eq!(assign(&centre, "new-1", Some("gw-demo"), &[]).await, 204);
    assert_eq!(other.raise(&centre, "new-1").await, "accepted:");
    assert_eq!(other.resolve(&centre, &about).await, "refused:foreign_origin");
    assert_eq!(centre.get("/api/v1/alarms/new-1.1.1").await.1["state"], "accepted");
}

#[tokio::test]
async fn e5_an_alarm_of_a_gateways_own_is_moved_by_that_gateway_alone() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    let mut journal = Journal::new("j0000000000000001");
    let alarm = journal.own();
    // The further press would begin the alarm, and make the one who tells it a teller.
    let again = other.own();
    let body = alarm_body("btn-0001", "device_silent");
    assert_eq!(other.tell(&centre, &again, "alarm.repeated", &alarm, &body).await, "accepted:");
    assert_eq!(other.resolve(&centre, &alarm).await, "refused:foreign_origin");
    journal.push(&alarm, "alarm.raised", &Value::Null, &body);
    centre.upload(&journal, 1..=1).await;
    let id = "/api/v1/alarms/gw-demo.j0000000000000001.1";
    assert_eq!(centre.get(id).await.1["state"], "accepted");
    let own = journal.own();
    journal.push(&own, "alarm.state", &alarm, &json!({"state": "resolved", "by": "staff-1", "cause": "电池"}));
    centre.upload(&journal, 2..=2).await;
    assert_eq!(centre.get(id).await.1["state"], "resolved");
}

#[tokio::test]
async fn of_a_device_that_is_assigned_to_nobody_a_step_counts_only_from_a_gateway_that_tells_the_alarm() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    let about = device_origin("new-1", 1, 1);
    assert_eq!(other.resolve(&centre, &about).await, "accepted:", "nobody knows yet whose alarm that is");
    let mut journal = Journal::new("j0000000000000001");
    journal.press("new-1", 1);
    centre.upload(&journal, 1..=1).await;
    let id = "/api/v1/alarms/new-1.1.1";
    let state = async || centre.get(id).await.1["state"].clone();
    assert_eq!(state().await, "accepted", "the step was of a gateway that never told the alarm");
    assert_eq!(other.raise(&centre, "new-1").await, "duplicate:");
    assert_eq!(state().await, "resolved", "now it has a part in it");
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

/// Uploads an alarm that is known with another body, and a press on it.
async fn guess(centre: &Centre, other: &mut Other, device: &str) -> Value {
    let (about, further) = (device_origin(device, 1, 1), device_origin(device, 1, 99));
    let raised = other.journal.push(&about, "alarm.raised", &Value::Null, &alarm_body(device, "smoke"));
    let again = other.journal.push(&further, "alarm.repeated", &about, &alarm_body(device, "sos"));
    let entries = [raised, again].map(|n| other.journal.upload(n));
    let upload = json!({"v": 1, "journal": other.journal.name, "entries": entries});
    centre.post("/v1/gateways/gw-2/entries", &other.token, &upload).await.1
}

#[tokio::test]
async fn e5_whoever_guesses_that_there_is_an_alarm_does_not_hear_what_becomes_of_it() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    guess(&centre, &mut other, "btn-0001").await;
    centre.post(&format!("{ALARM}/resolve"), centre.operator(0), &json!({"cause": "taken to hospital"})).await;
    let request =
        centre.http.get(format!("{}/v1/gateways/gw-2/orders?lane=alarms&stream=&after=0&wait_s=0", centre.url));
    let (_, page) = answer(request.bearer_auth(&other.token)).await;
    assert!(!page.to_string().contains("hospital"), "{page}");
}

#[tokio::test]
async fn e5_whoever_guesses_that_there_is_an_alarm_of_an_unassigned_device_does_not_end_it() {
    let centre = Centre::start().await;
    let mut other = Other::enrolled(&centre).await;
    other.resolve(&centre, &device_origin("new-1", 1, 1)).await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("new-1", 1);
    centre.upload(&journal, 1..=1).await;
    guess(&centre, &mut other, "new-1").await;
    assert_eq!(centre.get("/api/v1/alarms/new-1.1.1").await.1["state"], "accepted");
}
