//! Accounts for people: what is in them, grants, and holds that two people give back.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use protocols::unit::Points;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use super::caller::CallingActor;
use super::payload::Payload;
use super::problem::Problem;
use crate::app::App;
use crate::ledger::book::{self, Account};
use crate::ledger::grant::{self, GrantAnswer};
use crate::ledger::release::{self, ReleaseAnswer};
use crate::limits;
use crate::orders::time_text;
use crate::store::Priority;

/// A movement of points.
#[derive(Debug, Serialize)]
pub struct Movement {
    /// The ledger's transaction.
    txn: i64,
    kind: String,
    subject: String,
    amount: i64,
    day: String,
    at: String,
    by: String,
}

/// Points set aside for a sale.
#[derive(Debug, Serialize)]
pub struct OpenHold {
    origin: String,
    gateway: String,
    amount: i64,
    at: String,
}

/// An account.
#[derive(Debug, Serialize)]
pub struct AccountDetail {
    #[serde(rename = "ref")]
    reference: String,
    balance: i64,
    available: i64,
    holds: Vec<OpenHold>,
    movements: Vec<Movement>,
    /// Where the next page of movements begins; none after the last one.
    next: Option<i64>,
}

/// Parameters of an account.
#[derive(Deserialize)]
pub struct AccountQuery {
    /// Where the page before ended: its `next`.
    before: Option<i64>,
    /// Movements, at most [`limits::LIST_ROWS`].
    limit: Option<i64>,
}

/// `GET /api/v1/accounts/{ref}`
pub async fn one(
    State(app): State<App>,
    _: CallingActor,
    Path(reference): Path<String>,
    query: Result<Query<AccountQuery>, QueryRejection>,
) -> Result<Json<AccountDetail>, Problem> {
    let Query(query) = query.map_err(|_| Problem::BadParameter)?;
    let limit = query.limit.unwrap_or(limits::LIST_ROWS);
    if !(1..=limits::LIST_ROWS).contains(&limit) {
        return Err(Problem::BadParameter);
    }
    // One transaction, so that the sums and the lists are of the same moment.
    let mut reader = app.store.readers.begin().await?;
    let known: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM people WHERE ref = $1").bind(&reference).fetch_optional(&mut *reader).await?;
    if known.is_none() {
        return Err(Problem::NotFound);
    }
    let account = Account::Elder(reference.clone());
    let available = book::balance(&mut reader, &account).await?;
    let held = book::balance(&mut reader, &Account::Held(reference.clone())).await?;
    let holds = sqlx::query(
        "SELECT origin, gateway, amount, at_ms FROM holds WHERE person = $1 AND state = 'held' ORDER BY at_ms LIMIT $2",
    )
    .bind(&reference)
    .bind(limits::LIST_ROWS)
    .fetch_all(&mut *reader)
    .await?;
    let movements = sqlx::query(
        "SELECT t.kind, t.subject, p.amount, t.day, t.at_ms, t.actor, t.id FROM postings p JOIN transactions t ON t.id = p.txn
         WHERE p.account = $1 AND p.txn < $3 ORDER BY p.txn DESC LIMIT $2",
    )
    .bind(account.to_string())
    .bind(limit.saturating_add(1))
    .bind(query.before.unwrap_or(i64::MAX))
    .fetch_all(&mut *reader)
    .await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let last = movements.get(page.saturating_sub(1)).filter(|_| movements.len() > page);
    let next = last.map(|row| row.try_get(6)).transpose()?;
    Ok(Json(AccountDetail {
        reference,
        balance: available.saturating_add(held),
        available,
        holds: holds
            .iter()
            .map(|row| {
                Ok(OpenHold {
                    origin: row.try_get(0)?,
                    gateway: row.try_get(1)?,
                    amount: row.try_get(2)?,
                    at: time_text(row.try_get(3)?),
                })
            })
            .collect::<Result<_, sqlx::Error>>()?,
        next,
        movements: movements
            .iter()
            .take(page)
            .map(|row| {
                Ok(Movement {
                    txn: row.try_get(6)?,
                    kind: row.try_get(0)?,
                    subject: row.try_get(1)?,
                    amount: row.try_get(2)?,
                    day: row.try_get(3)?,
                    at: time_text(row.try_get(4)?),
                    by: row.try_get(5)?,
                })
            })
            .collect::<Result<_, sqlx::Error>>()?,
    }))
}

/// The key under which a write counts once.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    headers
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok())
        .filter(|key| (1..=limits::IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()))
        .map(str::to_owned)
        .ok_or(Problem::KeyMissing)
}

/// Body of a grant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantBody {
    amount: Points,
}

/// The answer to a grant.
#[derive(Debug, Serialize)]
pub struct GrantDone {
    outcome: &'static str,
}

/// `POST /api/v1/accounts/{ref}/grants`
pub async fn grant(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Payload,
) -> Result<(StatusCode, Json<GrantDone>), Problem> {
    let key = idempotency_key(&headers)?;
    let GrantBody { amount } = body.json()?;
    let answer = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| {
            Box::pin(async move { grant::give(tx, &reference, amount, &key, actor.as_str()).await })
        })
        .await?;
    match answer {
        GrantAnswer::Granted => Ok((StatusCode::CREATED, Json(GrantDone { outcome: "granted" }))),
        GrantAnswer::Duplicate => Ok((StatusCode::OK, Json(GrantDone { outcome: "duplicate" }))),
        GrantAnswer::Conflict => Err(Problem::KeyUsed),
        GrantAnswer::NoAccount => Err(Problem::NotFound),
        GrantAnswer::Amount => Err(Problem::Amount),
    }
}

/// Body of a release: the origin of the hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    origin: String,
}

/// The answer to a release.
#[derive(Debug, Serialize)]
pub struct ReleaseDone {
    outcome: &'static str,
}

/// `POST /api/v1/holds/release`
pub async fn release(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    body: Payload,
) -> Result<(StatusCode, Json<ReleaseDone>), Problem> {
    let ReleaseBody { origin } = body.json()?;
    let answer = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { release::ask(tx, &origin, actor.as_str()).await }))
        .await?;
    match answer {
        ReleaseAnswer::WaitsForAnother => {
            Ok((StatusCode::ACCEPTED, Json(ReleaseDone { outcome: "waits_for_another_person" })))
        }
        ReleaseAnswer::Released => Ok((StatusCode::OK, Json(ReleaseDone { outcome: "released" }))),
        ReleaseAnswer::Ended => Err(Problem::HoldEnded),
        ReleaseAnswer::NoHold => Err(Problem::NotFound),
    }
}
