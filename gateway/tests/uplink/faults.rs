//! What a bad centre, or something that is none, must not achieve.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use gateway_core::{Direct, OutLane, Ticket, UplinkFailure, UplinkInput};
use protocols::uplink::{Lane, Outcome};
use tokio::time::Instant;

use super::bench::{Bench, Journal, deadlines};
use super::centre::{Act, Centre, Ledger, entries};
use super::lanes::{Back, balance_request, hold_request, uploaded};
use super::wire::{Wire, say};

fn rest(count: u64) -> Journal {
    Journal::lane(OutLane::Rest, 1, count)
}

async fn upload(bench: &mut Bench) -> Back {
    bench.handle.upload(OutLane::Rest, 0, Vec::new(), 500).unwrap();
    uploaded(bench.answer().await).2
}

/// What an upload, a direct alarm, a hold, a question and a poll get from a centre that behaves so.
async fn every_failure(act: Act) -> Vec<UplinkFailure> {
    let centre = Centre::start().await;
    centre.act(act);
    let mut bench = Bench::start(&[&centre.url], rest(1));
    let mut failures = vec![upload(&mut bench).await.unwrap_err()];
    bench.handle.upload_direct(Ticket(1), String::from("{}")).unwrap();
    bench.handle.hold(String::from("sale"), hold_request()).unwrap();
    bench.handle.balance(String::from("look"), balance_request()).unwrap();
    bench.handle.poll_orders(Lane::Other, String::new(), 0, true).unwrap();
    for _ in 0..4 {
        failures.push(match bench.answer().await {
            UplinkInput::Uploaded { result, .. } => result.unwrap_err(),
            UplinkInput::Direct(Direct { result, .. }) => result.unwrap_err(),
            UplinkInput::HoldAnswered { result, .. } => result.unwrap_err(),
            UplinkInput::BalanceAnswered { result, .. } => result.unwrap_err(),
            UplinkInput::Orders { result, .. } => result.unwrap_err(),
        });
    }
    failures
}

fn say_text(status: u16, headers: Vec<(&'static str, String)>, body: &str) -> Act {
    Act::Say(StatusCode::from_u16(status).unwrap(), headers, Bytes::from(body.to_owned()))
}

#[tokio::test]
async fn c1_after_the_line_was_away_everything_is_sent_in_order() {
    let dead = Wire::start(|_, _| std::future::ready(())).await;
    let centre = Centre::start().await;
    let mut bench = Bench::start(&[&dead.url], rest(1_200));
    assert_eq!(upload(&mut bench).await, Err(UplinkFailure::Unreachable));
    let mut bench = Bench::start(&[&centre.url], rest(1_200));
    let (mut cursor, mut arrived) = (0, Vec::new());
    while arrived.len() < 1_200 {
        bench.handle.upload(OutLane::Rest, cursor, Vec::new(), 500).unwrap();
        let results = uploaded(bench.answer().await).2.unwrap();
        arrived.extend(results.iter().map(|(n, _)| *n));
        cursor = *arrived.last().unwrap();
    }
    assert_eq!(arrived, (1..=1_200).collect::<Vec<_>>());
    assert!(centre.ledger().entries().values().all(|times| *times == 1));
}

#[tokio::test]
async fn c2_a_centre_that_accepts_and_never_answers_is_given_up_at_the_deadline() {
    let begun = Instant::now();
    assert_eq!(every_failure(Act::Silent).await, [UplinkFailure::Unreachable; 5]);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn c3_what_was_applied_before_the_answer_was_lost_is_a_duplicate_the_next_time() {
    let ledger = Arc::new(Ledger::default());
    let applied = Arc::clone(&ledger);
    let dying = Wire::start(move |body, socket| {
        entries(&applied, &body);
        drop(socket);
        std::future::ready(())
    })
    .await;
    let mut bench = Bench::start(&[&dying.url], rest(2));
    assert_eq!(upload(&mut bench).await, Err(UplinkFailure::Unreachable));
    let centre = Centre::with(Arc::clone(&ledger), Act::Good).await;
    let mut bench = Bench::start(&[&centre.url], rest(2));
    assert_eq!(upload(&mut bench).await, Ok(vec![(1, Outcome::Duplicate), (2, Outcome::Duplicate)]));
    assert_eq!(ledger.entries().len(), 2);
}

#[tokio::test]
async fn c3_a_lost_answer_is_made_good_within_the_exchange_where_there_is_a_second_address() {
    let ledger = Arc::new(Ledger::default());
    let applied = Arc::clone(&ledger);
    let dying = Wire::start(move |body, mut socket| {
        entries(&applied, &body);
        async move { say(&mut socket, b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"v\":1,").await }
    })
    .await;
    let centre = Centre::with(Arc::clone(&ledger), Act::Good).await;
    let mut bench = Bench::start(&[&dying.url, &centre.url], rest(1));
    assert_eq!(upload(&mut bench).await, Ok(vec![(1, Outcome::Duplicate)]));
    assert_eq!(ledger.entries().into_values().collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn c4_a_captive_portal_is_no_acknowledgement() {
    let html = vec![("content-type", String::from("text/html"))];
    let page = "<!doctype html><title>Log in</title>";
    assert_eq!(every_failure(say_text(200, html, page)).await, [UplinkFailure::Garbage; 5]);
    for body in ["", "{}", "null", "true", "{\"v\":1}", "{\"v\":99,\"results\":[],\"head\":null}", "\u{feff}{}"] {
        assert_eq!(every_failure(say_text(200, Vec::new(), body)).await, [UplinkFailure::Garbage; 5], "{body}");
    }
}

#[tokio::test]
async fn c5_only_the_numbers_that_were_sent_and_named_come_back() {
    let centre = Centre::start().await;
    centre.act(Act::OtherNumbers);
    let mut bench = Bench::start(&[&centre.url], rest(3));
    bench.handle.upload(OutLane::Rest, 0, Vec::new(), 500).unwrap();
    let (_, sent, result) = uploaded(bench.answer().await);
    assert_eq!((sent, result), (vec![1, 2, 3], Ok(vec![(1, Outcome::Accepted)])));
}

#[tokio::test]
async fn c6_a_centre_at_one_byte_a_second_is_given_up_at_the_total_deadline() {
    let begun = Instant::now();
    assert_eq!(every_failure(Act::Trickle).await, [UplinkFailure::Unreachable; 5]);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn c7_a_busy_centre_says_when_to_try_again() {
    let busy = |ms| UplinkFailure::Busy { retry_after_ms: ms };
    let after = |text: &str| vec![("retry-after", text.to_owned())];
    assert_eq!(every_failure(say_text(503, after("7"), "")).await, [busy(Some(7_000)); 5]);
    assert_eq!(every_failure(say_text(429, Vec::new(), "")).await, [busy(None); 5]);
    let mut dated = after("Mon, 23 Nov 2026 01:30:09 GMT");
    dated.push(("date", String::from("Mon, 23 Nov 2026 01:30:00 GMT")));
    assert_eq!(every_failure(say_text(503, dated, "")).await, [busy(Some(9_000)); 5]);
}

#[tokio::test]
async fn c11_an_answer_that_names_another_request_is_no_answer_whatever_it_says() {
    // Right for an upload, a direct alarm, a hold, a question and a poll.
    let right = r#"{"v":1,"results":[{"n":1,"outcome":"accepted","reason":null},{"n":null,"outcome":"accepted","reason":null}],
        "head":null,"outcome":"held","reason":null,"account":null,"stream":"s","orders":[]}"#;
    let another = vec![("care-request", String::from("0123456789abcdef"))];
    assert_eq!(every_failure(say_text(200, another, right)).await, [UplinkFailure::Garbage; 5]);
}

#[tokio::test]
async fn c9_an_identity_trouble_is_told_apart() {
    for status in [401, 403] {
        assert_eq!(every_failure(say_text(status, Vec::new(), "")).await, [UplinkFailure::Identity; 5]);
    }
}

#[tokio::test]
async fn c9_a_token_that_was_renewed_is_read_when_the_old_one_is_not_taken() {
    let centre = Centre::start().await;
    let mut bench = Bench::start(&[&centre.url], rest(2));
    let sent = |centre: &Centre| {
        let seen = centre.seen().last().expect("a request came").headers["authorization"].clone();
        seen.to_str().expect("text").to_owned()
    };
    bench.directory.secret("token", "made-up-token-9876543210");
    assert!(upload(&mut bench).await.is_ok());
    assert_eq!(sent(&centre), format!("Bearer {}", super::bench::TOKEN), "it is read when it is needed");
    centre.act(say_text(401, Vec::new(), ""));
    assert_eq!(upload(&mut bench).await, Err(UplinkFailure::Identity));
    centre.act(Act::Good);
    assert!(upload(&mut bench).await.is_ok());
    assert_eq!(sent(&centre), "Bearer made-up-token-9876543210");
}

#[tokio::test]
async fn c10_a_name_that_does_not_exist_is_unreachable() {
    let directory = Arc::new(super::bench::Directory::new());
    let mut settings = super::bench::settings(&directory, &["https://no-such-host.invalid"], deadlines());
    settings.ca_file = Some(directory.secret("ca.pem", &super::tls::Authority::new().pem()));
    let mut bench = Bench::of(&settings, rest(1), directory);
    assert_eq!(upload(&mut bench).await, Err(UplinkFailure::Unreachable));
}

#[tokio::test]
async fn c14_a_redirect_is_not_followed() {
    let elsewhere = Centre::start().await;
    for status in [301, 302, 303, 307, 308] {
        let to = vec![("location", format!("{}/v1/gateways/gw-1/entries", elsewhere.url))];
        assert_eq!(every_failure(say_text(status, to, "")).await, [UplinkFailure::Garbage; 5]);
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn c15_an_endless_answer_is_cut_off() {
    assert_eq!(every_failure(Act::Flood).await, [UplinkFailure::Garbage; 5]);
}

#[tokio::test]
async fn c15_an_answer_that_announces_a_gigabyte_is_not_read() {
    let huge = Wire::start(|_, mut socket| async move {
        say(&mut socket, b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut bench = Bench::start(&[&huge.url], rest(1));
    let begun = Instant::now();
    assert_eq!(upload(&mut bench).await, Err(UplinkFailure::Garbage));
    assert!(begun.elapsed() < Duration::from_millis(deadlines().upload_ms));
}

#[tokio::test]
async fn c15_a_compressed_answer_is_not_unpacked() {
    // gzip of {"v":1,"results":[],"head":null}
    let packed =
        "1f8b0800000000000003ab562a53b232d4512a4a2d2ecd292956b28a8ed551ca484d4c51b2ca2bcdc9a905003b6b06ce20000000";
    let body = Bytes::from(hex::decode(packed).unwrap());
    let act = Act::Say(StatusCode::OK, vec![("content-encoding", String::from("gzip"))], body);
    assert_eq!(every_failure(act).await, [UplinkFailure::Garbage; 5]);
}

#[tokio::test]
async fn what_is_no_http_at_all_is_no_answer() {
    let other = Wire::start(|_, mut socket| async move { say(&mut socket, b"SSH-2.0-OpenSSH_9.2\r\n").await }).await;
    let mut bench = Bench::start(&[&other.url], rest(1));
    assert_eq!(upload(&mut bench).await, Err(UplinkFailure::Unreachable));
}

#[tokio::test]
async fn another_status_is_no_acknowledgement_even_with_a_good_body() {
    let body = "{\"v\":1,\"results\":[{\"n\":1,\"outcome\":\"accepted\",\"reason\":null}],\"head\":null}";
    for status in [201, 202, 204, 206, 400, 404, 413, 422, 500, 502] {
        let centre = Centre::start().await;
        centre.act(say_text(status, Vec::new(), if status == 204 { "" } else { body }));
        let mut bench = Bench::start(&[&centre.url], rest(1));
        let refused_whole = [400, 413, 422].contains(&status);
        let failure = if refused_whole { UplinkFailure::RefusedWhole } else { UplinkFailure::Garbage };
        assert_eq!(upload(&mut bench).await, Err(failure), "{status}");
    }
}
