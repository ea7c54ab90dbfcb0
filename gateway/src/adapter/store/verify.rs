//! Verifies a journal from its first entry to its last, beside a running gateway or without one.
//!
//! **Invariant:** reads only, in reads of bounded length, so that a running writer is never held up.

use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::{Connection, SqliteConnection};

use super::chain::{Fault, Hash};
use super::error::OpenError;
use super::head;
use super::open::gate;
use super::place::journal_path;
use super::reader::DamagedRow;
use super::restore::{StateRecord, state_record};
use super::trusted::is_own;
use super::walk::{Check, walk};

/// How much is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every entry, private record and state record.
    Entries,
    /// The database's own structure too: its tables against its indexes. Takes longer.
    Whole,
}

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// The journal's id.
    pub journal: String,
    /// The last entry that verified: its number, 0 when there is none.
    pub head_n: u64,
    /// Its hash.
    pub head_hash: Hash,
    /// The first entry that is damaged; nothing behind it was looked at.
    pub bad: Option<DamagedRow>,
    /// The last entry that was noted as committed, where the file ends before it.
    pub went_back_from: Option<u64>,
    /// Private records that are there and unchanged.
    pub private_kept: u64,
    /// Private records that were erased.
    pub private_erased: u64,
    /// State records that are unchanged.
    pub state: u64,
    /// Keys of state records that are damaged.
    pub state_damaged: Vec<String>,
    /// What SQLite said of the file's structure, when it was asked and it was not "ok".
    pub structure: Option<String>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.bad.is_none() && self.went_back_from.is_none() && self.state_damaged.is_empty() && self.structure.is_none()
    }
}

/// Verifies the journal of a state directory.
///
/// # Errors
/// It is none of ours, has a newer schema, or cannot be read.
pub async fn verify(dir: &Path, depth: Depth) -> Result<VerifyReport, OpenError> {
    let path = journal_path(dir);
    let noted = head::noted(dir);
    let mut connection = gate(&path).await?;
    let journal = sqlx::query_scalar("SELECT id FROM journal").fetch_one(&mut connection).await?;
    let last = sqlx::query_scalar::<_, i64>("SELECT coalesce(max(n), 0) FROM entry").fetch_one(&mut connection).await?;
    let last = last.cast_unsigned();
    let walked = walk(&mut connection, 1, last, Check::Entry).await?;
    let mut report = VerifyReport {
        journal,
        head_n: walked.tip.n,
        head_hash: walked.tip.hash,
        bad: walked.bad,
        private_kept: walked.private_kept,
        private_erased: walked.private_erased,
        ..VerifyReport::default()
    };
    report.went_back_from = noted.map(|noted| noted.n).filter(|noted| *noted > last);
    if report.bad.is_none() {
        report.bad = private_alone(&mut connection, last).await?;
    }
    state(&mut connection, &mut report).await?;
    if depth == Depth::Whole {
        let said: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await?;
        report.structure = Some(said).filter(|said| said != "ok");
    }
    connection.close().await?;
    Ok(report)
}

/// A private record without an entry.
async fn private_alone(connection: &mut SqliteConnection, last: u64) -> Result<Option<DamagedRow>, sqlx::Error> {
    let found = sqlx::query_scalar::<_, i64>(
        "SELECT p.n FROM private p LEFT JOIN entry e ON e.n = p.n WHERE e.n IS NULL AND p.n <= ? ORDER BY p.n LIMIT 1",
    )
    .bind(last.cast_signed())
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|n| DamagedRow { n: n.cast_unsigned(), fault: Fault::PrivateUnnamed }))
}

async fn state(connection: &mut SqliteConnection, report: &mut VerifyReport) -> Result<(), sqlx::Error> {
    let mut rows = sqlx::query("SELECT key, value, sum FROM state ORDER BY key").fetch(connection);
    while let Some(row) = rows.try_next().await? {
        match state_record(&row)? {
            StateRecord::Good { key, .. } if is_own(&key) => {}
            StateRecord::Good { .. } => report.state = report.state.saturating_add(1),
            StateRecord::Damaged { key } => report.state_damaged.push(key),
        }
    }
    Ok(())
}
