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

#[tokio::test]
async fn who_went_and_what_a_person_wrote_is_told_to_staff_alone() {
    let rig = Rig::start().await;
    let staff = rig.staff_cookie().await;
    let dispatch =
        rig.page(Method::POST, &format!("{ALARM}/dispatch"), &staff).json(&json!({"responder": "Wang Fang"}));
    assert_eq!(ask(dispatch).await.0, StatusCode::OK);
    let resolve = rig.page(Method::POST, &format!("{ALARM}/resolve"), &staff).json(&json!({"cause": "Li Lei fell"}));
    assert_eq!(ask(resolve).await.0, StatusCode::OK);
    rig.core.state().alarms.iter_mut().for_each(|alarm| alarm.responder = Some("Wang Fang".to_owned()));
    let list = "/api/v1/alarms?all=1";
    let kiosk = rig.kiosk_cookie().await;
    for request in [rig.get(list), rig.get(list).header("cookie", &kiosk)] {
        let (status, alarms) = ask(request).await;
        assert_eq!((status, alarms.as_array().map(Vec::len)), (StatusCode::OK, Some(3)));
        for word in ["Wang Fang", "Li Lei", NURSE] {
            assert!(!alarms.to_string().contains(word), "{word}: {alarms}");
        }
        let known = alarms.as_array().into_iter().flatten().find(|alarm| alarm["id"] == "btn-0001.1.42");
        let last = known.and_then(|alarm| alarm["steps"].as_array()).and_then(|steps| steps.last());
        assert_eq!(last.map(|step| step["state"].clone()), Some(json!("resolved")), "how far it came is told");
    }
    for request in [rig.get(list).header("cookie", &staff), rig.program(Method::GET, list)] {
        let (_, alarms) = ask(request).await;
        for word in ["Wang Fang", "Li Lei fell", NURSE] {
            assert!(alarms.to_string().contains(word), "{word}: {alarms}");
        }
    }
}
