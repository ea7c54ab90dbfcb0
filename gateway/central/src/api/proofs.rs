//! One sale with everything that proves it: terminal and transaction number, the card's code and what the issuer says of it, the
//! hold, the journal entries with their place in the chain, the ledger's transactions.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{Row as _, SqliteConnection};

use super::caller::CallingActor;
use super::problem::Problem;
use super::sales::{self, SaleRow};
use crate::app::App;
use crate::limits;
use crate::orders::time_text;
use crate::store::StoreError;

/// A hold of points.
#[derive(Debug, Serialize)]
pub struct HoldProof {
    state: String,
    amount: i64,
    at: String,
}

/// A journal entry about the sale.
#[derive(Debug, Serialize)]
pub struct EntryProof {
    kind: String,
    origin: String,
    gateway: String,
    journal: Option<String>,
    /// Its number in that journal.
    n: Option<i64>,
    /// Its hash in the chain, hex.
    hash: Option<String>,
    /// Whether that hash was verified against the one before.
    linked: Option<bool>,
    received_at: String,
}

/// A posting.
#[derive(Debug, Serialize)]
pub struct PostingProof {
    account: String,
    amount: i64,
}

/// A transaction of the ledger.
#[derive(Debug, Serialize)]
pub struct TransactionProof {
    id: i64,
    kind: String,
    by: String,
    day: String,
    at: String,
    postings: Vec<PostingProof>,
}

/// Services that were given back.
#[derive(Debug, Serialize)]
pub struct RefundProof {
    amount: i64,
    items: Box<RawValue>,
    by: String,
    at: String,
}

/// What a person said became of it.
#[derive(Debug, Serialize)]
pub struct Said {
    by: String,
    outcome: String,
    at: String,
}

/// A sale with its proofs.
#[derive(Debug, Serialize)]
pub struct SaleProofs {
    #[serde(flatten)]
    sale: SaleRow,
    /// What terminal and card agreed on: terminal, its transaction number, counter, date and time.
    purse: Option<Box<RawValue>>,
    /// What the card gave in proof of the debit.
    proof: Option<Box<RawValue>>,
    held: Option<HoldProof>,
    entries: Vec<EntryProof>,
    transactions: Vec<TransactionProof>,
    refunds: Vec<RefundProof>,
    said: Vec<Said>,
    /// What people have to look at.
    doubts: Vec<String>,
}

/// `GET /api/v1/sales/{origin}`
pub async fn one(
    State(app): State<App>,
    _: CallingActor,
    Path(origin): Path<String>,
) -> Result<Json<SaleProofs>, Problem> {
    // One transaction, so that all of it is of the same moment.
    let mut reader = app.store.readers.begin().await?;
    let sale = sales::find(&mut reader, &origin).await?.ok_or(Problem::NotFound)?;
    let row =
        sqlx::query("SELECT purse, proof FROM sales WHERE origin = $1").bind(&origin).fetch_one(&mut *reader).await?;
    let raw = |at: usize| -> Result<Option<Box<RawValue>>, StoreError> {
        let text: Option<String> = row.try_get(at)?;
        text.map(RawValue::from_string).transpose().map_err(|_| StoreError::Row { table: "sales" })
    };
    let doubts = sqlx::query_scalar("SELECT what FROM doubts WHERE subject = $1 ORDER BY id LIMIT $2")
        .bind(&origin)
        .bind(limits::LIST_ROWS)
        .fetch_all(&mut *reader)
        .await?;
    Ok(Json(SaleProofs {
        sale,
        purse: raw(0)?,
        proof: raw(1)?,
        held: held(&mut reader, &origin).await?,
        entries: entries(&mut reader, &origin).await?,
        transactions: transactions(&mut reader, &origin).await?,
        refunds: refunds(&mut reader, &origin).await?,
        said: said(&mut reader, &origin).await?,
        doubts,
    }))
}

async fn held(reader: &mut SqliteConnection, origin: &str) -> Result<Option<HoldProof>, StoreError> {
    let row = sqlx::query("SELECT state, amount, at_ms FROM holds WHERE origin = $1")
        .bind(origin)
        .fetch_optional(reader)
        .await?;
    let read = |row: sqlx::sqlite::SqliteRow| {
        Ok(HoldProof { state: row.try_get(0)?, amount: row.try_get(1)?, at: time_text(row.try_get(2)?) })
    };
    row.map(read).transpose()
}

async fn entries(reader: &mut SqliteConnection, origin: &str) -> Result<Vec<EntryProof>, StoreError> {
    let rows = sqlx::query(
        "SELECT e.kind, e.origin, e.gateway, j.journal, e.n, c.hash, c.linked, e.received_ms FROM
         (SELECT * FROM entries WHERE origin = $1 AND kind = 'sale.intent'
          UNION ALL SELECT * FROM entries WHERE about = $1 AND kind = 'sale.outcome') e
         LEFT JOIN journals j ON j.id = e.journal LEFT JOIN chain c ON c.journal = e.journal AND c.n = e.n
         ORDER BY e.id LIMIT $2",
    )
    .bind(origin)
    .bind(limits::LIST_ROWS)
    .fetch_all(reader)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(EntryProof {
                kind: row.try_get(0)?,
                origin: row.try_get(1)?,
                gateway: row.try_get(2)?,
                journal: row.try_get(3)?,
                n: row.try_get(4)?,
                hash: row.try_get::<Option<Vec<u8>>, _>(5)?.map(hex::encode),
                linked: row.try_get::<Option<i64>, _>(6)?.map(|linked| linked == 1),
                received_at: time_text(row.try_get(7)?),
            })
        })
        .collect()
}

/// The transactions that the sale caused, and those of its refunds.
async fn transactions(reader: &mut SqliteConnection, origin: &str) -> Result<Vec<TransactionProof>, StoreError> {
    let rows = sqlx::query(
        "SELECT t.id, t.kind, t.actor, t.day, t.at_ms, p.account, p.amount FROM transactions t JOIN postings p ON p.txn = t.id
         WHERE (t.kind IN ('hold', 'post', 'void', 'purse', 'proof') AND t.subject = $1)
          OR (t.kind = 'refund' AND t.subject IN (SELECT key FROM refunds WHERE sale = $1))
         ORDER BY t.id, p.account LIMIT $2",
    )
    .bind(origin)
    .bind(limits::LIST_ROWS)
    .fetch_all(reader)
    .await?;
    let mut found: Vec<TransactionProof> = Vec::new();
    for row in rows {
        let id: i64 = row.try_get(0)?;
        let posting = PostingProof { account: row.try_get(5)?, amount: row.try_get(6)? };
        match found.last_mut().filter(|last| last.id == id) {
            Some(last) => last.postings.push(posting),
            None => found.push(TransactionProof {
                id,
                kind: row.try_get(1)?,
                by: row.try_get(2)?,
                day: row.try_get(3)?,
                at: time_text(row.try_get(4)?),
                postings: vec![posting],
            }),
        }
    }
    Ok(found)
}

async fn refunds(reader: &mut SqliteConnection, origin: &str) -> Result<Vec<RefundProof>, StoreError> {
    let rows = sqlx::query("SELECT amount, items, actor, at_ms FROM refunds WHERE sale = $1 ORDER BY at_ms LIMIT $2")
        .bind(origin)
        .bind(limits::LIST_ROWS)
        .fetch_all(reader)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(RefundProof {
                amount: row.try_get(0)?,
                items: RawValue::from_string(row.try_get(1)?).map_err(|_| StoreError::Row { table: "refunds" })?,
                by: row.try_get(2)?,
                at: time_text(row.try_get(3)?),
            })
        })
        .collect()
}

async fn said(reader: &mut SqliteConnection, origin: &str) -> Result<Vec<Said>, StoreError> {
    let rows =
        sqlx::query("SELECT actor, outcome, at_ms FROM sale_settlements WHERE origin = $1 ORDER BY at_ms LIMIT $2")
            .bind(origin)
            .bind(limits::LIST_ROWS)
            .fetch_all(reader)
            .await?;
    rows.iter()
        .map(|row| Ok(Said { by: row.try_get(0)?, outcome: row.try_get(1)?, at: time_text(row.try_get(2)?) }))
        .collect()
}
