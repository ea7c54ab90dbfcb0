//! Promises about presses that are folded into an open alarm: none is lost, none hides another.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::{Bench, device};
use gateway_core::{AlarmEvent, DeskInput, Effect, Input, LinkInput, ReplyToken};
use protocols::device::{AlarmState, Command};
use protocols::uplink::Urgency;

fn commands(effects: &[Effect]) -> Vec<Command> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Command { payload, .. } => serde_json::from_slice(payload).ok(),
            _ => None,
        })
        .collect()
}

fn step(bench: &mut Bench, alarm: &str, state: AlarmState, cause: Option<&str>) {
    bench.input(Input::Desk(DeskInput::StepAlarm {
        reply: ReplyToken(900),
        alarm: alarm.to_owned(),
        state,
        by: "nurse-1".parse().expect("a name"),
        cause: cause.map(str::to_owned),
    }));
    bench.settle();
}

fn told_about(effects: &[Effect]) -> Vec<(u32, Vec<u64>, AlarmState)> {
    commands(effects)
        .into_iter()
        .filter_map(|command| command.alarm)
        .map(|alarm| (alarm.epoch, alarm.seqs.iter().map(|seq| seq.get()).collect(), alarm.state))
        .collect()
}

fn bodies(bench: &Bench, kind: &str) -> Vec<serde_json::Value> {
    let of_kind = bench.rows.iter().filter(|row| row.kind == kind);
    of_kind.map(|row| serde_json::from_str::<serde_json::Value>(&row.bytes).expect("JSON")["body"].clone()).collect()
}

#[test]
fn a_new_press_after_a_take_back_is_no_longer_taken_back_and_the_history_keeps_the_order() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":2,"kind":"cancel","of":1}"#);
    bench.settle();
    assert!(bench.core.alarms(false)[0].cancelled);
    bench.press(3);
    bench.settle();
    let alarm = &bench.core.alarms(false)[0];
    assert!(!alarm.cancelled, "somebody pressed again");
    let lines: Vec<AlarmEvent> = alarm.history.iter().map(|line| line.what).collect();
    assert_eq!(lines, [AlarmEvent::TakenBack, AlarmEvent::Pressed]);
}

#[test]
fn a_flood_of_presses_leaves_what_people_did_in_the_history() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    step(&mut bench, "btn-0001.1.1", AlarmState::Acknowledged, None);
    for seq in 2..200 {
        bench.press(seq);
    }
    bench.settle();
    let alarm = &bench.core.alarms(false)[0];
    assert!(alarm.history.iter().any(|line| line.state == AlarmState::Acknowledged && line.what == AlarmEvent::Step));
}

#[test]
fn presses_of_another_epoch_are_told_beside_those_of_the_first() {
    let mut bench = Bench::new();
    bench.press(42);
    bench.publish("btn-0001", r#"{"v":1,"seq":7,"kind":"sos"}"#);
    bench.settle();
    let mut bench = bench.restart();
    bench.connect("btn-0001", 1);
    let mut told = told_about(&bench.effects);
    told.sort();
    assert_eq!(told, [(0, vec![7], AlarmState::Raised), (1, vec![42], AlarmState::Raised)]);
    let taken: Vec<_> = bench
        .take()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Command { command, .. } => Some(command),
            _ => None,
        })
        .collect();
    for command in taken {
        bench.input(Input::Link(LinkInput::CommandTaken { device: device("btn-0001"), command }));
    }
    assert_eq!(told_about(&bench.take()), [], "nothing has changed since");
    step(&mut bench, "btn-0001.1.42", AlarmState::Dispatched, None);
    let mut told = told_about(&bench.take());
    told.sort();
    assert_eq!(told, [(0, vec![7], AlarmState::Dispatched), (1, vec![42], AlarmState::Dispatched)]);
}

#[test]
fn a_second_conflict_says_which_report_it_was_raises_the_urgency_and_is_told_to_the_device() {
    let mut bench = Bench::new();
    for seq in [7, 8] {
        bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"test"}}"#));
    }
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":7,"kind":"restored"}"#);
    bench.settle();
    assert_eq!(bench.core.alarms(false)[0].urgency, Urgency::Technical);
    bench.connect("btn-0001", 1);
    bench.take();
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":8,"kind":"sos"}"#);
    bench.settle();
    let alarm = &bench.core.alarms(false)[0];
    assert_eq!((alarm.kind.as_str(), alarm.urgency), ("conflict", Urgency::Emergency));
    let repeated = bodies(&bench, "alarm.repeated");
    assert_eq!(repeated[0]["report"], serde_json::json!({"source": "device:btn-0001", "epoch": 1, "seq": 8}));
    assert_eq!(told_about(&bench.take()), [(1, vec![8], AlarmState::Raised)]);
}
