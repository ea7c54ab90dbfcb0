//! What each lane does when all is well, and that none waits for another.

use std::time::Duration;

use gateway_core::{Direct, OutLane, Ticket, UplinkFailure, UplinkInput};
use protocols::uplink::{BalanceRequest, CardProof, Epoch, HoldOutcome, HoldRequest, Lane, Origin, Outcome, Source};
use serde_json::json;
use tokio::time::Instant;

use super::bench::{Bench, Journal, TOKEN, deadlines};
use super::centre::{Act, Centre};

pub fn hold_request() -> HoldRequest {
    HoldRequest {
        v: 1,
        origin: Origin {
            source: Source::Gateway("gw-1".parse().unwrap()),
            epoch: Epoch::Text(String::from("7b1c")),
            seq: protocols::id::Seq::new(9).unwrap(),
        },
        card: String::from("31000000123456780000"),
        proof: CardProof { challenge: String::from("1122334455667788"), response: String::from("9C2B4DD8C4FEC173") },
        items: Vec::new(),
        amount: serde_json::from_str("1250").unwrap(),
    }
}

pub fn balance_request() -> BalanceRequest {
    let HoldRequest { v, card, proof, .. } = hold_request();
    BalanceRequest { v, card, proof }
}

/// The numbers that came back with their outcomes, or the failure.
pub type Back = Result<Vec<(u64, Outcome)>, UplinkFailure>;

/// Lane, numbers sent and what came back.
pub fn uploaded(input: UplinkInput) -> (OutLane, Vec<u64>, Back) {
    let UplinkInput::Uploaded { lane, sent, result, .. } = input else { panic!("not an upload: {input:?}") };
    let pairs = |results: protocols::uplink::Results| {
        results.results.iter().filter_map(|result| Some((result.n?, result.outcome))).collect()
    };
    (lane, sent, result.map(pairs))
}

#[tokio::test]
async fn entries_of_a_lane_arrive_with_the_token_and_their_numbers_come_back() {
    let centre = Centre::start().await;
    let journal = Journal::lane(OutLane::Rest, 1, 5).and(Journal::lane(OutLane::Alarms, 6, 2));
    let mut bench = Bench::start(&[&centre.url], journal);
    bench.handle.upload(OutLane::Rest, 1, vec![3], 3).unwrap();
    let (lane, sent, result) = uploaded(bench.answer().await);
    assert_eq!((lane, sent), (OutLane::Rest, vec![2, 4, 5]));
    let accepted = Outcome::Accepted;
    assert_eq!(result, Ok(vec![(2, accepted), (4, accepted), (5, accepted)]));
    let seen = centre.seen();
    assert_eq!(seen[0].uri.path(), "/v1/gateways/gw-1/entries");
    assert_eq!(seen[0].headers["authorization"], format!("Bearer {TOKEN}").as_str());
    assert_eq!(seen[0].headers["content-type"], "application/json");
    assert!(seen[0].headers.get("accept-encoding").is_none());
    assert!(bench.stop().await.cut.is_empty());
}

#[tokio::test]
async fn an_empty_lane_sends_nothing_and_says_so() {
    let centre = Centre::start().await;
    let mut bench = Bench::start(&[&centre.url], Journal::default());
    bench.handle.upload(OutLane::Sales, 0, Vec::new(), 500).unwrap();
    assert_eq!(uploaded(bench.answer().await), (OutLane::Sales, vec![], Ok(vec![])));
    assert!(centre.seen().is_empty());
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_is_a_failure_and_nothing_is_sent() {
    let centre = Centre::start().await;
    let mut bench = Bench::start(&[&centre.url], Journal { broken: true, ..Journal::default() });
    bench.handle.upload(OutLane::Sales, 0, Vec::new(), 500).unwrap();
    assert_eq!(uploaded(bench.answer().await), (OutLane::Sales, vec![], Err(UplinkFailure::Unreachable)));
    assert!(centre.seen().is_empty());
}

#[tokio::test]
async fn an_alarm_that_no_disk_took_arrives_without_a_number() {
    let centre = Centre::start().await;
    let mut bench = Bench::start(&[&centre.url], Journal::default());
    bench.handle.upload_direct(Ticket(7), String::from("{\"made\":\"up\"}")).unwrap();
    let answer = bench.answer().await;
    let UplinkInput::Direct(Direct { ticket: Ticket(7), result: Ok(result) }) = answer else { panic!("{answer:?}") };
    assert_eq!((result.n, result.outcome), (None, Outcome::Accepted));
    assert_eq!(centre.ledger().entries().into_iter().collect::<Vec<_>>(), [(String::from("{\"made\":\"up\"}"), 1)]);
}

#[tokio::test]
async fn a_hold_is_asked_for_and_answered() {
    let centre = Centre::start().await;
    let mut bench = Bench::start(&[&centre.url], Journal::default());
    bench.handle.hold(String::from("sale-1"), hold_request()).unwrap();
    let answer = bench.answer().await;
    let UplinkInput::HoldAnswered { sale, result: Ok(answer) } = answer else { panic!("{answer:?}") };
    assert_eq!((sale.as_str(), answer.outcome), ("sale-1", HoldOutcome::Held));
    assert_eq!(centre.seen()[0].uri.path(), "/v1/gateways/gw-1/holds");
}

#[tokio::test]
async fn an_account_is_asked_about_and_told() {
    let centre = Centre::start().await;
    let mut bench = Bench::start(&[&centre.url], Journal::default());
    bench.handle.balance(String::from("look-1"), balance_request()).unwrap();
    let answer = bench.answer().await;
    let UplinkInput::BalanceAnswered { look, result: Ok(answer) } = answer else { panic!("{answer:?}") };
    assert_eq!((look.as_str(), answer.account.map(|account| account.available.fen())), ("look-1", Some(3_750)));
    assert_eq!(centre.seen()[0].uri.path(), "/v1/gateways/gw-1/balances");
}

#[tokio::test]
async fn a_long_poll_is_woken_by_an_order() {
    let centre = Centre::start().await;
    let mut slow = deadlines();
    slow.order_wait_s = 15;
    let mut bench = Bench::with(&[&centre.url], Journal::default(), slow);
    bench.handle.poll_orders(Lane::Alarms, String::from("c9"), 0, true).unwrap();
    centre.wait_seen(1).await;
    let ordered = Instant::now();
    centre.order(json!({"k": 1, "kind": "alarm.state", "body": {"state": "acknowledged"}}));
    let answer = bench.answer().await;
    let UplinkInput::Orders { lane: Lane::Alarms, result: Ok(page) } = answer else { panic!("{answer:?}") };
    assert_eq!((page.stream.as_str(), page.orders.len(), page.orders[0].k), ("c9", 1, 1));
    assert!(ordered.elapsed() < Duration::from_secs(1));
    assert_eq!(centre.seen()[0].uri.query(), Some("lane=alarms&stream=c9&after=0&wait_s=15"));
    bench.handle.poll_orders(Lane::Alarms, String::from("c9"), 0, false).unwrap();
    bench.answer().await;
    let last = centre.seen().last().expect("a poll came").uri.query().map(str::to_owned);
    assert_eq!(last.as_deref(), Some("lane=alarms&stream=c9&after=0&wait_s=0"), "it does not wait");
}

#[tokio::test]
async fn a_long_poll_without_orders_ends_with_an_empty_page() {
    let centre = Centre::start().await;
    let mut bench = Bench::start(&[&centre.url], Journal::default());
    bench.handle.poll_orders(Lane::Other, String::new(), 0, true).unwrap();
    let answer = bench.answer().await;
    let UplinkInput::Orders { lane: Lane::Other, result: Ok(page) } = answer else { panic!("{answer:?}") };
    assert!(page.orders.is_empty());
}

#[tokio::test]
async fn no_lane_waits_for_another_that_is_stalled() {
    let centre = Centre::start().await;
    centre.act(Act::Silent);
    let mut long = deadlines();
    long.upload_ms = 60_000;
    long.order_wait_s = 50;
    let journal = Journal::lane(OutLane::Alarms, 1, 1).and(Journal::lane(OutLane::Sales, 2, 1)).and(Journal::lane(
        OutLane::Rest,
        3,
        1,
    ));
    let mut bench = Bench::with(&[&centre.url], journal, long);
    bench.handle.upload(OutLane::Sales, 0, Vec::new(), 500).unwrap();
    bench.handle.upload(OutLane::Rest, 0, Vec::new(), 500).unwrap();
    bench.handle.poll_orders(Lane::Other, String::new(), 0, true).unwrap();
    centre.wait_seen(3).await;
    centre.act(Act::Good);
    bench.handle.upload(OutLane::Alarms, 0, Vec::new(), 500).unwrap();
    assert_eq!(uploaded(bench.answer().await), (OutLane::Alarms, vec![1], Ok(vec![(1, Outcome::Accepted)])));
    bench.handle.hold(String::from("sale-1"), hold_request()).unwrap();
    assert!(matches!(bench.answer().await, UplinkInput::HoldAnswered { result: Ok(_), .. }));
    bench.handle.poll_orders(Lane::Alarms, String::new(), 0, true).unwrap();
    centre.order(json!({"k": 1, "kind": "alarm.state", "body": {}}));
    assert!(matches!(bench.answer().await, UplinkInput::Orders { lane: Lane::Alarms, result: Ok(_) }));
}
