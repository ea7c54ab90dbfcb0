//! Promises about an alarm whose state record is damaged at the start: it is open again, as far as the entries tell, and hears
//! of the centre's people once more.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::{Bench, device};
use gateway_core::{Alarm, DeskInput, Effect, Input, OutLane, Rebuild, ReplyToken, Sent, UplinkInput};
use protocols::device::AlarmState;
use protocols::id::Seq;
use protocols::uplink::{Lane, Order, OrderPage, Outcome, Urgency};
use serde_json::value::RawValue;

const SOS: &str = "alarm/btn-0001.1.1";

fn pressed() -> Bench {
    let mut bench = Bench::new();
    bench.connect("btn-0001", 1);
    for seq in 1..=2 {
        bench.press(seq);
        bench.settle();
    }
    bench
}

fn sos(bench: &Bench) -> Alarm {
    bench.core.alarms(true).into_iter().find(|alarm| alarm.id == "btn-0001.1.1").expect("it is remembered").clone()
}

fn step(bench: &mut Bench, state: AlarmState) {
    bench.input(Input::Desk(DeskInput::StepAlarm {
        reply: ReplyToken(1),
        alarm: "btn-0001.1.1".to_owned(),
        state,
        by: "nurse-1".parse().expect("a name"),
        cause: Some("helped up".to_owned()),
        sent: Sent::default(),
    }));
    bench.settle();
}

fn order(k: u64, seq: u64, state: &str) -> Order {
    let body = serde_json::json!({
        "alarm": {"source": "device:btn-0001", "epoch": 1, "seq": seq}, "state": state, "by": "operator-1",
        "at": "2026-11-24T09:31:00+08:00", "cause": "fall",
    });
    Order { k, kind: "alarm.state".to_owned(), body: RawValue::from_string(body.to_string()).expect("JSON") }
}

fn orders(bench: &mut Bench, orders: Vec<Order>) {
    let page = OrderPage { v: 1, stream: "s1".to_owned(), orders };
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Alarms, result: Ok(page) }));
    bench.settle();
}

#[test]
fn an_alarm_whose_record_is_damaged_is_open_again_with_all_its_presses() {
    let before = pressed();
    let known = sos(&before);
    let mut bench = before.restart_damaged(&[SOS]);
    bench.settle();
    let again = sos(&bench);
    assert_eq!((again.kind.as_str(), again.urgency, again.state), ("sos", Urgency::Emergency, AlarmState::Raised));
    assert_eq!((again.presses, &again.seqs, again.n), (2, &known.seqs, known.n));
    assert_eq!(
        (again.press_n, again.press_lane, &again.on_their_way),
        (known.press_n, known.press_lane, &known.on_their_way)
    );
    assert_eq!(again.opened_at, known.opened_at);
    assert!(bench.state.contains_key(SOS), "it is saved anew");
    let third = bench.press(3);
    bench.settle();
    assert!(bench.acked(third));
    assert_eq!(sos(&bench).presses, 3, "a further press is folded into it");
}

#[test]
fn steps_of_staff_and_what_the_centre_has_are_known_again() {
    let mut bench = pressed();
    let numbers: Vec<u64> = bench.rows.iter().filter(|row| row.lane == OutLane::Alarms).map(|row| row.n).collect();
    bench.uploaded(OutLane::Alarms, &numbers, Outcome::Accepted);
    bench.settle();
    let mut bench = bench.restart_damaged(&[SOS]);
    bench.settle();
    assert_eq!(sos(&bench).state, AlarmState::Accepted);
    step(&mut bench, AlarmState::OnSite);
    let mut bench = bench.restart_damaged(&[SOS]);
    bench.settle();
    let again = sos(&bench);
    assert_eq!(again.state, AlarmState::OnSite);
    assert_eq!(
        again.history.last().and_then(|line| line.by.as_ref()).map(ToString::to_string).as_deref(),
        Some("nurse-1")
    );
    step(&mut bench, AlarmState::Resolved);
    let bench = bench.restart_damaged(&[SOS]);
    assert!(bench.core.alarms(false).iter().all(|alarm| alarm.kind != "sos"), "a person has closed it");
}

#[test]
fn steps_of_the_centres_people_are_heard_once_more_and_forgotten_alarms_stay_forgotten() {
    let mut bench = pressed();
    orders(&mut bench, vec![order(1, 900, "resolved"), order(2, 1, "dispatched")]);
    assert_eq!(sos(&bench).state, AlarmState::Dispatched);
    bench.state.remove("alarm/btn-0001.1.900");
    let mut bench = bench.restart_damaged(&[SOS]);
    bench.settle();
    assert!(sos(&bench).state < AlarmState::Dispatched, "no entry tells of it");
    let polled = bench.effects.iter().find_map(|effect| match effect {
        Effect::PollOrders { lane: Lane::Alarms, after, .. } => Some(*after),
        _ => None,
    });
    assert_eq!(polled, Some(0));
    orders(&mut bench, vec![order(1, 900, "resolved"), order(2, 1, "dispatched"), order(3, 901, "acknowledged")]);
    assert_eq!(sos(&bench).state, AlarmState::Dispatched);
    let known: Vec<String> = bench.core.alarms(true).iter().map(|alarm| alarm.id.clone()).collect();
    assert!(!known.contains(&"btn-0001.1.900".to_owned()), "{known:?}");
    assert!(known.contains(&"btn-0001.1.901".to_owned()), "a new order is a new order: {known:?}");
}

#[test]
fn an_alarm_that_no_entry_tells_of_is_open_as_one_that_only_the_centre_knows() {
    let bench =
        Bench::new().restart_damaged(&["alarm/btn-0001.1.7", "alarm/gw-test.no-storage.9", "alarm/\u{fffd}", "sale/s"]);
    let alarms = bench.core.alarms(false);
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!((alarms[0].id.as_str(), alarms[0].device.as_ref()), ("btn-0001.1.7", Some(&device("btn-0001"))));
    assert!(alarms[0].has_press(1, Seq::new(7).expect("a number")) && alarms[0].urgency == Urgency::Urgent);
}

#[test]
fn what_is_no_entry_about_the_alarm_changes_nothing() {
    let mut rebuild = Rebuild::new(["alarm/btn-0001.1.1"]);
    rebuild.take(1, "no JSON");
    rebuild.take(2, r#"{"v":1}"#);
    assert_eq!(rebuild.finish("2026-11-24T09:30:00+08:00").len(), 1, "only the one without an entry");
}
