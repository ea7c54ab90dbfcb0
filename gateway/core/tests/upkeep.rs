//! Promises to staff: an entry that the centre refused is sent again when they want it, a device can be tried out, and the last day
//! has figures.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::{Bench, DEVICE_TEST_MS, device};
use gateway_core::limits::DEVICE_TESTS_MAX;
use gateway_core::{DeskAnswer, DeskInput, DeviceTest, Effect, Input, OutLane, Refusal, ReplyToken};
use protocols::device::AlarmState;
use protocols::uplink::{Outcome, TestResult, UploadResult};

const TEST: &str = r#"{"v":1,"epoch":1,"seq":1,"kind":"test"}"#;

fn answer(bench: &mut Bench, wish: impl FnOnce(ReplyToken) -> DeskInput) -> DeskAnswer {
    bench.take();
    let token = ReplyToken(7_000);
    bench.input(Input::Desk(wish(token)));
    bench.settle();
    let replies = bench.effects.iter().filter_map(|effect| match effect {
        Effect::Reply { token: of, answer } if *of == token => Some(answer.clone()),
        _ => None,
    });
    let replies: Vec<DeskAnswer> = replies.collect();
    assert_eq!(replies.len(), 1, "one answer: {replies:?}");
    replies.into_iter().next().expect("counted")
}

fn send_again(bench: &mut Bench, n: u64) -> DeskAnswer {
    answer(bench, |reply| DeskInput::SendAgain { reply, n, by: "nurse-1".parse().expect("a name") })
}

fn waiting(bench: &Bench) -> u64 {
    bench.core.status().lanes.iter().map(|lane| lane.waiting).sum()
}

fn quarantined(bench: &Bench) -> Vec<(u64, Option<String>)> {
    bench.core.quarantine().into_iter().map(|entry| (entry.n, entry.reason)).collect()
}

/// A test report in quarantine, and nothing else that waits.
fn with_quarantine() -> Bench {
    let mut bench = Bench::new();
    bench.online();
    bench.publish("btn-0001", TEST);
    bench.settle();
    bench.uploaded(OutLane::Rest, &[1], Outcome::Refused);
    bench.settle();
    assert_eq!((quarantined(&bench).len(), waiting(&bench)), (1, 0));
    bench
}

/// The entry that the lane's last upload asked for, as the journal has it.
fn asked_for(bench: &Bench, lane: OutLane) -> Option<u64> {
    let after = bench.uploads.get(&lane)?;
    bench.rows.iter().find(|row| row.lane == lane && row.n > *after).map(|row| row.n)
}

#[test]
fn what_staff_send_again_is_taken_by_the_centre_and_leaves_quarantine() {
    let mut bench = with_quarantine();
    assert_eq!(send_again(&mut bench, 1), DeskAnswer::SentAgain { n: 1, waiting: true });
    let record = bench.rows.last().expect("who did it is on record");
    assert_eq!(record.kind, "entry.sent_again");
    assert!(record.bytes.contains(r#""body":{"n":1,"by":"nurse-1","reason":null}"#), "{}", record.bytes);
    assert_eq!(send_again(&mut bench, 1), DeskAnswer::SentAgain { n: 1, waiting: true }, "again is no other wish");
    assert_eq!(bench.rows.len(), 2);
    bench.uploaded(OutLane::Rest, &[2], Outcome::Accepted);
    bench.settle();
    assert_eq!(asked_for(&bench, OutLane::Rest), Some(1), "when nothing else waits");
    bench.uploaded(OutLane::Rest, &[1], Outcome::Accepted);
    bench.settle();
    assert_eq!((quarantined(&bench), waiting(&bench)), (Vec::new(), 0));
    assert_eq!(send_again(&mut bench, 1), DeskAnswer::SentAgain { n: 1, waiting: false }, "the centre has it");
}

#[test]
fn what_the_centre_refuses_again_is_back_in_quarantine_with_the_new_reason() {
    let mut bench = with_quarantine();
    send_again(&mut bench, 1);
    bench.uploaded(OutLane::Rest, &[2], Outcome::Accepted);
    bench.settle();
    let results = vec![UploadResult { n: Some(1), outcome: Outcome::Conflict, reason: Some("other_body".to_owned()) }];
    let result = Ok(protocols::uplink::Results { v: 1, results, head: None });
    let after = bench.uploads[&OutLane::Rest];
    bench.input(Input::Uplink(gateway_core::UplinkInput::Uploaded {
        lane: OutLane::Rest,
        after,
        sent: vec![1],
        result,
    }));
    bench.settle();
    assert_eq!((quarantined(&bench), waiting(&bench)), (vec![(1, Some("other_body".to_owned()))], 0));
    let bench = bench.restart();
    assert_eq!(quarantined(&bench), [(1, Some("other_body".to_owned()))]);
}

#[test]
fn a_power_cut_leaves_the_entry_in_quarantine_or_on_its_way() {
    let mut bench = with_quarantine();
    let by = "nurse-1".parse().expect("a name");
    bench.input(Input::Desk(DeskInput::SendAgain { reply: ReplyToken(1), n: 1, by }));
    assert!(!bench.effects.iter().any(|effect| matches!(effect, Effect::Reply { token: ReplyToken(1), .. })));
    let mut bench = bench.restart();
    bench.settle();
    assert_eq!(quarantined(&bench).len(), 1, "nothing was durable");
    send_again(&mut bench, 1);
    let mut bench = bench.restart();
    bench.settle();
    assert_eq!(quarantined(&bench), []);
    bench.uploaded(OutLane::Rest, &[2], Outcome::Accepted);
    bench.settle();
    assert_eq!(asked_for(&bench, OutLane::Rest), Some(1));
    let mut bench = bench.restart();
    bench.settle();
    assert_eq!((asked_for(&bench, OutLane::Rest), waiting(&bench)), (Some(1), 1));
    bench.uploaded(OutLane::Rest, &[1], Outcome::Duplicate);
    bench.settle();
    assert_eq!(waiting(&bench.restart()), 0);
}

#[test]
fn an_alarm_that_is_sent_again_is_accepted_once_the_centre_has_it_and_delays_no_other() {
    let mut bench = Bench::new();
    bench.online();
    bench.press(1);
    bench.settle();
    bench.uploaded(OutLane::Alarms, &[1], Outcome::Refused);
    bench.settle();
    send_again(&mut bench, 1);
    assert_eq!(asked_for(&bench, OutLane::Alarms), Some(1));
    bench.publish("btn-0002", r#"{"v":1,"epoch":1,"seq":1,"kind":"sos"}"#);
    bench.settle();
    let second = bench.rows.last().expect("recorded").n;
    assert_eq!(asked_for(&bench, OutLane::Alarms), Some(second), "beside the one that is sent again");
    bench.uploaded(OutLane::Alarms, &[second], Outcome::Accepted);
    bench.uploads.insert(OutLane::Alarms, 0);
    bench.uploaded(OutLane::Alarms, &[1], Outcome::Accepted);
    bench.settle();
    assert!(bench.core.alarms(false).iter().all(|alarm| alarm.state == AlarmState::Accepted));
    assert_eq!(bench.core.status().lanes[0].waiting, 0);
}

#[test]
fn an_entry_that_the_journal_no_longer_has_is_back_in_quarantine() {
    for found in [None, Some(2)] {
        let mut bench = with_quarantine();
        send_again(&mut bench, 1);
        bench.uploaded(OutLane::Rest, &[2], Outcome::Accepted);
        bench.settle();
        let sent: Vec<u64> = found.into_iter().collect();
        bench.uploaded(OutLane::Rest, &sent, Outcome::Duplicate);
        bench.settle();
        assert_eq!((quarantined(&bench), waiting(&bench)), (vec![(1, Some("gone".to_owned()))], 0));
    }
}

#[test]
fn what_something_on_the_way_refuses_as_a_whole_is_back_in_quarantine() {
    let mut bench = with_quarantine();
    send_again(&mut bench, 1);
    bench.uploaded(OutLane::Rest, &[2], Outcome::Accepted);
    bench.settle();
    let (lane, after) = (OutLane::Rest, bench.uploads[&OutLane::Rest]);
    let result = Err(gateway_core::UplinkFailure::RefusedWhole);
    bench.input(Input::Uplink(gateway_core::UplinkInput::Uploaded { lane, after, sent: vec![1], result }));
    bench.settle();
    assert_eq!((quarantined(&bench), waiting(&bench)), (vec![(1, Some("refused_whole".to_owned()))], 0));
}

#[test]
fn what_is_damaged_or_was_never_recorded_is_not_sent_again() {
    let mut bench = Bench::new();
    bench.publish("btn-0001", TEST);
    bench.settle();
    assert_eq!(send_again(&mut bench, 99), DeskAnswer::Refused(Refusal::EntryUnknown));
    bench.input(Input::Store(gateway_core::StoreInput::RowDamaged { lane: OutLane::Rest, n: 1 }));
    bench.settle();
    assert_eq!(send_again(&mut bench, 1), DeskAnswer::Refused(Refusal::EntryDamaged));
    assert_eq!(quarantined(&bench).len(), 1);
}

fn try_out(bench: &mut Bench, name: &str) -> DeskAnswer {
    let name = device(name);
    answer(bench, |reply| DeskInput::TestDevice { reply, device: name, by: "nurse-1".parse().expect("a name") })
}

fn shown(bench: &Bench) -> DeviceTest {
    bench.core.device_tests(&bench.now()).into_iter().next().expect("a test is shown")
}

fn recorded_tests(bench: &Bench) -> Vec<&str> {
    bench.rows.iter().filter(|row| row.kind == "device.tested").map(|row| row.bytes.as_str()).collect()
}

#[test]
fn a_test_passes_when_the_centre_has_the_press_and_the_press_is_an_alarm_that_says_so() {
    let mut bench = Bench::new();
    bench.online();
    let DeskAnswer::Test(test) = try_out(&mut bench, "btn-0001") else { panic!("a test begins") };
    assert!(test.running && test.ends_in_s == DEVICE_TEST_MS / 1_000 && test.signs.is_empty());
    bench.advance(4_000);
    bench.press(1);
    bench.ms += 12;
    bench.settle();
    let sign = shown(&bench).signs[0].clone();
    assert_eq!((sign.kind.as_str(), sign.after_ms, sign.durable_ms, sign.centre_ms), ("sos", 4_000, Some(12), None));
    bench.ms += 30;
    let n = bench.rows.iter().find(|row| row.kind == "alarm.raised").expect("a press is an alarm").n;
    bench.uploaded(OutLane::Alarms, &[n], Outcome::Accepted);
    bench.settle();
    assert_eq!((shown(&bench).result, shown(&bench).signs[0].centre_ms), (Some(TestResult::Passed), Some(42)));
    assert!(bench.core.alarms(false)[0].during_test);
    assert_eq!(recorded_tests(&bench).len(), 1);
    assert!(recorded_tests(&bench)[0].contains(r#""by":"nurse-1","result":"passed","kind":"sos","durable_ms":12"#));
    bench.advance(DEVICE_TEST_MS);
    bench.settle();
    assert!(!shown(&bench).running && recorded_tests(&bench).len() == 1, "one result");
    bench.press(2);
    bench.settle();
    assert!(!bench.core.alarms(false)[0].during_test, "a press after the test is meant");
}

#[test]
fn a_test_in_which_nothing_came_in_says_so() {
    let mut bench = Bench::new();
    try_out(&mut bench, "btn-0001");
    assert!(matches!(try_out(&mut bench, "btn-0001"), DeskAnswer::Test(_)), "the one under way");
    assert_eq!(try_out(&mut bench, "btn-9999"), DeskAnswer::Refused(Refusal::DeviceUnknown));
    bench.advance(DEVICE_TEST_MS);
    bench.settle();
    assert_eq!((shown(&bench).result, shown(&bench).running), (Some(TestResult::NothingCame), false));
    assert!(recorded_tests(&bench)[0].contains(r#""result":"nothing_came","kind":null"#));
}

#[test]
fn a_test_report_of_the_device_itself_passes_without_an_alarm() {
    let mut bench = Bench::new();
    bench.online();
    try_out(&mut bench, "btn-0001");
    bench.publish("btn-0001", TEST);
    bench.settle();
    bench.uploaded(OutLane::Rest, &[1], Outcome::Accepted);
    bench.settle();
    assert_eq!(shown(&bench).result, Some(TestResult::Passed));
    assert!(bench.core.alarms(true).is_empty());
}

#[test]
fn a_test_that_a_restart_interrupts_is_recorded_as_that() {
    let mut bench = Bench::new();
    try_out(&mut bench, "btn-0001");
    let mut bench = bench.restart();
    bench.settle();
    assert!(recorded_tests(&bench)[0].contains(r#""by":"nurse-1","result":"interrupted""#));
    assert!(bench.core.device_tests(&bench.now()).is_empty());
    let mut bench = bench.restart();
    bench.settle();
    assert_eq!(recorded_tests(&bench).len(), 1);
}

#[test]
fn so_many_tests_run_at_once_and_not_one_more() {
    let mut bench = Bench::new();
    let names: Vec<String> = (0..=DEVICE_TESTS_MAX).map(|i| format!("dev-{i}")).collect();
    let listed = names.iter().map(|name| (device(name), 60_000)).collect();
    bench.input(Input::DevicesListed(listed));
    let mut answers: Vec<DeskAnswer> = names.iter().map(|name| try_out(&mut bench, name)).collect();
    assert_eq!(answers.pop(), Some(DeskAnswer::Refused(Refusal::TestsTooMany)));
    assert!(answers.iter().all(|answer| matches!(answer, DeskAnswer::Test(_))));
    bench.advance(DEVICE_TEST_MS);
    bench.settle();
    assert!(matches!(try_out(&mut bench, &names[DEVICE_TESTS_MAX]), DeskAnswer::Test(_)));
}

#[test]
fn the_last_day_is_shown_by_the_hour_over_restarts_and_an_hour_without_the_daemon_is_unknown() {
    let mut bench = Bench::new();
    bench.online();
    bench.press(1);
    bench.ms += 9;
    bench.settle();
    bench.uploaded(OutLane::Alarms, &[1], Outcome::Accepted);
    for _ in 0..3 {
        bench.advance(60_000);
        bench.settle();
    }
    let silent = bench.core.status().devices_silent;
    assert_eq!(silent, 1, "nothing was heard of it for a minute");
    bench.ms += 5 * 3_600_000;
    let mut bench = bench.restart();
    bench.settle();
    let hours = bench.core.figures(&bench.now());
    assert_eq!(hours.len(), 24);
    let (_, then) = &hours[23 - 5];
    let then = then.as_ref().expect("it ran then");
    assert_eq!((then.alarms.values().sum::<u32>(), then.silent), (2, 1), "the press, and the device that fell silent");
    assert_eq!((then.durable.max(), then.accepted.max()), (Some(9), Some(9)));
    assert!(then.ran_ms >= 120_000);
    assert!(hours[23 - 4..23].iter().all(|(_, hour)| hour.is_none()), "nobody knows");
    bench.ms += 30 * 3_600_000;
    bench.advance(0);
    bench.advance(60_001);
    bench.settle();
    let kept = bench.state.keys().filter(|key| key.starts_with("figures/")).count();
    assert!(kept <= 2, "what is older than a day is forgotten: {kept}");
}
