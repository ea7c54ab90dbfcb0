//! Keeping entries: each fact once by its origin and kind, private records apart, and what was not taken.
//!
//! **Invariant:** the same key with the same `body` and `about` is a duplicate; with another one it is a conflict, kept
//! for people. What a device reported is its `body` alone: which alarm it is about is what a gateway made of it, and another
//! one, that did not hear all of the device's reports, may make something else of it.

use std::collections::BTreeMap;

use protocols::id::GatewayId;
use protocols::uplink::{Entry, Source};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;

use super::chain::{Said, word};
use super::shape::{Fact, Item, Readable};
use crate::store::{StoreError, Tx, in_list, insert_rows};

/// What became of an entry that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is new.
    New,
    /// It was here.
    Duplicate,
    /// Its key was here with another body.
    Conflict,
}

/// Keeps entries. One result for each.
///
/// # Errors
/// The database cannot do it.
pub async fn entries(
    tx: &mut Tx,
    gateway: &GatewayId,
    journal: i64,
    items: &[(&Item, &Readable)],
) -> Result<Vec<Recorded>, StoreError> {
    let now_ms = tx.now.ms;
    let inserted = insert_rows(
        &mut tx.conn,
        "INSERT INTO entries (origin, kind, about, gateway, journal, n, received_ms, bytes)",
        "ON CONFLICT (origin, kind) DO NOTHING RETURNING id, origin, kind",
        items,
        |row, (item, entry)| {
            row.push_bind(entry.origin_key.clone())
                .push_bind(entry.kind.clone())
                .push_bind(entry.about_key())
                .push_bind(gateway.as_str().to_owned())
                .push_bind(journal)
                .push_bind(item.n.and_then(|n| i64::try_from(n).ok()))
                .push_bind(now_ms)
                .push_bind(item.bytes.clone());
        },
    )
    .await?;
    let mut fresh: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in inserted {
        fresh.insert((row.try_get(1)?, row.try_get(2)?), row.try_get(0)?);
    }
    if fresh.len() == items.len() {
        private_records(tx, items, &fresh).await?;
        return Ok(vec![Recorded::New; items.len()]);
    }
    private_records(tx, items, &fresh).await?;
    settle_known(tx, items, fresh).await
}

/// Tells duplicates from conflicts, for the entries that were not inserted.
async fn settle_known(
    tx: &mut Tx,
    items: &[(&Item, &Readable)],
    mut fresh: BTreeMap<(String, String), i64>,
) -> Result<Vec<Recorded>, StoreError> {
    let mut results = Vec::with_capacity(items.len());
    let mut unsettled: Vec<usize> = Vec::new();
    for (at, (_, entry)) in items.iter().enumerate() {
        // The first of a key in an upload is the one that was inserted.
        let is_new = fresh.remove(&(entry.origin_key.clone(), entry.kind.clone())).is_some();
        results.push(if is_new { Recorded::New } else { Recorded::Conflict });
        if !is_new {
            unsettled.push(at);
        }
    }
    let origins: Vec<String> =
        unsettled.iter().filter_map(|at| items.get(*at)).map(|(_, entry)| entry.origin_key.clone()).collect();
    let rows = in_list(
        &mut tx.conn,
        "SELECT origin, kind, bytes FROM entries WHERE origin IN",
        "",
        &origins,
        |list, origin| {
            list.push_bind(origin.clone());
        },
    )
    .await?;
    let mut kept: BTreeMap<(String, String), String> = BTreeMap::new();
    for row in rows {
        kept.insert((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?);
    }
    for at in unsettled {
        let (Some((_, entry)), Some(result)) = (items.get(at), results.get_mut(at)) else { continue };
        let known = kept.get(&(entry.origin_key.clone(), entry.kind.clone()));
        if known.is_some_and(|bytes| says_the_same(bytes, entry)) {
            *result = Recorded::Duplicate;
        }
    }
    Ok(results)
}

/// Whether kept bytes have the body and the subject of an entry. Two gateways may record one report at different times, and as
/// one about different alarms.
fn says_the_same(kept: &str, entry: &Readable) -> bool {
    let Ok(kept) = serde_json::from_str::<Entry>(kept) else { return false };
    let is_report = matches!(entry.origin.source, Source::Device(_))
        && matches!(entry.fact, Fact::Repeated(_) | Fact::Cancelled(_));
    (is_report || kept.about == entry.about) && same_json(kept.body.get(), &entry.body)
}

/// Whether two texts are the same JSON value.
#[must_use]
pub fn same_json(a: &str, b: &str) -> bool {
    a == b || matches!((serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b)), (Ok(a), Ok(b)) if a == b)
}

async fn private_records(
    tx: &mut Tx,
    items: &[(&Item, &Readable)],
    fresh: &BTreeMap<(String, String), i64>,
) -> Result<(), StoreError> {
    let mut rows: BTreeMap<i64, (String, String)> = BTreeMap::new();
    for (item, entry) in items {
        let Some(private) = &item.private else { continue };
        if let Some(id) = fresh.get(&(entry.origin_key.clone(), entry.kind.clone())) {
            rows.entry(*id).or_insert_with(|| (private.salt.clone(), private.bytes.clone()));
        }
    }
    let rows: Vec<_> = rows.into_iter().collect();
    insert_rows(
        &mut tx.conn,
        "INSERT INTO private_records (entry, salt, bytes)",
        "",
        &rows,
        |row, (entry, (salt, bytes))| {
            row.push_bind(*entry).push_bind(salt.clone()).push_bind(bytes.clone());
        },
    )
    .await?;
    Ok(())
}

/// Keeps what was not taken, once. True for each that was not kept before.
///
/// # Errors
/// The database cannot do it.
pub async fn quarantine(
    tx: &mut Tx,
    gateway: &GatewayId,
    journal: &str,
    items: &[(&Item, &Said)],
) -> Result<Vec<bool>, StoreError> {
    let mut fresh = Vec::with_capacity(items.len());
    for (item, (outcome, reason)) in items {
        let entry = item.entry.as_ref().ok();
        let done = sqlx::query(
            "INSERT INTO quarantine (gateway, journal, n, outcome, reason, origin, kind, digest, bytes, received_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (gateway, journal, digest) DO NOTHING",
        )
        .bind(gateway.as_str())
        .bind(journal)
        .bind(item.n.and_then(|n| i64::try_from(n).ok()))
        .bind(word(*outcome))
        .bind(reason.as_deref().unwrap_or(""))
        .bind(entry.map(|entry| entry.origin_key.as_str()))
        .bind(entry.map(|entry| entry.kind.as_str()))
        .bind(Sha256::digest(item.bytes.as_bytes()).to_vec())
        .bind(&item.bytes)
        .bind(tx.now.ms)
        .execute(&mut tx.conn)
        .await?;
        fresh.push(done.rows_affected() == 1);
    }
    Ok(fresh)
}
