//! A hold that its gateway never ends: two people at the centre give it back.
//!
//! **Invariant:** two different people have to ask.
//! **Invariant:** a gateway that later says the sale was paid is a contradiction for people, never a second effect.

use protocols::uplink::SaleOutcome;
use serde_json::json;
use sqlx::Row as _;

use super::decide::HoldState;
use super::sale;
use crate::news::{Event, News};
use crate::store::{StoreError, Tx};

/// Why a sale was ended by people, as its reason.
const REASON: &str = "released_by_people";

/// What became of the wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseAnswer {
    /// It is noted; another person has to ask too.
    WaitsForAnother,
    /// The points are back, now or before.
    Released,
    /// The hold was posted, or given back by its gateway.
    Ended,
    /// No such hold.
    NoHold,
}

/// A person asks that a hold be given back.
///
/// # Errors
/// The database cannot do it.
pub async fn ask(tx: &mut Tx, origin: &str, actor: &str) -> Result<ReleaseAnswer, StoreError> {
    let hold = sqlx::query("SELECT state, gateway FROM holds WHERE origin = $1")
        .bind(origin)
        .fetch_optional(&mut tx.conn)
        .await?;
    let Some(hold) = hold else { return Ok(ReleaseAnswer::NoHold) };
    let asked: Vec<String> = sqlx::query_scalar("SELECT actor FROM hold_releases WHERE origin = $1 ORDER BY actor")
        .bind(origin)
        .fetch_all(&mut tx.conn)
        .await?;
    if HoldState::from_word(&hold.try_get::<String, _>(0)?) != Some(HoldState::Held) {
        return Ok(if asked.len() > 1 { ReleaseAnswer::Released } else { ReleaseAnswer::Ended });
    }
    sqlx::query(
        "INSERT INTO hold_releases (origin, actor, at_ms) VALUES ($1, $2, $3) ON CONFLICT (origin, actor) DO NOTHING",
    )
    .bind(origin)
    .bind(actor)
    .bind(tx.now.ms)
    .execute(&mut tx.conn)
    .await?;
    if asked.iter().all(|other| other == actor) {
        return Ok(ReleaseAnswer::WaitsForAnother);
    }
    let gateway: String = hold.try_get(1)?;
    sale::end_hold(tx, actor, origin, HoldState::Voided).await?;
    // The sale counts as cancelled from now on, whether its intent is here or not.
    sqlx::query(
        "INSERT INTO sales (origin, gateway, sale, outcome, reason, settled, received_ms) VALUES ($1, $2, '', $3, $4, 1, $5)
         ON CONFLICT (origin) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason, settled = 1",
    )
    .bind(origin)
    .bind(gateway)
    .bind(sale::outcome_word(SaleOutcome::Cancelled))
    .bind(REASON)
    .bind(tx.now.ms)
    .execute(&mut tx.conn)
    .await?;
    tx.news.push(News::Event(Event { name: "sale.released", data: json!({"origin": origin, "by": actor}) }));
    Ok(ReleaseAnswer::Released)
}
