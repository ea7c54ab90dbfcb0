//! What a provider is owed for a business day.

use axum::Json;
use axum::extract::{Path, State};
use jiff::civil::Date;
use protocols::id::ProviderId;
use serde::Serialize;
use sqlx::Row as _;

use super::caller::CallingActor;
use super::problem::Problem;
use crate::app::App;
use crate::ledger::book::{Account, Kind};
use crate::limits;
use crate::store::StoreError;

/// A number of sales and their sum in fen.
#[derive(Debug, Default, Serialize)]
pub struct Sum {
    count: i64,
    amount: i64,
}

/// One line: a sale, or the proof of an earlier one.
#[derive(Debug, Serialize)]
pub struct Line {
    kind: String,
    origin: String,
    amount: i64,
}

/// A settlement. A day is closed when the civil day in Asia/Shanghai is over; a sale belongs to the day on which the
/// centre posted it.
#[derive(Debug, Serialize)]
pub struct Settlement {
    provider: ProviderId,
    day: String,
    /// Sales from accounts.
    account: Sum,
    /// Debits of purses whose proof was valid when they came.
    purse: Sum,
    /// Debits of earlier days, or of this one, whose proof became valid on this day.
    proved: Sum,
    /// Refunds made on this day; negative. In its lines the origin is the refund's key.
    refunded: Sum,
    /// What is owed for this day.
    total: i64,
    /// Debits that came on this day without a valid proof, less what was proved on it.
    without_proof: i64,
    lines: Vec<Line>,
    /// Whether there are more lines than are shown.
    more_lines: bool,
}

/// `GET /api/v1/settlements/{provider}/{day}`
pub async fn one(
    State(app): State<App>,
    _: CallingActor,
    Path((provider, day)): Path<(String, String)>,
) -> Result<Json<Settlement>, Problem> {
    let provider: ProviderId = provider.parse().map_err(|_| Problem::BadParameter)?;
    let date: Date = day.parse().map_err(|_| Problem::BadParameter)?;
    if date.to_string() != day {
        return Err(Problem::BadParameter);
    }
    // One transaction, so that sums and lines are of the same moment.
    let mut reader = app.store.readers.begin().await?;
    let mut settlement = Settlement {
        account: Sum::default(),
        purse: Sum::default(),
        proved: Sum::default(),
        refunded: Sum::default(),
        total: 0,
        without_proof: 0,
        lines: Vec::new(),
        more_lines: false,
        provider: provider.clone(),
        day,
    };
    let sums = sqlx::query(
        "SELECT t.kind, COUNT(*), SUM(p.amount) FROM transactions t JOIN postings p ON p.txn = t.id
         WHERE t.day = $1 AND p.account = $2 GROUP BY t.kind",
    )
    .bind(&settlement.day)
    .bind(Account::Provider(provider.clone()).to_string())
    .fetch_all(&mut *reader)
    .await?;
    for row in sums {
        let sum = Sum { count: row.try_get(1)?, amount: row.try_get(2)? };
        settlement.total = settlement.total.saturating_add(sum.amount);
        match row.try_get::<String, _>(0)? {
            kind if kind == Kind::Post.word() => settlement.account = sum,
            kind if kind == Kind::Purse.word() => settlement.purse = sum,
            kind if kind == Kind::Refund.word() => settlement.refunded = sum,
            kind if kind == Kind::Proof.word() => settlement.proved = sum,
            _ => return Err(StoreError::Row { table: "transactions" }.into()),
        }
    }
    settlement.without_proof = sqlx::query_scalar(
        "SELECT COALESCE(SUM(p.amount), 0) FROM transactions t JOIN postings p ON p.txn = t.id
         WHERE t.day = $1 AND p.account = $2",
    )
    .bind(&settlement.day)
    .bind(Account::Suspense(provider.clone()).to_string())
    .fetch_one(&mut *reader)
    .await?;
    let lines = sqlx::query(
        "SELECT t.kind, t.subject, p.amount FROM transactions t JOIN postings p ON p.txn = t.id
         WHERE t.day = $1 AND p.account = $2 ORDER BY t.id LIMIT $3",
    )
    .bind(&settlement.day)
    .bind(Account::Provider(provider).to_string())
    .bind(limits::SETTLEMENT_LINES.saturating_add(1))
    .fetch_all(&mut *reader)
    .await?;
    for row in lines {
        settlement.lines.push(Line { kind: row.try_get(0)?, origin: row.try_get(1)?, amount: row.try_get(2)? });
    }
    let most = usize::try_from(limits::SETTLEMENT_LINES).unwrap_or(usize::MAX);
    settlement.more_lines = settlement.lines.len() > most;
    settlement.lines.truncate(most);
    Ok(Json(settlement))
}
