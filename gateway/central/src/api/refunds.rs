//! Refunds for people at the centre.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use protocols::unit::Points;
use serde::{Deserialize, Serialize};

use super::accounts::idempotency_key;
use super::caller::CallingActor;
use super::payload::Payload;
use super::problem::Problem;
use crate::app::App;
use crate::ledger::refund::{self, RefundAnswer, RefundLine, Wish};
use crate::limits;
use crate::store::Priority;

/// Body of a refund.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundBody {
    sale: String,
    card: String,
    items: Vec<RefundLine>,
}

/// The answer to a refund.
#[derive(Debug, Serialize)]
pub struct RefundDone {
    outcome: &'static str,
    amount: Points,
}

/// `POST /api/v1/refunds`
pub async fn give_back(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    headers: HeaderMap,
    body: Payload,
) -> Result<(StatusCode, Json<RefundDone>), Problem> {
    let key = idempotency_key(&headers)?;
    let RefundBody { sale, card, items } = body.json()?;
    if items.len() > limits::SALE_ITEMS_MAX {
        return Err(Problem::TooLarge);
    }
    let wish = Wish { sale, card, items, key };
    let answer = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { refund::give_back(tx, &wish, actor.as_str()).await }))
        .await?;
    match answer {
        RefundAnswer::Refunded(amount) => Ok((StatusCode::CREATED, Json(RefundDone { outcome: "refunded", amount }))),
        RefundAnswer::Duplicate(amount) => Ok((StatusCode::OK, Json(RefundDone { outcome: "duplicate", amount }))),
        RefundAnswer::Conflict => Err(Problem::KeyUsed),
        RefundAnswer::NoSale => Err(Problem::NotFound),
        RefundAnswer::OtherCard => Err(Problem::OtherCard),
        RefundAnswer::NotRefundable => Err(Problem::NotRefundable),
        RefundAnswer::MoreThanPaid => Err(Problem::MoreThanPaid),
    }
}
