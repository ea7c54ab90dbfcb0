//! A sale that its gateway left as unknown: the issuer's verdict on its TAC, or two people, say what became of it.
//!
//! The centre then orders the gateway to take that over (`sale.settled`); the ledger moves with the gateway's outcome, as
//! it does for every sale.
//!
//! **Invariant:** nothing is settled by guess: by a valid TAC, or by two different people who say the same.

use std::sync::Arc;

use protocols::id::GatewayId;
use protocols::uplink::{SaleOutcome, SaleSettledOrder, Tender};
use serde_json::json;
use sqlx::Row as _;

use super::sale;
use crate::issuer::{Issuer, Verdict};
use crate::limits;
use crate::news::{Event, News};
use crate::orders::{self, What};
use crate::origin_key;
use crate::store::{StoreError, Tx};

/// What became of the wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleAnswer {
    /// It is noted; another person has to say the same.
    WaitsForAnother,
    /// The gateway is told.
    Ordered,
    /// Another person said otherwise, or this one did before.
    Contradiction,
    /// The sale is not unknown, or no purse was to pay it.
    NotOpen,
    /// No such sale.
    NoSale,
}

/// A sale that came as unknown with a proof: a TAC that the issuer calls valid settles it.
///
/// # Errors
/// The database cannot do it.
pub async fn judge(tx: &mut Tx, issuer: &Arc<Issuer>, gateway: &GatewayId, origin: &str) -> Result<(), StoreError> {
    let ready: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM sales WHERE origin = $1 AND tender = $2 AND outcome = $3 AND proof IS NOT NULL",
    )
    .bind(origin)
    .bind(sale::tender_word(Tender::Purse))
    .bind(sale::outcome_word(SaleOutcome::Unknown))
    .fetch_optional(&mut tx.conn)
    .await?;
    if ready.is_some() && sale::verdict_of(tx, issuer, origin).await? == Verdict::Valid {
        order(tx, gateway.as_str(), origin, SaleOutcome::Paid).await?;
    }
    Ok(())
}

/// Asks the issuer about unknown sales whose proof came while it could not be asked, some at a time in the order of their
/// origins. Gives back the last origin asked about; `None` at the end.
///
/// # Errors
/// The database cannot do it.
pub async fn judge_unknown(tx: &mut Tx, issuer: &Arc<Issuer>, after: &str) -> Result<Option<String>, StoreError> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT origin, gateway FROM sales WHERE outcome = 'unknown' AND proof IS NOT NULL AND origin > $1
         ORDER BY origin LIMIT $2",
    )
    .bind(after)
    .bind(limits::PROOFS_PER_COMMIT)
    .fetch_all(&mut tx.conn)
    .await?;
    let mut last = None;
    for (origin, gateway) in rows {
        let gateway = gateway.parse().map_err(|_| StoreError::Row { table: "sales" })?;
        if !orders::is_settling(tx, &gateway, &origin).await? {
            judge(tx, issuer, &gateway, &origin).await?;
        }
        last = Some(origin);
    }
    Ok(last)
}

/// A person says what became of an unknown sale.
///
/// # Errors
/// The database cannot do it.
pub async fn say(tx: &mut Tx, origin: &str, outcome: SaleOutcome, actor: &str) -> Result<SettleAnswer, StoreError> {
    let row = sqlx::query("SELECT gateway, tender, outcome FROM sales WHERE origin = $1")
        .bind(origin)
        .fetch_optional(&mut tx.conn)
        .await?;
    let Some(row) = row else { return Ok(SettleAnswer::NoSale) };
    let is = |value: Option<String>, word: &str| value.as_deref() == Some(word);
    let open = is(row.try_get(1)?, sale::tender_word(Tender::Purse))
        && is(row.try_get(2)?, sale::outcome_word(SaleOutcome::Unknown));
    if !open {
        return Ok(SettleAnswer::NotOpen);
    }
    let said: Vec<(String, String)> =
        sqlx::query_as("SELECT actor, outcome FROM sale_settlements WHERE origin = $1 ORDER BY actor")
            .bind(origin)
            .fetch_all(&mut tx.conn)
            .await?;
    let word = sale::outcome_word(outcome);
    if said.iter().any(|(_, other)| other != word) {
        return Ok(SettleAnswer::Contradiction);
    }
    sqlx::query(
        "INSERT INTO sale_settlements (origin, actor, outcome, at_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (origin, actor) DO NOTHING",
    )
    .bind(origin)
    .bind(actor)
    .bind(word)
    .bind(tx.now.ms)
    .execute(&mut tx.conn)
    .await?;
    if said.iter().all(|(other, _)| other == actor) {
        return Ok(SettleAnswer::WaitsForAnother);
    }
    order(tx, &row.try_get::<String, _>(0)?, origin, outcome).await?;
    Ok(SettleAnswer::Ordered)
}

async fn order(tx: &mut Tx, gateway: &str, origin: &str, outcome: SaleOutcome) -> Result<(), StoreError> {
    let sale = origin_key::parse(origin).ok_or(StoreError::Row { table: "sales" })?;
    let order = SaleSettledOrder { sale, outcome, at: tx.now.text.clone() };
    orders::add(tx, gateway, &What::SaleSettled(&order)).await?;
    tx.news.push(News::Event(Event {
        name: "sale.settled",
        data: json!({"origin": origin, "outcome": sale::outcome_word(outcome)}),
    }));
    Ok(())
}
