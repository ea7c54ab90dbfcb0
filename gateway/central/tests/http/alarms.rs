//! Alarms at the centre: forward only, one person takes each step, no press is lost.

use protocols::uplink::EntryUpload;
use serde_json::{Value, json};

use crate::support::{Centre, Journal, alarm_body, device_origin, entry, outcomes};

const ALARM: &str = "/api/v1/alarms/btn-0001.1.1";

async fn pressed() -> (Centre, Journal) {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    (centre, journal)
}

async fn listen(centre: &Centre) -> reqwest::Response {
    let request = centre.http.get(format!("{}/api/v1/events", centre.url)).bearer_auth(centre.operator(0));
    request.send().await.expect("events")
}

async fn step(centre: &Centre, step: &str, operator: usize, body: &Value) -> (u16, Value) {
    centre.post(&format!("{ALARM}/{step}"), centre.operator(operator), body).await
}

#[tokio::test]
async fn an_alarm_goes_through_its_steps_and_its_history_says_who() {
    let (centre, _) = pressed().await;
    assert_eq!(centre.get(ALARM).await.1["state"], "accepted");
    for name in ["acknowledge", "dispatch", "on_site"] {
        assert_eq!(step(&centre, name, 0, &json!({})).await.0, 200, "{name}");
    }
    let (status, missing) = step(&centre, "resolve", 1, &json!({"cause": "  "})).await;
    assert_eq!((status, missing["error"]["code"].as_str()), (422, Some("cause_missing")));
    assert_eq!(step(&centre, "resolve", 1, &json!({"cause": "跌倒,已送医", "take_over": true})).await.0, 200);
    let (_, alarm) = centre.get(ALARM).await;
    assert_eq!(alarm["state"], "resolved");
    let history: Vec<_> = alarm["history"]
        .as_array()
        .expect("a history")
        .iter()
        .map(|event| format!("{}:{}", event["state"].as_str().unwrap_or("-"), event["by"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(history, ["acknowledged:op-demo", "dispatched:op-demo", "on_site:op-demo", "resolved:op-night"]);
    assert_eq!(centre.get("/api/v1/alarms?open=1").await.1["alarms"], json!([]));
}

#[tokio::test]
async fn a_further_finding_of_more_urgency_raises_that_of_the_alarm_and_never_lowers_it() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let mut body = alarm_body("btn-0001", "conflict");
    body["urgency"] = json!("technical");
    let raised = journal.own();
    journal.push(&raised, "alarm.raised", &json!(null), &body);
    for urgency in ["emergency", "technical"] {
        let own = journal.own();
        body["urgency"] = json!(urgency);
        body["report"] = device_origin("btn-0001", 1, 8);
        journal.push(&own, "alarm.repeated", &raised, &body);
    }
    centre.upload(&journal, 1..=3).await;
    let (_, open) = centre.get("/api/v1/alarms?open=1").await;
    assert_eq!(open["alarms"].as_array().map(Vec::len), Some(1));
    assert_eq!(open["alarms"][0]["urgency"], "emergency");
}

#[tokio::test]
async fn a_late_alarm_shows_when_it_happened() {
    let (centre, mut journal) = pressed().await;
    assert_eq!(centre.get(ALARM).await.1["happened_at"], Value::Null);
    let own = journal.own();
    let dated = json!({"age_ms": 10_800_000, "boot": 17, "up_ms": 3_600_000});
    journal.push(&own, "alarm.dated", &device_origin("btn-0001", 1, 1), &dated);
    centre.upload(&journal, 2..=2).await;
    let (_, open) = centre.get("/api/v1/alarms?open=1").await;
    assert_eq!(open["alarms"][0]["happened_at"], "2026-11-24T07:00:00.000+08:00");
    assert_eq!(centre.get(ALARM).await.1["history"][0]["what"], "dated");
    // The press itself, told again, is still a duplicate.
    assert_eq!(outcomes(&centre.upload(&journal, 1..=1).await), ["duplicate"]);
}

#[tokio::test]
async fn a_step_is_idempotent_for_the_one_who_took_it_and_never_goes_back() {
    let (centre, _) = pressed().await;
    assert_eq!(step(&centre, "dispatch", 0, &json!({})).await.0, 200);
    assert_eq!(step(&centre, "dispatch", 0, &json!({})).await.0, 200);
    let (status, taken) = step(&centre, "dispatch", 1, &json!({})).await;
    assert_eq!((status, taken["error"]["code"].as_str()), (409, Some("alarm_taken")));
    assert_eq!(step(&centre, "acknowledge", 1, &json!({})).await.0, 409);
    assert_eq!(centre.get(ALARM).await.1["state"], "dispatched");
    assert_eq!(centre.post("/api/v1/alarms/none.1.1/dispatch", centre.operator(0), &json!({})).await.0, 404);
}

#[tokio::test]
async fn a_step_on_an_alarm_that_is_further_is_answered_with_how_far_it_is() {
    let (centre, _) = pressed().await;
    for (name, is) in [("acknowledge", "acknowledged"), ("dispatch", "dispatched"), ("resolve", "resolved")] {
        assert_eq!(step(&centre, name, 0, &json!({"cause": "误报"})).await.1["state"], is);
    }
    let (status, again) = step(&centre, "acknowledge", 0, &json!({})).await;
    assert_eq!((status, again["state"].as_str()), (200, Some("resolved")), "{again}");
}

#[tokio::test]
async fn of_operators_who_race_exactly_one_takes_the_alarm() {
    let (centre, _) = pressed().await;
    let mut tries = Vec::new();
    for operator in [0, 1].into_iter().cycle().take(20) {
        let url = format!("{}{ALARM}/acknowledge", centre.url);
        let request = centre.http.post(url).bearer_auth(centre.operator(operator));
        tries.push(async move { (operator, crate::support::answer(request).await.0) });
    }
    let answers = futures_util::future::join_all(tries).await;
    let winners: std::collections::BTreeSet<usize> =
        answers.iter().filter(|(_, status)| *status == 200).map(|(operator, _)| *operator).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|(_, status)| [200, 409].contains(status)), "{answers:?}");
    let history = centre.get(ALARM).await.1["history"].as_array().map(Vec::len);
    assert_eq!(history, Some(1));
}

#[tokio::test]
async fn the_state_is_the_highest_step_known_in_whatever_order_steps_arrive() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let alarm = device_origin("btn-0001", 1, 1);
    journal.press("btn-0001", 1);
    for state in ["acknowledged", "on_site", "dispatched"] {
        let own = journal.own();
        journal.push(&own, "alarm.state", &alarm, &json!({"state": state, "by": "staff-1", "cause": null}));
    }
    // The steps overtake the alarm itself.
    assert_eq!(outcomes(&centre.upload(&journal, 2..=4).await), ["accepted"; 3]);
    assert_eq!(centre.get(ALARM).await.0, 404);
    centre.upload(&journal, 1..=1).await;
    assert_eq!(centre.get(ALARM).await.1["state"], "on_site");
}

#[tokio::test]
async fn an_earlier_dispatch_that_comes_late_does_not_replace_who_was_sent_since() {
    let (centre, mut journal) = pressed().await;
    assert_eq!(step(&centre, "dispatch", 0, &json!({"responder": "值班护士", "eta_min": 10})).await.0, 200);
    let (own, alarm) = (journal.own(), device_origin("btn-0001", 1, 1));
    let earlier = json!({"state": "dispatched", "by": "staff-1", "cause": null, "responder": "李护工", "eta_min": 30});
    let n = journal.push(&own, "alarm.state", &alarm, &earlier);
    assert_eq!(outcomes(&centre.upload(&journal, n..=n).await), ["accepted"]);
    let (_, shown) = centre.get(ALARM).await;
    assert_eq!(shown["history"].as_array().map(Vec::len), Some(2), "it is kept: {shown}");
    assert_eq!(shown["responder"], "值班护士");
    assert!(shown["eta_s"].as_i64().is_some_and(|left| (590..=600).contains(&left)), "{shown}");
}

#[tokio::test]
async fn the_presses_of_a_button_that_is_stuck_do_not_hide_what_people_did() {
    let (centre, mut journal) = pressed().await;
    let alarm = device_origin("btn-0001", 1, 1);
    for seq in 2..=600 {
        journal.push(&device_origin("btn-0001", 1, seq), "alarm.repeated", &alarm, &alarm_body("btn-0001", "sos"));
    }
    centre.upload(&journal, 2..=600).await;
    assert_eq!(step(&centre, "acknowledge", 0, &json!({})).await.0, 200);
    let (_, shown) = centre.get(ALARM).await;
    let history = shown["history"].as_array().expect("a history");
    assert_eq!(history.last().map(|event| &event["what"]), Some(&json!("step")), "{} events", history.len());
    assert!((2..=100).contains(&history.len()), "{} events", history.len());
    assert_eq!(shown["presses"], 600, "each is counted");
}

#[tokio::test]
async fn a_gateway_that_tells_of_an_alarm_again_from_its_journal_hears_again_how_far_it_is() {
    let centre = Centre::start().await;
    let alarm = device_origin("btn-0001", 1, 1);
    let without = EntryUpload {
        n: None,
        entry: entry(&alarm, "alarm.raised", &Value::Null, &alarm_body("btn-0001", "sos")).to_string(),
        hash: String::new(),
        private: None,
    };
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    assert_eq!(outcomes(&centre.upload_all(journal.name, vec![without]).await), ["accepted"]);
    step(&centre, "acknowledge", 0, &json!({})).await;
    let known = centre.orders("alarms", "", 0, 0).await;
    let (stream, k) =
        (known["stream"].as_str().expect("a stream"), known["orders"][0]["k"].as_u64().expect("a number"));
    // That order reached a gateway which knew of no such alarm.
    assert_eq!(outcomes(&centre.upload(&journal, 1..=1).await), ["duplicate"]);
    let told = centre.orders("alarms", stream, k, 0).await;
    assert_eq!(told["orders"][0]["body"]["alarm"], alarm, "{told}");
    assert_eq!(told["orders"][0]["body"]["state"], "acknowledged", "{told}");
    // The same entry again is no news.
    let k = told["orders"][0]["k"].as_u64().expect("a number");
    centre.upload(&journal, 1..=1).await;
    assert_eq!(centre.orders("alarms", stream, k, 0).await["orders"], json!([]));
}

#[tokio::test]
async fn a_further_press_on_an_open_alarm_is_folded_in_and_one_on_a_resolved_alarm_is_an_alarm() {
    let (centre, mut journal) = pressed().await;
    let alarm = device_origin("btn-0001", 1, 1);
    let mut again = |seq| {
        journal.push(&device_origin("btn-0001", 1, seq), "alarm.repeated", &alarm, &alarm_body("btn-0001", "sos"))
    };
    let (second, third, fourth) = (again(2), again(3), again(4));
    centre.upload(&journal, second..=second).await;
    assert_eq!(centre.get("/api/v1/alarms?open=1").await.1["alarms"].as_array().map(Vec::len), Some(1));
    assert_eq!(centre.get(ALARM).await.1["history"][0]["what"], "repeated");
    step(&centre, "resolve", 0, &json!({"cause": "误报"})).await;
    centre.upload(&journal, third..=fourth).await;
    let (_, open) = centre.get("/api/v1/alarms?open=1").await;
    assert_eq!(open["alarms"].as_array().map(Vec::len), Some(1), "{open}");
    assert_eq!(open["alarms"][0]["id"], "btn-0001.1.3");
    assert_eq!(open["alarms"][0]["follows"], "device:btn-0001/1/1");
    assert_eq!(open["alarms"][0]["presses"], 2);
    let orders = async || {
        let page = centre.orders("alarms", "", 0, 0).await;
        let orders = page["orders"].as_array().expect("orders").clone();
        orders.iter().map(|order| (order["body"]["alarm"]["seq"].clone(), order["body"]["state"].clone())).collect()
    };
    let told: Vec<(Value, Value)> = orders().await;
    assert_eq!(told, [(json!(1), json!("resolved")), (json!(3), json!("accepted"))], "its gateway hears of it");
    let ended = &centre.orders("alarms", "", 0, 0).await["orders"][0]["body"]["presses"];
    assert_eq!(ended, &json!([device_origin("btn-0001", 1, 2)]), "the end names the presses that it ended with");
    let of_own = &centre.orders("alarms", "", 0, 0).await["orders"][1]["body"];
    assert_eq!((of_own["kind"].as_str(), of_own["urgency"].as_str()), (Some("sos"), Some("emergency")));
    assert_eq!(of_own["follows"], alarm, "and of which alarm its press had been folded into");
    let acknowledge = "/api/v1/alarms/btn-0001.1.3/acknowledge";
    assert_eq!(centre.post(acknowledge, centre.operator(0), &json!({})).await.0, 200);
    let told: Vec<(Value, Value)> = orders().await;
    assert_eq!(told, [(json!(1), json!("resolved")), (json!(3), json!("acknowledged"))]);
}

#[tokio::test]
async fn a_further_press_whose_alarm_is_not_here_yet_begins_it() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    let about = device_origin("btn-0001", 1, 1);
    journal.push(&device_origin("btn-0001", 1, 2), "alarm.repeated", &about, &alarm_body("btn-0001", "sos"));
    centre.upload(&journal, 2..=2).await;
    let (_, open) = centre.get("/api/v1/alarms?open=1").await;
    assert_eq!(open["alarms"][0]["id"], "btn-0001.1.1");
    centre.upload(&journal, 1..=1).await;
    assert_eq!(centre.get("/api/v1/alarms?open=1").await.1["alarms"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn d10_a_cancel_never_closes_an_alarm_even_when_it_comes_first() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    let about = device_origin("btn-0001", 1, 1);
    journal.push(&device_origin("btn-0001", 1, 2), "alarm.cancelled", &about, &alarm_body("btn-0001", "cancel"));
    centre.upload(&journal, 2..=2).await;
    centre.upload(&journal, 1..=1).await;
    let (_, alarm) = centre.get(ALARM).await;
    assert_eq!((alarm["state"].as_str(), alarm["history"][0]["what"].as_str()), (Some("accepted"), Some("cancelled")));
}

/// What the list and the alarm itself say about its presses; both say the same.
async fn marks(centre: &Centre) -> (Value, Value, Value) {
    let (_, open) = centre.get("/api/v1/alarms?open=1").await;
    let (_, alone) = centre.get(ALARM).await;
    let listed = &open["alarms"][0];
    for name in ["presses", "last_press_at", "taken_back"] {
        assert_eq!(listed[name], alone[name], "{name}");
    }
    (alone["presses"].clone(), alone["last_press_at"].clone(), alone["taken_back"].clone())
}

#[tokio::test]
async fn the_list_tells_how_often_a_button_was_pressed_also_where_a_gateway_only_counted() {
    let (centre, mut journal) = pressed().await;
    assert_eq!(marks(&centre).await, (json!(1), Value::Null, json!(false)));
    let alarm = device_origin("btn-0001", 1, 1);
    journal.push(&device_origin("btn-0001", 1, 2), "alarm.repeated", &alarm, &alarm_body("btn-0001", "sos"));
    let own = journal.own();
    let mut counted = alarm_body("btn-0001", "sos");
    counted["folded"] = json!(6);
    counted["folded_seqs"] = json!([{"epoch": 1, "from": 3, "to": 8}]);
    journal.push(&own, "alarm.repeated", &alarm, &counted);
    centre.upload(&journal, 2..=3).await;
    let recorded = json!("2026-11-24T10:00:00.000+08:00");
    assert_eq!(marks(&centre).await, (json!(8), recorded.clone(), json!(false)));
    // Told again, nothing is counted twice.
    centre.upload(&journal, 1..=3).await;
    assert_eq!(marks(&centre).await, (json!(8), recorded, json!(false)));
    let own = journal.own();
    counted["folded"] = json!(u64::MAX);
    journal.push(&own, "alarm.repeated", &alarm, &counted);
    centre.upload(&journal, 4..=4).await;
    assert_eq!(marks(&centre).await.0, json!(9), "a count that nobody can press counts as one");
}

#[tokio::test]
async fn the_list_tells_that_an_alarm_was_taken_back_until_it_is_pressed_again() {
    let (centre, mut journal) = pressed().await;
    let alarm = device_origin("btn-0001", 1, 1);
    let mut tell = |seq, entry: &str, word: &str| {
        journal.push(&device_origin("btn-0001", 1, seq), entry, &alarm, &alarm_body("btn-0001", word))
    };
    let last =
        [tell(2, "alarm.cancelled", "cancel"), tell(3, "alarm.repeated", "sos"), tell(4, "alarm.cancelled", "cancel")];
    for (n, taken_back) in last.into_iter().zip([true, false, true]) {
        centre.upload(&journal, n..=n).await;
        assert_eq!(marks(&centre).await.2, json!(taken_back), "after entry {n}");
        assert_eq!(centre.get(ALARM).await.1["state"], "accepted", "it stays open");
    }
}

#[tokio::test]
async fn a_take_back_that_overtakes_its_alarm_is_told_too_and_a_press_that_does_is_counted() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let about = device_origin("btn-0001", 1, 1);
    journal.press("btn-0001", 1);
    journal.push(&device_origin("btn-0001", 1, 2), "alarm.cancelled", &about, &alarm_body("btn-0001", "cancel"));
    centre.upload(&journal, 2..=2).await;
    centre.upload(&journal, 1..=1).await;
    assert_eq!(marks(&centre).await, (json!(1), Value::Null, json!(true)));
    let about = device_origin("btn-0002", 1, 1);
    journal.press("btn-0002", 1);
    journal.push(&device_origin("btn-0002", 1, 2), "alarm.repeated", &about, &alarm_body("btn-0002", "sos"));
    centre.upload(&journal, 4..=4).await;
    centre.upload(&journal, 3..=3).await;
    assert_eq!(centre.get("/api/v1/alarms/btn-0002.1.1").await.1["presses"], 2);
}

#[tokio::test]
async fn an_alarm_in_the_list_has_exactly_the_members_of_the_document() {
    let (centre, _) = pressed().await;
    let (_, open) = centre.get("/api/v1/alarms?open=1").await;
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).expect("JSON");
    let schema = &document["components"]["schemas"]["Alarm"];
    let members =
        |of: &Value| of.as_object().expect("members").keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(members(&open["alarms"][0]), members(&schema["properties"]));
    assert_eq!(schema["required"].as_array().map(Vec::len), Some(members(&schema["properties"]).len()));
}

#[tokio::test]
async fn events_tell_pages_of_alarms_and_steps() {
    let centre = Centre::start().await;
    let mut events = listen(&centre).await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    centre.upload(&journal, 1..=1).await;
    step(&centre, "acknowledge", 0, &json!({})).await;
    let mut text = String::new();
    while !text.contains("alarm.step") {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(5), events.chunk());
        let chunk = chunk.await.expect("events come").expect("events come").expect("events go on");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(text.contains("event: alarm.raised"), "{text}");
    assert!(text.contains("\"by\":\"op-demo\""), "{text}");
}

#[tokio::test]
async fn a_gateway_that_falls_silent_raises_one_alarm_and_one_that_never_called_does_not() {
    let centre = Centre::start_with("[supervision]\ngateway_silent_s = 5\n").await;
    let request = centre.http.put(format!("{}/api/v1/gateways/gw-new", centre.url)).bearer_auth(centre.operator(0));
    assert_eq!(crate::support::answer(request).await.0, 200);
    centre.orders("alarms", "", 0, 0).await;
    let mut events = listen(&centre).await;
    let mut text = String::new();
    while !text.contains("gateway_silent") {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(30), events.chunk());
        let chunk = chunk.await.expect("in time").expect("events come").expect("events go on");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    let (_, open) = centre.get("/api/v1/alarms?open=1").await;
    assert_eq!(open["alarms"].as_array().map(Vec::len), Some(1), "{open}");
    assert_eq!(open["alarms"][0]["gateway"], "gw-demo");
    let id = open["alarms"][0]["id"].as_str().expect("an id");
    let resolve = format!("/api/v1/alarms/{id}/resolve");
    assert_eq!(centre.post(&resolve, centre.operator(0), &json!({"cause": "断电"})).await.0, 200);
}
