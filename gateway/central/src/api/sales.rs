//! Sales for people. A card is named by its reference, never by its number.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use protocols::uplink::SaleOutcome;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::caller::CallingActor;
use super::payload::Payload;
use super::problem::Problem;
use crate::app::App;
use crate::ledger::settle::{self, SettleAnswer};
use crate::limits;
use crate::orders::time_text;
use crate::store::{Priority, StoreError};

/// Sales, to be narrowed.
const ROWS: &str =
    "SELECT s.origin, s.gateway, s.sale, s.tender, s.amount, s.items, s.card, c.person, s.intended_at, s.outcome,
     s.reason, s.verdict, h.state, s.settled, s.received_ms
     FROM sales s LEFT JOIN cards c ON c.ref = s.card LEFT JOIN holds h ON h.origin = s.origin WHERE 1 = 1";

/// Parameters of the list; all of them narrow it.
#[derive(Deserialize)]
pub struct SaleQuery {
    /// A card's reference, or a person's.
    card: Option<String>,
    /// A gateway.
    gateway: Option<String>,
    /// The origin of a sale's intent.
    origin: Option<String>,
    /// 1: only those whose effect is not made yet (unknown ones among them).
    open: Option<u8>,
}

/// A sale.
#[derive(Debug, Serialize)]
pub struct SaleRow {
    origin: String,
    gateway: String,
    sale: String,
    tender: Option<String>,
    amount: Option<i64>,
    items: Option<Box<RawValue>>,
    card: Option<String>,
    person: Option<String>,
    intended_at: Option<String>,
    outcome: Option<String>,
    reason: Option<String>,
    verdict: Option<String>,
    hold: Option<String>,
    settled: bool,
    received_at: String,
}

/// The newest sales.
#[derive(Debug, Serialize)]
pub struct SaleList {
    sales: Vec<SaleRow>,
}

/// `GET /api/v1/sales`
pub async fn list(
    State(app): State<App>,
    _: CallingActor,
    query: Result<Query<SaleQuery>, QueryRejection>,
) -> Result<Json<SaleList>, Problem> {
    let Query(query) = query.map_err(|_| Problem::BadParameter)?;
    let mut builder = sqlx::QueryBuilder::<sqlx::Sqlite>::new(ROWS);
    if let Some(card) = query.card {
        builder.push(" AND s.card IN (SELECT ref FROM cards WHERE ref = ").push_bind(card.clone());
        builder.push(" OR person = ").push_bind(card).push(")");
    }
    if let Some(gateway) = query.gateway {
        builder.push(" AND s.gateway = ").push_bind(gateway);
    }
    if let Some(origin) = query.origin {
        builder.push(" AND s.origin = ").push_bind(origin);
    }
    if query.open == Some(1) {
        builder.push(" AND s.settled = 0");
    }
    builder.push(" ORDER BY s.received_ms DESC, s.origin DESC LIMIT ").push_bind(limits::LIST_ROWS);
    let rows = builder.build().persistent(false).fetch_all(&app.store.readers).await?;
    let sales = rows.iter().map(sale_row).collect::<Result<_, _>>()?;
    Ok(Json(SaleList { sales }))
}

/// The sale with this origin.
pub(super) async fn find(reader: &mut SqliteConnection, origin: &str) -> Result<Option<SaleRow>, StoreError> {
    let mut builder = sqlx::QueryBuilder::<sqlx::Sqlite>::new(ROWS);
    builder.push(" AND s.origin = ").push_bind(origin.to_owned());
    builder.build().fetch_optional(reader).await?.as_ref().map(sale_row).transpose()
}

fn sale_row(row: &SqliteRow) -> Result<SaleRow, StoreError> {
    let items = row.try_get::<Option<String>, _>(5)?.map(RawValue::from_string).transpose();
    Ok(SaleRow {
        origin: row.try_get(0)?,
        gateway: row.try_get(1)?,
        sale: row.try_get(2)?,
        tender: row.try_get(3)?,
        amount: row.try_get(4)?,
        items: items.map_err(|_| StoreError::Row { table: "sales" })?,
        card: row.try_get(6)?,
        person: row.try_get(7)?,
        intended_at: row.try_get(8)?,
        outcome: row.try_get(9)?,
        reason: row.try_get(10)?,
        verdict: row.try_get(11)?,
        hold: row.try_get(12)?,
        settled: row.try_get::<i64, _>(13)? == 1,
        received_at: time_text(row.try_get(14)?),
    })
}

/// What a person says became of a sale.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Paid,
    Cancelled,
}

/// Body of a settlement: the origin of the sale's intent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettleBody {
    origin: String,
    outcome: Said,
}

/// The answer to a settlement.
#[derive(Debug, Serialize)]
pub struct SettleDone {
    outcome: &'static str,
}

/// `POST /api/v1/sales/settle`
pub async fn settle(
    State(app): State<App>,
    CallingActor(actor): CallingActor,
    body: Payload,
) -> Result<(StatusCode, Json<SettleDone>), Problem> {
    let SettleBody { origin, outcome } = body.json()?;
    let outcome = match outcome {
        Said::Paid => SaleOutcome::Paid,
        Said::Cancelled => SaleOutcome::Cancelled,
    };
    let answer = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| {
            Box::pin(async move { settle::say(tx, &origin, outcome, actor.as_str()).await })
        })
        .await?;
    match answer {
        SettleAnswer::WaitsForAnother => {
            Ok((StatusCode::ACCEPTED, Json(SettleDone { outcome: "waits_for_another_person" })))
        }
        SettleAnswer::Ordered => Ok((StatusCode::OK, Json(SettleDone { outcome: "ordered" }))),
        SettleAnswer::Contradiction => Err(Problem::SaleSaidOtherwise),
        SettleAnswer::NotOpen => Err(Problem::SaleNotUnknown),
        SettleAnswer::NoSale => Err(Problem::NotFound),
    }
}
