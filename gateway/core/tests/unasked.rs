//! A journal that cannot be asked whether it has a report: alarms go straight to the centre, anything else is asked about again.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::Bench;
use gateway_core::{DeskInput, Direct, Effect, Input, OutLane, ReplyToken, Sent, Ticket, UplinkInput};
use protocols::device::AlarmState;
use protocols::uplink::{Outcome, UploadResult};

/// What goes straight to the centre, since the last look.
fn direct(bench: &mut Bench) -> Vec<(Ticket, String)> {
    let sent = bench.take().into_iter().filter_map(|effect| match effect {
        Effect::UploadDirect { ticket, entry } => Some((ticket, entry)),
        _ => None,
    });
    sent.collect()
}

fn state(bench: &Bench, id: &str) -> Option<AlarmState> {
    bench.core.alarms(true).into_iter().find(|alarm| alarm.id == id).map(|alarm| alarm.state)
}

/// The first press of a life comes while the journal cannot be asked; it can from then on.
fn pressed_unasked(bench: &mut Bench, seq: u64) {
    bench.unreadable = true;
    let token = bench.press(seq);
    bench.settle();
    assert!(!bench.acked(token));
    bench.unreadable = false;
}

/// The elder takes a press back: with that the alarm of it is kept.
fn take_back(bench: &mut Bench, seq: u64, of: u64) {
    bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"cancel","of":{of}}}"#));
    bench.settle();
}

#[test]
fn what_is_no_alarm_is_acknowledged_once_the_journal_can_be_asked_without_being_sent_again() {
    let mut bench = Bench::new();
    bench.connect("btn-0001", 1);
    bench.unreadable = true;
    let token = bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":1,"kind":"mains_restored"}"#);
    bench.settle();
    bench.advance(5_000);
    bench.settle();
    assert!(!bench.acked(token), "still nobody knows");
    bench.unreadable = false;
    bench.advance(5_000);
    bench.settle();
    assert!(bench.acked(token));
    let reported: Vec<u64> = bench.rows.iter().filter(|row| row.kind == "device.reported").map(|row| row.seq).collect();
    assert_eq!(reported, [1]);
}

#[test]
fn a_press_that_went_straight_to_the_centre_stays_an_alarm_of_its_own_when_it_is_sent_again() {
    let mut bench = Bench::new();
    bench.press(2);
    bench.settle();
    let mut bench = bench.restart();
    pressed_unasked(&mut bench, 10);
    take_back(&mut bench, 11, 10);
    let mut bench = bench.restart();
    bench.press(10);
    bench.settle();
    let told: Vec<(&str, u64)> = bench.rows.iter().map(|row| (row.kind.as_str(), row.seq)).collect();
    assert!(told.contains(&("alarm.raised", 10)), "not one more press on the other alarm: {told:?}");
    let own = bench.core.alarms(true).into_iter().find(|alarm| alarm.id == "btn-0001.1.10").expect("it is here");
    assert!(own.n > 0 && own.cancelled, "with its entry, and with what was known of it");
}

#[test]
fn after_a_start_the_centre_is_asked_once_more_whether_it_has_an_alarm_that_no_entry_tells_of() {
    let mut bench = Bench::new();
    pressed_unasked(&mut bench, 1);
    let first = direct(&mut bench);
    take_back(&mut bench, 2, 1);
    let mut bench = bench.restart();
    assert_eq!(state(&bench, "btn-0001.1.1"), Some(AlarmState::Raised));
    let again = direct(&mut bench);
    assert_eq!(again.iter().map(|(_, entry)| entry).collect::<Vec<_>>(), [&first[0].1], "byte for byte");
    let result = Ok(UploadResult { n: None, outcome: Outcome::Duplicate, reason: None });
    bench.input(Input::Uplink(UplinkInput::Direct(Direct { ticket: again[0].0, result })));
    bench.settle();
    assert_eq!(state(&bench, "btn-0001.1.1"), Some(AlarmState::Accepted));
    let mut bench = bench.restart();
    assert_eq!(state(&bench, "btn-0001.1.1"), Some(AlarmState::Accepted));
    assert_eq!(direct(&mut bench), [], "the centre has it");
    assert_eq!(bench.rows.iter().filter(|row| row.lane == OutLane::Alarms && row.seq == 1).count(), 0);
}

#[test]
fn an_alarm_that_staff_took_further_before_the_centre_had_it_is_still_told_to_it_after_a_start() {
    for (state, cause) in [(AlarmState::OnSite, None), (AlarmState::Resolved, Some("helped".to_owned()))] {
        let mut bench = Bench::new();
        pressed_unasked(&mut bench, 1);
        bench.input(Input::Desk(DeskInput::StepAlarm {
            reply: ReplyToken(1),
            alarm: "btn-0001.1.1".to_owned(),
            state,
            by: "nurse-1".parse().expect("a name"),
            cause,
            sent: Sent::default(),
        }));
        bench.settle();
        let mut bench = bench.restart();
        let again = direct(&mut bench);
        assert_eq!(again.len(), 1, "{state:?}: the centre may not have it");
        let result = Ok(UploadResult { n: None, outcome: Outcome::Accepted, reason: None });
        bench.input(Input::Uplink(UplinkInput::Direct(Direct { ticket: again[0].0, result })));
        bench.settle();
        let mut bench = bench.restart();
        assert_eq!(direct(&mut bench), [], "{state:?}: it has it");
    }
}
