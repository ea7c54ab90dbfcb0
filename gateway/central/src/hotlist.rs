//! Cards that must not pay. Gateways get keyed hashes of their numbers, never the numbers.
//!
//! **Invariant:** each change orders the whole list, with a greater version, from every gateway.

use hmac::{Hmac, KeyInit as _, Mac as _};
use protocols::uplink::HotlistOrder;
use serde_json::json;
use sha2::Sha256;
use sqlx::Row as _;

use crate::limits;
use crate::news::{Event, News};
use crate::orders::{self, What};
use crate::store::{StoreError, Tx};
use crate::versions;

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HotlistAnswer {
    /// It is in force now.
    Changed,
    /// It was in force before.
    Unchanged,
    /// No card or person has this reference.
    NoCard,
    /// The list is full.
    Full,
}

/// Puts the cards of a reference (a card's own, or a person's) on the list, or takes them off.
///
/// # Errors
/// The database cannot do it.
pub async fn set(tx: &mut Tx, reference: &str, blocked: bool, by: &str) -> Result<HotlistAnswer, StoreError> {
    let cards: Vec<String> = sqlx::query_scalar("SELECT ref FROM cards WHERE ref = $1 OR person = $1 ORDER BY ref")
        .bind(reference)
        .fetch_all(&mut tx.conn)
        .await?;
    if cards.is_empty() {
        return Ok(HotlistAnswer::NoCard);
    }
    let listed: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM hotlist").fetch_one(&mut tx.conn).await?;
    let room = limits::HOTLIST_CARDS_MAX.saturating_sub(usize::try_from(listed).unwrap_or(usize::MAX));
    if blocked && cards.len() > room {
        return Ok(HotlistAnswer::Full);
    }
    let mut changed = 0;
    for card in cards {
        let query = if blocked {
            sqlx::query("INSERT INTO hotlist (card, actor, at_ms) VALUES ($1, $2, $3) ON CONFLICT (card) DO NOTHING")
                .bind(card)
                .bind(by)
                .bind(tx.now.ms)
        } else {
            sqlx::query("DELETE FROM hotlist WHERE card = $1").bind(card)
        };
        changed += query.execute(&mut tx.conn).await?.rows_affected();
    }
    if changed == 0 {
        return Ok(HotlistAnswer::Unchanged);
    }
    versions::advance(tx, "hotlist_version").await?;
    let order = current(tx).await?;
    orders::add_for_all(tx, &What::Hotlist(&order)).await?;
    tx.news.push(News::Event(Event { name: "hotlist.changed", data: json!({"version": order.version}) }));
    Ok(HotlistAnswer::Changed)
}

/// Orders the list from one gateway.
///
/// # Errors
/// The database cannot do it.
pub async fn tell(tx: &mut Tx, gateway: &str) -> Result<(), StoreError> {
    let order = current(tx).await?;
    orders::add(tx, gateway, &What::Hotlist(&order)).await
}

async fn current(tx: &mut Tx) -> Result<HotlistOrder, StoreError> {
    let damaged = || StoreError::Row { table: "facts" };
    let mut version = None;
    let mut salt = None;
    let facts = sqlx::query("SELECT name, value FROM facts WHERE name IN ('hotlist_version', 'hotlist_salt')")
        .fetch_all(&mut tx.conn)
        .await?;
    for row in facts {
        let value: String = row.try_get(1)?;
        if row.try_get::<String, _>(0)? == "hotlist_salt" { salt = Some(value) } else { version = value.parse().ok() }
    }
    let (version, salt) = version.zip(salt).ok_or_else(damaged)?;
    let key = hex::decode(&salt).map_err(|_| damaged())?;
    let serials: Vec<String> =
        sqlx::query_scalar("SELECT c.serial FROM hotlist h JOIN cards c ON c.ref = h.card ORDER BY c.serial")
            .fetch_all(&mut tx.conn)
            .await?;
    let mut cards = Vec::with_capacity(serials.len());
    for serial in serials {
        let mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| damaged())?;
        cards.push(hex::encode(mac.chain_update(serial.as_bytes()).finalize().into_bytes()));
    }
    cards.sort();
    Ok(HotlistOrder { version, cards, salt })
}
