//! D11: yesterday's press, played again by whoever recorded it, is acknowledged, has no second effect, and is shown to people.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::{Bench, device};
use gateway_core::{Effect, Input, LinkInput};
use protocols::uplink::Urgency;

const HOUR_MS: u64 = 3_600_000;

fn heartbeat(bench: &mut Bench) {
    let payload = br#"{"v":1}"#.to_vec();
    bench.input(Input::Link(LinkInput::Status { device: device("btn-0001"), ack: None, payload, retained: false }));
}

fn hours_with_heartbeats(bench: &mut Bench, hours: u64) {
    for _ in 0..hours {
        bench.advance(HOUR_MS);
        heartbeat(bench);
        bench.settle();
    }
}

fn replayed(bench: &Bench) -> Vec<(Urgency, String)> {
    let alarms = bench.core.alarms(false).into_iter().filter(|alarm| alarm.kind == "replayed");
    alarms.map(|alarm| (alarm.urgency, alarm.detail.unwrap_or_default())).collect()
}

fn raised(bench: &Bench) -> usize {
    bench.rows.iter().filter(|row| row.kind == "alarm.raised" && row.source == "device:btn-0001").count()
}

#[test]
fn d11_yesterdays_press_played_again_is_acknowledged_and_shown_to_people_and_raises_no_second_press() {
    let mut bench = Bench::new();
    bench.press(42);
    bench.settle();
    hours_with_heartbeats(&mut bench, 24);
    let token = bench.press(42);
    assert!(!bench.acked(token), "what people are to see is durable first");
    bench.settle();
    assert!(bench.acked(token));
    assert_eq!(replayed(&bench), [(Urgency::Urgent, "sos number 1/42 came again".to_owned())]);
    assert_eq!(raised(&bench), 1);
    assert!(bench.effects.iter().any(|effect| matches!(effect, Effect::Count { name: "reports_replayed", .. })));
}

#[test]
fn d11_a_thousand_replays_are_one_alarm_told_by_count() {
    let mut bench = Bench::new();
    bench.press(42);
    bench.settle();
    hours_with_heartbeats(&mut bench, 24);
    let rows = bench.rows.len();
    for _ in 0..1_000 {
        let token = bench.press(42);
        bench.settle();
        assert!(bench.acked(token));
    }
    assert_eq!(replayed(&bench).len(), 1);
    assert!(bench.rows.len() - rows < 10, "{} entries", bench.rows.len() - rows);
}

#[test]
fn d11_a_resend_whose_acknowledgement_was_lost_alerts_nobody_however_late_it_comes() {
    let mut bench = Bench::new();
    bench.press(41);
    bench.press(42);
    bench.settle();
    bench.advance(72 * HOUR_MS);
    // Back after three days: the heartbeat comes first, then what it still has, then news.
    heartbeat(&mut bench);
    for seq in [41, 42, 43, 42] {
        let token = bench.press(seq);
        bench.settle();
        assert!(bench.acked(token), "{seq}");
    }
    assert!(replayed(&bench).is_empty());
}

#[test]
fn d11_a_press_from_before_a_restart_and_one_from_far_back_are_recognised_too() {
    let mut bench = Bench::new();
    for seq in 1..=100 {
        bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"test"}}"#));
    }
    bench.press(101);
    bench.settle();
    let mut bench = bench.restart();
    hours_with_heartbeats(&mut bench, 5);
    bench.press(101);
    bench.settle();
    assert_eq!(replayed(&bench), [(Urgency::Urgent, "sos number 1/101 came again".to_owned())]);
    let token = bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":3,"kind":"test"}"#);
    bench.settle();
    assert!(bench.acked(token));
    assert_eq!(replayed(&bench).len(), 1, "folded into the one that is open");
}
