//! Promises while no disk takes a commit: alarms still reach people and devices still hear of it, nothing else is taken,
//! and nothing piles up.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::{Bench, device};
use gateway_core::limits::{DIRECT_ALARMS_MAX, DIRECT_UNREADABLE_MAX};
use gateway_core::{
    AckCode, AckToken, DeskAnswer, DeskInput, Direct, Effect, Input, LinkInput, Refusal, ReplyToken, Sent, Storage,
    Ticket, UplinkFailure, UplinkInput,
};
use protocols::device::{AlarmState, Command};
use protocols::id::Seq;
use protocols::uplink::{Lane, Order, OrderPage, Outcome, UploadResult};
use serde_json::value::RawValue;

fn sent(bench: &Bench) -> Vec<(Ticket, String)> {
    bench
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::UploadDirect { ticket, entry } => Some((*ticket, entry.clone())),
            _ => None,
        })
        .collect()
}

fn accept(bench: &mut Bench, ticket: Ticket) {
    let result = Ok(UploadResult { n: None, outcome: Outcome::Accepted, reason: None });
    bench.input(Input::Uplink(UplinkInput::Direct(Direct { ticket, result })));
}

fn told(effects: &[Effect]) -> Vec<(Vec<u64>, AlarmState)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Command { payload, .. } => serde_json::from_slice::<Command>(payload).ok()?.alarm,
            _ => None,
        })
        .map(|alarm| (alarm.seqs.iter().map(|seq| seq.get()).collect(), alarm.state))
        .collect()
}

fn polls(effects: &[Effect]) -> Vec<(Lane, String, u64)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::PollOrders { lane, stream, after, .. } => Some((*lane, stream.clone(), *after)),
            _ => None,
        })
        .collect()
}

fn order(k: u64, seq: u64, state: &str) -> Order {
    order_about(None, k, seq, state)
}

/// An order that may say what kind of alarm it is about.
fn order_about(kind: Option<&str>, k: u64, seq: u64, state: &str) -> Order {
    let alarm = serde_json::json!({"source": "device:btn-0001", "epoch": 1, "seq": seq});
    let body = serde_json::json!({
        "alarm": alarm, "state": state, "by": "operator-1", "at": "2026-11-24T09:31:00+08:00", "cause": "fall",
        "kind": kind, "urgency": kind.map(|_| "emergency"),
    });
    Order { k, kind: "alarm.state".to_owned(), body: RawValue::from_string(body.to_string()).expect("JSON") }
}

fn orders(bench: &mut Bench, orders: Vec<Order>) {
    let page = OrderPage { v: 1, stream: "s1".to_owned(), orders };
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Alarms, result: Ok(page) }));
}

/// The device takes every command that it was sent.
fn take_commands(bench: &mut Bench) -> Vec<(Vec<u64>, AlarmState)> {
    let mut all = Vec::new();
    loop {
        let effects = bench.take();
        let found = told(&effects);
        if found.is_empty() {
            return all;
        }
        all.extend(found);
        for effect in effects {
            if let Effect::Command { command, .. } = effect {
                bench.input(Input::Link(LinkInput::CommandTaken { device: device("btn-0001"), command }));
            }
        }
    }
}

#[test]
fn alarms_go_to_the_centre_and_are_acknowledged_when_it_has_them() {
    let mut bench = Bench::with(Storage::Dead);
    bench.take();
    let test = bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":1,"kind":"test"}"#);
    let token = bench.press(2);
    let sent_first = sent(&bench);
    assert_eq!(sent_first.len(), 1);
    assert!(!bench.acked(token) && bench.waiting.is_none());
    let ticket = sent_first[0].0;
    let failed = Direct { ticket, result: Err(UplinkFailure::Unreachable) };
    bench.input(Input::Uplink(UplinkInput::Direct(failed)));
    bench.take();
    bench.advance(10_000);
    assert!(sent(&bench).iter().any(|(again, _)| *again == ticket));
    accept(&mut bench, ticket);
    assert!(bench.acked(token));
    assert!(!bench.acked(test), "what cannot be stored is kept by its device");
}

#[test]
fn the_states_of_an_alarm_without_an_entry_reach_its_device() {
    let mut bench = Bench::with(Storage::Dead);
    bench.connect("btn-0001", 1);
    bench.take();
    bench.press(7);
    assert_eq!(told(&bench.effects), [], "nobody has it yet");
    let ticket = sent(&bench)[0].0;
    accept(&mut bench, ticket);
    assert_eq!(take_commands(&mut bench), [(vec![7], AlarmState::Accepted)]);
    for (k, state) in [(1, "acknowledged"), (2, "dispatched"), (3, "on_site"), (4, "resolved")] {
        orders(&mut bench, vec![order(k, 7, state)]);
    }
    let heard: Vec<AlarmState> = take_commands(&mut bench).into_iter().map(|(_, state)| state).collect();
    assert_eq!(heard.first(), Some(&AlarmState::Acknowledged));
    assert_eq!(heard.last(), Some(&AlarmState::Resolved));
    assert!(bench.core.alarms(false).iter().all(|alarm| alarm.kind != "sos"), "a person has closed it");
}

#[test]
fn an_alarm_that_only_the_centre_knows_is_shown_as_what_the_centre_says_it_is() {
    let mut bench = Bench::new();
    orders(&mut bench, vec![order_about(Some("fall"), 1, 7, "acknowledged")]);
    bench.settle();
    let alarms = bench.core.alarms(false);
    let shown = alarms.iter().find(|alarm| alarm.id == "btn-0001.1.7").expect("it is taken up");
    assert_eq!((shown.kind.as_str(), shown.urgency), ("fall", protocols::uplink::Urgency::Emergency));
}

#[test]
fn an_alarm_that_the_centre_spoke_of_first_keeps_its_state_when_its_press_is_recorded() {
    let mut bench = Bench::new();
    orders(&mut bench, vec![order_about(Some("sos"), 1, 7, "dispatched")]);
    bench.settle();
    let token = bench.press(7);
    bench.settle();
    assert!(bench.acked(token));
    let alarms = bench.core.alarms(false);
    assert_eq!(alarms.len(), 1);
    assert_eq!((alarms[0].state, alarms[0].presses), (AlarmState::Dispatched, 1));
    let raised: Vec<_> = bench.rows.iter().filter(|row| row.kind.starts_with("alarm.")).map(|row| &row.kind).collect();
    assert_eq!(raised, ["alarm.raised"]);
}

#[test]
fn orders_about_alarms_are_asked_for_again_and_again_and_others_are_left_alone() {
    let mut bench = Bench::with(Storage::Dead);
    assert_eq!(polls(&bench.take()), [(Lane::Alarms, String::new(), 0)]);
    orders(&mut bench, vec![order(5, 7, "acknowledged")]);
    assert_eq!(polls(&bench.take()), [(Lane::Alarms, "s1".to_owned(), 5)]);
    orders(&mut bench, vec![]);
    assert_eq!(polls(&bench.take()), [(Lane::Alarms, "s1".to_owned(), 5)]);
    let failed = Err(UplinkFailure::Unreachable);
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Alarms, result: failed }));
    bench.take();
    bench.advance(10_000);
    assert_eq!(polls(&bench.take()), [(Lane::Alarms, "s1".to_owned(), 5)]);
}

#[test]
fn a_step_of_staff_counts_when_the_centre_has_it() {
    let mut bench = Bench::with(Storage::Dead);
    bench.connect("btn-0001", 1);
    bench.press(7);
    bench.take();
    let step = |reply| {
        Input::Desk(DeskInput::StepAlarm {
            reply: ReplyToken(reply),
            alarm: "btn-0001.1.7".to_owned(),
            state: AlarmState::Acknowledged,
            by: "nurse-1".parse().expect("a name"),
            cause: None,
            sent: Sent::default(),
        })
    };
    bench.input(step(1));
    let (ticket, entry) = sent(&bench).remove(0);
    assert!(entry.contains("alarm.state") && entry.contains("nurse-1"), "{entry}");
    assert!(!bench.effects.iter().any(|effect| matches!(effect, Effect::Reply { .. })));
    let failed = Direct { ticket, result: Err(UplinkFailure::Unreachable) };
    bench.input(Input::Uplink(UplinkInput::Direct(failed)));
    let refused = Effect::Reply { token: ReplyToken(1), answer: DeskAnswer::Refused(Refusal::StepNotTaken) };
    assert!(bench.take().contains(&refused), "the person is told at once and can try again");
    bench.input(step(2));
    let (ticket, _) = sent(&bench).remove(0);
    accept(&mut bench, ticket);
    let effects = bench.take();
    let answer = DeskAnswer::Alarm { id: "btn-0001.1.7".to_owned(), state: AlarmState::Acknowledged };
    assert!(effects.contains(&Effect::Reply { token: ReplyToken(2), answer }));
    assert_eq!(told(&effects), [(vec![7], AlarmState::Acknowledged)]);
}

#[test]
fn nothing_is_kept_for_a_commit_that_never_comes() {
    let mut bench = Bench::with(Storage::Dead);
    bench.connect("btn-0001", 1);
    for k in 1..=3_000 {
        orders(&mut bench, vec![order(k, k, "acknowledged")]);
        bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":1,"kind":"nonsense","of":true}"#);
    }
    assert!(bench.waiting.is_none() && bench.core.is_settled());
    for seq in 1..=5_000 {
        bench.press(seq);
    }
    assert!(sent(&bench).len() <= DIRECT_ALARMS_MAX + 1, "{}", sent(&bench).len());
    assert!(bench.core.alarms(true).len() <= DIRECT_ALARMS_MAX + 1, "{}", bench.core.alarms(true).len());
    assert!(!bench.core.is_intake_paused());
}

#[test]
fn after_the_disk_is_back_the_states_of_an_alarm_that_only_the_centre_has_still_reach_its_device() {
    let mut bench = Bench::new();
    bench.connect("btn-0001", 1);
    bench.settle();
    bench.take();
    orders(&mut bench, vec![order(1, 7, "dispatched")]);
    bench.settle();
    assert_eq!(take_commands(&mut bench), [(vec![7], AlarmState::Dispatched)]);
    let mut bench = bench.restart();
    bench.connect("btn-0001", 2);
    assert_eq!(take_commands(&mut bench), [(vec![7], AlarmState::Dispatched)], "it is kept from then on");
}

/// What the device was answered.
fn code(bench: &Bench, token: AckToken) -> Option<AckCode> {
    bench.effects.iter().find_map(|effect| match effect {
        Effect::Ack { token: acked, code } if *acked == token => Some(*code),
        _ => None,
    })
}

#[test]
fn what_cannot_be_read_is_one_technical_alarm_for_each_device_and_answered_when_the_centre_has_it() {
    let mut bench = Bench::with(Storage::Dead);
    bench.take();
    let garbage = "{\"v\":1,\"seq\":";
    let first = bench.publish("btn-0001", garbage);
    let second = bench.publish("btn-0001", "not even JSON");
    let heartbeat = AckToken { session: Bench::session(1), packet: 900 };
    let status = |token| LinkInput::Status {
        device: device("btn-0001"),
        ack: Some(token),
        payload: b"[]".to_vec(),
        retained: false,
    };
    bench.input(Input::Link(status(heartbeat)));
    let other = bench.publish("btn-0002", garbage);
    let found = sent(&bench);
    assert_eq!(found.len(), 2, "one for each device: {found:?}");
    assert!(
        found.iter().all(|(_, entry)| entry.contains("\"unreadable\"") && entry.contains("technical")),
        "{found:?}"
    );
    for token in [first, second, heartbeat, other] {
        assert!(!bench.acked(token), "nobody has it yet");
    }
    let ticket = found[0].0;
    let failed = Direct { ticket, result: Err(UplinkFailure::Unreachable) };
    bench.input(Input::Uplink(UplinkInput::Direct(failed)));
    bench.take();
    bench.advance(10_000);
    assert!(sent(&bench).iter().any(|(again, _)| *again == ticket));
    accept(&mut bench, ticket);
    for token in [first, second, heartbeat] {
        assert_eq!(code(&bench, token), Some(AckCode::PayloadFormatInvalid));
    }
    assert!(!bench.acked(other));
    bench.take();
    let later = bench.publish("btn-0001", garbage);
    assert_eq!((sent(&bench), code(&bench, later)), (vec![], Some(AckCode::PayloadFormatInvalid)), "it is open");
}

#[test]
fn once_a_person_has_closed_it_what_cannot_be_read_is_an_alarm_anew() {
    let mut bench = Bench::with(Storage::Dead);
    bench.take();
    bench.publish("btn-0001", "?");
    let (ticket, _) = sent(&bench).remove(0);
    accept(&mut bench, ticket);
    let alarm = bench.core.alarms(false).iter().find(|alarm| alarm.kind == "unreadable").expect("open").id.clone();
    bench.take();
    bench.input(Input::Desk(DeskInput::StepAlarm {
        reply: ReplyToken(1),
        alarm,
        state: AlarmState::Resolved,
        by: "nurse-1".parse().expect("a name"),
        cause: Some("repaired".to_owned()),
        sent: Sent::default(),
    }));
    let (step, _) = sent(&bench).remove(0);
    accept(&mut bench, step);
    bench.take();
    let again = bench.publish("btn-0001", "?");
    let found = sent(&bench);
    assert!(found.len() == 1 && found[0].0 != ticket, "{found:?}");
    accept(&mut bench, found[0].0);
    assert!(bench.acked(again));
}

#[test]
fn devices_that_all_send_what_cannot_be_read_leave_room_for_alarms() {
    let mut bench = Bench::with(Storage::Dead);
    bench.take();
    for number in 0..2 * DIRECT_ALARMS_MAX {
        bench.publish(&format!("bad-{number}"), "?");
    }
    assert_eq!(sent(&bench).len(), DIRECT_UNREADABLE_MAX);
    let token = bench.press(1);
    let (ticket, _) = sent(&bench).pop().expect("it is sent");
    accept(&mut bench, ticket);
    assert!(bench.acked(token));
}

#[test]
fn a_silent_device_is_still_an_alarm() {
    let mut bench = Bench::with(Storage::Dead);
    bench.take();
    bench.advance(61_000);
    assert!(sent(&bench).iter().any(|(_, entry)| entry.contains("device_silent")));
    assert!(bench.core.alarms(false).iter().any(|alarm| alarm.kind == "device_silent"));
}

#[test]
fn an_order_that_ends_an_alarm_with_counted_presses_is_left_until_the_disk_takes_an_entry_about_them() {
    let mut bench = Bench::new();
    for seq in 1..=9 {
        bench.press(seq);
    }
    bench.settle();
    let rows = bench.rows.len();
    let counted = bench.core.alarms(false)[0].unrecorded;
    assert!(counted > 0, "some came too fast for entries of their own");
    bench.config.storage = Storage::Dead;
    let mut bench = bench.restart();
    bench.connect("btn-0001", 1);
    bench.take();
    orders(&mut bench, vec![order(1, 1, "resolved")]);
    let told = take_commands(&mut bench);
    assert!(told.iter().all(|(_, state)| *state < AlarmState::Resolved), "the centre does not know of them: {told:?}");
    let ids: Vec<String> = bench.core.alarms(false).into_iter().map(|alarm| alarm.id).collect();
    assert!(ids.iter().all(|id| !id.starts_with("gw-test.j1.")), "no alarm is named by an entry that is none: {ids:?}");
    bench.config.storage = Storage::Journal;
    let mut bench = bench.restart();
    orders(&mut bench, vec![order(1, 1, "resolved")]);
    bench.settle();
    assert!(bench.rows.len() > rows, "the entry about them is there");
    let open = bench.core.alarms(false);
    assert_eq!(open.iter().map(|alarm| alarm.presses).sum::<u64>(), 8, "all but the first part from it");
}

#[test]
fn a_step_that_ends_an_alarm_ends_no_press_that_the_centre_may_not_have_before_its_order_says_so() {
    let ends = |ended: &[u64]| {
        let mut bench = Bench::new();
        bench.press(1);
        bench.settle();
        bench.press(2);
        bench.settle();
        bench.config.storage = Storage::Dead;
        let mut bench = bench.restart();
        bench.connect("btn-0001", 1);
        take_commands(&mut bench);
        bench.input(Input::Desk(DeskInput::StepAlarm {
            reply: ReplyToken(1),
            alarm: "btn-0001.1.1".to_owned(),
            state: AlarmState::Resolved,
            by: "nurse-1".parse().expect("a name"),
            cause: Some("helped".to_owned()),
            sent: Sent::default(),
        }));
        let (step, _) = sent(&bench).pop().expect("it goes straight to the centre");
        bench.take();
        accept(&mut bench, step);
        let answer = DeskAnswer::Alarm { id: "btn-0001.1.1".to_owned(), state: AlarmState::Resolved };
        assert!(bench.effects.contains(&Effect::Reply { token: ReplyToken(1), answer }), "the centre has it");
        let told = take_commands(&mut bench);
        assert!(told.iter().all(|(_, state)| *state < AlarmState::Resolved), "its order is not here yet: {told:?}");
        orders(&mut bench, vec![order_that_ended(ended)]);
        let mut told = take_commands(&mut bench);
        told.retain(|(_, state)| *state == AlarmState::Resolved);
        let open: Vec<String> =
            bench.core.alarms(false).into_iter().filter(|one| one.kind == "sos").map(|one| one.id).collect();
        (told, open)
    };
    assert_eq!(ends(&[2]), (vec![(vec![1, 2], AlarmState::Resolved)], vec![]), "the centre had both");
    assert_eq!(
        ends(&[]),
        (vec![(vec![1], AlarmState::Resolved)], vec!["btn-0001.1.2".to_owned()]),
        "it had not the second"
    );
}

/// An order about the end of the first press's alarm, which ended it with these presses.
fn order_that_ended(presses: &[u64]) -> Order {
    let origin = |seq: &u64| serde_json::json!({"source": "device:btn-0001", "epoch": 1, "seq": seq});
    let presses: Vec<_> = presses.iter().map(origin).collect();
    let body = serde_json::json!({
        "alarm": origin(&1), "state": "resolved", "by": "nurse-1", "at": "2026-11-24T09:31:00+08:00", "cause": "helped",
        "presses": presses,
    });
    Order { k: 1, kind: "alarm.state".to_owned(), body: RawValue::from_string(body.to_string()).expect("JSON") }
}

fn conflict(bench: &mut Bench, ticket: Ticket) {
    let result = Ok(UploadResult { n: None, outcome: Outcome::Conflict, reason: None });
    bench.input(Input::Uplink(UplinkInput::Direct(Direct { ticket, result })));
}

#[test]
fn a_press_whose_number_the_centre_knows_with_another_body_is_taken_since_the_centre_has_raised_it() {
    let mut bench = Bench::with(Storage::Dead);
    bench.connect("btn-0001", 1);
    bench.take();
    let token = bench.press(7);
    let (ticket, _) = sent(&bench).remove(0);
    conflict(&mut bench, ticket);
    assert_eq!(code(&bench, token), Some(AckCode::Success));
    let alarms = bench.core.alarms(false);
    let sos = alarms.iter().find(|alarm| alarm.kind == "sos").expect("it is shown");
    assert_eq!(sos.state, AlarmState::Accepted);
    assert!(alarms.iter().all(|alarm| alarm.kind != "conflict"), "one alarm of one press");
}

#[test]
fn a_press_whose_number_another_one_had_here_is_shown_beside_it() {
    let mut bench = Bench::with(Storage::Dead);
    bench.connect("btn-0001", 1);
    bench.press(7);
    let (first, _) = sent(&bench).remove(0);
    accept(&mut bench, first);
    bench.take();
    let token = bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":7,"kind":"fall"}"#);
    let (second, _) = sent(&bench).remove(0);
    bench.take();
    conflict(&mut bench, second);
    assert_eq!(code(&bench, token), Some(AckCode::Success));
    let alarms = bench.core.alarms(false);
    let shown = alarms.iter().find(|alarm| alarm.kind == "conflict").expect("people see it");
    assert_eq!(
        (shown.device.as_ref(), shown.has_press(1, Seq::new(7).expect("a number"))),
        (Some(&device("btn-0001")), true)
    );
    assert!(shown.detail.as_deref().is_some_and(|detail| detail.contains("fall")), "{shown:?}");
    let (ticket, entry) = sent(&bench).remove(0);
    assert!(entry.contains("conflict") && entry.contains("btn-0001"), "{entry}");
    accept(&mut bench, ticket);
    assert!(
        bench.core.alarms(false).iter().any(|alarm| alarm.kind == "conflict" && alarm.state == AlarmState::Accepted)
    );
}

/// What the disk has of a press in another alarm, and the centre as an alarm of its own, since its device sent it again while no
/// disk took anything.
#[test]
fn the_end_of_an_alarm_is_no_word_about_a_press_that_goes_on_as_an_alarm_of_its_own() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    bench.press(2);
    bench.settle();
    assert_eq!(bench.core.alarms(false).len(), 1, "the second is folded into the first");
    bench.config.storage = Storage::Dead;
    let mut bench = bench.restart();
    bench.connect("btn-0001", 2);
    take_commands(&mut bench);
    let end = |bench: &mut Bench, alarm: &str, reply| {
        bench.input(Input::Desk(DeskInput::StepAlarm {
            reply: ReplyToken(reply),
            alarm: alarm.to_owned(),
            state: AlarmState::Resolved,
            by: "nurse-1".parse().expect("a name"),
            cause: Some("helped".to_owned()),
            sent: Sent::default(),
        }));
        let (ticket, _) = sent(bench).pop().expect("the step goes to the centre");
        accept(bench, ticket);
        // Its order follows.
        let seq = alarm.rsplit('.').next().and_then(|seq| seq.parse().ok()).expect("a number");
        orders(bench, vec![order(reply, seq, "resolved")]);
        let ended = take_commands(bench).into_iter().filter(|(_, state)| *state == AlarmState::Resolved);
        ended.flat_map(|(seqs, _)| seqs).collect::<Vec<_>>()
    };
    bench.press(2);
    let (ticket, _) = sent(&bench).remove(0);
    accept(&mut bench, ticket);
    take_commands(&mut bench);
    assert_eq!(end(&mut bench, "btn-0001.1.1", 1), [1]);
    assert_eq!(end(&mut bench, "btn-0001.1.2", 2), [2]);
}

#[test]
fn a_step_whose_number_was_used_before_is_not_taken() {
    let mut bench = Bench::with(Storage::Dead);
    bench.press(7);
    bench.take();
    bench.input(Input::Desk(DeskInput::StepAlarm {
        reply: ReplyToken(1),
        alarm: "btn-0001.1.7".to_owned(),
        state: AlarmState::Acknowledged,
        by: "nurse-1".parse().expect("a name"),
        cause: None,
        sent: Sent::default(),
    }));
    let (ticket, _) = sent(&bench).remove(0);
    conflict(&mut bench, ticket);
    let refused = Effect::Reply { token: ReplyToken(1), answer: DeskAnswer::Refused(Refusal::StepNotTaken) };
    assert!(bench.take().contains(&refused));
}
