//! What people have to look at: entries that were not taken, sales that contradict themselves, orders refused.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::caller::CallingActor;
use super::problem::Problem;
use crate::app::App;
use crate::limits;
use crate::orders::time_text;

/// An entry that was not taken.
#[derive(Debug, Serialize)]
pub struct AsideRow {
    gateway: String,
    journal: String,
    n: Option<i64>,
    outcome: String,
    reason: String,
    origin: Option<String>,
    kind: Option<String>,
    entry: String,
    received_at: String,
}

/// A sale that contradicts itself.
#[derive(Debug, Serialize)]
pub struct DoubtRow {
    what: String,
    origin: String,
    gateway: String,
    at: String,
}

/// An order that a gateway refused.
#[derive(Debug, Serialize)]
pub struct RefusedOrder {
    gateway: String,
    order: String,
    kind: String,
    reason: Option<String>,
    received_at: String,
}

/// Everything that people have to look at, the newest first.
#[derive(Debug, Serialize)]
pub struct Conflicts {
    entries: Vec<AsideRow>,
    sales: Vec<DoubtRow>,
    orders: Vec<RefusedOrder>,
}

/// `GET /api/v1/conflicts`
pub async fn list(State(app): State<App>, _: CallingActor) -> Result<Json<Conflicts>, Problem> {
    let readers = &app.store.readers;
    let entries = sqlx::query(
        "SELECT gateway, journal, n, outcome, reason, origin, kind, bytes, received_ms FROM quarantine
         ORDER BY id DESC LIMIT $1",
    )
    .bind(limits::LIST_ROWS)
    .fetch_all(readers)
    .await?;
    let sales = sqlx::query("SELECT what, subject, gateway, at_ms FROM doubts ORDER BY id DESC LIMIT $1")
        .bind(limits::LIST_ROWS)
        .fetch_all(readers)
        .await?;
    let orders = sqlx::query(
        "SELECT gateway, order_key, kind, reason, received_ms FROM order_results WHERE verdict = 'refused'
         ORDER BY received_ms DESC LIMIT $1",
    )
    .bind(limits::LIST_ROWS)
    .fetch_all(readers)
    .await?;
    Ok(Json(Conflicts {
        entries: entries.iter().map(aside_row).collect::<Result<_, _>>()?,
        sales: sales
            .iter()
            .map(|row| {
                Ok(DoubtRow {
                    what: row.try_get(0)?,
                    origin: row.try_get(1)?,
                    gateway: row.try_get(2)?,
                    at: time_text(row.try_get(3)?),
                })
            })
            .collect::<Result<_, sqlx::Error>>()?,
        orders: orders
            .iter()
            .map(|row| {
                Ok(RefusedOrder {
                    gateway: row.try_get(0)?,
                    order: row.try_get(1)?,
                    kind: row.try_get(2)?,
                    reason: row.try_get(3)?,
                    received_at: time_text(row.try_get(4)?),
                })
            })
            .collect::<Result<_, sqlx::Error>>()?,
    }))
}

fn aside_row(row: &SqliteRow) -> Result<AsideRow, sqlx::Error> {
    let mut entry: String = row.try_get(7)?;
    entry.truncate(entry.floor_char_boundary(limits::SHOWN_ENTRY_BYTES));
    Ok(AsideRow {
        gateway: row.try_get(0)?,
        journal: row.try_get(1)?,
        n: row.try_get(2)?,
        outcome: row.try_get(3)?,
        reason: row.try_get(4)?,
        origin: row.try_get(5)?,
        kind: row.try_get(6)?,
        entry,
        received_at: time_text(row.try_get(8)?),
    })
}
