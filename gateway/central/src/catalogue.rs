//! What can be ordered and by which rules; each version is kept, and ordered from every gateway.
//!
//! Prices are checked against the catalogue in force, and against those that it replaced a short while ago
//! ([`limits::CATALOGUE_GRACE`]): a sale that was begun before the change, or whose gateway has not heard of it yet, is
//! sold as it was shown. All lines of a sale must be in one version. What a purse paid without the line is checked against
//! the version that its gateway sold by.
//!
//! Rules hold from their first day until the next ones do. Those that wait for their day are ordered at once, beside
//! those that hold: each gateway keeps them, and lets them hold at its own midnight, with the line down, too.
//!
//! **Invariant:** a version number is given here, once; it grows.

use std::collections::BTreeMap;

use protocols::unit::Points;
use protocols::uplink::{CatalogueOrder, CatalogueService, PolicyOrder, SaleItem};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::SqliteConnection;

use crate::ledger::book;
use crate::limits;
use crate::news::{Event, News};
use crate::orders::{self, What};
use crate::store::{StoreError, Tx, insert_rows};
use crate::versions;

/// Rules as a person writes them; the version is given here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The first day on which they hold, `YYYY-MM-DD`.
    pub from: String,
    /// The most one sale may cost, fen.
    pub sale_max: Points,
}

/// Puts a catalogue in force and orders it from every gateway. Gives back its version.
///
/// # Errors
/// The database cannot do it.
pub async fn publish(tx: &mut Tx, services: Vec<CatalogueService>, by: &str) -> Result<u32, StoreError> {
    let version = next_version(tx, "SELECT COALESCE(MAX(version), 0) FROM catalogues", "catalogues").await?;
    let order = CatalogueOrder { version, services };
    let body = serde_json::to_string(&order).expect("a catalogue has only texts and numbers, which always are JSON");
    sqlx::query("INSERT INTO catalogues (version, body, actor, at_ms) VALUES ($1, $2, $3, $4)")
        .bind(i64::from(version))
        .bind(body)
        .bind(by)
        .bind(tx.now.ms)
        .execute(&mut tx.conn)
        .await?;
    insert_rows(
        &mut tx.conn,
        "INSERT INTO catalogue_lines (version, service, provider, price)",
        "ON CONFLICT (version, service) DO NOTHING",
        &order.services,
        |row, service| {
            row.push_bind(i64::from(version))
                .push_bind(service.id.as_str().to_owned())
                .push_bind(service.provider.as_str().to_owned())
                .push_bind(book::fen(service.price));
        },
    )
    .await?;
    orders::add_for_all(tx, &What::Catalogue(&order)).await?;
    tx.news.push(News::Event(Event { name: "catalogue.changed", data: json!({"version": version}) }));
    Ok(version)
}

/// What became of rules that a person wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyAnswer {
    /// They hold from their day on, as this version.
    Published(u32),
    /// Rules from a later day hold already: these never would.
    Over,
    /// As many wait for their day as a gateway keeps.
    TooMany,
}

/// Rules that hold, and those that wait for their day.
#[derive(Debug, Default)]
pub struct Policies {
    /// What holds today, where anything does.
    pub holds: Option<PolicyOrder>,
    /// What waits, the next first.
    pub waiting: Vec<PolicyOrder>,
}

/// Puts rules in force from their day on.
///
/// # Errors
/// The database cannot do it.
pub async fn publish_policy(tx: &mut Tx, policy: &Policy, by: &str) -> Result<PolicyAnswer, StoreError> {
    let known = policies(&mut tx.conn, &tx.now.day).await?;
    if known.holds.is_some_and(|holds| policy.from < holds.from) {
        return Ok(PolicyAnswer::Over);
    }
    let waits = policy.from > tx.now.day && known.waiting.iter().all(|known| known.from != policy.from);
    if waits && known.waiting.len() >= limits::POLICIES_WAITING_MAX {
        return Ok(PolicyAnswer::TooMany);
    }
    let version = next_version(tx, "SELECT COALESCE(MAX(version), 0) FROM policies", "policies").await?;
    let order = PolicyOrder { version, from: policy.from.clone(), sale_max: policy.sale_max };
    let body = serde_json::to_string(&order).expect("a policy has only texts and numbers, which always are JSON");
    sqlx::query("INSERT INTO policies (version, body, actor, at_ms) VALUES ($1, $2, $3, $4)")
        .bind(i64::from(version))
        .bind(body)
        .bind(by)
        .bind(tx.now.ms)
        .execute(&mut tx.conn)
        .await?;
    orders::add_for_all(tx, &What::Policy(&order)).await?;
    if let Some(holds) = policies(&mut tx.conn, &tx.now.day).await?.holds {
        orders::drop_policies_before(tx, &holds.from).await?;
    }
    Ok(PolicyAnswer::Published(version))
}

/// The rules that hold on a day `YYYY-MM-DD`, and those that wait: of one first day the highest version.
///
/// # Errors
/// The database cannot answer.
pub async fn policies(conn: &mut SqliteConnection, today: &str) -> Result<Policies, StoreError> {
    let bodies: Vec<String> = sqlx::query_scalar("SELECT body FROM policies ORDER BY version").fetch_all(conn).await?;
    let mut by_day = BTreeMap::new();
    for body in bodies {
        let order: PolicyOrder = serde_json::from_str(&body).map_err(|_| StoreError::Row { table: "policies" })?;
        by_day.insert(order.from.clone(), order);
    }
    let waiting = by_day.split_off(today);
    let mut known = Policies { holds: by_day.pop_last().map(|(_, order)| order), waiting: Vec::new() };
    for (day, order) in waiting {
        if day == today {
            known.holds = Some(order);
        } else {
            known.waiting.push(order);
        }
    }
    Ok(known)
}

/// What the catalogue says to the lines of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceAnswer {
    /// One version has every line.
    Right,
    /// Every service is known, but no version has all lines with this provider and price.
    Differs,
    /// The version in force does not have a service.
    NoService,
}

/// Whether lines are as one catalogue has them that is in force, or was a short while ago.
///
/// # Errors
/// The database cannot answer.
pub async fn price(tx: &mut Tx, items: &[SaleItem]) -> Result<PriceAnswer, StoreError> {
    let grace_ms = i64::try_from(limits::CATALOGUE_GRACE.as_millis()).unwrap_or(i64::MAX);
    let versions: Vec<i64> = sqlx::query_scalar(
        "SELECT version FROM catalogues
         WHERE version >= (SELECT COALESCE(MAX(version), 0) FROM catalogues WHERE at_ms <= $1)
         ORDER BY version DESC LIMIT $2",
    )
    .bind(tx.now.ms.saturating_sub(grace_ms))
    .bind(limits::CATALOGUES_ASKED)
    .fetch_all(&mut tx.conn)
    .await?;
    let mut answer = PriceAnswer::NoService;
    for (at, version) in versions.into_iter().enumerate() {
        match in_version(tx, version, items).await? {
            PriceAnswer::Right => return Ok(PriceAnswer::Right),
            other @ (PriceAnswer::Differs | PriceAnswer::NoService) => {
                if at == 0 {
                    answer = other;
                }
            }
        }
    }
    Ok(answer)
}

/// Whether the lines of a sale that was made without asking the centre are as the catalogue has them that set its
/// prices, however long ago it was replaced; one that is not known here is answered by those in force.
///
/// # Errors
/// The database cannot answer.
pub async fn price_then(tx: &mut Tx, version: i64, items: &[SaleItem]) -> Result<PriceAnswer, StoreError> {
    let known: Option<i64> = sqlx::query_scalar("SELECT version FROM catalogues WHERE version = $1")
        .bind(version)
        .fetch_optional(&mut tx.conn)
        .await?;
    match known {
        Some(version) => in_version(tx, version, items).await,
        None => price(tx, items).await,
    }
}

async fn in_version(tx: &mut Tx, version: i64, items: &[SaleItem]) -> Result<PriceAnswer, StoreError> {
    let mut answer = PriceAnswer::Right;
    for item in items {
        let line: Option<(String, i64)> =
            sqlx::query_as("SELECT provider, price FROM catalogue_lines WHERE version = $1 AND service = $2")
                .bind(version)
                .bind(item.service.as_str())
                .fetch_optional(&mut tx.conn)
                .await?;
        match line {
            None => return Ok(PriceAnswer::NoService),
            Some((provider, price))
                if provider == item.provider.as_str() && u64::try_from(price) == Ok(item.unit_price.fen()) => {}
            Some(_) => answer = PriceAnswer::Differs,
        }
    }
    Ok(answer)
}

async fn next_version(tx: &mut Tx, query: &'static str, table: &'static str) -> Result<u32, StoreError> {
    let last: i64 = sqlx::query_scalar(query).fetch_one(&mut tx.conn).await?;
    versions::after(last, &tx.now).ok_or(StoreError::Row { table })
}

/// Orders what is in force, or waits to be, from one gateway.
///
/// # Errors
/// The database cannot do it.
pub async fn tell(tx: &mut Tx, gateway: &str) -> Result<(), StoreError> {
    let newest: Option<String> = sqlx::query_scalar("SELECT body FROM catalogues ORDER BY version DESC LIMIT 1")
        .fetch_optional(&mut tx.conn)
        .await?;
    if let Some(body) = newest {
        let order: CatalogueOrder = serde_json::from_str(&body).map_err(|_| StoreError::Row { table: "catalogues" })?;
        orders::add(tx, gateway, &What::Catalogue(&order)).await?;
    }
    let policies = policies(&mut tx.conn, &tx.now.day).await?;
    for order in policies.holds.iter().chain(&policies.waiting) {
        orders::add(tx, gateway, &What::Policy(order)).await?;
    }
    Ok(())
}
