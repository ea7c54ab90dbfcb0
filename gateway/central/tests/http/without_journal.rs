//! A gateway whose disk is dead raises its own alarms anew after each start; people see one of each kind.

use protocols::uplink::EntryUpload;
use serde_json::{Value, json};

use crate::support::{Centre, Journal, alarm_body, device_origin, entry, outcomes};

fn own(ms: u64) -> Value {
    json!({"source": "gateway:gw-demo", "epoch": "no-storage", "seq": ms})
}

/// Tells an entry as a gateway without a journal does: without a number.
async fn tell(centre: &Centre, origin: &Value, kind: &str, about: &Value, body: &Value) {
    let entry = entry(origin, kind, about, body).to_string();
    let upload = EntryUpload { n: None, entry, hash: String::new(), private: None };
    let journal = "j0000000000000001";
    let said = outcomes(&centre.upload_all(journal, vec![upload.clone()]).await);
    assert_eq!(said, ["accepted"]);
    // An answer may be lost.
    assert_eq!(outcomes(&centre.upload_all(journal, vec![upload]).await), ["duplicate"]);
}

async fn raise(centre: &Centre, ms: u64, kind: &str, device: Option<&str>) {
    let body = json!({"kind": kind, "urgency": "urgent", "device": device, "boot": null, "up_ms": null, "at": null,
        "battery_mv": null, "rssi_dbm": null, "detail": null});
    tell(centre, &own(ms), "alarm.raised", &Value::Null, &body).await;
}

async fn open(centre: &Centre) -> Vec<(String, i64)> {
    let (_, open) = centre.get("/api/v1/alarms?open=1").await;
    let open = open["alarms"].as_array().expect("alarms").clone();
    let text = |alarm: &Value| alarm["id"].as_str().expect("an id").to_owned();
    open.iter().map(|alarm| (text(alarm), alarm["presses"].as_i64().expect("a count"))).collect()
}

/// Sequence number and state of each order about an alarm.
async fn orders(centre: &Centre) -> Vec<(u64, String)> {
    let page = centre.orders("alarms", "", 0, 0).await;
    let order = |order: &Value| {
        let body = &order["body"];
        let state = body["state"].as_str().expect("a state").to_owned();
        (body["alarm"]["seq"].as_u64().expect("a number"), state)
    };
    page["orders"].as_array().expect("orders").iter().map(order).collect()
}

#[tokio::test]
async fn starts_with_a_dead_disk_are_one_alarm_until_it_is_resolved() {
    let centre = Centre::start().await;
    for ms in [1_000, 2_000, 3_000] {
        raise(&centre, ms, "storage", None).await;
    }
    assert_eq!(open(&centre).await, [("gw-demo.no-storage.1000".to_owned(), 3)]);
    raise(&centre, 3_500, "unreadable", Some("btn-0001")).await;
    raise(&centre, 3_600, "unreadable", Some("btn-0002")).await;
    assert_eq!(open(&centre).await.len(), 3, "other kinds and other devices are other alarms");
    let resolve = "/api/v1/alarms/gw-demo.no-storage.1000/resolve";
    assert_eq!(centre.post(resolve, centre.operator(0), &json!({"cause": "换盘"})).await.0, 200);
    raise(&centre, 4_000, "storage", None).await;
    assert!(open(&centre).await.contains(&("gw-demo.no-storage.4000".to_owned(), 1)), "what comes after is a new one");
}

#[tokio::test]
async fn a_gateway_hears_of_steps_under_the_origin_that_it_knows_and_its_own_steps_count() {
    let centre = Centre::start().await;
    raise(&centre, 1_000, "storage", None).await;
    let step = async |name: &str| {
        let path = format!("/api/v1/alarms/gw-demo.no-storage.1000/{name}");
        centre.post(&path, centre.operator(0), &json!({"cause": "换盘"})).await
    };
    assert_eq!(step("acknowledge").await.0, 200);
    raise(&centre, 2_000, "storage", None).await;
    assert!(orders(&centre).await.contains(&(2_000, "acknowledged".to_owned())), "it did not know that");
    assert_eq!(step("dispatch").await.0, 200);
    assert!(orders(&centre).await.contains(&(2_000, "dispatched".to_owned())));
    let resolved = json!({"state": "resolved", "by": "staff-1", "cause": "换盘"});
    tell(&centre, &own(2_500), "alarm.state", &own(2_000), &resolved).await;
    assert_eq!(open(&centre).await, []);
    assert_eq!(centre.get("/api/v1/alarms/gw-demo.no-storage.1000").await.1["state"], "resolved");
}

/// Whoever replaces the gateway, or starts it after a disk that was dead, knows nothing of the steps that were taken at it; and which
/// presses an alarm ended with only the centre knows.
#[tokio::test]
async fn a_step_is_told_to_the_gateway_where_it_was_taken_too() {
    let centre = Centre::start().await;
    let mut journal = Journal::new("j0000000000000001");
    let about = device_origin("btn-0001", 1, 1);
    journal.press("btn-0001", 1);
    journal.push(&device_origin("btn-0001", 1, 2), "alarm.repeated", &about, &alarm_body("btn-0001", "sos"));
    let step = json!({"state": "on_site", "by": "nurse-1", "cause": null});
    let origin = journal.own();
    journal.push(&origin, "alarm.state", &about, &step);
    centre.upload(&journal, 1..=3).await;
    assert_eq!(orders(&centre).await, [(1, "on_site".to_owned())]);
    let end = json!({"state": "resolved", "by": "nurse-1", "cause": "helped"});
    tell(&centre, &own(1_000), "alarm.state", &about, &end).await;
    let page = centre.orders("alarms", "", 0, 0).await;
    let told = page["orders"].as_array().expect("orders").iter().map(|order| &order["body"]);
    let told: Vec<_> = told.map(|body| (&body["state"], &body["alarm"], &body["presses"])).collect();
    let ended = json!([device_origin("btn-0001", 1, 2)]);
    assert_eq!(told, [(&json!("resolved"), &about, &ended)]);
}
