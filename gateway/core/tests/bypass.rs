//! A commit that takes its time keeps no alarm from the centre, and promises nothing before it is done.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::Bench;
use gateway_core::limits::BYPASS_AFTER_MS;
use gateway_core::{Direct, Effect, Input, OutLane, Ticket, UplinkFailure, UplinkInput};
use protocols::uplink::{Outcome, UploadResult};

fn went_round(bench: &Bench) -> Vec<(Ticket, String)> {
    let round = |effect: &Effect| match effect {
        Effect::UploadDirect { ticket, entry } => Some((*ticket, entry.clone())),
        _ => None,
    };
    bench.effects.iter().filter_map(round).collect()
}

fn answer(bench: &mut Bench, ticket: Ticket, result: Result<Outcome, UplinkFailure>) {
    let result = result.map(|outcome| UploadResult { n: None, outcome, reason: None });
    bench.input(Input::Uplink(UplinkInput::Direct(Direct { ticket, result })));
}

/// A18.
#[test]
fn a18_an_alarm_whose_commit_takes_long_goes_to_the_centre_and_is_acknowledged_when_the_commit_is_done() {
    let mut bench = Bench::new();
    bench.connect("btn-0001", 1);
    bench.settle();
    let token = bench.press(1);
    bench.advance(BYPASS_AFTER_MS - 1);
    assert_eq!(went_round(&bench), []);
    bench.advance(1);
    let sent = went_round(&bench);
    assert_eq!(sent.len(), 1, "{sent:?}");
    answer(&mut bench, sent[0].0, Ok(Outcome::Accepted));
    bench.advance(10_000);
    assert_eq!(went_round(&bench).len(), 1, "once");
    assert!(!bench.acked(token), "its commit is not done");
    bench.settle();
    assert!(bench.acked(token));
    let row = bench.rows.iter().find(|row| row.source == "device:btn-0001").expect("recorded");
    assert_eq!(row.bytes, sent[0].1, "the same bytes, so that the centre sees a duplicate");
    assert_eq!(bench.uploads.get(&OutLane::Alarms), Some(&0), "it goes its ordinary way, too");
    bench.take();
    bench.advance(60_000);
    assert_eq!(went_round(&bench), []);
}

/// A18.
#[test]
fn a18_what_the_centre_did_not_hear_goes_round_again_until_the_commit_is_done() {
    let mut bench = Bench::new();
    bench.connect("btn-0001", 1);
    bench.settle();
    bench.press(1);
    bench.advance(BYPASS_AFTER_MS);
    let first = went_round(&bench)[0].0;
    answer(&mut bench, first, Err(UplinkFailure::Unreachable));
    bench.advance(5_000);
    let sent = went_round(&bench);
    assert_eq!(sent.len(), 2, "{sent:?}");
    bench.settle();
    bench.take();
    // Too late to matter.
    answer(&mut bench, sent[1].0, Err(UplinkFailure::Unreachable));
    bench.advance(60_000);
    assert_eq!(went_round(&bench), []);
}

#[test]
fn nothing_goes_round_a_journal_that_is_quick_nor_what_is_no_alarm_of_a_device() {
    let mut bench = Bench::new();
    bench.connect("btn-0001", 1);
    bench.press(1);
    bench.settle();
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":2,"kind":"test"}"#);
    bench.publish("btn-0001", r#"{"v":1,"epoch":1,"seq":3,"kind":"tamper"}"#);
    bench.advance(60_000);
    assert_eq!(went_round(&bench), []);
}
