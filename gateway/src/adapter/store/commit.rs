//! One group, one transaction.
//!
//! **Invariant:** only rows that continue the chain are stored; a group that does not is refused before anything is written.
//! **Invariant:** rows, state and private records of a group are stored together or not at all.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use gateway_core::{Group, OutLane, Row, StateChange};
use protocols::unit::UnixMs;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::chain::{Tip, state_sum};
use super::failure::{FailureClass, StoreFailure};
use super::limits::INSERT_ROWS_MAX;
use super::trusted;

/// How a lane is stored. Numbers are never used anew.
#[must_use]
pub const fn lane_number(lane: OutLane) -> i64 {
    match lane {
        OutLane::Alarms => 0,
        OutLane::Sales => 1,
        OutLane::Rest => 2,
        OutLane::AlarmNotes => 3,
    }
}

/// Stores a group behind `tip`, and moves the tip.
///
/// # Errors
/// The outcome is unknown, but for [`FailureClass::Disorder`] without a code and [`FailureClass::Busy`]: then nothing was written.
pub async fn commit(connection: &mut SqliteConnection, tip: &mut Tip, group: Group) -> Result<(), StoreFailure> {
    let mut end = *tip;
    for row in &group.rows {
        end.advance(row.n, &row.hash, row.bytes.as_bytes()).map_err(|fault| {
            tracing::error!(n = row.n, %fault, "a row does not continue the journal");
            StoreFailure::of_program(FailureClass::Disorder)
        })?;
    }
    let trusted_at = trusted::newest(&group.rows);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if let Some(at) = trusted_at {
        note_trusted(&mut transaction, at).await?;
    }
    insert_entries(&mut transaction, group.rows).await?;
    change_state(&mut transaction, group.state).await?;
    transaction.commit().await?;
    *tip = end;
    Ok(())
}

/// An INSERT of several tuples; the longest is kept prepared, shorter ones are not.
struct Insert {
    head: &'static str,
    tuple: &'static str,
    full: Arc<str>,
}

impl Insert {
    fn new(head: &'static str, tuple: &'static str) -> Self {
        Self { head, tuple, full: Self::text(head, tuple, INSERT_ROWS_MAX).into() }
    }

    fn text(head: &str, tuple: &str, rows: usize) -> String {
        format!("{head} VALUES {}", vec![tuple; rows].join(","))
    }

    /// The statement for so many rows, and whether it is worth keeping: the longest and the shortest come again and again.
    fn sql(&self, rows: usize) -> (Arc<str>, bool) {
        if rows == INSERT_ROWS_MAX {
            (Arc::clone(&self.full), true)
        } else {
            (Self::text(self.head, self.tuple, rows).into(), rows <= 2)
        }
    }
}

static ENTRIES: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new("INSERT INTO entry (n, hash, lane, kind, source, epoch, seq, body, bytes)", "(?,?,?,?,?,?,?,?,?)")
});
static PRIVATE: LazyLock<Insert> = LazyLock::new(|| Insert::new("INSERT INTO private (n, salt, bytes)", "(?,?,?)"));
static PUT: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("INSERT OR REPLACE INTO state (key, value, sum)", "(?,?,?)"));

async fn insert_entries(connection: &mut SqliteConnection, rows: Vec<Row>) -> Result<(), StoreFailure> {
    let mut private = Vec::new();
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let (sql, keep) = ENTRIES.sql(rows.len().min(INSERT_ROWS_MAX));
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(keep);
        for row in rows.by_ref().take(INSERT_ROWS_MAX) {
            if let Some(record) = row.private {
                private.push((row.n, record));
            }
            query = query
                .bind(row.n.cast_signed())
                .bind(row.hash.to_vec())
                .bind(lane_number(row.lane))
                .bind(row.kind)
                .bind(row.source)
                .bind(row.epoch)
                .bind(row.seq.cast_signed())
                .bind(row.body.cast_signed())
                .bind(row.bytes);
        }
        query.execute(&mut *connection).await?;
    }
    let mut private = private.into_iter();
    while private.len() > 0 {
        let (sql, keep) = PRIVATE.sql(private.len().min(INSERT_ROWS_MAX));
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(keep);
        for (n, record) in private.by_ref().take(INSERT_ROWS_MAX) {
            query = query.bind(n.cast_signed()).bind(record.salt).bind(record.bytes);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn note_trusted(connection: &mut SqliteConnection, at: UnixMs) -> Result<(), StoreFailure> {
    let (value, sum) = trusted::record(at);
    sqlx::query("INSERT OR REPLACE INTO state (key, value, sum) VALUES (?,?,?)")
        .bind(trusted::TRUSTED_KEY)
        .bind(value)
        .bind(sum)
        .execute(connection)
        .await?;
    Ok(())
}

async fn change_state(connection: &mut SqliteConnection, changes: Vec<StateChange>) -> Result<(), StoreFailure> {
    let mut last = BTreeMap::new();
    for change in changes {
        match change {
            StateChange::Put { key, value } => last.insert(key, Some(value)),
            StateChange::Delete { key } => last.insert(key, None),
        };
    }
    let mut puts = Vec::with_capacity(last.len());
    for (key, value) in last {
        match value {
            Some(value) => puts.push((key, value)),
            None => {
                sqlx::query("DELETE FROM state WHERE key = ?").bind(key).execute(&mut *connection).await?;
            }
        }
    }
    let mut puts = puts.into_iter();
    while puts.len() > 0 {
        let (sql, keep) = PUT.sql(puts.len().min(INSERT_ROWS_MAX));
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(keep);
        for (key, value) in puts.by_ref().take(INSERT_ROWS_MAX) {
            let sum = state_sum(&key, &value);
            query = query.bind(key).bind(value).bind(sum);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}
