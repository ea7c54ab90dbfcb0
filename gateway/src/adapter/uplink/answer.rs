//! What the centre's bytes mean. Pure.
//!
//! **Invariant:** an answer that is not wholly of this protocol is none; a result counts only for a number that was sent.

use std::collections::BTreeMap;

use gateway_core::UplinkFailure;
use jiff::Timestamp;
use protocols::uplink::{BalanceAnswer, HASH_LEN, HoldAnswer, OrderPage, Results, UploadResult};
use protocols::version::is_supported;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use super::limits::REASON_LEN_MAX;

/// Reads the answer to an upload of the numbers in `sent`.
#[must_use]
pub fn results(body: &[u8], sent: &[u64]) -> Option<Results> {
    let mut answer: Results = serde_json::from_slice(body).ok().filter(|answer: &Results| is_supported(answer.v))?;
    let mut by_number: BTreeMap<u64, Option<UploadResult>> = BTreeMap::new();
    for mut result in answer.results.drain(..) {
        let Some(n) = result.n.filter(|n| sent.contains(n)) else { continue };
        cut(&mut result.reason);
        by_number
            .entry(n)
            // Two results that contradict each other say nothing.
            .and_modify(|known| *known = known.take().filter(|known| known.outcome == result.outcome))
            .or_insert(Some(result));
    }
    answer.results = by_number.into_values().flatten().collect();
    answer.head = answer.head.filter(|head| {
        head.hash.len() == HASH_LEN.saturating_mul(2) && head.hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    Some(answer)
}

/// Reads the answer to one entry that was sent without a number.
#[must_use]
pub fn direct(body: &[u8]) -> Option<UploadResult> {
    let answer: Results = serde_json::from_slice(body).ok().filter(|answer: &Results| is_supported(answer.v))?;
    let mut without_number = answer.results.into_iter().filter(|result| result.n.is_none());
    let mut result = without_number.next()?;
    if without_number.next().is_some() {
        return None;
    }
    cut(&mut result.reason);
    Some(result)
}

/// Reads the answer to a hold.
#[must_use]
pub fn hold(body: &[u8]) -> Option<HoldAnswer> {
    let mut answer: HoldAnswer =
        serde_json::from_slice(body).ok().filter(|answer: &HoldAnswer| is_supported(answer.v))?;
    cut(&mut answer.reason);
    Some(answer)
}

/// Reads the answer to the question what is in an account: either it is told, or why not.
#[must_use]
pub fn balance(body: &[u8]) -> Option<BalanceAnswer> {
    let mut answer: BalanceAnswer =
        serde_json::from_slice(body).ok().filter(|answer: &BalanceAnswer| is_supported(answer.v))?;
    if answer.account.is_some() == answer.reason.is_some() {
        return None;
    }
    cut(&mut answer.reason);
    Some(answer)
}

/// Reads a page of orders.
#[must_use]
pub fn orders(body: &[u8]) -> Option<OrderPage> {
    let page: OrderPage = serde_json::from_slice(body).ok().filter(|page: &OrderPage| is_supported(page.v))?;
    page.orders.is_sorted_by(|a, b| a.k < b.k).then_some(page)
}

fn cut(reason: &mut Option<String>) {
    if let Some(text) = reason {
        text.truncate(text.floor_char_boundary(REASON_LEN_MAX));
    }
}

/// What a status other than 200 means.
pub(super) fn failure(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> UplinkFailure {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => UplinkFailure::Identity,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            UplinkFailure::Busy { retry_after_ms: retry_after_ms(headers, now) }
        }
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            UplinkFailure::RefusedWhole
        }
        _ => UplinkFailure::Garbage,
    }
}

/// `Retry-After` (RFC 9110 section 10.2.3) as milliseconds from now; a date counts from the answer's own `Date`, so
/// that a wrong clock here does no harm. Not bounded yet.
fn retry_after_ms(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let ms = if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        text.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000)
    } else {
        let until = http_date(text)?;
        let from = date_of(headers, DATE).unwrap_or(now);
        u64::try_from(until.as_millisecond().saturating_sub(from.as_millisecond())).unwrap_or(0)
    };
    Some(ms)
}

fn date_of(headers: &HeaderMap, name: HeaderName) -> Option<Timestamp> {
    http_date(headers.get(name)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// The one of two failures that says more: an identity trouble needs a person, a busy centre says when, a wrong answer
/// is more than none.
pub(super) fn graver(a: UplinkFailure, b: UplinkFailure) -> UplinkFailure {
    match (a, b) {
        (UplinkFailure::Identity, _) | (_, UplinkFailure::Identity) => UplinkFailure::Identity,
        (UplinkFailure::Busy { retry_after_ms: a }, UplinkFailure::Busy { retry_after_ms: b }) => {
            UplinkFailure::Busy { retry_after_ms: a.max(b) }
        }
        (busy @ UplinkFailure::Busy { .. }, _) | (_, busy @ UplinkFailure::Busy { .. }) => busy,
        (UplinkFailure::RefusedWhole, _) | (_, UplinkFailure::RefusedWhole) => UplinkFailure::RefusedWhole,
        (UplinkFailure::Garbage, _) | (_, UplinkFailure::Garbage) => UplinkFailure::Garbage,
        (UplinkFailure::Unreachable, UplinkFailure::Unreachable) => UplinkFailure::Unreachable,
    }
}

/// The word for metrics and logs.
pub(super) const fn word(failure: UplinkFailure) -> &'static str {
    match failure {
        UplinkFailure::Unreachable => "unreachable",
        UplinkFailure::Identity => "identity",
        UplinkFailure::Busy { .. } => "busy",
        UplinkFailure::RefusedWhole => "refused_whole",
        UplinkFailure::Garbage => "garbage",
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
