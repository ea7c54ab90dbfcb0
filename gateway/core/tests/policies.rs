//! Rules with a day from which they hold: not before it, from its midnight on, in whatever order they came.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use bench::Bench;
use gateway_core::{Input, Refusal, UplinkInput, limits};
use protocols::uplink::{Clock, Lane, Order, OrderPage, OrderVerdict};
use serde_json::value::RawValue;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// What `meal-lunch` of the bench costs.
const LUNCH: u64 = 1_250;

fn policy(k: u64, version: u32, from: &str, sale_max: u64) -> Order {
    let body = format!(r#"{{"version":{version},"from":"{from}","sale_max":{sale_max}}}"#);
    Order { k, kind: "policy".to_owned(), body: RawValue::from_string(body).expect("JSON") }
}

/// Takes orders; gives what became of each.
fn ordered(bench: &mut Bench, orders: Vec<Order>) -> Vec<(OrderVerdict, Option<String>)> {
    let count = orders.len();
    let result = Ok(OrderPage { v: 1, stream: "s1".to_owned(), orders });
    bench.input(Input::Uplink(UplinkInput::Orders { lane: Lane::Other, result }));
    bench.settle();
    bench.take();
    let results = bench.rows.iter().filter(|row| row.kind == "order.result");
    let mut last: Vec<_> = results.rev().take(count).map(|row| result_of(&row.bytes)).collect();
    last.reverse();
    last
}

fn result_of(entry: &str) -> (OrderVerdict, Option<String>) {
    let entry: serde_json::Value = serde_json::from_str(entry).expect("an entry is JSON");
    let body: protocols::uplink::OrderResultBody = serde_json::from_value(entry["body"].clone()).expect("a result");
    (body.verdict, body.reason)
}

fn holds(bench: &Bench) -> (u32, String) {
    let policy = bench.core.policy(&bench.now());
    (policy.version, policy.from.clone())
}

fn equipped() -> Bench {
    let mut bench = Bench::new();
    bench.equip();
    bench
}

#[test]
fn a_cap_for_tomorrow_refuses_nothing_today_and_does_from_midnight_on_without_a_further_order() {
    let mut bench = equipped();
    let results = ordered(&mut bench, vec![policy(1, 2, "2026-11-25", LUNCH - 1)]);
    assert_eq!(results, [(OrderVerdict::Done, None)]);
    assert_eq!(bench.try_lunch(), Ok(()));
    bench.advance(14 * HOUR_MS + HOUR_MS / 2 - 1);
    assert!(bench.now().civil.starts_with("2026-11-24T23:59:59.999"));
    assert_eq!(bench.try_lunch(), Ok(()));
    bench.advance(1);
    assert_eq!(bench.try_lunch(), Err(Refusal::AmountTooHigh));
    assert_eq!(holds(&bench), (2, "2026-11-25".to_owned()));
}

#[test]
fn rules_that_wait_and_rules_that_hold_survive_a_restart() {
    let mut bench = equipped();
    ordered(&mut bench, vec![policy(1, 2, "2026-11-24", LUNCH), policy(2, 3, "2026-11-25", LUNCH - 1)]);
    let mut bench = bench.restart();
    bench.equip();
    assert_eq!(holds(&bench), (2, "2026-11-24".to_owned()));
    assert_eq!(bench.try_lunch(), Ok(()));
    bench.advance(DAY_MS);
    let mut bench = bench.restart();
    bench.equip();
    assert_eq!(bench.try_lunch(), Err(Refusal::AmountTooHigh));
    bench.advance(DAY_MS);
    bench.settle();
    let bench = bench.restart();
    assert_eq!(holds(&bench), (3, "2026-11-25".to_owned()));
}

#[test]
fn rules_are_the_same_in_whatever_order_they_come() {
    let orders = [
        ("2026-11-20", 2, 9_000),
        ("2026-11-22", 3, 8_000),
        ("2026-11-25", 4, 7_000),
        ("2026-11-25", 5, LUNCH - 1),
        ("2026-11-27", 6, LUNCH),
    ];
    for turn in 0..orders.len() {
        for backwards in [false, true] {
            let mut order = orders;
            order.rotate_left(turn);
            if backwards {
                order.reverse();
            }
            let mut bench = equipped();
            for (k, (from, version, cap)) in (1..).zip(order) {
                ordered(&mut bench, vec![policy(k, version, from, cap)]);
            }
            let mut seen = vec![holds(&bench).0];
            for _ in 0..3 {
                bench.advance(DAY_MS);
                seen.push(holds(&bench).0);
            }
            assert_eq!(seen, [3, 5, 5, 6], "{order:?}");
        }
    }
}

#[test]
fn rules_published_later_for_an_earlier_day_leave_those_that_wait() {
    let mut bench = equipped();
    ordered(&mut bench, vec![policy(1, 2, "2026-11-26", LUNCH - 1), policy(2, 3, "2026-11-24", LUNCH)]);
    assert_eq!(holds(&bench).0, 3);
    bench.advance(2 * DAY_MS);
    assert_eq!(holds(&bench).0, 2);
}

#[test]
fn of_rules_for_one_day_the_highest_version_holds_and_a_lower_one_is_stale() {
    let mut bench = equipped();
    let same = policy(2, 3, "2026-11-25", LUNCH);
    ordered(&mut bench, vec![policy(1, 2, "2026-11-25", LUNCH - 1), same]);
    let again = ordered(&mut bench, vec![policy(3, 2, "2026-11-25", LUNCH - 1), policy(4, 3, "2026-11-25", LUNCH)]);
    assert_eq!(again, [(OrderVerdict::Stale, None), (OrderVerdict::Stale, None)]);
    bench.advance(DAY_MS);
    assert_eq!(bench.try_lunch(), Ok(()));
}

#[test]
fn a_day_that_is_none_is_refused() {
    let mut bench = equipped();
    for (k, from) in (1..).zip(["2026-13-01", "2026-1-01", "tomorrow", "", "2026-01-01T00:00:00", "２026-01-01"]) {
        let results = ordered(&mut bench, vec![policy(k, 2, from, 1)]);
        assert_eq!(results, [(OrderVerdict::Refused, Some("unreadable".to_owned()))], "{from}");
    }
    assert_eq!(bench.try_lunch(), Ok(()));
}

#[test]
fn a_clock_that_is_not_trusted_brings_no_rules_into_force_and_takes_none_out() {
    let mut bench = equipped();
    ordered(&mut bench, vec![policy(1, 2, "2026-11-25", LUNCH), policy(2, 3, "2026-11-27", LUNCH - 1)]);
    bench.advance(DAY_MS);
    bench.press(1);
    bench.settle();
    assert_eq!(holds(&bench).0, 2);
    bench.clock = Clock::Untrusted;
    bench.advance(3 * DAY_MS);
    assert_eq!(holds(&bench).0, 2, "years ahead is not later");
    bench.ms = 0;
    let mut bench = bench.restart();
    assert_eq!(holds(&bench).0, 2, "nor is 1970 earlier");
    bench.clock = Clock::Trusted;
    bench.advance(3 * DAY_MS);
    assert_eq!(holds(&bench).0, 3);
}

#[test]
fn a_gateway_that_never_saw_the_right_time_goes_by_what_its_clock_shows_and_keeps_the_latest_rules() {
    let mut bench = Bench::new();
    bench.clock = Clock::Untrusted;
    bench.equip();
    let many = u32::try_from(limits::POLICIES_WAITING_MAX).expect("a small number") + 8;
    let of_year = |n: u32| policy(u64::from(n), n + 1, &format!("{}-06-01", 2026 - many + n), LUNCH);
    ordered(&mut bench, (1..=many).map(of_year).collect());
    assert_eq!(holds(&bench), (many + 1, "2026-06-01".to_owned()));
    bench.clock = Clock::Trusted;
    bench.advance(1);
    assert_eq!(holds(&bench), (many + 1, "2026-06-01".to_owned()));
}

#[test]
fn rules_that_can_never_hold_again_are_forgotten() {
    let mut bench = equipped();
    ordered(&mut bench, vec![policy(1, 2, "2026-11-23", 9_000), policy(2, 3, "2026-11-25", 8_000)]);
    assert!(bench.state["policies"].contains("2026-11-23"));
    bench.advance(DAY_MS);
    bench.press(1);
    bench.settle();
    assert!(!bench.state["policies"].contains("2026-11-23"), "{}", bench.state["policies"]);
    let late = ordered(&mut bench, vec![policy(3, 4, "2026-11-24", 1)]);
    assert_eq!(late, [(OrderVerdict::Stale, None)]);
    assert_eq!(holds(&bench).0, 3);
}

#[test]
fn no_more_rules_wait_than_the_bound_and_a_further_one_is_refused_by_name() {
    let mut bench = equipped();
    let max = u64::try_from(limits::POLICIES_WAITING_MAX).expect("a small number");
    for k in 1..=max {
        let from = format!("2027-{:02}-{:02}", 1 + k / 28, 1 + k % 28);
        let version = u32::try_from(k).expect("a small number") + 1;
        assert_eq!(ordered(&mut bench, vec![policy(k, version, &from, 1)])[0].0, OrderVerdict::Done);
    }
    let more = ordered(&mut bench, vec![policy(max + 1, 900, "2027-12-31", 1)]);
    assert_eq!(more, [(OrderVerdict::Refused, Some("too_many_policies".to_owned()))]);
    let others = vec![policy(max + 2, 901, "2027-01-02", 2), policy(max + 3, 902, "2026-11-24", LUNCH - 1)];
    assert_eq!(ordered(&mut bench, others), [(OrderVerdict::Done, None), (OrderVerdict::Done, None)]);
    assert_eq!(bench.try_lunch(), Err(Refusal::AmountTooHigh), "what holds now always finds its place");
}

#[test]
fn the_policy_that_an_older_release_kept_still_holds() {
    let mut bench = equipped();
    let kept = format!(r#"{{"version":7,"from":"2026-11-01","sale_max":{}}}"#, LUNCH - 1);
    bench.state.insert("policy".to_owned(), kept);
    let mut bench = bench.restart();
    bench.equip();
    assert_eq!(holds(&bench).0, 7);
    assert_eq!(bench.try_lunch(), Err(Refusal::AmountTooHigh));
    ordered(&mut bench, vec![policy(1, 8, "2026-11-02", LUNCH)]);
    assert!(!bench.state.contains_key("policy"), "{:?}", bench.state);
    assert_eq!(holds(&bench.restart()).0, 8);
}
