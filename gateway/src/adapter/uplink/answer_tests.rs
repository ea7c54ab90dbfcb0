//! What the centre's bytes mean: every kind of answer, and arbitrary bytes.

use gateway_core::UplinkFailure;
use jiff::Timestamp;
use proptest::prelude::*;
use protocols::uplink::Outcome;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

use super::*;

fn numbers(body: &str, sent: &[u64]) -> Option<Vec<u64>> {
    results(body.as_bytes(), sent).map(|answer| answer.results.iter().filter_map(|result| result.n).collect())
}

#[test]
fn c5_results_for_other_numbers_are_left_out_and_missing_ones_stay_missing() {
    let body = r#"{"v":1,"results":[{"n":9,"outcome":"accepted","reason":null},{"n":2,"outcome":"accepted","reason":null},
        {"n":null,"outcome":"accepted","reason":null},{"n":1,"outcome":"duplicate","reason":null}],"head":null}"#;
    assert_eq!(numbers(body, &[1, 2, 3]), Some(vec![1, 2]));
}

#[test]
fn c11_a_result_that_is_there_twice_counts_once_and_a_contradiction_counts_for_nothing() {
    let body = r#"{"v":1,"results":[{"n":1,"outcome":"accepted","reason":null},{"n":1,"outcome":"accepted","reason":null},
        {"n":2,"outcome":"accepted","reason":null},{"n":2,"outcome":"refused","reason":"x"},
        {"n":2,"outcome":"accepted","reason":null}],"head":null}"#;
    assert_eq!(numbers(body, &[1, 2]), Some(vec![1]));
}

#[test]
fn an_answer_of_another_version_or_shape_is_none() {
    for body in
        ["", "{}", "[]", "null", "{\"v\":2,\"results\":[],\"head\":null}", "<html></html>", "{\"v\":1,\"results\":[}"]
    {
        assert!(results(body.as_bytes(), &[1]).is_none(), "{body}");
        assert!(direct(body.as_bytes()).is_none(), "{body}");
        assert!(hold(body.as_bytes()).is_none(), "{body}");
        assert!(orders(body.as_bytes()).is_none(), "{body}");
    }
    let deep = "[".repeat(100_000);
    assert!(results(deep.as_bytes(), &[1]).is_none());
    assert!(orders(deep.as_bytes()).is_none());
}

#[test]
fn a_broken_head_is_left_out_and_the_results_count() {
    let body =
        r#"{"v":1,"results":[{"n":1,"outcome":"accepted","reason":null}],"head":{"n":1,"hash":"zz","signature":null}}"#;
    let answer = results(body.as_bytes(), &[1]).unwrap();
    assert_eq!((answer.results.len(), answer.head), (1, None));
}

#[test]
fn a_direct_answer_is_the_one_result_without_a_number() {
    let one = r#"{"v":1,"results":[{"n":null,"outcome":"accepted","reason":null}],"head":null}"#;
    assert_eq!(direct(one.as_bytes()).map(|result| result.outcome), Some(Outcome::Accepted));
    let other = r#"{"v":1,"results":[{"n":1,"outcome":"accepted","reason":null}],"head":null}"#;
    assert_eq!(direct(other.as_bytes()), None);
    let two = r#"{"v":1,"results":[{"n":null,"outcome":"accepted","reason":null},{"outcome":"accepted","reason":null}],"head":null}"#;
    assert_eq!(direct(two.as_bytes()), None);
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let body =
        format!(r#"{{"v":1,"results":[{{"n":1,"outcome":"refused","reason":"{}"}}],"head":null}}"#, "拒".repeat(1_000));
    let answer = results(body.as_bytes(), &[1]).unwrap();
    let reason = answer.results[0].reason.as_deref().unwrap();
    assert!(reason.len() <= REASON_LEN_MAX && reason.len() > REASON_LEN_MAX - 3);
}

#[test]
fn orders_that_do_not_ascend_are_no_page() {
    let page = |ks: &str| orders(format!("{{\"v\":1,\"stream\":\"s\",\"orders\":[{ks}]}}").as_bytes());
    let order = |k: u64| format!("{{\"k\":{k},\"kind\":\"policy\",\"body\":{{}}}}");
    assert_eq!(page(&format!("{},{}", order(3), order(5))).map(|page| page.orders.len()), Some(2));
    assert!(page(&format!("{},{}", order(5), order(3))).is_none());
    assert!(page(&format!("{},{}", order(3), order(3))).is_none());
}

fn retry(value: &'static str, date: Option<&'static str>) -> Option<u64> {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
    if let Some(date) = date {
        headers.insert(DATE, HeaderValue::from_static(date));
    }
    let now: Timestamp = "2026-11-23T01:30:00Z".parse().unwrap();
    match failure(StatusCode::SERVICE_UNAVAILABLE, &headers, now) {
        UplinkFailure::Busy { retry_after_ms } => retry_after_ms,
        other @ (UplinkFailure::Unreachable
        | UplinkFailure::Identity
        | UplinkFailure::RefusedWhole
        | UplinkFailure::Garbage) => panic!("{other:?}"),
    }
}

#[test]
fn c7_retry_after_is_read_as_seconds_or_date() {
    assert_eq!(retry("7", None), Some(7_000));
    assert_eq!(retry("0", None), Some(0));
    assert_eq!(retry("Mon, 23 Nov 2026 01:30:20 GMT", None), Some(20_000));
    assert_eq!(retry("Mon, 23 Nov 2026 01:29:00 GMT", None), Some(0));
    assert_eq!(retry("Sat, 01 Jan 2000 00:00:30 GMT", Some("Sat, 01 Jan 2000 00:00:00 GMT")), Some(30_000));
    assert_eq!(retry("99999999999999999999999", None), Some(u64::MAX));
    for nonsense in ["", "soon", "-1", "1.5", "Mon, 99 Nov 2026"] {
        assert_eq!(retry(nonsense, None), None, "{nonsense}");
    }
}

#[test]
fn statuses_mean_what_the_protocol_says() {
    let headers = HeaderMap::new();
    let of = |status| failure(status, &headers, Timestamp::UNIX_EPOCH);
    assert_eq!(of(StatusCode::UNAUTHORIZED), UplinkFailure::Identity);
    assert_eq!(of(StatusCode::FORBIDDEN), UplinkFailure::Identity);
    assert_eq!(of(StatusCode::TOO_MANY_REQUESTS), UplinkFailure::Busy { retry_after_ms: None });
    for status in [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY] {
        assert_eq!(of(status), UplinkFailure::RefusedWhole);
    }
    for status in [StatusCode::NO_CONTENT, StatusCode::FOUND, StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY] {
        assert_eq!(of(status), UplinkFailure::Garbage);
    }
}

#[test]
fn the_graver_of_two_failures_stands_whatever_their_order() {
    let busy = |ms| UplinkFailure::Busy { retry_after_ms: ms };
    let ranked = [
        UplinkFailure::Identity,
        busy(None),
        UplinkFailure::RefusedWhole,
        UplinkFailure::Garbage,
        UplinkFailure::Unreachable,
    ];
    for (i, a) in ranked.into_iter().enumerate() {
        for b in ranked.into_iter().skip(i) {
            assert_eq!((graver(a, b), graver(b, a)), (a, a));
        }
    }
    assert_eq!(graver(busy(Some(1)), busy(Some(5))), busy(Some(5)));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = results(&bytes, &[1, 2, 3]);
        let _ = direct(&bytes);
        let _ = hold(&bytes);
        let _ = orders(&bytes);
    }

    #[test]
    fn arbitrary_text_around_json_never_panics(text in r#"[\{\}\[\]",:0-9a-z\-\.Ee]{0,200}"#) {
        let _ = results(text.as_bytes(), &[1, 2, 3]);
        let _ = direct(text.as_bytes());
        let _ = hold(text.as_bytes());
        let _ = orders(text.as_bytes());
    }

    #[test]
    fn whatever_the_results_only_sent_numbers_come_out_ascending_and_once(
        rows in proptest::collection::vec((proptest::option::of(0_u64..20), 0_usize..4), 0..40),
        sent in proptest::collection::btree_set(0_u64..20, 0..20),
    ) {
        let words = ["accepted", "duplicate", "conflict", "refused"];
        let rows: Vec<String> = rows
            .iter()
            .map(|(n, word)| {
                let n = n.map_or_else(|| String::from("null"), |n| n.to_string());
                format!("{{\"n\":{n},\"outcome\":\"{}\",\"reason\":null}}", words[*word])
            })
            .collect();
        let sent: Vec<u64> = sent.into_iter().collect();
        let body = format!("{{\"v\":1,\"results\":[{}],\"head\":null}}", rows.join(","));
        let out = numbers(&body, &sent).unwrap();
        prop_assert!(out.is_sorted_by(|a, b| a < b));
        prop_assert!(out.iter().all(|n| sent.contains(n)));
    }

    #[test]
    fn an_arbitrary_retry_after_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value);
            let _ = failure(StatusCode::TOO_MANY_REQUESTS, &headers, Timestamp::UNIX_EPOCH);
        }
    }
}
