//! What an operator seeks and sees: the history, one alarm with all about it, figures, the map, proofs.

use protocols::uplink::EntryUpload;
use serde_json::{Value, json};

use crate::holds::{intent, outcome};
use crate::support::{Centre, Journal, alarm_body, answer, device_origin, hold_request};

/// A press on each of these devices, in turn, so many times.
async fn pressed(devices: &[&str], times: u64) -> (Centre, Journal) {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    for seq in 1..=times {
        for device in devices {
            journal.press(device, seq);
        }
    }
    let last = journal.entries.len() as u64;
    centre.upload(&journal, 1..=last).await;
    (centre, journal)
}

fn ids(list: &Value) -> Vec<String> {
    let alarms = list["alarms"].as_array().expect("a list");
    alarms.iter().map(|alarm| alarm["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn alarms_are_found_by_person_place_device_and_id() {
    let (centre, _) = pressed(&["btn-0001", "cord-0001", "btn-9001"], 1).await;
    for (q, id) in [
        ("王秀英", "btn-0001.1.1"),
        ("PERSON-0003", "cord-0001.1.1"),
        ("卫生间", "cord-0001.1.1"),
        ("8 号 501", "cord-0001.1.1"),
        ("9001", "btn-9001.1.1"),
        ("btn-9001.1.", "btn-9001.1.1"),
    ] {
        let encoded: String = q.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (status, found) = centre.get(&format!("/api/v1/alarms?q={encoded}")).await;
        assert_eq!((status, ids(&found)), (200, vec![id.to_owned()]), "{q}");
    }
    for (q, found) in
        [("q=%25", 0), ("q=_", 0), ("q='", 0), ("kind=sos", 3), ("kind=fall", 0), ("urgency=emergency", 3)]
    {
        assert_eq!(ids(&centre.get(&format!("/api/v1/alarms?{q}")).await.1).len(), found, "{q}");
    }
    assert_eq!(centre.post("/api/v1/alarms/btn-0001.1.1/acknowledge", centre.operator(0), &json!({})).await.0, 200);
    let (_, taken) = centre.get("/api/v1/alarms?state=acknowledged").await;
    assert_eq!((ids(&taken), &taken["alarms"][0]["by"]), (vec!["btn-0001.1.1".to_owned()], &json!("op-demo")));
    for wrong in ["urgency=high", "state=gone", "from=2026-02-30", "to=x", "before=x", "limit=0", "limit=501"] {
        assert_eq!(centre.get(&format!("/api/v1/alarms?{wrong}")).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn alarms_are_narrowed_to_civil_days_of_the_city() {
    let (centre, _) = pressed(&["btn-0001"], 1).await;
    let now = centre.get("/api/v1/alarms").await.1["now"].as_str().expect("a time").to_owned();
    let today = &now[..10];
    assert_eq!(ids(&centre.get(&format!("/api/v1/alarms?from={today}&to={today}")).await.1).len(), 1);
    assert_eq!(ids(&centre.get("/api/v1/alarms?to=2026-01-01").await.1).len(), 0);
    assert_eq!(ids(&centre.get("/api/v1/alarms?from=2099-01-01").await.1).len(), 0);
}

#[tokio::test]
async fn pages_of_the_history_have_each_alarm_once() {
    let (centre, _) = pressed(&["btn-0001", "btn-0002", "cord-0001"], 7).await;
    let (mut seen, mut path) = (Vec::new(), "/api/v1/alarms?limit=4".to_owned());
    loop {
        let (status, page) = centre.get(&path).await;
        assert_eq!(status, 200);
        assert!(ids(&page).len() <= 4);
        seen.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/alarms?limit=4&before={next}");
    }
    assert_eq!(seen.len(), 21);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 21, "each once");
    let (_, open) = centre.get("/api/v1/alarms?open=1&limit=2").await;
    assert_eq!((ids(&open).len(), open["open"].as_i64()), (2, Some(21)), "what is not shown is counted");
}

#[tokio::test]
async fn one_alarm_has_all_that_somebody_who_takes_it_needs() {
    let (centre, _) = pressed(&["btn-0001"], 7).await;
    let body = json!({"kind": "pendant", "place": "随身", "person": "person-0001", "gateway": "gw-demo",
        "silent_after_s": 7_200, "heartbeat_s": 3_600});
    let request = centre.http.put(format!("{}/api/v1/devices/pend-0009", centre.url)).bearer_auth(centre.operator(0));
    assert_eq!(answer(request.body(body.to_string())).await.0, 204);
    let mut other = Journal::new("j0000000000000001");
    other.press("pend-0009", 1);
    let entry = other.entries[0].0.clone();
    let without = EntryUpload { n: None, entry, hash: String::new(), private: None };
    centre.upload_all("j0000000000000001", vec![without]).await;
    let (_, alarm) = centre.get("/api/v1/alarms/pend-0009.1.1").await;
    assert_eq!(alarm["who"]["name"], "王秀英");
    assert_eq!(alarm["who"]["contacts"][0]["name"], "示范联系人");
    assert_eq!(alarm["same_home"].as_array().map(Vec::len), Some(7));
    assert_eq!(alarm["before"], json!([]));
    assert!(alarm["age_s"].as_i64().is_some_and(|age| age >= 0) && alarm["now"].is_string());
    let (_, first) = centre.get("/api/v1/alarms/btn-0001.1.7").await;
    assert_eq!(first["before"].as_array().map(Vec::len), Some(5));
    assert_eq!(first["name"], "王秀英");
    let (_, nobody) = centre.get("/api/v1/people?q=%E7%8E%8B").await;
    assert_eq!(
        (nobody["people"][0]["ref"].as_str(), nobody["people"][0]["open_alarms"].as_i64()),
        (Some("person-0001"), Some(8))
    );
    assert_eq!(centre.get("/api/v1/people?q=zzz").await.1, json!({"people": [], "more": false}));
}

#[tokio::test]
async fn an_age_counts_from_when_the_gateway_recorded_it_only_where_its_clock_could_be_trusted() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    journal.press("btn-0002", 1);
    journal.entries[1].0 = journal.entries[1].0.replace("\"trusted\"", "\"untrusted\"");
    centre.upload(&journal, 1..=2).await;
    let age = async |id: &str| centre.get(&format!("/api/v1/alarms/{id}")).await.1["age_s"].as_i64().expect("an age");
    // The entries were recorded on a fixed day that is over.
    assert!(age("btn-0001.1.1").await > 60, "by the gateway's clock");
    assert!(age("btn-0002.1.1").await < 60, "since it came here");
}

#[tokio::test]
async fn figures_tell_how_quickly_alarms_were_answered_and_nothing_where_none_were() {
    let centre = Centre::start().await;
    let (_, empty) = centre.get("/api/v1/figures?days=7").await;
    assert_eq!(
        empty["times"]["acknowledged"],
        json!({"n": 0, "p50_s": null, "p90_s": null, "p97_5_s": null, "p99_s": null})
    );
    assert_eq!((empty["buckets"].as_array().map(Vec::len), empty["by_hour"].as_bool()), (Some(7), Some(false)));
    let mut journal = Journal::new("j0000000000000001");
    journal.press("btn-0001", 1);
    let mut test = alarm_body("btn-0002", "test");
    test["urgency"] = json!("test");
    journal.push(&device_origin("btn-0002", 1, 1), "alarm.raised", &Value::Null, &test);
    journal.entries.iter_mut().for_each(|(entry, _)| *entry = entry.replace("\"trusted\"", "\"untrusted\""));
    centre.upload(&journal, 1..=2).await;
    for (step, alarm) in [("acknowledge", "btn-0001.1.1"), ("resolve", "btn-0001.1.1"), ("resolve", "btn-0002.1.1")] {
        let path = format!("/api/v1/alarms/{alarm}/{step}");
        assert_eq!(centre.post(&path, centre.operator(0), &json!({"cause": "fall"})).await.0, 200);
    }
    let (_, sheet) = centre.get("/api/v1/figures").await;
    let seen = &sheet["times"]["acknowledged"];
    assert!(seen["n"] == 1 && seen["p99_s"].as_f64().is_some_and(|s| (0.0..30.0).contains(&s)), "{sheet}");
    assert_eq!(
        (&sheet["times"]["on_site"]["p50_s"], &sheet["causes"]),
        (&Value::Null, &json!([{"cause": "fall", "alarms": 1}]))
    );
    assert_eq!((&sheet["by_urgency"][0]["alarms"], &sheet["by_urgency"][4]["alarms"]), (&json!(1), &json!(1)));
    let buckets = sheet["buckets"].as_array().expect("hours");
    let sum = |of: &str| buckets.iter().filter_map(|bucket| bucket[of].as_i64()).sum::<i64>();
    assert_eq!((sum("alarms"), sum("tests"), &sheet["by_hour"]), (1, 1, &json!(true)));
    for wrong in ["0", "367", "-1", "x"] {
        assert_eq!(centre.get(&format!("/api/v1/figures?days={wrong}")).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_staff_step_at_a_gateway_says_who_comes_and_counts_by_that_gateways_clock() {
    let (centre, mut journal) = pressed(&["btn-0001"], 1).await;
    let (alarm, own) = (device_origin("btn-0001", 1, 1), journal.own());
    let body = json!({"state": "dispatched", "by": "nurse-1", "cause": null, "responder": "值班护士", "eta_min": 15});
    journal.push(&own, "alarm.state", &alarm, &body);
    journal.entries[1].0 = journal.entries[1].0.replace("T10:00:00.000", "T10:00:30.000");
    let own = journal.own();
    let beyond =
        json!({"state": "on_site", "by": "nurse-1", "cause": null, "responder": "x".repeat(500), "eta_min": 9_999});
    journal.push(&own, "alarm.state", &alarm, &beyond);
    centre.upload(&journal, 2..=3).await;
    let (_, shown) = centre.get("/api/v1/alarms/btn-0001.1.1").await;
    assert_eq!(
        (&shown["responder"], &shown["by"], &shown["state"]),
        (&json!("值班护士"), &json!("nurse-1"), &json!("on_site"))
    );
    assert_eq!(shown["eta_at"], "2026-11-24T10:15:30.000+08:00");
    assert_eq!(shown["history"][1]["responder"], Value::Null, "what is out of bounds is left out, the step is taken");
    let (_, sheet) = centre.get("/api/v1/figures").await;
    assert_eq!(sheet["times"]["dispatched"]["p50_s"], 30.0);
}

#[tokio::test]
async fn the_map_shows_homes_with_what_is_open_there_and_gateways() {
    let (centre, _) = pressed(&["btn-0001"], 2).await;
    let (_, map) = centre.get("/api/v1/map").await;
    let home = &map["homes"][0];
    assert_eq!(
        (&home["person"], &home["open"], &home["urgency"]),
        (&json!("person-0001"), &json!(2), &json!("emergency"))
    );
    assert!(home["lat"].is_f64() && home["alarm"] == "btn-0001.1.1", "{home}");
    assert_eq!((&map["homes"][1]["urgency"], &map["without_place"]), (&Value::Null, &json!(0)));
    assert_eq!((&map["gateways"][0]["gateway"], &map["gateways"][0]["silent"]), (&json!("gw-demo"), &json!(false)));
    let put = async |path: &str, body: Value| {
        let request = centre.http.put(format!("{}{path}", centre.url)).bearer_auth(centre.operator(0));
        answer(request.body(body.to_string())).await.0
    };
    let place = "/api/v1/gateways/gw-demo/place";
    assert_eq!(put(place, json!({"lat": 30.5, "lon": 120.5})).await, 204);
    assert_eq!(put(place, json!({"lat": 90.5, "lon": 120.5})).await, 400);
    assert_eq!(put(place, json!({"lat": 30.5, "lon": -180.5})).await, 400);
    assert_eq!(put("/api/v1/gateways/gw-none/place", json!({"lat": 1, "lon": 1})).await, 404);
    let mut person = json!({"name": "无名", "address": "x", "contacts": [], "conditions": []});
    assert_eq!(put("/api/v1/people/person-0009", person.clone()).await, 204);
    assert_eq!(centre.get("/api/v1/map").await.1["without_place"], 1);
    person["lat"] = json!(30.1);
    assert_eq!(put("/api/v1/people/person-0009", person.clone()).await, 400, "both or neither");
    person["lon"] = json!(120.1);
    assert_eq!(put("/api/v1/people/person-0009", person).await, 204);
    let (_, map) = centre.get("/api/v1/map").await;
    assert_eq!((map["homes"].as_array().map(Vec::len), &map["gateways"][0]["lat"]), (Some(5), &json!(30.5)));
}

#[tokio::test]
async fn a_sale_is_shown_with_all_that_proves_it_and_an_account_page_by_page() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let origin = journal.own();
    assert_eq!(centre.hold(&hold_request(&origin, 1_250)).await["outcome"], "held");
    intent(&mut journal, &origin, "account", 1_250, &Value::Null);
    outcome(&mut journal, &origin, "paid", &Value::Null);
    centre.upload(&journal, 1..=2).await;
    let (_, sales) = centre.get("/api/v1/sales").await;
    let named = sales["sales"][0]["origin"].as_str().expect("an origin").replace('/', "%2F");
    let (status, sale) = centre.get(&format!("/api/v1/sales/{named}")).await;
    assert_eq!((status, sale["held"]["state"].as_str()), (200, Some("posted")), "{sale}");
    let kinds: Vec<&str> =
        sale["entries"].as_array().expect("entries").iter().filter_map(|entry| entry["kind"].as_str()).collect();
    assert_eq!(kinds, ["sale.intent", "sale.outcome"]);
    assert_eq!(sale["entries"][1]["hash"].as_str(), Some(hex::encode(journal.hash(2)).as_str()));
    assert_eq!((&sale["entries"][0]["n"], &sale["entries"][0]["linked"]), (&json!(1), &json!(true)));
    let transactions = sale["transactions"].as_array().expect("transactions");
    assert_eq!(transactions.len(), 2, "held, then posted");
    for transaction in transactions {
        let sum: i64 =
            transaction["postings"].as_array().expect("postings").iter().filter_map(|p| p["amount"].as_i64()).sum();
        assert_eq!(sum, 0, "{transaction}");
    }
    assert_eq!(centre.get("/api/v1/sales/gateway:none").await.0, 404);
    let (_, first) = centre.get("/api/v1/accounts/person-0001?limit=1").await;
    assert_eq!(first["movements"][0]["kind"], "hold");
    let next = first["next"].as_i64().expect("another page");
    let (_, second) = centre.get(&format!("/api/v1/accounts/person-0001?limit=1&before={next}")).await;
    assert_eq!((&second["movements"][0]["kind"], &second["next"]), (&json!("grant"), &Value::Null));
}
