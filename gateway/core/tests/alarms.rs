//! Promises about alarms, on the core alone: durable before acknowledged, once by origin, never closed by themselves.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::{Bench, device};
use gateway_core::{
    AckToken, DeskAnswer, DeskInput, Effect, Input, LinkInput, OutLane, Refusal, ReplyToken, Sent, UplinkFailure,
    UplinkInput,
};
use protocols::device::{AlarmState, Command};
use protocols::uplink::{Epoch, Lane, Order, OrderPage, Origin, Outcome, Source, UploadResult};
use serde_json::value::RawValue;

fn states(bench: &Bench) -> Vec<(String, AlarmState)> {
    bench.core.alarms(true).into_iter().map(|alarm| (alarm.id, alarm.state)).collect()
}

fn commands(effects: &[Effect]) -> Vec<Command> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Command { payload, .. } => serde_json::from_slice(payload).ok(),
            _ => None,
        })
        .collect()
}

fn kinds(bench: &Bench) -> Vec<&str> {
    bench.rows.iter().map(|row| row.kind.as_str()).collect()
}

#[test]
fn d16_a_press_is_acknowledged_and_shown_only_after_the_commit() {
    let mut bench = Bench::new();
    let token = bench.press(42);
    assert!(!bench.acked(token));
    assert_eq!(bench.core.alarms(true).len(), 0);
    bench.commit();
    assert!(bench.acked(token));
    assert_eq!(states(&bench), [("btn-0001.1.42".to_owned(), AlarmState::Raised)]);
}

#[test]
fn d9_a_repeat_of_the_same_report_is_acknowledged_and_counts_once() {
    let mut bench = Bench::new();
    let first = bench.press(42);
    let second = bench.press(42);
    assert!(!bench.acked(second), "the first is not durable yet");
    bench.settle();
    let third = bench.press(42);
    assert!(bench.acked(first) && bench.acked(second) && bench.acked(third));
    assert_eq!(kinds(&bench).iter().filter(|kind| **kind == "alarm.raised").count(), 1);
}

#[test]
fn a_repeat_after_a_restart_is_still_a_repeat_however_old() {
    let mut bench = Bench::new();
    for seq in 1..=100 {
        bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"test"}}"#));
    }
    bench.settle();
    let rows = bench.rows.len();
    let mut bench = bench.restart();
    for seq in [1, 50, 100] {
        let token = bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"test"}}"#));
        bench.settle();
        assert!(bench.acked(token), "{seq}");
    }
    assert_eq!(bench.rows.iter().skip(rows).filter(|row| row.source == "device:btn-0001").count(), 0);
}

#[test]
fn the_same_number_for_something_else_raises_an_alarm_of_its_own() {
    let mut bench = Bench::new();
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":7,"kind":"test"}"#);
    bench.settle();
    let token = bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":7,"kind":"sos"}"#);
    bench.settle();
    assert!(bench.acked(token));
    let alarm = &bench.core.alarms(false)[0];
    assert_eq!((alarm.kind.as_str(), alarm.urgency), ("conflict", protocols::uplink::Urgency::Emergency));
}

#[test]
fn d10_a_cancel_never_closes_an_alarm() {
    let mut bench = Bench::new();
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":2,"kind":"cancel","of":1}"#);
    bench.settle();
    bench.press(1);
    bench.settle();
    assert!(bench.core.alarms(false)[0].is_open());
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":3,"kind":"cancel","of":1}"#);
    bench.settle();
    let alarm = &bench.core.alarms(false)[0];
    assert!(alarm.is_open() && alarm.cancelled);
}

#[test]
fn a_new_press_on_an_open_alarm_is_folded_in_and_told_with_all_its_numbers() {
    let mut bench = Bench::new();
    bench.connect("btn-0001", 1);
    bench.press(1);
    bench.settle();
    let Some(Effect::Command { command, .. }) =
        bench.take().into_iter().find(|effect| matches!(effect, Effect::Command { .. }))
    else {
        panic!("the device is told that its alarm is raised")
    };
    bench.press(2);
    bench.settle();
    assert!(commands(&bench.take()).is_empty(), "one command about an alarm at a time");
    bench.input(Input::Link(LinkInput::CommandTaken { device: device("btn-0001"), command }));
    let told = commands(&bench.take());
    let seqs: Vec<u64> = told[0].alarm.as_ref().expect("about the alarm").seqs.iter().map(|seq| seq.get()).collect();
    assert_eq!(seqs, [1, 2]);
    assert_eq!(bench.core.alarms(false).len(), 1);
    assert_eq!(bench.core.alarms(false)[0].presses, 2);
    assert_eq!(kinds(&bench), ["alarm.raised", "alarm.repeated"]);
}

fn told_states(bench: &mut Bench) -> Vec<(Vec<u64>, AlarmState)> {
    let mut all = Vec::new();
    loop {
        let effects = bench.take();
        let told = commands(&effects);
        if told.is_empty() {
            return all;
        }
        all.extend(told.into_iter().filter_map(|command| command.alarm).map(|alarm| {
            let seqs = alarm.seqs.iter().map(|seq| seq.get()).collect();
            (seqs, alarm.state)
        }));
        for effect in effects {
            if let Effect::Command { command, .. } = effect {
                bench.input(Input::Link(LinkInput::CommandTaken { device: device("btn-0001"), command }));
                bench.settle();
            }
        }
    }
}

fn undelivered(bench: &Bench) -> Vec<Option<String>> {
    bench.core.alarms(false).into_iter().filter(|alarm| alarm.kind == "undelivered").map(|alarm| alarm.detail).collect()
}

#[test]
fn a_folded_press_keeps_the_state_of_its_alarm_and_alarms_staff_when_the_centre_does_not_get_it() {
    let mut bench = Bench::new();
    bench.connect("btn-0001", 1);
    bench.press(1);
    bench.settle();
    bench.uploaded(OutLane::Alarms, &[1], Outcome::Accepted);
    step(&mut bench, AlarmState::Acknowledged, None);
    bench.settle();
    bench.uploaded(OutLane::Alarms, &[2], Outcome::Accepted);
    bench.settle();
    told_states(&mut bench);
    bench.advance(15_000);
    bench.press(2);
    bench.settle();
    assert_eq!(told_states(&mut bench), [(vec![1, 2], AlarmState::Acknowledged)], "never lower: a person is on it");
    assert_eq!(bench.core.status().lanes[1].waiting, 1, "the press is on its way");
    bench.advance(19_000);
    bench.settle();
    assert_eq!(undelivered(&bench), []);
    bench.advance(1_000);
    bench.settle();
    assert_eq!(undelivered(&bench), [Some("btn-0001.1.1".to_owned())]);
}

#[test]
fn a_press_that_the_centre_has_in_time_alarms_nobody_further() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    bench.uploaded(OutLane::Alarms, &[1], Outcome::Accepted);
    bench.press(2);
    bench.settle();
    bench.uploaded(OutLane::AlarmNotes, &[2], Outcome::Accepted);
    bench.advance(21_000);
    bench.settle();
    assert_eq!(undelivered(&bench), []);
}

#[test]
fn a_press_that_waited_through_a_restart_alarms_staff_as_well() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    let mut bench = bench.restart();
    bench.advance(20_000);
    bench.settle();
    assert_eq!(undelivered(&bench), [Some("btn-0001.1.1".to_owned())]);
}

#[test]
fn a_state_that_cannot_be_sent_stands_in_the_way_of_no_later_one_and_is_told_at_the_next_connect() {
    let mut bench = Bench::new();
    let name = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Command { command, .. } => Some(command),
            _ => None,
        })
    };
    bench.connect("btn-0001", 1);
    bench.press(1);
    bench.settle();
    let told = name(bench.take()).expect("raised");
    bench.input(Input::Link(LinkInput::CommandGivenUp { device: device("btn-0001"), command: told }));
    let effects = bench.take();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Count { name: "commands_given_up", .. })));
    assert_eq!(name(effects), None, "the same is not tried again and again");
    step(&mut bench, AlarmState::Resolved, Some("done"));
    bench.settle();
    let told = name(bench.take()).expect("the later state is tried");
    bench.input(Input::Link(LinkInput::CommandGivenUp { device: device("btn-0001"), command: told }));
    bench.connect("btn-0001", 2);
    let told = commands(&bench.take());
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].alarm.as_ref().map(|alarm| alarm.state), Some(AlarmState::Resolved));
}

#[test]
fn another_kind_of_alarm_is_not_folded() {
    let mut bench = Bench::new();
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":1,"kind":"low_battery"}"#);
    bench.press(2);
    bench.settle();
    assert_eq!(bench.core.alarms(false).len(), 2);
}

#[test]
fn steps_in_any_order_leave_the_highest_and_the_device_hears_of_it() {
    let mut bench = Bench::new();
    bench.connect("btn-0001", 1);
    bench.press(1);
    bench.settle();
    bench.take();
    step(&mut bench, AlarmState::OnSite, None);
    bench.settle();
    step(&mut bench, AlarmState::Acknowledged, None);
    bench.settle();
    assert_eq!(states(&bench), [("btn-0001.1.1".to_owned(), AlarmState::OnSite)]);
    assert_eq!(
        kinds(&bench).iter().filter(|kind| **kind == "alarm.state").count(),
        1,
        "a step taken before records nothing"
    );
    bench.connect("btn-0001", 2);
    let told = commands(&bench.take());
    assert_eq!(told[0].alarm.as_ref().map(|alarm| alarm.state), Some(AlarmState::OnSite));
}

fn step(bench: &mut Bench, state: AlarmState, cause: Option<&str>) {
    bench.input(Input::Desk(DeskInput::StepAlarm {
        reply: ReplyToken(900),
        alarm: "btn-0001.1.1".to_owned(),
        state,
        by: "nurse-1".parse().expect("a name"),
        cause: cause.map(str::to_owned),
        sent: Sent::default(),
    }));
}

#[test]
fn closing_needs_a_cause_and_is_answered_only_when_durable() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    bench.take();
    step(&mut bench, AlarmState::Resolved, None);
    assert!(
        bench
            .take()
            .contains(&Effect::Reply { token: ReplyToken(900), answer: DeskAnswer::Refused(Refusal::CauseMissing) })
    );
    step(&mut bench, AlarmState::Resolved, Some("fall"));
    assert!(!bench.take().iter().any(|effect| matches!(effect, Effect::Reply { .. })));
    assert!(bench.core.alarms(false)[0].is_open(), "people see what is durable");
    bench.settle();
    assert!(bench.take().iter().any(|effect| matches!(effect, Effect::Reply { .. })));
    assert!(bench.core.alarms(false).is_empty());
    bench.press(2);
    bench.settle();
    assert_eq!(bench.core.alarms(false).len(), 1, "a press after the end is a new alarm");
}

#[test]
fn what_nobody_understands_raises_an_alarm_and_is_acknowledged() {
    let mut bench = Bench::new();
    let unknown = bench.publish("btn-0001", r#"{"v":1,"seq":1,"kind":"earthquake"}"#);
    let broken = bench.publish("btn-0001", r#"{"v":1,"seq":"#);
    let newer = bench.publish("btn-0001", r#"{"v":9,"seq":3,"kind":"sos"}"#);
    bench.settle();
    assert!(bench.acked(unknown) && bench.acked(broken) && bench.acked(newer));
    let mut found: Vec<String> = bench.core.alarms(false).into_iter().map(|alarm| alarm.kind).collect();
    found.sort();
    assert_eq!(found, ["unknown", "unreadable"]);
}

#[test]
fn d7_a_heartbeat_that_cannot_be_read_raises_a_technical_alarm_and_the_device_is_not_silent() {
    let mut bench = Bench::new();
    let token = AckToken { session: Bench::session(1), packet: 1 };
    for payload in ["{\"v\":1,", "{\"v\":99}", "{\"v\":1,\"battery_mv\":-1}"] {
        bench.advance(30_000);
        let (payload, ack) = (payload.as_bytes().to_vec(), Some(token));
        bench.input(Input::Link(LinkInput::Status { device: device("btn-0001"), ack, payload, retained: false }));
        assert!(!bench.acked(token), "not before it is durable");
        bench.settle();
        assert!(bench.acked(token));
        bench.take();
    }
    let alarms = bench.core.alarms(false);
    assert_eq!((alarms[0].kind.as_str(), alarms[0].urgency), ("unreadable", protocols::uplink::Urgency::Technical));
    assert_eq!((alarms.len(), alarms[0].presses, alarms[0].detail.as_deref()), (1, 3, Some("{\"v\":1,")));
    assert_eq!(bench.core.status().devices_silent, 0);
}

#[test]
fn d8_a_retained_event_is_recorded_as_refused_and_raises_nothing() {
    let mut bench = Bench::new();
    let payload = br#"{"v":1,"seq":1,"kind":"sos"}"#.to_vec();
    bench.input(Input::Link(LinkInput::Event { device: device("btn-0001"), ack: None, payload, retained: true }));
    bench.settle();
    assert!(bench.core.alarms(true).is_empty());
    assert_eq!(kinds(&bench), ["report.refused"]);
}

fn keep(bench: &mut Bench, at_status: bool) {
    let (device, ack) = (device("btn-0001"), None);
    bench.input(Input::Link(if at_status {
        LinkInput::Status { device, ack, payload: br#"{"v":1,"battery_mv":1000}"#.to_vec(), retained: true }
    } else {
        LinkInput::Event { device, ack, payload: br#"{"v":1,"seq":1,"kind":"sos"}"#.to_vec(), retained: true }
    }));
}

#[test]
fn d8_d17_what_a_broker_kept_is_no_sign_of_life_and_says_nothing_of_now() {
    let mut bench = Bench::new();
    for at_status in [true, false] {
        bench.advance(25_000);
        keep(&mut bench, at_status);
    }
    bench.settle();
    assert_eq!(bench.core.devices()[0].heard_at, None);
    bench.advance(11_000);
    bench.settle();
    let found: Vec<String> = bench.core.alarms(false).into_iter().map(|alarm| alarm.kind).collect();
    assert_eq!(found, ["device_silent"], "it is silent at its time, and its old battery is not judged");
    keep(&mut bench, true);
    bench.settle();
    assert_eq!(bench.core.status().devices_silent, 1, "and does not come back by it");
}

#[test]
fn a_kept_heartbeat_is_acknowledged_and_counted_and_makes_no_entry() {
    let mut bench = Bench::new();
    let token = AckToken { session: Bench::session(1), packet: 1 };
    let payload = b"{".to_vec();
    bench.input(Input::Link(LinkInput::Status {
        device: device("btn-0001"),
        ack: Some(token),
        payload,
        retained: true,
    }));
    assert!(bench.acked(token) && bench.waiting.is_none());
    assert!(bench.effects.iter().any(|effect| matches!(effect, Effect::Count { name: "heartbeats_set_aside", .. })));
}

#[test]
fn d17_silence_is_an_alarm_and_a_sign_of_life_is_recorded() {
    let mut bench = Bench::new();
    bench.advance(59_000);
    assert!(bench.waiting.is_none());
    bench.advance(2_000);
    bench.settle();
    assert_eq!(bench.core.alarms(false)[0].kind, "device_silent");
    bench.connect("btn-0001", 1);
    bench.settle();
    assert_eq!(kinds(&bench), ["device.state", "alarm.raised", "device.state"]);
}

#[test]
fn the_centre_accepts_an_alarm_and_the_device_is_told() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    assert!(bench.take().iter().any(|effect| matches!(effect, Effect::Upload { lane: OutLane::Alarms, after: 0, .. })));
    bench.uploaded(OutLane::Alarms, &[1], Outcome::Accepted);
    bench.settle();
    bench.connect("btn-0001", 1);
    assert_eq!(states(&bench), [("btn-0001.1.1".to_owned(), AlarmState::Accepted)]);
    let told = commands(&bench.take());
    assert_eq!(told[0].alarm.as_ref().map(|alarm| alarm.state), Some(AlarmState::Accepted));
}

#[test]
fn an_order_of_the_centre_is_carried_out_once_and_answered() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    let origin = Origin {
        source: Source::Device(device("btn-0001")),
        epoch: Epoch::Number(1),
        seq: protocols::id::Seq::new(1).expect("small"),
    };
    let body = serde_json::json!({"alarm": origin, "state": "acknowledged", "by": "operator-1", "at": "2026-11-24T09:31:00+08:00", "cause": null});
    let page = || OrderPage {
        v: 1,
        stream: "s1".to_owned(),
        orders: vec![Order {
            k: 1,
            kind: "alarm.state".to_owned(),
            body: RawValue::from_string(body.to_string()).expect("JSON"),
        }],
    };
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Alarms, result: Ok(page()) }));
    bench.settle();
    let mut bench = bench.restart();
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Alarms, result: Ok(page()) }));
    bench.settle();
    assert_eq!(states(&bench), [("btn-0001.1.1".to_owned(), AlarmState::Acknowledged)]);
    assert_eq!(kinds(&bench).iter().filter(|kind| **kind == "order.result").count(), 1);
}

#[test]
fn a_trouble_of_the_gateways_own_raises_one_technical_alarm_however_often_it_comes() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.input(Input::Trouble {
            kind: protocols::uplink::OwnAlarm::KioskDown,
            detail: "127.0.0.1:8080 cannot be bound".to_owned(),
        });
        bench.settle();
    }
    let alarms = bench.core.alarms(false);
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!((alarms[0].kind.as_str(), alarms[0].presses), ("kiosk_down", 2));
    assert_eq!(alarms[0].detail.as_deref(), Some("127.0.0.1:8080 cannot be bound"));
}

fn direct(effects: &[Effect]) -> Vec<(gateway_core::Ticket, String)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::UploadDirect { ticket, entry } => Some((*ticket, entry.clone())),
            _ => None,
        })
        .collect()
}

#[test]
fn a_journal_that_cannot_be_asked_neither_doubles_an_alarm_nor_forgets_one() {
    let mut bench = Bench::new();
    for seq in 1..=100 {
        bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"test"}}"#));
    }
    bench.press(101);
    bench.settle();
    let rows = bench.rows.iter().filter(|row| row.source == "device:btn-0001").count();
    let mut bench = bench.restart();
    bench.take();
    bench.unreadable = true;
    let known = bench.press(101);
    let test = bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":102,"kind":"test"}"#);
    let garbage = bench.publish("btn-0001", "?");
    bench.settle();
    assert!(!bench.acked(known) && !bench.acked(test), "it is not known whether they are recorded");
    assert!(bench.acked(garbage), "this one has no number to look up");
    assert!(bench.core.alarms(false).iter().any(|alarm| alarm.kind == "unreadable"), "and people are told");
    assert!(bench.core.alarms(false).iter().any(|alarm| alarm.kind == "journal_unreadable"), "people are told");
    let sent = direct(&bench.take());
    assert_eq!(sent.len(), 1, "the alarm goes straight to the centre, which knows it by its origin");
    assert!(sent[0].1.contains("btn-0001") && sent[0].1.contains("101"), "{}", sent[0].1);
    let result = Ok(UploadResult { n: None, outcome: Outcome::Duplicate, reason: None });
    bench.input(Input::Uplink(UplinkInput::Direct(gateway_core::Direct { ticket: sent[0].0, result })));
    bench.settle();
    assert!(bench.acked(known));
    bench.unreadable = false;
    let test = bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":102,"kind":"test"}"#);
    bench.settle();
    assert!(bench.acked(test), "sent again it is looked up again");
    bench.unreadable = true;
    let old = bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":3,"kind":"test"}"#);
    bench.settle();
    assert!(!bench.acked(old));
    assert_eq!(bench.rows.iter().filter(|row| row.source == "device:btn-0001").count(), rows + 1);
    let alarms: Vec<String> = bench.core.alarms(false).into_iter().map(|alarm| alarm.id).collect();
    assert_eq!(alarms.iter().filter(|id| id.starts_with("btn-0001")).count(), 1, "{alarms:?}");
}

#[test]
fn the_devices_file_decides_who_is_looked_after_while_the_gateway_runs_too() {
    let mut bench = Bench::new();
    bench.input(Input::DevicesListed(vec![(device("btn-new"), 60_000)]));
    bench.advance(30 * 24 * 3_600_000);
    bench.settle();
    let silent: Vec<_> = bench.core.alarms(false).into_iter().filter(|alarm| alarm.kind == "device_silent").collect();
    let names: Vec<_> = silent.iter().filter_map(|alarm| alarm.device.as_ref()).map(|id| id.as_str()).collect();
    assert_eq!(names, ["btn-new"], "the new one, and none that was taken out");
}

#[test]
fn a_device_that_the_centre_takes_away_loses_its_connection_once_that_is_durable() {
    let mut bench = Bench::new();
    bench.connect("btn-0001", 7);
    bench.settle();
    bench.take();
    let body = RawValue::from_string(r#"{"device":"btn-0001"}"#.to_owned()).expect("JSON");
    let orders = vec![Order { k: 1, kind: "device.unassign".to_owned(), body }];
    let page = OrderPage { v: 1, stream: "s1".to_owned(), orders };
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Other, result: Ok(page) }));
    let closed = |bench: &Bench| {
        bench.effects.iter().any(|effect| matches!(effect, Effect::Close { session } if *session == Bench::session(7)))
    };
    assert!(!closed(&bench), "not before it is on record");
    bench.settle();
    assert!(closed(&bench));
}

#[test]
fn nothing_recorded_is_lost_or_doubled_when_the_process_dies_before_a_commit() {
    let mut bench = Bench::new();
    let token = bench.press(1);
    assert!(!bench.acked(token));
    let mut bench = bench.restart();
    let again = bench.press(1);
    bench.settle();
    assert!(bench.acked(again));
    assert_eq!(states(&bench).len(), 1);
    let numbers: Vec<u64> = bench.rows.iter().map(|row| row.n).collect();
    assert_eq!(numbers, [1]);
}

fn uploads_of_alarms(bench: &mut Bench) -> Vec<u64> {
    bench
        .take()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Upload { lane: OutLane::Alarms, after, .. } => Some(after),
            _ => None,
        })
        .collect()
}

#[test]
fn a_new_alarm_goes_out_beside_an_exchange_that_stalls_and_only_so_many_at_once() {
    let mut bench = Bench::new();
    let mut begun = Vec::new();
    for device in 1..=6 {
        bench.publish(&format!("btn-000{device}"), r#"{"v":1,"epoch":1,"seq":1,"kind":"sos"}"#);
        bench.settle();
        begun.extend(uploads_of_alarms(&mut bench));
    }
    assert_eq!(begun, [0, 1, 2, 3], "each at once, with what the stalled ones do not have");
    let accepted = |n| UploadResult { n: Some(n), outcome: Outcome::Accepted, reason: None };
    let answer = |bench: &mut Bench, after, sent: Vec<u64>| {
        let results = sent.iter().copied().map(accepted).collect();
        let result = Ok(protocols::uplink::Results { v: 1, results, head: None });
        bench.input(Input::Uplink(UplinkInput::Uploaded { lane: OutLane::Alarms, after, sent, result }));
        bench.settle();
    };
    answer(&mut bench, 3, vec![4]);
    assert_eq!(uploads_of_alarms(&mut bench), [4], "an answered one makes room");
    answer(&mut bench, 4, vec![5, 6]);
    assert_eq!(bench.core.status().lanes[0].waiting, 3);
    let failed = Err(UplinkFailure::Unreachable);
    let stalled = UplinkInput::Uploaded { lane: OutLane::Alarms, after: 0, sent: vec![1], result: failed };
    bench.input(Input::Uplink(stalled));
    answer(&mut bench, 1, vec![2]);
    answer(&mut bench, 2, vec![3]);
    assert_eq!(uploads_of_alarms(&mut bench), [0], "what stalled is sent again");
    answer(&mut bench, 0, vec![1]);
    assert_eq!(bench.core.status().lanes[0].waiting, 0);
    assert_eq!(states(&bench).iter().filter(|(_, state)| *state == AlarmState::Accepted).count(), 6);
}

#[test]
fn c2_a_lane_whose_upload_failed_keeps_its_entries_and_tries_again() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    bench.take();
    let failed = Err(UplinkFailure::Unreachable);
    bench.input(Input::Uplink(UplinkInput::Uploaded {
        lane: OutLane::Alarms,
        after: 0,
        sent: Vec::new(),
        result: failed,
    }));
    assert_eq!(bench.core.status().lanes[0].waiting, 1);
    bench.advance(5_000);
    assert!(bench.take().iter().any(|effect| matches!(effect, Effect::Upload { lane: OutLane::Alarms, .. })));
}

#[test]
fn c2_a_new_alarm_ends_the_pause_of_its_lane_soon_unless_the_centre_asked_for_it() {
    let fail = |bench: &mut Bench, failure| {
        bench.input(Input::Uplink(UplinkInput::Uploaded {
            lane: OutLane::Alarms,
            after: 0,
            sent: Vec::new(),
            result: Err(failure),
        }));
    };
    for (failure, goes_soon) in
        [(UplinkFailure::Unreachable, true), (UplinkFailure::Busy { retry_after_ms: Some(9_000) }, false)]
    {
        let mut bench = Bench::new();
        bench.press(1);
        bench.settle();
        for _ in 0..10 {
            fail(&mut bench, UplinkFailure::Unreachable);
            bench.advance(5_000);
        }
        fail(&mut bench, failure);
        bench.take();
        bench.publish("btn-0002", r#"{"v":1,"epoch":1,"seq":1,"kind":"sos"}"#);
        bench.settle();
        bench.advance(250);
        let goes = bench.take().iter().any(|effect| matches!(effect, Effect::Upload { lane: OutLane::Alarms, .. }));
        assert_eq!(goes, goes_soon, "{failure:?}");
    }
}

#[test]
fn a_poll_waits_for_orders_only_while_the_centre_is_known_to_answer() {
    let mut bench = Bench::new();
    bench.settle();
    let waits = |bench: &mut Bench| -> Vec<bool> {
        let polls = bench.take();
        polls
            .iter()
            .filter_map(|effect| if let Effect::PollOrders { wait, .. } = effect { Some(*wait) } else { None })
            .collect()
    };
    assert_eq!(waits(&mut bench), [false, false], "it may be that nobody is there: sales wait for an answer");
    bench.online();
    assert_eq!(waits(&mut bench), [true]);
    bench.offline();
    bench.advance(30_000);
    assert_eq!(waits(&mut bench), [false]);
}

/// A12.
#[test]
fn a12_a_damaged_row_is_set_aside_and_the_rest_of_its_lane_flows_on() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    bench.input(Input::Store(gateway_core::StoreInput::RowDamaged { lane: OutLane::Alarms, n: 1 }));
    bench.settle();
    assert_eq!(bench.core.quarantine()[0].n, 1);
    let alarm =
        bench.core.alarms(false).into_iter().find(|alarm| alarm.kind == "journal_damaged").expect("people are told");
    bench.uploaded(OutLane::AlarmNotes, &[alarm.n], Outcome::Accepted);
    bench.settle();
    assert_eq!(bench.core.status().lanes.map(|lane| lane.waiting), [0; 4]);
}

#[test]
fn after_a_restart_the_oldest_closed_alarm_is_forgotten_first() {
    let mut bench = Bench::new();
    let close = |bench: &mut Bench, id: String| {
        bench.input(Input::Desk(DeskInput::StepAlarm {
            reply: ReplyToken(902),
            alarm: id,
            state: AlarmState::Resolved,
            by: "nurse-1".parse().expect("a name"),
            cause: Some("test".to_owned()),
            sent: Sent::default(),
        }));
        bench.settle();
    };
    // Names in another order than their numbers.
    for at in 0..100 {
        bench.publish(&format!("btn-{:02}", 99 - at), r#"{"v":1,"epoch":1,"seq":1,"kind":"sos"}"#);
        bench.settle();
        close(&mut bench, format!("btn-{:02}.1.1", 99 - at));
    }
    let mut bench = bench.restart();
    bench.publish("zz", r#"{"v":1,"epoch":1,"seq":1,"kind":"sos"}"#);
    bench.settle();
    close(&mut bench, "zz.1.1".to_owned());
    let ids: Vec<String> = bench.core.alarms(true).into_iter().map(|alarm| alarm.id).collect();
    assert!(!ids.contains(&"btn-99.1.1".to_owned()), "the first");
    assert!(ids.contains(&"btn-00.1.1".to_owned()), "the last");
}

#[test]
fn a_hotlist_whose_salt_is_none_is_refused_and_the_one_before_stays() {
    let mut bench = Bench::new();
    let order = |k, version, salt: &str| Order {
        k,
        kind: "hotlist".to_owned(),
        body: RawValue::from_string(format!(r#"{{"version":{version},"salt":"{salt}","cards":[]}}"#)).expect("JSON"),
    };
    let orders = vec![order(1, 1, "00ff"), order(2, 2, "salt"), order(3, 3, "0")];
    let result = Ok(OrderPage { v: 1, stream: "s1".to_owned(), orders });
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Other, result }));
    bench.settle();
    let results: Vec<&str> =
        bench.rows.iter().filter(|row| row.kind == "order.result").map(|row| row.bytes.as_str()).collect();
    assert!(results[0].contains(r#""done""#), "{results:?}");
    assert!(results[1..].iter().all(|row| row.contains(r#""refused","reason":"unreadable""#)), "{results:?}");
    assert!(bench.state["hotlist"].contains(r#""version":1"#));
}
