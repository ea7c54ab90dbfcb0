//! What keeps the gateway from starting, and what does not: alarms come first.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use tests::site::wait::{until, until_is};
use tests::site::{Site, SiteSettings};

const WITHIN: Duration = Duration::from_secs(30);

/// The parts that the gateway does without, as its status names them.
fn degraded(status: &Value) -> Vec<&str> {
    let list = status["degraded"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| one["part"].as_str()).collect()
}

async fn centre_has(site: &Site, what: &str, wanted: impl FnMut(&Value) -> bool) {
    let read = async || site.centre.operator.read("/api/v1/alarms").await;
    until_is(what, WITHIN, read, wanted).await.expect("the alarm travels");
}

fn has_kind(alarms: &Value, kind: &str) -> bool {
    alarms.to_string().contains(&format!("\"{kind}\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_3_a_taken_kiosk_port_keeps_no_alarm_from_the_centre_and_the_page_opens_once_it_is_free() {
    let mut site = Site::prepare(&SiteSettings::default()).await.expect("a site");
    site.centre.start().await.expect("the centre runs");
    let other = TcpListener::bind(site.gateway.kiosk_address()).expect("the port is the site's");
    site.gateway.launch().expect("it starts");
    let connect = async || site.button("btn-0001").await.ok();
    let mut button = until("devices are let in", WITHIN, connect).await.expect("alarms are taken without the kiosk");
    let pressed = button.press("sos").await.expect("acknowledged");
    button.hear_state(pressed.seq, "accepted", WITHIN).await.expect("the centre accepted it");
    centre_has(&site, "the centre hears of the kiosk", |alarms| has_kind(alarms, "kiosk_down")).await;
    let log = std::fs::read_to_string(site.gateway.log()).expect("a log");
    let address = site.gateway.kiosk_address().to_string();
    assert!(log.lines().any(|line| line.contains("ERROR") && line.contains(&address)), "{log}");
    site.gateway.check().expect("it runs");
    drop(other);
    let well = |status: &Value| degraded(status).is_empty();
    site.gateway.wait_status("the page opens", WITHIN, well).await.expect("it tries again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_device_port_is_told_to_everybody_and_tried_again_while_the_rest_works() {
    let mut site = Site::prepare(&SiteSettings::default()).await.expect("a site");
    site.centre.start().await.expect("the centre runs");
    let other = TcpListener::bind(site.gateway.mqtt()).expect("the port is the site's");
    site.gateway.launch().expect("it starts");
    let ill = |status: &Value| degraded(status) == ["device_link_plain"];
    site.gateway.wait_status("the status says it", WITHIN, ill).await.expect("the pages are there");
    let ready = site.gateway.api.get("/readyz").await.expect("an answer");
    let body: Value = serde_json::from_str(&ready.text).expect("JSON");
    assert_eq!((ready.status, &body["reasons"]), (503, &json!(["device_link_plain"])));
    centre_has(&site, "the centre hears of it", |alarms| has_kind(alarms, "device_link_down")).await;
    drop(other);
    site.gateway.wait_ready().await.expect("it tries again");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    button.press("sos").await.expect("acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_starts_nothing_and_ends_with_78() {
    let mut site = Site::prepare(&SiteSettings::default()).await.expect("a site");
    let good = std::fs::read_to_string(&site.gateway.config).expect("the configuration");
    let address = site.gateway.kiosk_address();
    let open = good
        .replace(&format!("listen = \"{address}\"\ncredentials_file"), "listen = \"0.0.0.0:0\"\n# credentials_file");
    let unreadable = good.replace(
        "[uplink]",
        "tls = { address = \"127.0.0.1:0\", certificate = \"none.pem\", key = \"none.key\" }\n\n[uplink]",
    );
    for (wrong, key) in [(open, "kiosk.listen"), (unreadable, "device_link.tls")] {
        assert_ne!(wrong, good, "{key}");
        std::fs::write(&site.gateway.config, &wrong).expect("written");
        site.gateway.launch().expect("it starts");
        let ended = until("its end", WITHIN, async || site.gateway.ended()).await.expect("it ends");
        assert_eq!(ended.code(), Some(78), "{key}");
        let log = std::fs::read_to_string(site.gateway.log()).expect("a log");
        assert!(log.contains(&format!(": {key}: ")), "{log}");
    }
}
