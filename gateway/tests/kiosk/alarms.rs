//! Alarms over the API.

use protocols::device::AlarmState;
use protocols::uplink::Urgency;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::desk_rig::{NURSE, Rig, ask, refused};
use crate::fake_core::alarm;

const ALARM: &str = "/api/v1/alarms/btn-0001.1.42";

#[tokio::test]
async fn open_alarms_are_listed_and_closed_ones_on_demand() {
    let rig = Rig::start().await;
    let resolve = rig.program(Method::POST, &format!("{ALARM}/resolve")).json(&json!({"cause": "accidental"}));
    assert_eq!(ask(resolve).await.0, StatusCode::OK);
    let count = |body: &Value| body.as_array().map(Vec::len);
    assert_eq!(count(&ask(rig.get("/api/v1/alarms")).await.1), Some(2));
    assert_eq!(count(&ask(rig.get("/api/v1/alarms?all=1")).await.1), Some(3));
}

#[tokio::test]
async fn a_step_carries_who_took_it() {
    let rig = Rig::start().await;
    let cookie = rig.staff_cookie().await;
    for (step, state) in [("acknowledge", "acknowledged"), ("dispatch", "dispatched"), ("on_site", "on_site")] {
        let (status, body) = ask(rig.page(Method::POST, &format!("{ALARM}/{step}"), &cookie)).await;
        assert_eq!((status, body), (StatusCode::OK, json!({"id": "btn-0001.1.42", "state": state})));
    }
    let resolve = rig.program(Method::POST, &format!("{ALARM}/resolve")).json(&json!({"cause": "fall"}));
    let (status, body) = ask(resolve).await;
    assert_eq!((status, body["state"].as_str()), (StatusCode::OK, Some("resolved")));
    let steps = rig.core.state().steps.clone();
    let by: Vec<&str> = steps.iter().map(|(_, _, by, _)| by.as_str()).collect();
    assert_eq!(by, [NURSE, NURSE, NURSE, "robot"]);
    assert_eq!(
        steps.last().map(|(_, state, _, cause)| (*state, cause.as_deref())),
        Some((AlarmState::Resolved, Some("fall")))
    );
}

#[tokio::test]
async fn an_alarm_is_not_resolved_without_a_cause() {
    let rig = Rig::start().await;
    let resolve = || rig.program(Method::POST, &format!("{ALARM}/resolve"));
    assert_eq!(refused(resolve()).await, (422, "cause_missing".to_owned()));
    assert_eq!(refused(resolve().json(&json!({"cause": " "}))).await, (422, "cause_missing".to_owned()));
    let long = json!({"cause": "x".repeat(201)});
    assert_eq!(refused(resolve().json(&long)).await, (422, "cause_invalid".to_owned()));
}

#[tokio::test]
async fn an_alarm_or_step_that_is_not_there_is_not_found() {
    let rig = Rig::start().await;
    let unknown = rig.program(Method::POST, "/api/v1/alarms/btn-0009.1.1/acknowledge");
    assert_eq!(refused(unknown).await, (404, "alarm_unknown".to_owned()));
    let odd = rig.program(Method::POST, "/api/v1/alarms/%E6%8C%89/acknowledge");
    assert_eq!(refused(odd).await, (404, "alarm_unknown".to_owned()));
    let step = rig.program(Method::POST, &format!("{ALARM}/forget"));
    assert_eq!(refused(step).await, (404, "not_found".to_owned()));
    assert_eq!(refused(rig.get(&format!("{ALARM}/resolve"))).await, (405, "method_not_allowed".to_owned()));
}

#[tokio::test]
async fn the_most_urgent_open_alarm_stands_first_and_of_equal_ones_the_oldest() {
    let rig = Rig::start().await;
    let mut older = alarm("cord-0002.1.1", "pull_cord", Urgency::Emergency, "1号楼 108", AlarmState::Raised);
    older.raised_at = "2026-11-24T09:00:00+08:00".to_owned();
    {
        let mut state = rig.core.state();
        state.alarms.reverse();
        state.alarms.push(older);
    }
    let (_, alarms) = ask(rig.get("/api/v1/alarms")).await;
    let ids: Vec<&str> = alarms.as_array().into_iter().flatten().filter_map(|alarm| alarm["id"].as_str()).collect();
    assert_eq!(ids, ["cord-0002.1.1", "fall-0007.1.9", "btn-0001.1.42", "btn-0003.2.8"]);
}
