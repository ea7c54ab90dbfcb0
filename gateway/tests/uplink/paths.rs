//! Several addresses of one centre, and the second path of what cannot wait.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use gateway::adapter::uplink::limits::{ALARM_RETRY_AFTER_MS_MAX, ALARM_STALLED_MS, RETRY_AFTER_MS_MAX};
use gateway_core::{Direct, OutLane, Ticket, UplinkFailure, UplinkInput};
use protocols::uplink::Lane;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::bench::{Bench, Journal, deadlines};
use super::centre::{Act, Centre, Ledger};
use super::lanes::{Back, hold_request, uploaded};

fn both() -> Journal {
    Journal::lane(OutLane::Rest, 1, 2).and(Journal::lane(OutLane::Alarms, 3, 2))
}

/// An address where nothing listens.
async fn dead_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn two(first: Act, second: Act) -> (Centre, Centre, Arc<Ledger>) {
    let ledger = Arc::new(Ledger::default());
    let first = Centre::with(Arc::clone(&ledger), first).await;
    let second = Centre::with(Arc::clone(&ledger), second).await;
    (first, second, ledger)
}

async fn upload(bench: &mut Bench, lane: OutLane) -> Back {
    bench.handle.upload(lane, 0, Vec::new(), 500).unwrap();
    uploaded(bench.answer().await).2
}

#[tokio::test]
async fn a_dead_first_address_is_passed_over_and_the_good_one_remembered() {
    let centre = Centre::start().await;
    let dead = dead_url().await;
    let mut bench = Bench::start(&[&dead, &centre.url], both());
    assert_eq!(upload(&mut bench, OutLane::Rest).await.map(|results| results.len()), Ok(2));
    assert_eq!(upload(&mut bench, OutLane::Alarms).await.map(|results| results.len()), Ok(2));
}

#[tokio::test]
async fn a_stalled_first_address_costs_one_deadline_and_then_no_more() {
    let (first, second, _) = two(Act::Silent, Act::Good).await;
    let mut bench = Bench::start(&[&first.url, &second.url], both());
    let begun = Instant::now();
    assert!(upload(&mut bench, OutLane::Rest).await.is_ok());
    assert!(begun.elapsed() >= Duration::from_millis(deadlines().upload_ms));
    let begun = Instant::now();
    assert!(upload(&mut bench, OutLane::Rest).await.is_ok());
    assert!(begun.elapsed() < Duration::from_millis(deadlines().upload_ms));
    assert_eq!((first.seen().len(), second.seen().len()), (1, 2));
}

#[tokio::test]
async fn an_alarm_without_an_answer_goes_out_on_the_second_path_in_parallel() {
    let (first, second, ledger) = two(Act::Slow(Duration::from_millis(900)), Act::Silent).await;
    let mut bench = Bench::start(&[&first.url, &second.url], both());
    let begun = Instant::now();
    bench.handle.upload(OutLane::Alarms, 0, Vec::new(), 500).unwrap();
    second.wait_seen(1).await;
    assert!(begun.elapsed() >= Duration::from_millis(deadlines().alarm_second_path_ms));
    // The first path goes on beside the second, and its answer still wins.
    assert_eq!(uploaded(bench.answer().await).2.map(|results| results.len()), Ok(2));
    assert_eq!(first.seen()[0].body, second.seen()[0].body);
    assert_eq!(ledger.entries().len(), 2);
}

#[tokio::test]
async fn the_second_path_wins_when_the_first_is_stalled() {
    let (first, second, ledger) = two(Act::Silent, Act::Good).await;
    let mut bench = Bench::start(&[&first.url, &second.url], both());
    let begun = Instant::now();
    assert!(upload(&mut bench, OutLane::Alarms).await.is_ok());
    let took = begun.elapsed();
    let (pause, path) = (deadlines().alarm_second_path_ms, deadlines().alarm_ms);
    assert!(took >= Duration::from_millis(pause) && took < Duration::from_millis(path), "{took:?}");
    assert!(ledger.entries().values().all(|times| *times == 1));
}

#[tokio::test]
async fn with_one_address_the_second_path_is_a_new_connection() {
    let centre = Centre::start().await;
    centre.act(Act::Silent);
    let mut bench = Bench::start(&[&centre.url], both());
    bench.handle.upload_direct(Ticket(1), String::from("{}")).unwrap();
    centre.wait_seen(1).await;
    centre.act(Act::Good);
    assert!(matches!(bench.answer().await, UplinkInput::Direct(Direct { result: Ok(_), .. })));
    assert_eq!(centre.seen().len(), 2);
}

#[tokio::test]
async fn an_exchange_of_alarms_ends_in_time_when_every_path_is_stalled() {
    let (first, second, _) = two(Act::Silent, Act::Silent).await;
    let mut bench = Bench::start(&[&first.url, &second.url], both());
    let begun = Instant::now();
    assert_eq!(upload(&mut bench, OutLane::Alarms).await, Err(UplinkFailure::Unreachable));
    let bound = deadlines().alarm_ms + deadlines().alarm_second_path_ms;
    assert!(begun.elapsed() < Duration::from_millis(bound + 500));
}

#[tokio::test]
async fn a_hold_is_sent_again_on_the_second_path_with_the_same_origin() {
    let (first, second, _) = two(Act::Silent, Act::Good).await;
    let mut bench = Bench::start(&[&first.url, &second.url], Journal::default());
    bench.handle.hold(String::from("sale"), hold_request()).unwrap();
    assert!(matches!(bench.answer().await, UplinkInput::HoldAnswered { result: Ok(_), .. }));
    assert_eq!(first.seen()[0].body, second.seen()[0].body);
}

#[tokio::test]
async fn a_hold_that_waited_too_long_for_its_turn_is_answered_at_its_own_deadline() {
    let centre = Centre::start().await;
    centre.act(Act::Silent);
    let mut bench = Bench::start(&[&centre.url], Journal::default());
    let begun = Instant::now();
    for sale in 0..20 {
        bench.handle.hold(format!("sale-{sale}"), hold_request()).unwrap();
    }
    for _ in 0..20 {
        let answer = bench.answer().await;
        assert!(matches!(answer, UplinkInput::HoldAnswered { result: Err(UplinkFailure::Unreachable), .. }));
    }
    assert!(begun.elapsed() < Duration::from_millis(deadlines().hold_ms + 700), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn one_slow_hold_does_not_delay_another() {
    let centre = Centre::start().await;
    centre.act(Act::Silent);
    let mut bench = Bench::start(&[&centre.url], Journal::default());
    bench.handle.hold(String::from("slow"), hold_request()).unwrap();
    centre.wait_seen(1).await;
    centre.act(Act::Slow(Duration::from_millis(1)));
    bench.handle.hold(String::from("quick"), hold_request()).unwrap();
    let answer = bench.answer().await;
    assert!(matches!(answer, UplinkInput::HoldAnswered { sale, result: Ok(_) } if sale == "quick"));
}

#[tokio::test]
async fn an_alarm_goes_to_the_next_address_whatever_the_first_one_says() {
    for status in [401, 403, 429, 500, 503] {
        let say = Act::Say(StatusCode::from_u16(status).unwrap(), Vec::new(), Bytes::new());
        let (first, second, _) = two(say, Act::Good).await;
        let mut bench = Bench::start(&[&first.url, &second.url], both());
        assert!(upload(&mut bench, OutLane::Alarms).await.is_ok(), "{status}");
    }
}

#[tokio::test]
async fn c7_what_is_no_alarm_takes_busy_for_an_answer() {
    let busy = Act::Say(StatusCode::SERVICE_UNAVAILABLE, vec![("retry-after", String::from("3"))], Bytes::new());
    let (first, second, _) = two(busy, Act::Good).await;
    let mut bench = Bench::start(&[&first.url, &second.url], both());
    let failure = upload(&mut bench, OutLane::Rest).await;
    assert_eq!(failure, Err(UplinkFailure::Busy { retry_after_ms: Some(3_000) }));
    assert!(second.seen().is_empty());
}

#[tokio::test]
async fn c7_no_centre_postpones_an_alarm_for_long() {
    let busy = || Act::Say(StatusCode::SERVICE_UNAVAILABLE, vec![("retry-after", String::from("86400"))], Bytes::new());
    let (first, second, _) = two(busy(), busy()).await;
    let mut bench = Bench::start(&[&first.url, &second.url], both());
    let wait = |ms| Err(UplinkFailure::Busy { retry_after_ms: Some(ms) });
    assert_eq!(upload(&mut bench, OutLane::Alarms).await, wait(ALARM_RETRY_AFTER_MS_MAX));
    assert_eq!(upload(&mut bench, OutLane::Rest).await, wait(RETRY_AFTER_MS_MAX));
    bench.handle.poll_orders(Lane::Alarms, String::new(), 0, true).unwrap();
    let UplinkInput::Orders { result, .. } = bench.answer().await else { panic!("no orders") };
    assert_eq!(result.unwrap_err(), UplinkFailure::Busy { retry_after_ms: Some(ALARM_RETRY_AFTER_MS_MAX) });
}

#[tokio::test]
async fn c4_a_captive_portal_on_one_path_does_not_hide_the_other() {
    let portal = Act::Say(StatusCode::OK, Vec::new(), Bytes::from_static(b"<html>"));
    let (first, second, _) = two(portal, Act::Good).await;
    let mut bench = Bench::start(&[&first.url, &second.url], both());
    assert!(upload(&mut bench, OutLane::Rest).await.is_ok());
    assert_eq!(first.seen().len(), 1);
}

#[tokio::test]
async fn a_poll_that_ends_late_on_the_address_it_began_with_does_not_lead_alarms_back_there() {
    let (first, second, _) = two(Act::SilentOn("entries"), Act::Good).await;
    let mut long = deadlines();
    long.order_wait_s = 15;
    let mut bench = Bench::with(&[&first.url, &second.url], both(), long);
    bench.handle.poll_orders(Lane::Alarms, String::new(), 0, true).unwrap();
    first.wait_seen(1).await;
    assert!(upload(&mut bench, OutLane::Alarms).await.is_ok());
    first.order(json!({"k": 1, "kind": "alarm.state", "body": {}}));
    assert!(matches!(bench.answer().await, UplinkInput::Orders { result: Ok(_), .. }));
    let begun = Instant::now();
    assert!(upload(&mut bench, OutLane::Alarms).await.is_ok());
    assert!(begun.elapsed() < Duration::from_millis(long.alarm_second_path_ms));
    assert_eq!(second.seen().len(), 2);
}

#[tokio::test]
async fn a_new_alarm_does_not_wait_for_an_exchange_that_stalls() {
    let centre = Centre::start().await;
    centre.act(Act::Silent);
    let mut long = deadlines();
    (long.alarm_ms, long.alarm_second_path_ms) = (60_000, 30_000);
    let mut bench = Bench::with(&[&centre.url], both(), long);
    bench.handle.upload(OutLane::Alarms, 0, Vec::new(), 1).unwrap();
    centre.wait_seen(1).await;
    centre.act(Act::Good);
    let begun = Instant::now();
    bench.handle.upload(OutLane::Alarms, 3, Vec::new(), 500).unwrap();
    let (_, sent, result) = uploaded(bench.answer().await);
    assert_eq!((sent, result.map(|results| results.len())), (vec![4], Ok(1)));
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_new_alarm_begins_with_the_next_address_where_the_first_one_stalls() {
    let (first, second, _) = two(Act::Silent, Act::Good).await;
    let mut long = deadlines();
    (long.alarm_ms, long.alarm_second_path_ms) = (60_000, 30_000);
    let mut bench = Bench::with(&[&first.url, &second.url], both(), long);
    bench.handle.upload(OutLane::Alarms, 0, Vec::new(), 1).unwrap();
    first.wait_seen(1).await;
    // What is waited for is that time has passed, and nothing else would tell.
    tokio::time::sleep(Duration::from_millis(ALARM_STALLED_MS)).await;
    bench.handle.upload(OutLane::Alarms, 3, Vec::new(), 500).unwrap();
    assert_eq!(uploaded(bench.answer().await).1, vec![4]);
    assert_eq!((first.seen().len(), second.seen().len()), (1, 1));
}
