//! What stands until it is over: prices too old (G7), an identity that the centre does not take (C9), silence over
//! restarts.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::{Bench, device};
use gateway_core::{
    CatalogueAge, DeskInput, Input, LinkInput, Refusal, ReplyToken, Sent, UplinkFailure, UplinkInput, WhenOld,
};
use protocols::device::AlarmState;
use protocols::uplink::{Lane, Order, OrderPage};
use serde_json::value::RawValue;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

fn polled(bench: &mut Bench, lane: Lane, orders: Vec<Order>) {
    let result = Ok(OrderPage { v: 1, stream: "s1".to_owned(), orders });
    bench.input(Input::Uplink(UplinkInput::Orders { lane, result }));
    bench.settle();
}

fn refused(bench: &mut Bench, failure: UplinkFailure) {
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Alarms, result: Err(failure) }));
    bench.settle();
}

fn standing(bench: &Bench, kind: &str) -> Vec<AlarmState> {
    bench.core.alarms(true).into_iter().filter(|alarm| alarm.kind == kind).map(|alarm| alarm.state).collect()
}

/// Time goes on, with restarts on the way.
fn days(mut bench: Bench, days: u64) -> Bench {
    for _ in 0..days {
        bench.advance(DAY_MS);
        bench.settle();
        bench = bench.restart();
        bench.settle();
    }
    bench.equip();
    bench
}

#[test]
fn g7_prices_that_nobody_confirmed_for_too_long_close_sales_until_the_centre_is_heard() {
    let mut bench = Bench::new();
    bench.equip();
    polled(&mut bench, Lane::Other, Vec::new());
    let mut bench = days(bench, 29);
    assert_eq!(bench.try_lunch(), Ok(()));
    assert_eq!(standing(&bench, "catalogue_old"), []);
    let mut bench = days(bench, 2);
    assert_eq!(bench.try_lunch(), Err(Refusal::CatalogueOld));
    assert!(bench.core.status().closed_by_age);
    assert_eq!(standing(&bench, "catalogue_old"), [AlarmState::Raised], "recorded, once");
    polled(&mut bench, Lane::Alarms, Vec::new());
    assert_eq!(bench.try_lunch(), Err(Refusal::CatalogueOld), "the other lane says nothing of prices");
    polled(&mut bench, Lane::Other, Vec::new());
    assert_eq!(bench.try_lunch(), Ok(()));
    assert_eq!(standing(&bench, "catalogue_old"), [AlarmState::Resolved]);
    assert!(!bench.core.status().closed_by_age);
}

#[test]
fn g7_by_policy_old_prices_stay_in_force_with_a_standing_note() {
    let mut bench = Bench::new();
    bench.config.catalogue_age = CatalogueAge { days_max: 7, when_old: WhenOld::Sell };
    let mut bench = days(bench.restart(), 8);
    assert_eq!(bench.try_lunch(), Ok(()));
    assert_eq!(standing(&bench, "catalogue_old"), [AlarmState::Raised]);
    bench.config.catalogue_age.days_max = 0;
    let mut bench = days(bench.restart(), 100);
    bench.equip();
    assert_eq!(bench.try_lunch(), Ok(()));
}

#[test]
fn g7_a_catalogue_that_could_not_be_read_confirms_nothing() {
    let bench = Bench::new();
    let mut bench = days(bench, 31);
    let body = RawValue::from_string(r#"{"version":"new"}"#.to_owned()).expect("JSON");
    polled(&mut bench, Lane::Other, vec![Order { k: 1, kind: "catalogue".to_owned(), body }]);
    assert_eq!(bench.try_lunch(), Err(Refusal::CatalogueOld));
}

#[test]
fn c9_an_identity_that_the_centre_does_not_take_is_an_alarm_until_it_answers_again() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        refused(&mut bench, UplinkFailure::Identity);
    }
    assert_eq!(standing(&bench, "uplink_identity"), [AlarmState::Raised], "one, however often");
    assert_eq!(bench.core.status().uplink_failure, Some("identity"));
    refused(&mut bench, UplinkFailure::Unreachable);
    assert_eq!(standing(&bench, "uplink_identity"), [AlarmState::Raised], "no answer settles nothing");
    polled(&mut bench, Lane::Alarms, Vec::new());
    assert_eq!(standing(&bench, "uplink_identity"), [AlarmState::Resolved]);
    assert_eq!(bench.core.status().uplink_failure, None);
    let last = bench.rows.iter().rev().find(|row| row.kind == "alarm.state").expect("recorded");
    assert!(last.bytes.contains(r#""state":"resolved","by":"gw-test","cause":"over""#), "{}", last.bytes);
}

#[test]
fn d17_a_gateway_that_restarts_often_still_notices_a_dead_device() {
    let mut bench = Bench::new();
    bench.config.devices = vec![(device("btn-0001"), 3 * HOUR_MS)];
    let mut bench = bench.restart();
    bench.connect("btn-0001", 1);
    bench.settle();
    for _ in 0..4 {
        bench = bench.restart();
        bench.advance(HOUR_MS);
        bench.settle();
    }
    assert_eq!(standing(&bench, "device_silent"), [AlarmState::Raised]);
}

#[test]
fn a_device_that_was_silent_before_a_start_is_an_alarm_again_once_people_closed_the_one_about_it() {
    for closed in [false, true] {
        let mut bench = Bench::new();
        bench.advance(60_000);
        bench.settle();
        let id = bench.core.alarms(false)[0].id.clone();
        if closed {
            bench.input(Input::Desk(DeskInput::StepAlarm {
                reply: ReplyToken(1),
                alarm: id,
                state: AlarmState::Resolved,
                by: "nurse-1".parse().expect("a name"),
                cause: Some("new battery".to_owned()),
                sent: Sent::default(),
            }));
            bench.settle();
        }
        // Whether it was heard meanwhile, by a life that could keep nothing, nobody knows.
        let mut bench = bench.restart();
        bench.advance(600_000);
        bench.settle();
        let open = bench.core.alarms(false).into_iter().filter(|alarm| alarm.kind == "device_silent").count();
        assert_eq!(open, 1);
        let told = bench.rows.iter().filter(|row| row.bytes.contains("device_silent")).count();
        assert_eq!(told, if closed { 2 } else { 1 }, "people who still have the alarm need no other");
    }
}

#[test]
fn while_the_gateway_is_off_no_device_becomes_silent() {
    let mut bench = Bench::new();
    bench.config.devices = vec![(device("btn-0001"), 3 * HOUR_MS)];
    let mut bench = bench.restart();
    bench.connect("btn-0001", 1);
    bench.settle();
    bench.ms += 5 * DAY_MS;
    let mut bench = bench.restart();
    bench.advance(2 * HOUR_MS);
    bench.settle();
    assert_eq!(standing(&bench, "device_silent"), []);
}

#[test]
fn the_devices_file_decides_about_a_device_until_the_centre_orders_something_of_it() {
    let mut bench = Bench::new();
    for name in ["btn-0001", "btn-0002"] {
        bench.input(Input::Link(LinkInput::Connected { device: device(name), session: Bench::session(1) }));
    }
    bench.settle();
    let body = r#"{"device":"btn-0002","silent_after_s":7200}"#.to_owned();
    let body = RawValue::from_string(body).expect("JSON");
    polled(&mut bench, Lane::Other, vec![Order { k: 1, kind: "device.assign".to_owned(), body }]);
    bench.config.devices = vec![(device("btn-0001"), 90_000), (device("btn-0002"), 90_000)];
    let bench = bench.restart();
    let of = |bench: &Bench, name: &str| {
        let seen = bench.core.devices().into_iter().find(|seen| seen.id == device(name)).expect("known");
        (seen.record.assigned, seen.record.silent_after_ms)
    };
    assert_eq!(of(&bench, "btn-0001"), (true, 90_000));
    assert_eq!(of(&bench, "btn-0002"), (true, 7_200_000), "the centre's word");
    let mut bench = bench;
    bench.config.devices = Vec::new();
    let mut bench = bench.restart();
    assert!(!of(&bench, "btn-0001").0, "removed from the file");
    bench.advance(DAY_MS);
    bench.settle();
    assert!(bench.core.alarms(true).iter().all(|alarm| alarm.device != Some(device("btn-0001"))));
}
