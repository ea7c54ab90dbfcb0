//! Walks along the chain, many entries at a time.
//!
//! SQLite packs some thousand entries into one value, which crosses from its thread to ours as a whole; packs are checked on
//! other threads while the next ones are read. Each pack is checked behind the stored hash before it, which the pack before
//! has vouched for.
//!
//! **Invariant:** no read lasts longer than one pack, so no walk keeps the write-ahead log from being begun anew.

use std::collections::{BTreeMap, VecDeque};

use futures_util::TryStreamExt;
use protocols::uplink::PrivateRecord;
use sqlx::{Row as _, SqliteConnection};
use tokio::task::JoinHandle;

use super::chain::{Fault, Hash, Tip};
use super::entry_check::{Private, check_entry};
use super::failure::{FailureClass, StoreFailure};
use super::limits::{PACK_ROWS, PACKS_AHEAD};
use super::pack::{CHAIN_ONLY, PackedRow, WHOLE_ROWS, rows};
use super::reader::DamagedRow;

/// How much of each row is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Its place in the chain.
    Chain,
    /// Its place in the chain, its columns, its private record.
    Entry,
}

/// What a walk found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Walked {
    /// The last good entry.
    pub tip: Tip,
    /// The first bad one; the walk ended there.
    pub bad: Option<DamagedRow>,
    /// Private records that are there and unchanged.
    pub private_kept: u64,
    /// Private records that were erased.
    pub private_erased: u64,
}

/// Walks from entry `first` to entry `last`.
///
/// # Errors
/// The database failed.
pub async fn walk(
    connection: &mut SqliteConnection,
    first: u64,
    last: u64,
    check: Check,
) -> Result<Walked, StoreFailure> {
    let mut walked = Walked { tip: Tip { n: first.saturating_sub(1), ..Tip::default() }, ..Walked::default() };
    let mut under_way: VecDeque<JoinHandle<Walked>> = VecDeque::new();
    let mut next = first;
    while walked.bad.is_none() && (next <= last || !under_way.is_empty()) {
        if next <= last && under_way.len() < PACKS_AHEAD {
            let to = next.saturating_add(PACK_ROWS - 1).min(last);
            let pack = read(connection, next, to, check).await?;
            under_way.push_back(tokio::task::spawn_blocking(move || pack.check(check)));
            next = to.saturating_add(1);
        } else if let Some(pack) = under_way.pop_front() {
            let found = pack.await.map_err(|_| StoreFailure::of_program(FailureClass::Driver))?;
            walked = Walked {
                tip: found.tip,
                bad: found.bad,
                private_kept: walked.private_kept.saturating_add(found.private_kept),
                private_erased: walked.private_erased.saturating_add(found.private_erased),
            };
        }
    }
    if let Some(DamagedRow { n, fault: Fault::Gap { first } }) = &mut walked.bad {
        *n = entry_behind(connection, *first).await?.unwrap_or(*first);
    }
    Ok(walked)
}

/// Entries `first` to `to` as they were read.
struct Pack {
    first: u64,
    to: u64,
    before: Result<Hash, Fault>,
    bytes: Vec<u8>,
    private: BTreeMap<u64, PrivateRecord>,
}

async fn read(connection: &mut SqliteConnection, first: u64, to: u64, check: Check) -> Result<Pack, StoreFailure> {
    let mut private = BTreeMap::new();
    if check == Check::Entry {
        let mut records = sqlx::query("SELECT n, salt, bytes FROM private WHERE n BETWEEN ? AND ?")
            .bind(first.cast_signed())
            .bind(to.cast_signed())
            .fetch(&mut *connection);
        while let Some(row) = records.try_next().await? {
            let text = |column| row.try_get::<&[u8], _>(column).map(|b| String::from_utf8_lossy(b).into_owned());
            private
                .insert(row.try_get::<i64, _>(0)?.cast_unsigned(), PrivateRecord { salt: text(1)?, bytes: text(2)? });
        }
    }
    let sql = match check {
        Check::Chain => CHAIN_ONLY,
        Check::Entry => WHOLE_ROWS,
    };
    let row = sqlx::query(sql).bind(first.cast_signed()).bind(to.cast_signed()).fetch_one(&mut *connection).await?;
    let before = match row.try_get::<Option<&[u8]>, _>(0)? {
        Some(hash) => hash.try_into().map_err(|_| Fault::HashLength),
        None if first == 1 => Ok(Hash::default()),
        None => Err(Fault::Gap { first: first.saturating_sub(1) }),
    };
    let bytes = row.try_get::<Option<&[u8]>, _>(1)?.unwrap_or_default().to_vec();
    Ok(Pack { first, to, before, bytes, private })
}

impl Pack {
    fn check(&self, check: Check) -> Walked {
        let mut walked = Walked { tip: Tip { n: self.first.saturating_sub(1), ..Tip::default() }, ..Walked::default() };
        match self.before {
            Ok(hash) => walked.tip.hash = hash,
            Err(fault) => walked.bad = Some(DamagedRow { n: self.first, fault }),
        }
        let mut rows = rows(&self.bytes);
        while walked.bad.is_none() && walked.tip.n < self.to {
            let next = walked.tip.n.saturating_add(1);
            let Some(row) = rows.next() else {
                walked.bad = Some(DamagedRow { n: next, fault: Fault::Gap { first: next } });
                break;
            };
            match self.check_row(&row, &mut walked.tip, check) {
                Ok(Private::None) => {}
                Ok(Private::Kept) => walked.private_kept = walked.private_kept.saturating_add(1),
                Ok(Private::Erased) => walked.private_erased = walked.private_erased.saturating_add(1),
                Err(fault) => walked.bad = Some(DamagedRow { n: row.n, fault }),
            }
        }
        walked
    }

    fn check_row(&self, row: &PackedRow<'_>, tip: &mut Tip, check: Check) -> Result<Private, Fault> {
        let mut next = *tip;
        next.advance(row.n, row.hash, row.bytes)?;
        let private = match check {
            Check::Chain => Private::None,
            Check::Entry => check_entry(row, self.private.get(&row.n))?,
        };
        *tip = next;
        Ok(private)
    }
}

/// The first entry behind a gap.
async fn entry_behind(connection: &mut SqliteConnection, gap: u64) -> Result<Option<u64>, StoreFailure> {
    let n: Option<i64> = sqlx::query_scalar("SELECT min(n) FROM entry WHERE n > ?")
        .bind(gap.cast_signed())
        .fetch_one(connection)
        .await?;
    Ok(n.map(i64::cast_unsigned))
}
