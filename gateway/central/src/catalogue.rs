//! What can be ordered and by which rules; each version is kept, and the newest is ordered from every gateway.
//!
//! **Invariant:** a version number is given here, once; it grows.

use protocols::unit::Points;
use protocols::uplink::{CatalogueOrder, CatalogueService, PolicyOrder};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::news::{Event, News};
use crate::orders::{self, What};
use crate::store::{StoreError, Tx};
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
    orders::add_for_all(tx, &What::Catalogue(&order)).await?;
    tx.news.push(News::Event(Event { name: "catalogue.changed", data: json!({"version": version}) }));
    Ok(version)
}

/// Puts rules in force from their day on. Gives back their version.
///
/// # Errors
/// The database cannot do it.
pub async fn publish_policy(tx: &mut Tx, policy: &Policy, by: &str) -> Result<u32, StoreError> {
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
    Ok(version)
}

async fn next_version(tx: &mut Tx, query: &'static str, table: &'static str) -> Result<u32, StoreError> {
    let last: i64 = sqlx::query_scalar(query).fetch_one(&mut tx.conn).await?;
    versions::after(last, &tx.now).ok_or(StoreError::Row { table })
}

/// Orders what is in force from one gateway.
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
    let policies: Vec<String> =
        sqlx::query_scalar("SELECT body FROM policies ORDER BY version").fetch_all(&mut tx.conn).await?;
    for body in policies {
        let order: PolicyOrder = serde_json::from_str(&body).map_err(|_| StoreError::Row { table: "policies" })?;
        orders::add(tx, gateway, &What::Policy(&order)).await?;
    }
    Ok(())
}
