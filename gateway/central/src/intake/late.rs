//! Entries that were refused only for their place in a forked chain, taken once a person approved the gateway's journal.
//!
//! A gateway puts what was refused aside and does not send it again. What such an entry tells has happened all the same:
//! a purse that was debited stays debited. So the bytes wait here, with their private records, and take effect with the
//! approval; sent again, they are duplicates. One whose predecessor comes only after the approval forks the chain anew
//! with it, and is taken with the next approval.
//!
//! **Invariant:** an entry is taken late only where its hash follows from an entry that is here, or where the one before
//! it is not here; what was changed on the way stays refused.
//! **Invariant:** late or not, a fact counts once by its origin.

use std::sync::Arc;

use protocols::id::GatewayId;
use protocols::uplink::{EntryUpload, Outcome, PrivateRecord};
use sha2::{Digest as _, Sha256};
use sqlx::{Row as _, SqliteConnection};

use super::chain::{Said, signed, word};
use super::record::Recorded;
use super::shape::{self, FIRST_HASH, Hash, Item, Readable, Refusal, link};
use super::{OTHER_BODY, apply, record, standing};
use crate::issuer::Issuer;
use crate::limits;
use crate::store::{StoreError, Tx};
use crate::telling;

/// Entries that wait, in the order of their numbers.
#[derive(Debug)]
pub struct Waiting(Vec<EntryUpload>);

/// The entries of a forked journal that were refused for their place alone. To be asked before the branches are moved.
///
/// # Errors
/// The database cannot answer.
pub async fn waiting(conn: &mut SqliteConnection, journal: i64) -> Result<Waiting, StoreError> {
    let rows = sqlx::query(
        "SELECT n, hash, bytes, salt, private FROM forks
         WHERE journal = $1 AND outcome = $2 AND reason IN ($3, $4) ORDER BY n, hash",
    )
    .bind(journal)
    .bind(word(Outcome::Refused))
    .bind(Refusal::NumberUsed.word())
    .bind(Refusal::Chain.word())
    .fetch_all(&mut *conn)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let (n, hash): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        let entry: String = row.try_get(2)?;
        let before = hashes_of(conn, journal, n.saturating_sub(1)).await?;
        let follows = before.is_empty() || before.iter().any(|before| link(before, &entry).as_slice() == hash);
        if follows {
            let private = row.try_get::<Option<String>, _>(3)?.zip(row.try_get::<Option<String>, _>(4)?);
            found.push(EntryUpload {
                n: Some(n.unsigned_abs()),
                entry,
                hash: hex::encode(hash),
                private: private.map(|(salt, bytes)| PrivateRecord { salt, bytes }),
            });
        }
    }
    Ok(Waiting(found))
}

/// Every hash that a number has, on whatever branch.
async fn hashes_of(conn: &mut SqliteConnection, journal: i64, n: i64) -> Result<Vec<Hash>, StoreError> {
    if n == 0 {
        return Ok(vec![FIRST_HASH]);
    }
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT hash FROM chain WHERE journal = $1 AND n = $2 UNION SELECT hash FROM forks WHERE journal = $1 AND n = $2",
    )
    .bind(journal)
    .bind(n)
    .fetch_all(conn)
    .await?;
    found.into_iter().map(|hash| hash.try_into().map_err(|_| StoreError::Row { table: "forks" })).collect()
}

/// Takes what waited. To be done after the chain goes on with the branch that was approved.
///
/// # Errors
/// The database cannot do it.
pub async fn take(
    tx: &mut Tx,
    issuer: &Arc<Issuer>,
    gateway: &GatewayId,
    journal: i64,
    waiting: Waiting,
) -> Result<(), StoreError> {
    let mut items = shape::read_all(gateway, waiting.0);
    for part in items.chunks_mut(limits::ENTRIES_PER_UPLOAD_MAX) {
        standing::check(tx, gateway, part).await?;
        let readable: Vec<(&Item, &Readable)> =
            part.iter().filter_map(|item| item.entry.as_ref().ok().map(|entry| (item, entry))).collect();
        let recorded = record::entries(tx, gateway, journal, &readable).await?;
        let those = |which: Recorded| -> Vec<&Readable> {
            let all = readable.iter().zip(&recorded);
            all.filter(|(_, recorded)| **recorded == which).map(|((_, entry), _)| *entry).collect()
        };
        apply(tx, issuer, gateway, &those(Recorded::New)).await?;
        telling::told_again(tx, gateway, &those(Recorded::Duplicate)).await?;
        let said = readable.iter().zip(&recorded).map(|((item, _), recorded)| (*item, word_of(*recorded)));
        let unread = part.iter().filter_map(|item| {
            let refusal = item.entry.as_ref().err()?;
            Some((item, (Outcome::Refused, Some(refusal.word().to_owned()))))
        });
        for (item, said) in said.chain(unread).collect::<Vec<_>>() {
            say(tx, gateway, journal, item, &said).await?;
        }
    }
    Ok(())
}

/// Lets go of what is settled; what was not taken, because the entry before it was not here, waits on.
///
/// # Errors
/// The database cannot do it.
pub async fn pass_by(conn: &mut SqliteConnection, journal: i64) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM forks WHERE journal = $1 AND (outcome <> $2 OR reason NOT IN ($3, $4) OR EXISTS
         (SELECT 1 FROM chain c WHERE c.journal = forks.journal AND c.n = forks.n AND c.hash = forks.hash AND c.linked = 1))",
    )
    .bind(journal)
    .bind(word(Outcome::Refused))
    .bind(Refusal::NumberUsed.word())
    .bind(Refusal::Chain.word())
    .execute(&mut *conn)
    .await?;
    sqlx::query("UPDATE forks SET passed = 1 WHERE journal = $1").bind(journal).execute(conn).await?;
    Ok(())
}

fn word_of(recorded: Recorded) -> Said {
    match recorded {
        Recorded::New => (Outcome::Accepted, None),
        Recorded::Duplicate => (Outcome::Duplicate, None),
        Recorded::Conflict => (Outcome::Conflict, Some(OTHER_BODY.to_owned())),
    }
}

/// Notes what is said of an entry from now on; what was taken no longer lies with what people have to look at.
async fn say(
    tx: &mut Tx,
    gateway: &GatewayId,
    journal: i64,
    item: &Item,
    (outcome, reason): &Said,
) -> Result<(), StoreError> {
    let Some((n, hash)) = item.n.zip(item.hash) else { return Ok(()) };
    sqlx::query("UPDATE chain SET outcome = $4, reason = $5 WHERE journal = $1 AND n = $2 AND hash = $3")
        .bind(journal)
        .bind(signed(n))
        .bind(hash.as_slice())
        .bind(word(*outcome))
        .bind(reason.as_deref())
        .execute(&mut tx.conn)
        .await?;
    sqlx::query("DELETE FROM forks WHERE journal = $1 AND n = $2 AND hash = $3")
        .bind(journal)
        .bind(signed(n))
        .bind(hash.as_slice())
        .execute(&mut tx.conn)
        .await?;
    let digest = Sha256::digest(item.bytes.as_bytes()).to_vec();
    let kept = if outcome.is_delivered() {
        sqlx::query(
            "DELETE FROM quarantine WHERE digest = $1 AND gateway = $2
             AND journal = (SELECT journal FROM journals WHERE id = $3)",
        )
        .bind(digest)
        .bind(gateway.as_str())
        .bind(journal)
    } else {
        sqlx::query(
            "UPDATE quarantine SET outcome = $4, reason = $5 WHERE digest = $1 AND gateway = $2
             AND journal = (SELECT journal FROM journals WHERE id = $3)",
        )
        .bind(digest)
        .bind(gateway.as_str())
        .bind(journal)
        .bind(word(*outcome))
        .bind(reason.as_deref().unwrap_or(""))
    };
    kept.execute(&mut tx.conn).await?;
    Ok(())
}
