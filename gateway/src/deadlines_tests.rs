//! What has to happen next, from alarms as the core keeps them.

use serde_json::json;

use super::*;

fn at(text: &str) -> UnixMs {
    let at: Timestamp = text.parse().expect("a time");
    UnixMs(at.as_millisecond())
}

fn alarm(urgency: &str, steps: &[(&str, &str)]) -> Alarm {
    let history: Vec<_> = steps
        .iter()
        .map(|(state, at)| json!({"what": "step", "state": state, "by": null, "at": at, "cause": null}))
        .collect();
    let state = steps.last().map_or("raised", |(state, _)| *state);
    let alarm = json!({
        "id": "btn-0001.1.42", "origin": {"source": "device:btn-0001", "epoch": 1, "seq": 42}, "n": 7, "kind": "sos",
        "urgency": urgency, "device": "btn-0001", "epoch": 1, "seqs": [42], "presses": 1,
        "opened_at": "2026-11-24T09:30:00.500+08:00", "state": state, "cancelled": false, "told": null, "history": history,
    });
    serde_json::from_value(alarm).expect("an alarm as it is kept")
}

fn next_at(alarm: &Alarm, now: &str) -> Option<(&'static str, Option<i64>)> {
    next(alarm, at(now)).map(|next| (next.step, next.due_in_s))
}

#[test]
fn nobody_who_acknowledges_an_emergency_for_a_minute_is_overdue() {
    let raised = alarm("emergency", &[("accepted", "2026-11-24T09:30:01+08:00")]);
    assert_eq!(next_at(&raised, "2026-11-24T09:30:20.500+08:00"), Some(("acknowledge", Some(40))));
    assert_eq!(next_at(&raised, "2026-11-24T09:33:00.500+08:00"), Some(("acknowledge", Some(-120))));
    assert_eq!(next_at(&alarm("technical", &[]), "2026-11-24T09:33:00.500+08:00"), Some(("acknowledge", Some(7_020))));
}

#[test]
fn each_step_of_a_person_starts_the_time_of_the_next() {
    let mut steps = vec![("acknowledged", "2026-11-24T09:31:00+08:00")];
    assert_eq!(next_at(&alarm("urgent", &steps), "2026-11-24T09:32:00+08:00"), Some(("dispatch", Some(120))));
    steps.push(("dispatched", "2026-11-24T09:33:00+08:00"));
    assert_eq!(next_at(&alarm("urgent", &steps), "2026-11-24T09:49:00+08:00"), Some(("on_site", Some(-60))));
    steps.push(("on_site", "2026-11-24T09:50:00+08:00"));
    assert_eq!(next_at(&alarm("urgent", &steps), "2026-11-24T10:50:00+08:00"), Some(("resolve", None)));
    steps.push(("resolved", "2026-11-24T10:51:00+08:00"));
    assert_eq!(next_at(&alarm("urgent", &steps), "2026-11-24T10:51:00+08:00"), None);
}

#[test]
fn a_time_that_lies_ahead_is_no_age() {
    assert_eq!(age_s("2026-11-24T09:30:00+08:00", at("2026-11-24T09:29:00+08:00")), Some(0));
    assert_eq!(age_s("soon", at("2026-11-24T09:29:00+08:00")), None);
}

#[test]
fn whoever_said_when_they_are_there_is_overdue_by_their_own_word() {
    let mut sent = alarm("emergency", &[("dispatched", "2026-11-24T09:33:00+08:00")]);
    sent.history[0].sent.eta_min = Some(5);
    assert_eq!(next_at(&sent, "2026-11-24T09:39:00+08:00"), Some(("on_site", Some(-60))));
}
