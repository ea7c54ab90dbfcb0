//! The JSON bodies of wishes, parsed strictly: whole numbers only, each field once.
//!
//! Fields that are not known are ignored: a price that a page sends has no effect (FAULTS.md G6), since the type that
//! reaches the core has no place for one. Quantities are read from their digits: `1e0`, `1.0` and `"１"` are none.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use gateway_core::limits::{CAUSE_LEN_MAX, SALE_QUANTITY_MAX};
use gateway_core::{Refusal, Sent};
use protocols::id::{ReaderId, ServiceId};
use protocols::uplink::{Tender, is_eta_min, is_responder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::error::{ApiError, Fault};

/// What somebody chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleRequest {
    /// Where the card will lie.
    pub reader: ReaderId,
    /// Services and how many of each.
    pub items: Vec<(ServiceId, u32)>,
    /// What pays.
    pub tender: Tender,
}

#[derive(Deserialize)]
struct SaleForm {
    reader: String,
    items: Vec<ItemForm>,
    tender: String,
}

#[derive(Deserialize)]
struct ItemForm {
    service: String,
    quantity: Box<RawValue>,
}

#[derive(Deserialize)]
struct StepForm {
    cause: Option<String>,
    responder: Option<String>,
    eta_min: Option<u16>,
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|_| Fault::BodyInvalid)
}

/// A quantity from the characters of its JSON value.
fn quantity(text: &str) -> Result<u32, Fault> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    let value = if plain { text.parse().ok() } else { None };
    value.filter(|value| (1..=SALE_QUANTITY_MAX).contains(value)).ok_or(Fault::QuantityInvalid)
}

impl SaleRequest {
    /// Parses a body.
    ///
    /// # Errors
    /// A named reason for each part that is not as it has to be.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let form: SaleForm = parse(body)?;
        let reader = form.reader.parse().map_err(|_| Refusal::ReaderUnknown)?;
        let tender = match form.tender.as_str() {
            "account" => Tender::Account,
            "purse" => Tender::Purse,
            _ => return Err(Fault::TenderInvalid.into()),
        };
        let mut items = Vec::with_capacity(form.items.len());
        for item in form.items {
            let service = item.service.parse().map_err(|_| Refusal::ServiceUnknown)?;
            items.push((service, quantity(item.quantity.get())?));
        }
        Ok(Self { reader, items, tender })
    }
}

#[derive(Deserialize)]
struct HelpForm {
    reader: String,
}

/// The kiosk's reader in the body of a call for the staff.
///
/// # Errors
/// When the body is not of that form, or the reader is no name.
pub fn help_reader(body: &[u8]) -> Result<ReaderId, ApiError> {
    let form: HelpForm = parse(body)?;
    form.reader.parse().map_err(|_| Refusal::ReaderUnknown.into())
}

/// What the body of an alarm's step says: the cause, and who is sent; no body says nothing.
///
/// # Errors
/// When the body is not of that form, a text is too long or has control characters, or the time is out of its range.
pub fn step(body: &[u8]) -> Result<(Option<String>, Sent), Fault> {
    if body.is_empty() {
        return Ok((None, Sent::default()));
    }
    let StepForm { cause, responder, eta_min } = parse(body)?;
    let text = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let (cause, responder) = (text(cause), text(responder));
    if cause.as_ref().is_some_and(|cause| cause.len() > CAUSE_LEN_MAX || cause.chars().any(char::is_control)) {
        return Err(Fault::CauseInvalid);
    }
    if responder.as_deref().is_some_and(|responder| !is_responder(responder)) {
        return Err(Fault::ResponderInvalid);
    }
    if eta_min.is_some_and(|minutes| !is_eta_min(minutes)) {
        return Err(Fault::EtaInvalid);
    }
    Ok((cause, Sent { responder, eta_min }))
}

/// A body that is declared as JSON, not longer than the limit; or, where the route allows it, none at all.
#[derive(Debug)]
pub struct JsonBody(pub Bytes);

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let declared = is_json(request.headers());
        let body = Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { Fault::BodyTooLong } else { Fault::BodyInvalid }
        })?;
        if declared || body.is_empty() { Ok(Self(body)) } else { Err(Fault::JsonMissing.into()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::error::Reason;
    use super::*;

    fn with_quantity(quantity: &str) -> Result<SaleRequest, ApiError> {
        let body =
            format!(r#"{{"reader":"r1","items":[{{"service":"meal-lunch","quantity":{quantity}}}],"tender":"purse"}}"#);
        SaleRequest::parse(body.as_bytes())
    }

    #[test]
    fn g1_a_quantity_that_is_no_whole_number_in_its_range_is_refused_by_name() {
        for wrong in [
            "0",
            "-1",
            "1e3",
            "1e0",
            "1.0",
            "1.5",
            "0.1",
            "100",
            "9007199254740993",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551616",
            "\"1\"",
            "\"１\"",
            "\"１００\"",
            "\"1,00\"",
            "\"0.1+0.2\"",
            "null",
            "true",
            "[1]",
            "{}",
        ] {
            let refused = with_quantity(wrong).expect_err(wrong);
            assert_eq!(refused.reason, Reason::Fault(Fault::QuantityInvalid), "{wrong}");
        }
        for broken in ["１", "1,00", "+1", "01", "0x1", "NaN", ".5", "1 2", ""] {
            let refused = with_quantity(broken).expect_err(broken);
            assert_eq!(refused.reason, Reason::Fault(Fault::BodyInvalid), "{broken}");
        }
        for right in [1, 2, 99] {
            let request = with_quantity(&right.to_string()).expect("a quantity in its range");
            assert_eq!(request.items.first().map(|(_, quantity)| *quantity), Some(right));
        }
    }

    #[test]
    fn g6_a_price_that_a_page_sends_has_no_effect() {
        let plain = with_quantity("2").expect("a sale");
        for price in ["1", "0", "-5", "\"１００\"", "1e9"] {
            let body = format!(
                r#"{{"reader":"r1","price":{price},"amount":{price},
                    "items":[{{"service":"meal-lunch","quantity":2,"price":{price},"unit_price":{price}}}],"tender":"purse"}}"#
            );
            assert_eq!(SaleRequest::parse(body.as_bytes()).expect("a sale"), plain, "{price}");
        }
    }

    #[test]
    fn a_field_that_stands_twice_or_is_missing_is_refused() {
        for wrong in [
            r#"{"reader":"r1","reader":"r2","items":[],"tender":"purse"}"#,
            r#"{"reader":"r1","items":[{"service":"a","quantity":1,"quantity":9}],"tender":"purse"}"#,
            r#"{"reader":"r1","items":[{"service":"a"}],"tender":"purse"}"#,
            r#"{"items":[],"tender":"purse"}"#,
            r#"{"reader":"r1","items":[],"tender":"purse"} {}"#,
            "[]",
            "",
        ] {
            let refused = SaleRequest::parse(wrong.as_bytes()).expect_err(wrong);
            assert_eq!(refused.reason, Reason::Fault(Fault::BodyInvalid), "{wrong}");
        }
    }

    #[test]
    fn unknown_tenders_readers_and_services_are_refused_by_name() {
        let refused = |body: &str| SaleRequest::parse(body.as_bytes()).expect_err(body).reason;
        let tender = r#"{"reader":"r1","items":[],"tender":"cash"}"#;
        assert_eq!(refused(tender), Reason::Fault(Fault::TenderInvalid));
        let reader = r#"{"reader":"../r1","items":[],"tender":"purse"}"#;
        assert_eq!(refused(reader), Reason::Refusal(Refusal::ReaderUnknown));
        let service = r#"{"reader":"r1","items":[{"service":"午餐","quantity":1}],"tender":"purse"}"#;
        assert_eq!(refused(service), Reason::Refusal(Refusal::ServiceUnknown));
    }

    #[test]
    fn a_cause_is_trimmed_bounded_and_may_be_absent() {
        let cause = |body: &[u8]| step(body).map(|(cause, _)| cause);
        assert_eq!(cause(b""), Ok(None));
        assert_eq!(cause(b"{}"), Ok(None));
        assert_eq!(cause(br#"{"cause":" fall "}"#), Ok(Some("fall".to_owned())));
        assert_eq!(cause(br#"{"cause":"  "}"#), Ok(None));
        assert_eq!(cause(br#"{"cause":"a\u0000b"}"#), Err(Fault::CauseInvalid));
        let long = format!(r#"{{"cause":"{}"}}"#, "x".repeat(CAUSE_LEN_MAX + 1));
        assert_eq!(cause(long.as_bytes()), Err(Fault::CauseInvalid));
        assert_eq!(cause(br#"{"cause":5}"#), Err(Fault::BodyInvalid));
    }

    #[test]
    fn who_is_sent_is_a_short_text_and_comes_within_four_hours() {
        let sent = |body: &str| step(body.as_bytes()).map(|(_, sent)| (sent.responder, sent.eta_min));
        let full = format!(r#"{{"responder":"{}","eta_min":240}}"#, "护".repeat(64));
        assert_eq!(sent(&full), Ok((Some("护".repeat(64)), Some(240))));
        assert_eq!(sent(r#"{"responder":" 王护士 "}"#), Ok((Some("王护士".to_owned()), None)));
        assert_eq!(sent(r#"{"responder":"  ","eta_min":1}"#), Ok((None, Some(1))));
        let long = format!(r#"{{"responder":"{}"}}"#, "x".repeat(65));
        for wrong in [long.as_str(), r#"{"responder":"a\nb"}"#] {
            assert_eq!(sent(wrong), Err(Fault::ResponderInvalid), "{wrong}");
        }
        for wrong in [r#"{"eta_min":0}"#, r#"{"eta_min":241}"#] {
            assert_eq!(sent(wrong), Err(Fault::EtaInvalid), "{wrong}");
        }
        assert_eq!(sent(r#"{"eta_min":-1}"#), Err(Fault::BodyInvalid));
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(SaleRequest::parse(&body));
            drop(step(&body));
        }

        #[test]
        fn every_accepted_quantity_is_in_its_range(text in "[-+0-9eE.]{1,12}") {
            if let Ok(request) = with_quantity(&text) {
                prop_assert!(request.items.iter().all(|(_, quantity)| (1..=99).contains(quantity)));
            }
        }
    }
}
