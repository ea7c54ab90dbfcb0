//! Reads beside the writer.
//!
//! **Invariant:** an entry is given out only when its bytes give its hash (see [`chain`](super::chain)).

use std::time::Duration;

use futures_util::TryStreamExt;
use gateway_core::{ALARM_KINDS, OutLane};
use protocols::uplink::{EntryUpload, PrivateRecord};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqlitePool};

use super::chain::{Fault, Hash, link};
use super::commit::lane_number;
use super::failure::StoreFailure;
use super::limits::{READER_WAIT_MS, READERS_MAX};
use super::restore::{StateRecord, state_record};
use super::walk::{Check, walk};

/// A row that is not given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {n} is damaged: {fault}")]
pub struct DamagedRow {
    /// Its number.
    pub n: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What a lane has to send.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneBatch {
    /// The entries, ascending.
    pub entries: Vec<EntryUpload>,
    /// Rows in the same range that are damaged: never sent, to be put into quarantine.
    pub damaged: Vec<DamagedRow>,
}

/// What of a lane is wanted.
#[derive(Debug, Clone, Copy)]
pub struct LaneQuery<'a> {
    /// The lane.
    pub lane: OutLane,
    /// Everything up to here is done.
    pub after: u64,
    /// Done above it, ascending.
    pub except: &'a [u64],
    /// How many at most.
    pub max: usize,
    /// Bytes of entries and private records at most; one entry always goes.
    pub max_bytes: usize,
}

/// Reads the journal; cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: SqlitePool,
}

impl Reader {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(Duration::from_millis(READER_WAIT_MS))
            .connect_lazy_with(options);
        Self { pool }
    }

    /// The entries of a lane that are to be sent next, each checked against its hash.
    ///
    /// # Errors
    /// The database failed.
    pub async fn read_lane(&self, query: LaneQuery<'_>) -> Result<LaneBatch, StoreFailure> {
        let mut batch = LaneBatch::default();
        let mut bytes_left = query.max_bytes;
        let mut rows = sqlx::query(
            "SELECT e.n, e.hash, e.bytes, before.hash, p.salt, p.bytes FROM entry e \
             LEFT JOIN entry before ON before.n = e.n - 1 LEFT JOIN private p ON p.n = e.n \
             WHERE e.lane = ? AND e.n > ? ORDER BY e.n LIMIT ?",
        )
        .bind(lane_number(query.lane))
        .bind(query.after.cast_signed())
        .bind(i64::try_from(query.max.saturating_add(query.except.len())).unwrap_or(i64::MAX))
        .fetch(&self.pool);
        while batch.entries.len() < query.max
            && let Some(row) = rows.try_next().await?
        {
            let n = row.try_get::<i64, _>(0)?.cast_unsigned();
            if query.except.binary_search(&n).is_ok() {
                continue;
            }
            match upload(n, &row)? {
                Ok(entry) => {
                    let size = entry.entry.len().saturating_add(entry.private.as_ref().map_or(0, |p| p.bytes.len()));
                    if size > bytes_left && !batch.entries.is_empty() {
                        break;
                    }
                    bytes_left = bytes_left.saturating_sub(size);
                    batch.entries.push(entry);
                }
                Err(fault) => batch.damaged.push(DamagedRow { n, fault }),
            }
        }
        Ok(batch)
    }

    /// The entries about refused reports that were recorded last, the newest first; damaged ones are left out.
    ///
    /// # Errors
    /// The database failed.
    pub async fn refused_reports(&self, max: usize) -> Result<Vec<String>, StoreFailure> {
        // The kind stands in the statement, so that the partial index of schema 2 serves it.
        let rows = sqlx::query(
            "SELECT e.n, e.hash, e.bytes, before.hash, NULL, NULL FROM entry e \
             LEFT JOIN entry before ON before.n = e.n - 1 \
             WHERE e.kind = 'report.refused' ORDER BY e.n DESC LIMIT ?",
        )
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let n = row.try_get::<i64, _>(0)?.cast_unsigned();
            found.extend(upload(n, &row)?.map(|entry| entry.entry));
        }
        Ok(found)
    }

    /// Entries about alarms, ascending, from behind a number, `max` of them at most; damaged ones are left out. With the
    /// number behind which to go on; `None` after the last.
    ///
    /// # Errors
    /// The database failed.
    pub async fn alarm_entries(&self, after: u64, max: u64) -> Result<AlarmEntries, StoreFailure> {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT e.n, e.hash, e.bytes, before.hash, NULL, NULL FROM entry e \
             LEFT JOIN entry before ON before.n = e.n - 1 WHERE e.n > ",
        );
        query.push_bind(after.cast_signed()).push(" AND e.kind IN (");
        let mut kinds = query.separated(", ");
        for kind in ALARM_KINDS {
            kinds.push_bind(kind);
        }
        query.push(") ORDER BY e.n LIMIT ").push_bind(i64::try_from(max).unwrap_or(i64::MAX));
        let mut found = AlarmEntries::default();
        for row in query.build().fetch_all(&self.pool).await? {
            let n = row.try_get::<i64, _>(0)?.cast_unsigned();
            found.last = Some(n);
            found.entries.extend(upload(n, &row)?.ok().map(|entry| (n, entry.entry)));
        }
        Ok(found)
    }

    /// One row as it is stored: its hash and its bytes.
    ///
    /// # Errors
    /// The database failed.
    pub async fn row(&self, n: u64) -> Result<Option<(Vec<u8>, String)>, StoreFailure> {
        let row = sqlx::query_as("SELECT hash, bytes FROM entry WHERE n = ?").bind(n.cast_signed());
        Ok(row.fetch_optional(&self.pool).await?)
    }

    /// The numbers of the first and the last entry; 1 and 0 where there is none.
    ///
    /// # Errors
    /// The database failed.
    pub async fn bounds(&self) -> Result<(u64, u64), StoreFailure> {
        let row = sqlx::query_as::<_, (i64, i64)>(
            "SELECT coalesce((SELECT min(n) FROM entry), 1), coalesce((SELECT max(n) FROM entry), 0)",
        );
        let (first, last) = row.fetch_one(&self.pool).await?;
        Ok((first.cast_unsigned(), last.cast_unsigned()))
    }

    /// Checks entries `first` to `last` (which are there) once more: places in the chain, columns, private records. For a
    /// look at the whole journal from time to time, in parts; gives the first entry that is damaged.
    ///
    /// # Errors
    /// The database failed.
    pub async fn scrub(&self, first: u64, last: u64) -> Result<Option<DamagedRow>, StoreFailure> {
        let mut connection = self.pool.acquire().await?;
        Ok(walk(&mut connection, first, last, Check::Entry).await?.bad)
    }

    /// Checks the sums of the next state records behind a key, `max` of them at most, for the same look.
    ///
    /// # Errors
    /// The database failed.
    pub async fn scrub_state(&self, after: &str, max: u64) -> Result<ScrubbedState, StoreFailure> {
        let rows = sqlx::query("SELECT key, value, sum FROM state WHERE key > ? ORDER BY key LIMIT ?")
            .bind(after)
            .bind(i64::try_from(max).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        let mut scrubbed = ScrubbedState::default();
        for row in rows {
            let key = match state_record(&row)? {
                StateRecord::Good { key, .. } => key,
                StateRecord::Damaged { key } => {
                    scrubbed.damaged.push(key.clone());
                    key
                }
            };
            scrubbed.last = Some(key);
        }
        Ok(scrubbed)
    }

    /// What everything is read by.
    pub(super) const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Entries about alarms, with their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlarmEntries {
    /// The last number that was looked at; none when there were no more.
    pub last: Option<u64>,
    /// Number and text.
    pub entries: Vec<(u64, String)>,
}

/// What [`Reader::scrub_state`] looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScrubbedState {
    /// The last key; none behind the last record.
    pub last: Option<String>,
    /// Keys of records whose sums do not fit.
    pub damaged: Vec<String>,
}

/// One row as it is sent, or what is wrong with it.
fn upload(n: u64, row: &SqliteRow) -> Result<Result<EntryUpload, Fault>, StoreFailure> {
    let bytes = row.try_get::<&[u8], _>(2)?;
    let Ok(hash) = Hash::try_from(row.try_get::<&[u8], _>(1)?) else { return Ok(Err(Fault::HashLength)) };
    let before = match row.try_get::<Option<&[u8]>, _>(3)? {
        Some(before) => Hash::try_from(before).ok(),
        None if n == 1 => Some(Hash::default()),
        None => return Ok(Err(Fault::Gap { first: n.saturating_sub(1) })),
    };
    if before.is_none_or(|before| link(&before, bytes) != hash) {
        return Ok(Err(Fault::Hash));
    }
    let Ok(entry) = std::str::from_utf8(bytes) else { return Ok(Err(Fault::NotAnEntry)) };
    let private = match (row.try_get::<Option<String>, _>(4)?, row.try_get::<Option<String>, _>(5)?) {
        (Some(salt), Some(bytes)) => Some(PrivateRecord { salt, bytes }),
        (None, _) | (_, None) => None,
    };
    Ok(Ok(EntryUpload { n: Some(n), entry: entry.to_owned(), hash: hex::encode(hash), private }))
}
