//! Reads and monitoring.

use gateway::adapter::kiosk::view::TroubleView;
use gateway::troubles::Part;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::desk_rig::{NURSE, Rig, ask, lunch, refused};

#[tokio::test]
async fn status_catalogue_and_devices_are_open_on_this_machine() {
    let rig = Rig::start().await;
    let (status, body) = ask(rig.get("/api/v1/status")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["journal"]["n"], 1042);
    assert_eq!(body["lanes"][2]["waiting"], 17);
    assert_eq!(body["readers"][0]["state"], "empty");
    let (_, catalogue) = ask(rig.get("/api/v1/catalogue")).await;
    assert_eq!(catalogue["services"][0]["price"], 1200);
    let (_, devices) = ask(rig.get("/api/v1/devices")).await;
    assert_eq!(devices[1]["supervision"], "silent");
}

#[tokio::test]
async fn sales_and_quarantine_are_for_staff() {
    let rig = Rig::start().await;
    ask(rig.sale("k", &lunch())).await;
    let cookie = rig.staff_cookie().await;
    let (_, sales) = ask(rig.page(Method::GET, "/api/v1/sales", &cookie)).await;
    assert_eq!(sales[0]["amount"], 1200);
    let (_, quarantine) = ask(rig.page(Method::GET, "/api/v1/quarantine", &cookie)).await;
    assert_eq!(quarantine[0]["outcome"], "conflict");
}

#[tokio::test]
async fn ready_means_that_the_journal_takes_entries() {
    let rig = Rig::start().await;
    assert_eq!(ask(rig.get("/readyz")).await.0, StatusCode::OK);
    rig.core.state().storing = false;
    let (status, body) = ask(rig.get("/readyz")).await;
    assert_eq!((status, &body["reasons"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(["journal"])));
    assert_eq!(ask(rig.get("/healthz")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn ready_means_that_devices_can_reach_the_gateway_and_a_part_without_alarms_does_not_count() {
    let rig = Rig::start().await;
    let trouble = |part: Part| TroubleView {
        part: part.word(),
        detail: "127.0.0.1:1 cannot be bound".to_owned(),
        alarms_concerned: part.concerns_alarms(),
    };
    rig.core.state().degraded = vec![trouble(Part::CardReaders), trouble(Part::JournalRows)];
    assert_eq!(ask(rig.get("/readyz")).await.0, StatusCode::OK);
    rig.core.state().degraded.push(trouble(Part::DeviceLinkTls));
    let (status, body) = ask(rig.get("/readyz")).await;
    assert_eq!((status, &body["reasons"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(["device_link_tls"])));
    let (_, status) = ask(rig.get("/api/v1/status")).await;
    assert_eq!(status["degraded"][2]["detail"], "127.0.0.1:1 cannot be bound");
}

#[tokio::test]
async fn a_core_that_does_not_answer_is_not_healthy() {
    let rig = Rig::start().await;
    rig.core.state().mute = true;
    assert_eq!(refused(rig.get("/healthz")).await, (503, "late".to_owned()));
}

#[tokio::test]
async fn staff_send_an_entry_again_and_try_a_device_out() {
    let rig = Rig::start().await;
    let cookie = rig.staff_cookie().await;
    let (status, sent) = ask(rig.page(Method::POST, "/api/v1/quarantine/977/send_again", &cookie)).await;
    assert_eq!((status, sent), (StatusCode::OK, json!({"n": 977, "waiting": true})));
    assert_eq!(rig.core.state().sent_again[0].1.as_str(), NURSE, "who did it goes with it");
    for odd in ["0", "-1", "1e3", "99999999999999999999999", "%25", "x"] {
        let request = rig.page(Method::POST, &format!("/api/v1/quarantine/{odd}/send_again"), &cookie);
        assert_eq!(refused(request).await, (404, "entry_unknown".to_owned()), "{odd}");
    }
    let (status, test) = ask(rig.page(Method::POST, "/api/v1/devices/btn-0001/test", &cookie)).await;
    assert_eq!((status, &test["running"], &test["ends_in_s"]), (StatusCode::OK, &json!(true), &json!(180)));
    let odd = rig.page(Method::POST, "/api/v1/devices/%3Cb%3E/test", &cookie);
    assert_eq!(refused(odd).await, (404, "device_unknown".to_owned()));
    let (_, tests) = ask(rig.page(Method::GET, "/api/v1/tests", &cookie)).await;
    assert_eq!(tests[0]["device"], "btn-0001");
    let (_, hours) = ask(rig.page(Method::GET, "/api/v1/figures", &cookie)).await;
    assert_eq!(hours[0], json!({"from": "2026-11-24T11:00:00+08:00", "figures": null}), "unknown, not nothing");
}
