//! Reads and monitoring.

use gateway::adapter::kiosk::view::TroubleView;
use gateway::troubles::Part;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::desk_rig::{Rig, ask, lunch, refused};

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
