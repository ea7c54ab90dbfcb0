//! What a person at the kiosk asks for besides a sale: what is on the card that lies there, and somebody of the staff.
//!
//! **Invariant:** no number and no name of a card's owner is in an answer; a card has a name for one lay-on only.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use gateway_core::{CardLook, CardStanding, DeskAnswer, DeskInput, LookedAccount, LookedCard, Refusal};
use protocols::device::AlarmState;
use protocols::id::ReaderId;
use protocols::unit::Points;
use protocols::uplink::OwnAlarm;
use serde::Serialize;

use super::app::App;
use super::desk::{alarm_id, idempotency_key, random};
use super::error::{ApiError, Fault, refusal_told};
use super::lang::Lang;
use super::sale_request::{JsonBody, help_reader};

/// `GET /api/v1/readers/{reader}/card`.
#[derive(Debug, Serialize)]
pub struct CardBody {
    reader: ReaderId,
    /// `none`, `reading`, `card`, or why there is none: `gone`, `mute`.
    state: &'static str,
    card: Option<LookedBody>,
    /// The sale that waits or runs there.
    sale: Option<String>,
    /// The open call for the staff from there.
    help: Option<String>,
}

#[derive(Debug, Serialize)]
struct LookedBody {
    #[serde(rename = "ref")]
    reference: String,
    standing: CardStanding,
    reason: Option<Refusal>,
    /// Why it may not pay and what to do, in the caller's language.
    message: Option<&'static str>,
    /// What is in the purse, fen; null where the card did not say so.
    purse: Option<Points>,
    account: AccountBody,
}

#[derive(Debug, Serialize)]
struct AccountBody {
    /// `asking`, `known`, `not_known`.
    state: &'static str,
    /// What can be spent, fen.
    available: Option<Points>,
    reason: Option<Refusal>,
    /// Why it is not known and what to do, in the caller's language.
    message: Option<&'static str>,
}

impl CardBody {
    fn new(look: CardLook, lang: Lang) -> Self {
        use gateway_core::ReaderState::{Card, Empty, Gone, Mute};
        let state = match look.state {
            Gone => "gone",
            Mute => "mute",
            Empty => "none",
            Card if look.reading => "reading",
            Card => "card",
        };
        let card = look.card.map(|card| LookedBody::new(card, lang));
        Self { reader: look.reader, state, card, sale: look.sale, help: look.help }
    }
}

impl LookedBody {
    fn new(card: LookedCard, lang: Lang) -> Self {
        let told = |reason: Refusal| refusal_told(reason).message(lang);
        let (state, available, reason) = match card.account {
            LookedAccount::Asking => ("asking", None, None),
            LookedAccount::Known(available) => ("known", Some(available), None),
            LookedAccount::NotKnown(reason) => ("not_known", None, Some(reason)),
        };
        Self {
            reference: card.reference,
            standing: card.standing,
            reason: card.reason,
            message: card.reason.map(told),
            purse: card.purse,
            account: AccountBody { state, available, reason, message: reason.map(told) },
        }
    }
}

/// What lies on a reader. A card that was not looked at yet is looked at now; `reader.card` tells when that is done.
pub async fn card(
    State(app): State<Arc<App>>,
    Path(reader): Path<String>,
    headers: HeaderMap,
) -> Result<Json<CardBody>, ApiError> {
    let reader: ReaderId = reader.parse().map_err(|_| Refusal::ReaderUnknown)?;
    let reference = hex::encode(random::<16>()?);
    match app.ask(|reply| DeskInput::LookAtCard { reply, reader, reference }).await? {
        DeskAnswer::Card(look) => Ok(Json(CardBody::new(*look, Lang::of(&headers)))),
        DeskAnswer::Refused(refusal) => Err(refusal.into()),
        DeskAnswer::Sale(_) | DeskAnswer::Alarm { .. } | DeskAnswer::SentAgain { .. } | DeskAnswer::Test(_) => {
            Err(Fault::Broken.into())
        }
    }
}

/// A call for the staff.
#[derive(Debug, Serialize)]
pub struct HelpBody {
    id: String,
    state: AlarmState,
}

/// `POST /api/v1/help`: recorded before it is answered.
pub async fn call_staff(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Json<HelpBody>, ApiError> {
    let key = idempotency_key(&headers)?;
    let reader = help_reader(&body)?;
    match app.ask(|reply| DeskInput::CallStaff { reply, key, reader }).await? {
        DeskAnswer::Alarm { id, state } => Ok(Json(HelpBody { id, state })),
        DeskAnswer::Refused(refusal) => Err(refusal.into()),
        DeskAnswer::Sale(_) | DeskAnswer::Card(_) | DeskAnswer::SentAgain { .. } | DeskAnswer::Test(_) => {
            Err(Fault::Broken.into())
        }
    }
}

/// `GET /api/v1/help/{id}`: how far a call has come.
pub async fn help(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<HelpBody>, ApiError> {
    let id = alarm_id(id)?;
    let alarms = app.view.alarms(true).await?;
    let word = OwnAlarm::Help.word();
    let call = alarms.into_iter().find(|alarm| alarm.id == id && alarm.kind == word);
    let call = call.ok_or(Refusal::AlarmUnknown)?;
    Ok(Json(HelpBody { id: call.id, state: call.state }))
}
