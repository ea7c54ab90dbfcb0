//! The end: what is under way may end in time, nothing else holds it up.

use std::time::Duration;

use gateway::adapter::uplink::limits::SHUTDOWN_GRACE_MS;
use gateway_core::{OutLane, UplinkFailure, UplinkInput};
use protocols::uplink::Lane;
use tokio::time::Instant;

use super::bench::{Bench, Journal, deadlines};
use super::centre::{Act, Centre};
use super::lanes::hold_request;

fn long() -> gateway::adapter::uplink::Deadlines {
    let mut long = deadlines();
    long.upload_ms = 60_000;
    long.order_wait_s = 50;
    long
}

#[tokio::test]
async fn shutdown_in_mid_exchange_ends_within_its_time_and_says_what_was_cut() {
    let centre = Centre::start().await;
    centre.act(Act::Silent);
    let bench = Bench::with(&[&centre.url], Journal::lane(OutLane::Rest, 1, 1), long());
    bench.handle.upload(OutLane::Rest, 0, Vec::new(), 500).unwrap();
    bench.handle.poll_orders(Lane::Alarms, String::new(), 0, true).unwrap();
    centre.wait_seen(2).await;
    let begun = Instant::now();
    assert_eq!(bench.stop().await.cut, ["rest"]);
    assert!(begun.elapsed() < Duration::from_millis(SHUTDOWN_GRACE_MS + 1_000));
}

#[tokio::test]
async fn an_exchange_that_ends_within_the_time_still_brings_its_answer() {
    let centre = Centre::start().await;
    centre.act(Act::Slow(Duration::from_millis(500)));
    let mut bench = Bench::with(&[&centre.url], Journal::lane(OutLane::Rest, 1, 1), long());
    bench.handle.upload(OutLane::Rest, 0, Vec::new(), 500).unwrap();
    centre.wait_seen(1).await;
    let answer = tokio::spawn({
        let signal = bench.signal();
        async move { signal.send_replace(true) }
    });
    assert!(matches!(bench.answer().await, UplinkInput::Uploaded { result: Ok(_), .. }));
    answer.await.unwrap();
    assert!(bench.stop().await.cut.is_empty());
}

#[tokio::test]
async fn polls_alone_end_at_once() {
    let centre = Centre::start().await;
    let bench = Bench::with(&[&centre.url], Journal::default(), long());
    bench.handle.poll_orders(Lane::Alarms, String::new(), 0, true).unwrap();
    bench.handle.poll_orders(Lane::Other, String::new(), 0, true).unwrap();
    centre.wait_seen(2).await;
    let begun = Instant::now();
    assert!(bench.stop().await.cut.is_empty());
    assert!(begun.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn a_core_that_takes_no_answers_does_not_hold_up_the_end() {
    let centre = Centre::start().await;
    let bench = Bench::start(&[&centre.url], Journal::default());
    for sale in 0..32 {
        bench.handle.hold(format!("sale-{sale}"), hold_request()).unwrap();
    }
    centre.wait_seen(17).await;
    let begun = Instant::now();
    assert_eq!(bench.stop().await.cut, ["holds"]);
    assert!(begun.elapsed() < Duration::from_millis(2 * SHUTDOWN_GRACE_MS + 500));
}

#[tokio::test]
async fn what_finds_its_queue_full_or_the_uplink_ended_is_answered_at_once() {
    let centre = Centre::start().await;
    let bench = Bench::start(&[&centre.url], Journal::default());
    let handle = bench.handle.clone();
    bench.stop().await;
    let refused = handle.upload(OutLane::Alarms, 0, Vec::new(), 1).unwrap_err();
    assert!(matches!(
        *refused,
        UplinkInput::Uploaded { lane: OutLane::Alarms, result: Err(UplinkFailure::Unreachable), .. }
    ));
    let refused = handle.hold(String::from("sale"), hold_request()).unwrap_err();
    assert!(matches!(*refused, UplinkInput::HoldAnswered { result: Err(UplinkFailure::Unreachable), .. }));
}
