//! The devices file while the gateway runs.

use std::time::Duration;

use tests::site::mqtt::Heard;
use tests::site::wait::until;
use tests::site::{Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(30);

async fn hears_the_end(button: &mut tests::site::button::Button) -> bool {
    let end = async { while !matches!(button.connection().hear().await, Heard::Closed { .. }) {} };
    tokio::time::timeout(WITHIN, end).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_removed_loses_its_open_connection_and_one_that_is_added_comes_in_without_a_restart() {
    let settings = SiteSettings { devices: vec!["btn-0001".into(), "btn-0002".into()], ..SiteSettings::default() };
    let mut site = Site::start(&settings).await.expect("a site");
    let mut stolen = site.button("btn-0001").await.expect("it is let in");
    let mut kept = site.button("btn-0002").await.expect("it is let in");
    stolen.press("test").await.expect("acknowledged");
    site.gateway.tool_well(&["device", "remove", "btn-0001"]).await.expect("removed");
    assert!(hears_the_end(&mut stolen).await, "its connection is cut");
    assert!(stolen.reconnect().await.is_err(), "its secret is no longer good");
    kept.press("sos").await.expect("the others stay connected");

    let login = site.gateway.add_device("btn-0001").await.expect("added, with another secret");
    let connect = async || tests::site::button::Button::connect(login.clone(), 2).await.ok();
    let mut renewed = until("the new secret is good", WITHIN, connect).await.expect("it is let in");
    renewed.press("sos").await.expect("acknowledged");
    assert!(stolen.reconnect().await.is_err(), "the old secret is not");
    site.gateway.check().expect("the gateway was not started anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_devices_file_with_a_mistake_changes_nothing_and_is_told() {
    let site = Site::start(&SiteSettings::default()).await.expect("a site");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    let path = site.directory().join("devices.toml");
    let good = std::fs::read_to_string(&path).expect("the devices file");
    std::fs::write(&path, "[[device]]\nid = 7\n").expect("written");
    let told = |status: &serde_json::Value| status["degraded"][0]["part"] == "devices_file";
    site.gateway.wait_status("the mistake is shown", WITHIN, told).await.expect("it is noticed");
    button.press("sos").await.expect("the last good file stays in use");
    site.button("btn-0001").await.expect("and lets in whom it has");
    std::fs::write(&path, good).expect("written");
    let well = |status: &serde_json::Value| status["degraded"].as_array().is_some_and(Vec::is_empty);
    site.gateway.wait_status("all is well", WITHIN, well).await.expect("it is noticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_devices_file_that_is_emptied_cuts_nobody_and_is_told() {
    let site = Site::start(&SiteSettings::default()).await.expect("a site");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    let path = site.directory().join("devices.toml");
    std::fs::write(&path, "").expect("emptied");
    let told = |status: &serde_json::Value| status["degraded"][0]["part"] == "devices_file";
    site.gateway.wait_status("the mistake is shown", WITHIN, told).await.expect("it is noticed");
    button.press("sos").await.expect("its connection stands");
    site.button("btn-0001").await.expect("and it is let in anew");
}
