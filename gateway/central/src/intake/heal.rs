//! A chain that forked, after a person approved it: the branch that came first is put aside, and the chain goes on with
//! the other one.
//!
//! A gateway whose disk was restored from a copy gives numbers again that the centre knows with other hashes. Its old
//! branch stays, under a name that no journal has; what it sent on the new branch was kept, is linked now, and takes
//! effect ([`super::late`]).
//!
//! **Invariant:** nothing of either branch is deleted.

use std::sync::Arc;

use protocols::id::GatewayId;
use sqlx::{Row as _, SqliteConnection};

use super::chain::{Journal, advance, signed};
use super::late;
use super::shape::{FIRST_HASH, Hash, link};
use crate::issuer::Issuer;
use crate::limits;
use crate::store::{StoreError, Tx};

/// Goes on with the branch that the gateway is on.
///
/// # Errors
/// The database cannot do it.
pub async fn go_on(
    tx: &mut Tx,
    issuer: &Arc<Issuer>,
    gateway: &GatewayId,
    journal: i64,
    forked_n: u64,
) -> Result<(), StoreError> {
    let waiting = late::waiting(&mut tx.conn, journal).await?;
    if !is_overcome(&mut tx.conn, journal).await? {
        put_aside(tx, journal, forked_n).await?;
        sqlx::query(
            "INSERT INTO chain (journal, n, hash, linked, outcome, reason, bytes)
             SELECT journal, n, hash, 0, outcome, reason, bytes FROM forks WHERE journal = $1 AND passed = 0
             ON CONFLICT (journal, n) DO NOTHING",
        )
        .bind(journal)
        .execute(&mut tx.conn)
        .await?;
        relink(&mut tx.conn, journal, forked_n).await?;
    }
    late::take(tx, issuer, gateway, journal, waiting).await?;
    late::pass_by(&mut tx.conn, journal).await?;
    let head_n = forked_n.saturating_sub(1);
    let head_hash = hash_of(&mut tx.conn, journal, head_n).await?;
    let mut healed = match head_hash {
        Some(head_hash) => Journal { id: journal, head_n, head_hash, forked_n: None, newly_forked: false },
        None => Journal { id: journal, head_n: 0, head_hash: FIRST_HASH, forked_n: None, newly_forked: false },
    };
    advance(&mut tx.conn, &mut healed, &std::collections::BTreeMap::new()).await?;
    sqlx::query(
        "UPDATE journals SET head_n = $2, head_hash = $3, forked_n = NULL,
         entries = (SELECT COUNT(*) FROM chain WHERE chain.journal = journals.id) WHERE id = $1",
    )
    .bind(journal)
    .bind(signed(healed.head_n))
    .bind(healed.head_hash.as_slice())
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Whether everything that did not fit came again as it should, so that there is only one branch.
async fn is_overcome(conn: &mut SqliteConnection, journal: i64) -> Result<bool, StoreError> {
    let open: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM forks f WHERE f.journal = $1 AND f.passed = 0 AND NOT EXISTS (SELECT 1 FROM chain c
         WHERE c.journal = f.journal AND c.n = f.n AND c.hash = f.hash AND c.linked = 1)",
    )
    .bind(journal)
    .fetch_one(&mut *conn)
    .await?;
    let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM forks WHERE journal = $1 AND passed = 0")
        .bind(journal)
        .fetch_one(conn)
        .await?;
    Ok(open == 0 && kept > 0)
}

/// Moves the run of linked entries from the fork on to a journal of another name.
async fn put_aside(tx: &mut Tx, journal: i64, forked_n: u64) -> Result<(), StoreError> {
    let end = end_of_run(&mut tx.conn, journal, forked_n).await?;
    let aside: i64 = sqlx::query_scalar(
        "INSERT INTO journals (gateway, journal, approved, first_seen_ms, head_n, head_hash, entries)
         SELECT gateway, journal || $2 || id || $2 || $3, 0, $4, 0, $5, 0 FROM journals WHERE id = $1 RETURNING id",
    )
    .bind(journal)
    // No journal has this character in its name.
    .bind("~")
    .bind(tx.now.ms)
    .bind(tx.now.ms)
    .bind(FIRST_HASH.as_slice())
    .fetch_one(&mut tx.conn)
    .await?;
    sqlx::query("UPDATE chain SET journal = $2 WHERE journal = $1 AND n >= $3 AND n < $4")
        .bind(journal)
        .bind(aside)
        .bind(signed(forked_n))
        .bind(signed(end))
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// The first number from `start` on that is not there or not linked.
async fn end_of_run(conn: &mut SqliteConnection, journal: i64, start: u64) -> Result<u64, StoreError> {
    let mut end = start;
    loop {
        let rows = sqlx::query("SELECT n, linked FROM chain WHERE journal = $1 AND n >= $2 ORDER BY n LIMIT $3")
            .bind(journal)
            .bind(signed(end))
            .bind(i64::try_from(limits::CHAIN_STEP).unwrap_or(i64::MAX))
            .fetch_all(&mut *conn)
            .await?;
        let before = end;
        for row in rows {
            if row.try_get::<i64, _>(0)? != signed(end) || row.try_get::<i64, _>(1)? != 1 {
                return Ok(end);
            }
            end = end.saturating_add(1);
        }
        if end == before {
            return Ok(end);
        }
    }
}

/// Links what stands without a link from the fork on, where the entry before it is there.
async fn relink(conn: &mut SqliteConnection, journal: i64, start: u64) -> Result<(), StoreError> {
    let mut from = start;
    loop {
        let rows = sqlx::query(
            "SELECT n, hash, bytes FROM chain WHERE journal = $1 AND n >= $2 AND linked = 0 ORDER BY n LIMIT $3",
        )
        .bind(journal)
        .bind(signed(from))
        .bind(i64::try_from(limits::CHAIN_STEP).unwrap_or(i64::MAX))
        .fetch_all(&mut *conn)
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            let n = row.try_get::<i64, _>(0)?.unsigned_abs();
            from = n.saturating_add(1);
            let previous = hash_of(conn, journal, n.saturating_sub(1)).await?;
            let hash: Vec<u8> = row.try_get(1)?;
            let bytes: Option<String> = row.try_get(2)?;
            if previous.zip(bytes).is_some_and(|(previous, bytes)| link(&previous, &bytes).as_slice() == hash) {
                sqlx::query("UPDATE chain SET linked = 1, bytes = NULL WHERE journal = $1 AND n = $2")
                    .bind(journal)
                    .bind(signed(n))
                    .execute(&mut *conn)
                    .await?;
            }
        }
    }
}

/// The hash of a number; of number 0 that before the first entry.
async fn hash_of(conn: &mut SqliteConnection, journal: i64, n: u64) -> Result<Option<Hash>, StoreError> {
    if n == 0 {
        return Ok(Some(FIRST_HASH));
    }
    let hash: Option<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM chain WHERE journal = $1 AND n = $2")
        .bind(journal)
        .bind(signed(n))
        .fetch_optional(conn)
        .await?;
    hash.map(|hash| hash.try_into().map_err(|_| StoreError::Row { table: "chain" })).transpose()
}
