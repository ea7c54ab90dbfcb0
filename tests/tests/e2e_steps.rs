//! What a person at the centre or at the site does about an alarm reaches everybody within a second.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::site::wait::until_is;
use tests::site::{Site, SiteSettings};

const SECOND: Duration = Duration::from_secs(1);
/// Steps in the interfaces' words, with the state that each leads to.
const STEPS: [(&str, &str); 4] =
    [("acknowledge", "acknowledged"), ("dispatch", "dispatched"), ("on_site", "on_site"), ("resolve", "resolved")];

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_an_operator_reaches_the_gateway_and_the_device_within_a_second() {
    let site = Site::start(&SiteSettings::default()).await.expect("a site");
    site.wait_catalogue().await.expect("the line is up");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    let pressed = button.press("sos").await.expect("acknowledged");
    button.hear_state(pressed.seq, "accepted", 5 * SECOND).await.expect("the centre accepted it");
    let alarm = pressed.alarm("btn-0001");
    for (step, state) in STEPS {
        let clicked = Instant::now();
        let path = format!("/api/v1/alarms/{alarm}/{step}");
        let answer = site.centre.operator.post(&path, &json!({"cause": "accidental"})).await.expect("an answer");
        assert!(answer.is_success(), "{step}: {answer:?}");
        let heard = button.hear_state(pressed.seq, state, 5 * SECOND).await.expect("the device hears of it");
        let after = heard.at.saturating_duration_since(clicked);
        assert!(after < SECOND, "{state} reached the device after {after:?}");
        let shown = alarm_at_gateway(&site, &alarm).await;
        assert_eq!(shown["state"], state, "{shown}");
        assert!(clicked.elapsed() < SECOND, "{state} was shown at the site after {:?}", clicked.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_staff_at_the_site_reaches_the_centre_and_the_device() {
    let site = Site::start(&SiteSettings::default()).await.expect("a site");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    let pressed = button.press("fall").await.expect("acknowledged");
    let alarm = pressed.alarm("btn-0001");
    for (step, state) in STEPS {
        let path = format!("/api/v1/alarms/{alarm}/{step}");
        let answer = site.gateway.staff.post(&path, &json!({"cause": "fall"})).await.expect("an answer");
        assert!(answer.is_success(), "{step}: {answer:?}");
        button.hear_state(pressed.seq, state, 5 * SECOND).await.expect("the device hears of it");
        let read = async || site.centre.operator.read(&format!("/api/v1/alarms/{alarm}")).await;
        until_is("the centre shows the step", 5 * SECOND, read, |shown| shown["state"] == state)
            .await
            .expect("the step travels");
    }
    let unresolved = site.gateway.staff.post(&format!("/api/v1/alarms/{alarm}.9/acknowledge"), &json!({})).await;
    assert_eq!(unresolved.expect("an answer").code(), "alarm_unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_needs_somebody_and_its_end_a_cause() {
    let site = Site::start(&SiteSettings::default()).await.expect("a site");
    let mut button = site.button("btn-0001").await.expect("it is let in");
    let alarm = button.press("sos").await.expect("acknowledged").alarm("btn-0001");
    let path = format!("/api/v1/alarms/{alarm}/acknowledge");
    for nobody in [&site.gateway.api, &site.centre.api, &site.centre.api.with_token("0".repeat(64).as_str())] {
        let answer = nobody.post(&path, &json!({})).await.expect("an answer");
        assert!(matches!(answer.status, 401 | 403), "{answer:?}");
    }
    let resolve = format!("/api/v1/alarms/{alarm}/resolve");
    let answer = site.gateway.staff.post(&resolve, &json!({})).await.expect("an answer");
    assert_eq!(answer.code(), "cause_missing");
    assert_ne!(alarm_at_gateway(&site, &alarm).await["state"], "resolved");
}

async fn alarm_at_gateway(site: &Site, id: &str) -> serde_json::Value {
    let alarms = site.gateway.api.read("/api/v1/alarms?all=1").await.expect("the list");
    let alarms = alarms.as_array().expect("a list");
    alarms.iter().find(|alarm| alarm["id"] == id).expect("the alarm is there").clone()
}
