//! Reads and monitoring.

use reqwest::{Method, StatusCode};

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
    assert_eq!(ask(rig.get("/readyz")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask(rig.get("/healthz")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_core_that_does_not_answer_is_not_healthy() {
    let rig = Rig::start().await;
    rig.core.state().mute = true;
    assert_eq!(refused(rig.get("/healthz")).await, (503, "late".to_owned()));
}
