//! Wishes: begin a sale, take it back, take an alarm further, send an entry again, try a device out.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use gateway_core::limits::{IDEMPOTENCY_KEY_LEN_MAX, SALE_CARD_WAIT_MS};
use gateway_core::{DeskAnswer, DeskInput, Refusal, SaleId, SaleView};
use protocols::device::AlarmState;
use protocols::id::ActorId;
use serde::Serialize;

use super::app::App;
use super::error::{ApiError, Fault, refusal_told};
use super::guard::Caller;
use super::lang::Lang;
use super::sale_request::{self, JsonBody, SaleRequest};

/// A sale as the pages get it.
#[derive(Debug, Serialize)]
pub struct SaleBody {
    #[serde(flatten)]
    sale: SaleView,
    /// Why it was not paid, in the caller's language.
    message: Option<&'static str>,
    /// How long a sale waits for its card from its beginning, milliseconds.
    card_wait_ms: u64,
}

impl SaleBody {
    /// `sale` with its reason in `lang`.
    #[must_use]
    pub fn new(sale: SaleView, lang: Lang) -> Self {
        let reason = match (sale.reason, sale.state) {
            (None, "unknown") => Some(Refusal::Unsettled),
            (reason, _) => reason,
        };
        let message = reason.map(|reason| refusal_told(reason).message(lang));
        Self { sale, message, card_wait_ms: SALE_CARD_WAIT_MS }
    }
}

#[derive(Debug, Serialize)]
struct AlarmBody {
    id: String,
    state: AlarmState,
}

/// The id in an address, where it has the form of a sale's id.
///
/// # Errors
/// [`Refusal::SaleUnknown`] for any other text.
pub fn sale_id(text: String) -> Result<SaleId, Refusal> {
    let plain = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if plain { Ok(text) } else { Err(Refusal::SaleUnknown) }
}

/// The longest id of an alarm: a device, an epoch, a number, and two dots.
const ALARM_ID_LEN_MAX: usize = 64;

pub(super) fn alarm_id(text: String) -> Result<String, Refusal> {
    let plain = (1..=ALARM_ID_LEN_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'));
    if plain { Ok(text) } else { Err(Refusal::AlarmUnknown) }
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<String, ApiError> {
    let mut keys = headers.get_all("idempotency-key").iter();
    match (keys.next(), keys.next()) {
        (None, _) => Err(Fault::KeyMissing.into()),
        (Some(key), None) => match key.to_str() {
            Ok(key) if (1..=IDEMPOTENCY_KEY_LEN_MAX).contains(&key.len()) => Ok(key.to_owned()),
            Ok(_) | Err(_) => Err(Refusal::KeyInvalid.into()),
        },
        (Some(_), Some(_)) => Err(Refusal::KeyInvalid.into()),
    }
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Fault::Broken)?;
    Ok(bytes)
}

/// Whether a wish for a sale only asks for the one that its key has begun.
const ONLY_KNOWN: &str = "care-only-known";

/// `POST /api/v1/sales`: 201 for a new sale, 200 for the one that the key had begun before. With `Care-Only-Known: 1` none is
/// begun: where the key has begun none, 404.
pub async fn start_sale(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let key = idempotency_key(&headers)?;
    let SaleRequest { reader, items, tender } = SaleRequest::parse(&body)?;
    if headers.get(ONLY_KNOWN).is_some_and(|value| value == "1") {
        let answer = app.ask(|reply| DeskInput::FindSale { reply, key, reader, items, tender }).await?;
        return Ok(Json(SaleBody::new(sale_of(answer)?, Lang::of(&headers))).into_response());
    }
    let id = hex::encode(random::<16>()?);
    let sale = id.clone();
    let salt = random()?;
    let answer = app.ask(|reply| DeskInput::StartSale { reply, sale, key, reader, items, tender, salt }).await?;
    let view = sale_of(answer)?;
    let status = if view.id == id { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(SaleBody::new(view, Lang::of(&headers)))).into_response())
}

/// `DELETE /api/v1/sales/{id}`.
pub async fn cancel_sale(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<SaleBody>, ApiError> {
    let sale = sale_id(id)?;
    let answer = app.ask(|reply| DeskInput::CancelSale { reply, sale }).await?;
    Ok(Json(SaleBody::new(sale_of(answer)?, Lang::of(&headers))))
}

/// The sale in an answer.
fn sale_of(answer: DeskAnswer) -> Result<SaleView, ApiError> {
    match answer {
        DeskAnswer::Sale(view) => Ok(*view),
        DeskAnswer::Refused(refusal) => Err(refusal.into()),
        DeskAnswer::Alarm { .. } | DeskAnswer::SentAgain { .. } | DeskAnswer::Test(_) | DeskAnswer::Card(_) => {
            Err(Fault::Broken.into())
        }
    }
}

async fn step(app: &App, id: String, caller: Caller, state: AlarmState, body: &[u8]) -> Result<Response, ApiError> {
    let alarm = alarm_id(id)?;
    let (cause, sent) = sale_request::step(body)?;
    let by = actor(caller)?;
    match app.ask(|reply| DeskInput::StepAlarm { reply, alarm, state, by, cause, sent }).await? {
        DeskAnswer::Alarm { id, state } => Ok(Json(AlarmBody { id, state }).into_response()),
        DeskAnswer::Refused(refusal) => Err(refusal.into()),
        DeskAnswer::Sale(_) | DeskAnswer::Card(_) | DeskAnswer::SentAgain { .. } | DeskAnswer::Test(_) => {
            Err(Fault::Broken.into())
        }
    }
}

/// Who wants it.
fn actor(caller: Caller) -> Result<ActorId, Fault> {
    match caller {
        Caller::Actor(who) => Ok(who),
        Caller::Stranger | Caller::Here | Caller::Kiosk => Err(Fault::StaffOnly),
    }
}

#[derive(Debug, Serialize)]
struct SentAgainBody {
    n: u64,
    waiting: bool,
}

/// `POST /api/v1/quarantine/{id}/send_again`; the id is the entry's number.
pub async fn send_again(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    let plain = id.bytes().all(|b| b.is_ascii_digit());
    let n = id.parse().ok().filter(|_| plain).ok_or(Refusal::EntryUnknown)?;
    let by = actor(caller)?;
    match app.ask(|reply| DeskInput::SendAgain { reply, n, by }).await? {
        DeskAnswer::SentAgain { n, waiting } => Ok(Json(SentAgainBody { n, waiting }).into_response()),
        DeskAnswer::Refused(refusal) => Err(refusal.into()),
        DeskAnswer::Sale(_) | DeskAnswer::Card(_) | DeskAnswer::Alarm { .. } | DeskAnswer::Test(_) => {
            Err(Fault::Broken.into())
        }
    }
}

/// `POST /api/v1/devices/{id}/test`: a test under way is the answer to a second wish.
pub async fn test_device(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    let device = id.parse().map_err(|_| Refusal::DeviceUnknown)?;
    let by = actor(caller)?;
    match app.ask(|reply| DeskInput::TestDevice { reply, device, by }).await? {
        DeskAnswer::Test(test) => Ok(Json(test).into_response()),
        DeskAnswer::Refused(refusal) => Err(refusal.into()),
        DeskAnswer::Sale(_) | DeskAnswer::Card(_) | DeskAnswer::Alarm { .. } | DeskAnswer::SentAgain { .. } => {
            Err(Fault::Broken.into())
        }
    }
}

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident $state:ident)*) => {
        $(
            $(#[$doc])*
            pub async fn $name(
                State(app): State<Arc<App>>,
                Path(id): Path<String>,
                Extension(caller): Extension<Caller>,
                JsonBody(body): JsonBody,
            ) -> Result<Response, ApiError> {
                step(&app, id, caller, AlarmState::$state, &body).await
            }
        )*
    };
}

steps! {
    /// `POST /api/v1/alarms/{id}/acknowledge`.
    acknowledge Acknowledged
    /// `POST /api/v1/alarms/{id}/dispatch`.
    dispatch Dispatched
    /// `POST /api/v1/alarms/{id}/on_site`.
    on_site OnSite
    /// `POST /api/v1/alarms/{id}/resolve`; needs a cause.
    resolve Resolved
}
