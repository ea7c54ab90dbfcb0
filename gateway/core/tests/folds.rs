//! Promises about presses that are folded into an open alarm: none is lost, none hides another.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::{Bench, device};
use gateway_core::{AlarmEvent, DeskInput, Effect, Input, LinkInput, OutLane, ReplyToken, Sent, UplinkInput};
use protocols::device::{AlarmState, Command};
use protocols::uplink::{Lane, Order, OrderPage, Outcome, Urgency};
use serde_json::value::RawValue;

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
        sent: Sent::default(),
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

fn lane_of(bench: &Bench, kind: &str) -> Vec<OutLane> {
    bench.rows.iter().filter(|row| row.kind == kind).map(|row| row.lane).collect()
}

#[test]
fn d18_a_stuck_button_is_acknowledged_each_time_told_by_count_and_stands_before_no_other_room() {
    let mut bench = Bench::new();
    for seq in 1..=600 {
        let token = bench.press(seq);
        bench.settle();
        assert!(bench.acked(token), "{seq}");
        bench.take();
        bench.advance(100);
        bench.settle();
    }
    bench.publish("btn-0002", r#"{"v":1,"epoch":1,"seq":1,"kind":"sos"}"#);
    bench.advance(60_000);
    bench.settle();
    let alarms = bench.core.alarms(false);
    let of = |id: &str| alarms.iter().find(|alarm| alarm.id == id).map(|alarm| alarm.presses);
    assert_eq!((of("btn-0001.1.1"), of("btn-0002.1.1")), (Some(600), Some(1)));
    let repeats: Vec<_> = bodies(&bench, "alarm.repeated").into_iter().filter(|body| body["kind"] == "sos").collect();
    assert!(repeats.len() < 20, "{} entries", repeats.len());
    let told: u64 = repeats.iter().map(|body| body["folded"].as_u64().unwrap_or(1)).sum();
    assert_eq!(told, 599, "the centre hears of every press");
    let named: u64 = repeats
        .iter()
        .flat_map(|body| body["folded_seqs"].as_array().cloned().unwrap_or_default())
        .map(|run| run["to"].as_u64().unwrap_or(0) + 1 - run["from"].as_u64().unwrap_or(0))
        .sum();
    let own = repeats.iter().filter(|body| body["folded"].is_null()).count() as u64;
    assert_eq!(named + own, 599, "by its number");
    let emergencies = bench.rows.iter().filter(|row| row.kind == "alarm.raised" && row.bytes.contains("emergency"));
    assert_eq!(emergencies.map(|row| row.lane).collect::<Vec<_>>(), [OutLane::Alarms; 2]);
    assert!(lane_of(&bench, "alarm.repeated").iter().all(|lane| *lane == OutLane::AlarmNotes));
}

#[test]
fn presses_that_were_only_counted_are_still_told_after_a_restart_and_before_the_alarm_is_resolved() {
    let mut bench = Bench::new();
    for seq in 1..=20 {
        bench.press(seq);
    }
    bench.settle();
    let mut bench = bench.restart();
    assert_eq!(bench.core.alarms(false)[0].presses, 20);
    step(&mut bench, "btn-0001.1.1", AlarmState::Resolved, Some("accidental"));
    let told: u64 = bodies(&bench, "alarm.repeated").iter().map(|body| body["folded"].as_u64().unwrap_or(1)).sum();
    assert_eq!(told, 19);
    let last: Vec<(&str, OutLane)> = bench.rows.iter().rev().take(2).map(|row| (row.kind.as_str(), row.lane)).collect();
    assert_eq!(last, [("alarm.state", OutLane::AlarmNotes), ("alarm.repeated", OutLane::AlarmNotes)]);
}

#[test]
fn a_press_that_was_only_counted_and_is_sent_again_after_a_restart_counts_once() {
    for resolved in [false, true] {
        let mut bench = Bench::new();
        for seq in 1..=20 {
            bench.press(seq);
        }
        bench.settle();
        if resolved {
            step(&mut bench, "btn-0001.1.1", AlarmState::Resolved, Some("accidental"));
        }
        let mut bench = bench.restart();
        let token = bench.press(20);
        bench.settle();
        assert!(bench.acked(token), "the device need not send it again");
        let alarms = bench.core.alarms(true);
        assert_eq!((alarms.len(), alarms[0].presses), (1, 20));
        bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":19,"kind":"fall"}"#);
        bench.settle();
        assert!(bench.core.alarms(false).iter().any(|alarm| alarm.kind == "conflict"), "its number was used twice");
        bench.press(21);
        bench.settle();
        let presses: u64 = bench.core.alarms(true).iter().filter(|a| a.kind == "sos").map(|a| a.presses).sum();
        assert_eq!(presses, 21, "a new one counts");
    }
}

#[test]
fn a_technical_alarm_leaves_behind_those_that_a_life_may_hang_on() {
    let mut bench = Bench::new();
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":1,"kind":"tamper"}"#);
    bench.publish("btn-0001", r#"{"v":1,"seq":"#);
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":2,"kind":"service"}"#);
    bench.settle();
    assert_eq!(lane_of(&bench, "alarm.raised"), [OutLane::AlarmNotes, OutLane::AlarmNotes, OutLane::Alarms]);
    step(&mut bench, "btn-0001.1.1", AlarmState::Acknowledged, None);
    assert_eq!(lane_of(&bench, "alarm.state"), [OutLane::AlarmNotes], "not before its alarm");
}

#[test]
fn a_finding_that_makes_an_alarm_more_urgent_leaves_with_the_urgent_ones_however_many_came_before() {
    let mut bench = Bench::new();
    for seq in 1..=40 {
        bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"test"}}"#));
        bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"restored"}}"#));
    }
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":40,"kind":"fall"}"#);
    bench.settle();
    assert_eq!(lane_of(&bench, "alarm.repeated").last(), Some(&OutLane::Alarms));
    assert_eq!(bench.core.alarms(false)[0].urgency, Urgency::Emergency);
}

/// Orders about alarms of `btn-0001` in epoch 1: the number of the press that the alarm is named by, and its state. Those that
/// a press after the first began follow the first one's.
fn order(bench: &mut Bench, after: u64, steps: &[(u64, &str)]) {
    let follows = |seq: u64| (seq > 1).then_some(1);
    let steps: Vec<_> = steps.iter().map(|(seq, state)| (*seq, *state, follows(*seq))).collect();
    order_following(bench, after, &steps);
}

/// The same, each with the number of the press that began the alarm which it follows.
fn order_following(bench: &mut Bench, after: u64, steps: &[(u64, &str, Option<u64>)]) {
    let press = |seq: u64| serde_json::json!({"source": "device:btn-0001", "epoch": 1, "seq": seq});
    let orders = (after + 1..).zip(steps).map(|(k, (seq, state, follows))| {
        let body = serde_json::json!({"alarm": press(*seq), "state": state, "by": "operator-1",
            "at": "2026-11-24T09:31:00+08:00", "cause": "fall", "follows": follows.map(press)});
        let body = RawValue::from_string(body.to_string()).expect("JSON");
        Order { k, kind: "alarm.state".to_owned(), body }
    });
    let page = OrderPage { v: 1, stream: "s1".to_owned(), orders: orders.collect() };
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Alarms, result: Ok(page) }));
    bench.settle();
}

/// The states of alarms, by id.
fn states(bench: &Bench, all: bool) -> Vec<(String, AlarmState)> {
    bench.core.alarms(all).iter().map(|alarm| (alarm.id.clone(), alarm.state)).collect()
}

/// An alarm that the centre has, then a press on it of which the centre has not answered; the device is connected.
fn pressed_again() -> Bench {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    bench.uploaded(OutLane::Alarms, &[1], Outcome::Accepted);
    bench.settle();
    bench.press(2);
    bench.press(3);
    bench.settle();
    bench.take();
    bench
}

fn refused_orders(bench: &Bench) -> usize {
    bodies(bench, "order.result").iter().filter(|body| body["verdict"] == "refused").count()
}

#[test]
fn a_press_on_its_way_when_the_centre_resolves_its_alarm_stays_open_and_its_device_is_not_told_that_it_ended() {
    for restarted in [false, true] {
        let mut bench = pressed_again();
        if restarted {
            bench = bench.restart();
        }
        order(&mut bench, 0, &[(1, "resolved")]);
        assert_eq!(states(&bench, false), [("btn-0001.1.2".to_owned(), AlarmState::Raised)]);
        bench.uploaded(OutLane::AlarmNotes, &[2, 3], Outcome::Accepted);
        bench.settle();
        assert_eq!(states(&bench, false), [("btn-0001.1.2".to_owned(), AlarmState::Accepted)]);
        order(&mut bench, 1, &[(2, "acknowledged")]);
        assert_eq!(states(&bench, false), [("btn-0001.1.2".to_owned(), AlarmState::Acknowledged)]);
        bench.connect("btn-0001", 1);
        let told = told_about(&bench.take());
        assert!(told.contains(&(1, vec![2, 3], AlarmState::Acknowledged)), "{told:?}");
        let ended = |(_, seqs, state): &(u32, Vec<u64>, AlarmState)| {
            *state == AlarmState::Resolved && (seqs.contains(&2) || seqs.contains(&3))
        };
        assert!(!told.iter().any(ended), "{told:?}");
        assert_eq!(refused_orders(&bench), 0);
        bench.press(4);
        bench.settle();
        assert_eq!(bench.core.alarms(false)[0].presses, 3, "a further press belongs to the new alarm");
    }
}

#[test]
fn a_press_of_which_the_centre_made_an_alarm_parts_from_the_one_it_was_folded_into() {
    // The centre's answer to the press came before its orders; both are in one page.
    let mut bench = pressed_again();
    bench.uploaded(OutLane::AlarmNotes, &[2, 3], Outcome::Accepted);
    bench.settle();
    order(&mut bench, 0, &[(1, "resolved"), (2, "accepted")]);
    assert_eq!(states(&bench, false), [("btn-0001.1.2".to_owned(), AlarmState::Accepted)]);
    order(&mut bench, 2, &[(2, "dispatched")]);
    bench.connect("btn-0001", 1);
    let mut told = told_about(&bench.take());
    told.sort();
    assert!(told.contains(&(1, vec![2, 3], AlarmState::Dispatched)), "{told:?}");
    assert!(!told.contains(&(1, vec![1, 2, 3], AlarmState::Resolved)), "{told:?}");
    assert_eq!(refused_orders(&bench), 0);
}

#[test]
fn a_press_that_is_an_alarm_of_its_own_at_the_centre_parts_alone_from_the_open_one_it_was_folded_into() {
    for (delivered, restarted) in [(false, false), (true, false), (true, true)] {
        let mut bench = pressed_again();
        bench.press(4);
        bench.settle();
        if delivered {
            bench.uploaded(OutLane::AlarmNotes, &[2, 3, 4], Outcome::Accepted);
            bench.settle();
        }
        if restarted {
            bench = bench.restart();
        }
        // It had gone there while no disk took it; the centre knows of it as of an alarm beside that of the first press.
        order_following(&mut bench, 0, &[(3, "dispatched", None)]);
        let both = [("btn-0001.1.3", AlarmState::Dispatched), ("btn-0001.1.1", AlarmState::Accepted)];
        assert_eq!(states(&bench, false), both.map(|(id, state)| (id.to_owned(), state)));
        let presses: Vec<_> = bench.core.alarms(false).iter().map(|alarm| alarm.presses).collect();
        assert_eq!(presses, [1, 3]);
        order_following(&mut bench, 1, &[(3, "resolved", None)]);
        assert_eq!(states(&bench, false), [("btn-0001.1.1".to_owned(), AlarmState::Accepted)]);
        bench.connect("btn-0001", 1);
        let told = told_about(&bench.take());
        assert!(told.contains(&(1, vec![3], AlarmState::Resolved)), "{told:?}");
        assert!(told.contains(&(1, vec![1, 2, 4], AlarmState::Accepted)), "{told:?}");
        assert_eq!(refused_orders(&bench), 0);
    }
}

#[test]
fn presses_part_with_the_alarm_that_each_was_told_about() {
    let mut bench = pressed_again();
    // Press 2 was an alarm of its own at the centre before, which ended the first one without presses 2 and 3: press 3 is
    // another one there, and press 4, on the alarm of press 2, belongs to that.
    order_following(&mut bench, 0, &[(1, "resolved", None)]);
    bench.press(4);
    bench.settle();
    order_following(&mut bench, 1, &[(3, "accepted", Some(1))]);
    let presses = |bench: &Bench| -> Vec<(String, Vec<u64>)> {
        let seqs = |alarm: &gateway_core::Alarm| alarm.seqs.iter().map(|seq| seq.get()).collect();
        bench.core.alarms(false).iter().map(|alarm| (alarm.id.clone(), seqs(alarm))).collect()
    };
    let mut open = presses(&bench);
    open.sort();
    assert_eq!(open, [("btn-0001.1.2".to_owned(), vec![2, 4]), ("btn-0001.1.3".to_owned(), vec![3])]);
    order_following(&mut bench, 2, &[(3, "resolved", Some(1))]);
    assert_eq!(presses(&bench), [("btn-0001.1.2".to_owned(), vec![2, 4])]);
}

#[test]
fn a_take_back_is_noted_on_whichever_open_alarm_of_the_device_has_the_press() {
    let mut bench = pressed_again();
    order_following(&mut bench, 0, &[(3, "accepted", None)]);
    for (seq, of) in [(4, 2), (5, 3)] {
        bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"cancel","of":{of}}}"#));
    }
    bench.settle();
    assert!(bench.core.alarms(false).iter().all(|alarm| alarm.cancelled), "both alarms were taken back");
    assert_eq!(bodies(&bench, "alarm.cancelled").len(), 2);
}

/// The centre resolves the alarm of press 1, with the presses that it had.
fn resolve_with(bench: &mut Bench, presses: &[u64]) {
    let press = |seq| serde_json::json!({"source": "device:btn-0001", "epoch": 1, "seq": seq});
    let presses: Vec<_> = presses.iter().map(press).collect();
    let body = serde_json::json!({"alarm": press(&1), "state": "resolved", "by": "operator-1",
        "at": "2026-11-24T09:31:00+08:00", "cause": "fall", "presses": presses});
    let body = RawValue::from_string(body.to_string()).expect("JSON");
    let orders = vec![Order { k: 1, kind: "alarm.state".to_owned(), body }];
    let page = OrderPage { v: 1, stream: "s1".to_owned(), orders };
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Alarms, result: Ok(page) }));
    bench.settle();
}

#[test]
fn presses_that_the_centre_had_when_it_resolved_end_with_their_alarm_although_the_answer_about_them_was_lost() {
    let mut bench = pressed_again();
    resolve_with(&mut bench, &[2]);
    assert_eq!(states(&bench, false), [("btn-0001.1.3".to_owned(), AlarmState::Raised)], "only the press it had not");
    bench.connect("btn-0001", 1);
    let told = told_about(&bench.take());
    assert!(told.contains(&(1, vec![1, 2], AlarmState::Resolved)), "{told:?}");
}

#[test]
fn presses_that_the_centre_got_after_it_had_resolved_do_not_end_with_their_alarm() {
    let mut bench = pressed_again();
    bench.uploaded(OutLane::AlarmNotes, &[2], Outcome::Accepted);
    bench.press(4);
    bench.settle();
    bench.take();
    resolve_with(&mut bench, &[]);
    assert_eq!(states(&bench, false), [("btn-0001.1.2".to_owned(), AlarmState::Accepted)]);
    assert_eq!(bench.core.alarms(false)[0].presses, 3);
    bench.connect("btn-0001", 1);
    let told = told_about(&bench.take());
    assert!(told.contains(&(1, vec![2, 3, 4], AlarmState::Accepted)), "{told:?}");
    assert!(told.contains(&(1, vec![1], AlarmState::Resolved)), "{told:?}");
}

#[test]
fn presses_that_were_only_counted_part_with_the_entry_before_them() {
    let mut bench = pressed_again();
    for seq in 4..=9 {
        bench.press(seq);
    }
    bench.settle();
    order(&mut bench, 0, &[(2, "accepted")]);
    order(&mut bench, 1, &[(1, "resolved")]);
    assert_eq!(states(&bench, false), [("btn-0001.1.2".to_owned(), AlarmState::Accepted)]);
    assert_eq!(bench.core.alarms(false)[0].presses, 8);
    let told: u64 = bodies(&bench, "alarm.repeated").iter().map(|body| body["folded"].as_u64().unwrap_or(1)).sum();
    assert_eq!(told, 8);
}

#[test]
fn presses_of_every_epoch_part_with_the_entries_that_tell_of_them() {
    let mut bench = pressed_again();
    for seq in 1..=9 {
        bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":2,"seq":{seq},"kind":"sos"}}"#));
    }
    bench.settle();
    bench.take();
    resolve_with(&mut bench, &[2]);
    assert_eq!(states(&bench, false), [("btn-0001.1.3".to_owned(), AlarmState::Raised)]);
    assert_eq!(bench.core.alarms(false)[0].presses, 10);
    let mut bench = bench.restart();
    bench.connect("btn-0001", 1);
    let told = told_about(&bench.take());
    assert!(told.contains(&(1, vec![1, 2], AlarmState::Resolved)), "{told:?}");
    assert!(told.contains(&(1, vec![3], AlarmState::Raised)), "{told:?}");
    assert!(told.contains(&(2, (1..=9).collect(), AlarmState::Raised)), "{told:?}");
    assert!(!told.iter().any(|(epoch, _, state)| *epoch == 2 && *state == AlarmState::Resolved), "{told:?}");
}

#[test]
fn an_alarm_that_parted_ends_whole_by_the_order_about_itself_before_the_centre_answered_about_its_press() {
    let mut bench = pressed_again();
    order(&mut bench, 0, &[(1, "resolved")]);
    assert_eq!(states(&bench, false), [("btn-0001.1.2".to_owned(), AlarmState::Raised)]);
    order(&mut bench, 1, &[(2, "resolved")]);
    assert_eq!(states(&bench, false), [("btn-0001.1.3".to_owned(), AlarmState::Raised)], "the centre did not name it");
    bench.connect("btn-0001", 1);
    let told = told_about(&bench.take());
    assert!(told.contains(&(1, vec![2], AlarmState::Resolved)), "{told:?}");
}

#[test]
fn presses_that_were_only_counted_stay_open_too_when_the_centre_resolves_their_alarm() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    bench.uploaded(OutLane::Alarms, &[1], Outcome::Accepted);
    for seq in 2..=20 {
        bench.press(seq);
    }
    bench.settle();
    let sent: Vec<u64> = bench.rows.iter().filter(|row| row.lane == OutLane::AlarmNotes).map(|row| row.n).collect();
    bench.uploaded(OutLane::AlarmNotes, &sent, Outcome::Accepted);
    bench.settle();
    resolve_with(&mut bench, &[2, 3, 4, 5, 6, 7]);
    let told = bench.rows.iter().rfind(|row| row.kind == "alarm.repeated").expect("the rest is told");
    let id = format!("gw-test.j1.{}", told.n);
    assert_eq!(states(&bench, false), [(id.clone(), AlarmState::Raised)]);
    let named = serde_json::json!({"source": "gateway:gw-test", "epoch": "j1", "seq": told.n});
    let body = serde_json::json!({"alarm": named, "state": "acknowledged", "by": "operator-1",
        "at": "2026-11-24T09:31:00+08:00", "cause": null});
    let body = RawValue::from_string(body.to_string()).expect("JSON");
    let orders = vec![Order { k: 2, kind: "alarm.state".to_owned(), body }];
    let page = OrderPage { v: 1, stream: "s1".to_owned(), orders };
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Alarms, result: Ok(page) }));
    bench.settle();
    assert_eq!(states(&bench, false), [(id, AlarmState::Acknowledged)]);
    bench.connect("btn-0001", 1);
    let told = told_about(&bench.take());
    assert!(
        told.iter().any(|(_, seqs, state)| *state == AlarmState::Acknowledged && seqs.last() == Some(&20)),
        "{told:?}"
    );
    assert_eq!(refused_orders(&bench), 0);
}

#[test]
fn what_an_older_release_kept_of_presses_on_their_way_parts_too() {
    let mut bench = pressed_again();
    for value in bench.state.values_mut() {
        let Ok(mut json) = serde_json::from_str::<serde_json::Value>(value) else { continue };
        let Some(ways) = json.get_mut("on_their_way").and_then(|ways| ways.as_object_mut()) else { continue };
        for way in ways.values_mut().filter_map(serde_json::Value::as_object_mut) {
            let presses = way.remove("presses").expect("it tells of presses");
            way.insert("press".to_owned(), serde_json::json!([presses[0]["epoch"], presses[0]["from"]]));
        }
        *value = json.to_string();
    }
    let mut bench = bench.restart();
    resolve_with(&mut bench, &[]);
    bench.connect("btn-0001", 1);
    let told = told_about(&bench.take());
    assert!(told.contains(&(1, vec![1], AlarmState::Resolved)), "{told:?}");
    assert!(told.contains(&(1, vec![2, 3], AlarmState::Raised)), "{told:?}");
}

#[test]
fn presses_part_however_many_entries_wait_for_the_centre() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    bench.uploaded(OutLane::Alarms, &[1], Outcome::Accepted);
    bench.settle();
    let reports = (2..=4).map(|seq| (1, seq)).chain((1..=40).map(|seq| (2, seq)));
    for (epoch, seq) in reports {
        bench.advance(20_000);
        bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":{epoch},"seq":{seq},"kind":"sos"}}"#));
        bench.settle();
    }
    bench.take();
    resolve_with(&mut bench, &[]);
    bench.connect("btn-0001", 1);
    let told = told_about(&bench.take());
    let ended: Vec<_> = told.iter().filter(|(_, _, state)| *state == AlarmState::Resolved).collect();
    assert_eq!(ended, [&(1, vec![1], AlarmState::Resolved)], "{told:?}");
}
