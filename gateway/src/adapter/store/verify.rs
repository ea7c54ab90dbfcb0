//! Verifies a journal from its first entry to its last, beside a running gateway or without one.
//!
//! **Invariant:** reads only, in reads of bounded length, so that a running writer is never held up.

use std::borrow::Cow;
use std::path::Path;

use futures_util::TryStreamExt;
use gateway_core::OutLane;
use hmac::{Hmac, KeyInit, Mac};
use protocols::uplink::Entry;
use serde::Deserialize;
use sha2::Sha256;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row as _, SqliteConnection};

use super::chain::{Fault, Hash, Tip};
use super::commit::lane_number;
use super::connect;
use super::error::OpenError;
use super::head;
use super::limits::WALK_ROWS;
use super::open::gate;
use super::place::journal_path;
use super::reader::DamagedRow;
use super::restore::{StateRecord, state_record};

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
    gate(&path).await?;
    let (_, mut connection) = connect::reading_without_writing(&path).await?;
    let journal = sqlx::query_scalar("SELECT id FROM journal").fetch_one(&mut connection).await?;
    let last = sqlx::query_scalar::<_, i64>("SELECT coalesce(max(n), 0) FROM entry").fetch_one(&mut connection).await?;
    let last = last.cast_unsigned();
    let mut report = VerifyReport { journal, ..VerifyReport::default() };
    entries(&mut connection, last, &mut report).await?;
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

async fn entries(connection: &mut SqliteConnection, last: u64, report: &mut VerifyReport) -> Result<(), OpenError> {
    let mut tip = Tip::default();
    while tip.n < last && report.bad.is_none() {
        let from = tip.n;
        let mut rows = sqlx::query(
            "SELECT e.n, e.hash, e.bytes, e.source, e.epoch, e.seq, e.kind, e.lane, p.salt, p.bytes \
             FROM entry e LEFT JOIN private p ON p.n = e.n WHERE e.n > ? AND e.n <= ? ORDER BY e.n LIMIT ?",
        )
        .bind(from.cast_signed())
        .bind(last.cast_signed())
        .bind(WALK_ROWS.cast_signed())
        .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            let n = row.try_get::<i64, _>(0)?.cast_unsigned();
            match one(&row, n, &mut tip)? {
                Ok(Private::None) => {}
                Ok(Private::Kept) => report.private_kept = report.private_kept.saturating_add(1),
                Ok(Private::Erased) => report.private_erased = report.private_erased.saturating_add(1),
                Err(fault) => {
                    report.bad = Some(DamagedRow { n, fault });
                    break;
                }
            }
        }
        if tip.n == from && report.bad.is_none() {
            report.bad = Some(DamagedRow { n: last, fault: Fault::Gap { first: from.saturating_add(1) } });
        }
    }
    (report.head_n, report.head_hash) = (tip.n, tip.hash);
    Ok(())
}

enum Private {
    None,
    Kept,
    Erased,
}

/// One row: its place in the chain, its columns, its private record.
fn one(row: &SqliteRow, n: u64, tip: &mut Tip) -> Result<Result<Private, Fault>, sqlx::Error> {
    let bytes = row.try_get::<&[u8], _>(2)?;
    let mut next = *tip;
    if let Err(fault) = next.advance(n, row.try_get(1)?, bytes) {
        return Ok(Err(fault));
    }
    let Ok(entry) = serde_json::from_slice::<Entry>(bytes) else { return Ok(Err(Fault::NotAnEntry)) };
    if !columns_agree(row, &entry)? {
        return Ok(Err(Fault::Columns));
    }
    let record = match (row.try_get::<Option<&[u8]>, _>(8)?, row.try_get::<Option<&[u8]>, _>(9)?) {
        (Some(salt), Some(bytes)) => Some((salt, bytes)),
        (None, _) | (_, None) => None,
    };
    let private = match (named_hmac(&entry), record) {
        (None, None) => Private::None,
        (Some(_), None) => Private::Erased,
        (None, Some(_)) => return Ok(Err(Fault::PrivateUnnamed)),
        (Some(named), Some((salt, bytes))) if seals(&named, salt, bytes) => Private::Kept,
        (Some(_), Some(_)) => return Ok(Err(Fault::Private)),
    };
    *tip = next;
    Ok(Ok(private))
}

fn columns_agree(row: &SqliteRow, entry: &Entry) -> Result<bool, sqlx::Error> {
    let text = |column| row.try_get::<&[u8], _>(column);
    Ok(text(3)? == entry.origin.source.to_string().as_bytes()
        && text(4)? == entry.origin.epoch.to_string().as_bytes()
        && row.try_get::<i64, _>(5)?.cast_unsigned() == entry.origin.seq.get()
        && text(6)? == entry.kind.as_bytes()
        && row.try_get::<i64, _>(7)? == lane_number(lane_of_kind(&entry.kind)))
}

/// The lane on which entries of a kind leave.
fn lane_of_kind(kind: &str) -> OutLane {
    match kind.split_once('.') {
        Some(("alarm", _)) => OutLane::Alarms,
        Some(("sale", _)) => OutLane::Sales,
        Some(_) | None => OutLane::Rest,
    }
}

/// The HMAC by which an entry names its private record.
fn named_hmac(entry: &Entry) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Names<'a> {
        #[serde(borrow)]
        private_hmac: Option<Cow<'a, str>>,
    }
    let body = entry.body.get();
    if !body.contains("private_hmac") {
        return None;
    }
    serde_json::from_str::<Names<'_>>(body).ok()?.private_hmac
}

/// Whether HMAC-SHA256(salt, bytes) is the one named.
fn seals(named: &str, salt: &[u8], bytes: &[u8]) -> bool {
    let (Ok(named), Ok(salt)) = (hex::decode(named), hex::decode(salt)) else { return false };
    let mut mac = Hmac::<Sha256>::new_from_slice(&salt).expect("HMAC takes keys of any length");
    mac.update(bytes);
    mac.verify_slice(&named).is_ok()
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
            StateRecord::Good { .. } => report.state = report.state.saturating_add(1),
            StateRecord::Damaged { key } => report.state_damaged.push(key),
        }
    }
    Ok(())
}
