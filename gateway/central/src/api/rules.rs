//! What is in force for all gateways: catalogue, rules, hotlist.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::civil::Date;
use protocols::uplink::{CatalogueService, PolicyOrder};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::Row as _;

use super::caller::{CallingActor, CallingReader};
use super::payload::Payload;
use super::problem::Problem;
use crate::app::App;
use crate::catalogue::{self, Policies, Policy, PolicyAnswer};
use crate::hotlist::{self, HotlistAnswer};
use crate::limits;
use crate::orders::time_text;
use crate::store::{Now, Priority, StoreError};

/// `GET /api/v1/catalogue`
pub async fn catalogue(State(app): State<App>, _: CallingReader) -> Result<Json<Box<RawValue>>, Problem> {
    let newest: Option<String> = sqlx::query_scalar("SELECT body FROM catalogues ORDER BY version DESC LIMIT 1")
        .fetch_optional(&app.store.readers)
        .await?;
    let body = RawValue::from_string(newest.ok_or(Problem::NotFound)?);
    Ok(Json(body.map_err(|_| StoreError::Row { table: "catalogues" })?))
}

/// The rules that hold, and those to come.
#[derive(Debug, Serialize)]
pub struct PolicyView {
    #[serde(flatten)]
    holds: PolicyOrder,
    /// Those that wait for their first day, the next first.
    waiting: Vec<PolicyOrder>,
}

/// `GET /api/v1/policy`
pub async fn policy(State(app): State<App>, _: CallingReader) -> Result<Json<PolicyView>, Problem> {
    let mut reader = app.store.readers.acquire().await?;
    let Policies { holds, waiting } = catalogue::policies(&mut reader, &Now::read().day).await?;
    Ok(Json(PolicyView { holds: holds.ok_or(Problem::NotFound)?, waiting }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueBody {
    services: Vec<CatalogueService>,
}

/// The answer to a change.
#[derive(Debug, Serialize)]
pub struct Published {
    version: u32,
}

/// `PUT /api/v1/catalogue`
pub async fn put_catalogue(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    body: Payload,
) -> Result<Json<Published>, Problem> {
    let CatalogueBody { services } = body.json()?;
    if services.len() > limits::SERVICES_MAX {
        return Err(Problem::TooLarge);
    }
    let mut ids: Vec<_> = services.iter().map(|service| &service.id).collect();
    ids.sort();
    ids.dedup();
    let named = services.iter().all(|service| {
        [&service.category, &service.name_zh, &service.name_en]
            .iter()
            .all(|text| !text.trim().is_empty() && text.len() <= limits::SERVICE_NAME_BYTES_MAX)
    });
    let shown = services.iter().all(|service| service.check_shown().is_ok());
    if ids.len() != services.len() || !named || !shown {
        return Err(Problem::Catalogue);
    }
    if services.iter().any(|service| service.price.fen() == 0) {
        return Err(Problem::Amount);
    }
    let version = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| {
            Box::pin(async move { catalogue::publish(tx, services, actor.as_str()).await })
        })
        .await?;
    Ok(Json(Published { version }))
}

/// `PUT /api/v1/policy`
pub async fn put_policy(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    body: Payload,
) -> Result<Json<Published>, Problem> {
    let policy: Policy = body.json()?;
    let day: Date = policy.from.parse().map_err(|_| Problem::BadParameter)?;
    // A gateway keeps days as `YYYY-MM-DD`.
    if day.to_string() != policy.from || day.year() < 0 {
        return Err(Problem::BadParameter);
    }
    let answer = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| {
            Box::pin(async move { catalogue::publish_policy(tx, &policy, actor.as_str()).await })
        })
        .await?;
    match answer {
        PolicyAnswer::Published(version) => Ok(Json(Published { version })),
        PolicyAnswer::Over => Err(Problem::PolicyOver),
        PolicyAnswer::TooMany => Err(Problem::TooManyPolicies),
    }
}

/// A card that must not pay.
#[derive(Debug, Serialize)]
pub struct BlockedCard {
    card: String,
    person: Option<String>,
    by: String,
    at: String,
}

/// The hotlist.
#[derive(Debug, Serialize)]
pub struct Hotlist {
    cards: Vec<BlockedCard>,
}

/// `GET /api/v1/hotlist`
pub async fn hotlist(State(app): State<App>, _: CallingActor) -> Result<Json<Hotlist>, Problem> {
    let rows = sqlx::query(
        "SELECT h.card, c.person, h.actor, h.at_ms FROM hotlist h JOIN cards c ON c.ref = h.card
         ORDER BY h.at_ms DESC LIMIT $1",
    )
    .bind(limits::LIST_ROWS)
    .fetch_all(&app.store.readers)
    .await?;
    let cards = rows
        .iter()
        .map(|row| {
            Ok(BlockedCard {
                card: row.try_get(0)?,
                person: row.try_get(1)?,
                by: row.try_get(2)?,
                at: time_text(row.try_get(3)?),
            })
        })
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(Json(Hotlist { cards }))
}

/// `PUT /api/v1/hotlist/{ref}`
pub async fn block(app: State<App>, actor: CallingActor, reference: Path<String>) -> Result<StatusCode, Problem> {
    set(app, actor, reference, true).await
}

/// `DELETE /api/v1/hotlist/{ref}`
pub async fn unblock(app: State<App>, actor: CallingActor, reference: Path<String>) -> Result<StatusCode, Problem> {
    set(app, actor, reference, false).await
}

async fn set(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    Path(reference): Path<String>,
    blocked: bool,
) -> Result<StatusCode, Problem> {
    let answer = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| {
            Box::pin(async move { hotlist::set(tx, &reference, blocked, actor.as_str()).await })
        })
        .await?;
    match answer {
        HotlistAnswer::Changed | HotlistAnswer::Unchanged => Ok(StatusCode::NO_CONTENT),
        HotlistAnswer::NoCard => Err(Problem::NotFound),
        HotlistAnswer::Full => Err(Problem::TooLarge),
    }
}
