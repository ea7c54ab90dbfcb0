//! Connections to the file, and what must hold before one is used.
//!
//! **Invariant:** every connection that writes has WAL and `synchronous=FULL`, both read back.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::error::OpenError;
use super::failure::StoreFailure;
use super::limits::{BUSY_WAIT_MS, READER_CACHE_KIB, WRITER_CACHE_KIB};
use super::place::beside;

/// The oldest SQLite without the WAL-reset bug.
pub const SQLITE_MIN: (u32, u32, u32) = (3, 51, 3);

fn options(path: &Path, cache_kib: u32) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_millis(BUSY_WAIT_MS))
        .pragma("cache_size", format!("-{cache_kib}"))
        .disable_statement_logging()
}

/// How readers connect: they can change nothing.
pub fn reading(path: &Path) -> SqliteConnectOptions {
    options(path, READER_CACHE_KIB).read_only(true)
}

/// Connects for reading where the file system may take no writes at all; also gives the options that worked. A file without
/// a log can then be read as one that nobody changes.
///
/// # Errors
/// The file cannot be opened.
pub async fn reading_without_writing(path: &Path) -> Result<(SqliteConnectOptions, SqliteConnection), StoreFailure> {
    let mut tried = reading(path);
    let mut result = first_read(&tried).await;
    let log = std::fs::metadata(beside(path, "-wal")).map_or(0, |meta| meta.len());
    if log == 0 && result.as_ref().is_err_and(StoreFailure::is_of_the_disk) {
        tried = tried.immutable(true);
        result = first_read(&tried).await;
    }
    result.map(|connection| (tried, connection))
}

async fn first_read(options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreFailure> {
    let mut connection = options.connect().await?;
    sqlx::query("SELECT count(*) FROM sqlite_schema").execute(&mut connection).await?;
    Ok(connection)
}

/// Connects for writing.
///
/// # Errors
/// The file cannot be opened for writing, SQLite is too old, or a setting did not take.
pub async fn writing(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mut connection = options(path, WRITER_CACHE_KIB)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "0")
        .connect()
        .await?;
    check_version(&mut connection).await?;
    kept(&mut connection, "journal_mode", "wal").await?;
    kept(&mut connection, "synchronous", "2").await?;
    Ok(connection)
}

async fn kept(connection: &mut SqliteConnection, name: &'static str, wanted: &'static str) -> Result<(), OpenError> {
    let found = match name {
        "journal_mode" => sqlx::query_scalar::<_, String>("PRAGMA journal_mode").fetch_one(connection).await?,
        _ => sqlx::query_scalar::<_, i64>("PRAGMA synchronous").fetch_one(connection).await?.to_string(),
    };
    if found == wanted { Ok(()) } else { Err(OpenError::PragmaIgnored { name, wanted, found }) }
}

/// Refuses an SQLite that can lose committed data.
///
/// # Errors
/// It is too old.
pub async fn check_version(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let found = sqlx::query_scalar::<_, String>("SELECT sqlite_version()").fetch_one(connection).await?;
    if is_new_enough(&found) { Ok(()) } else { Err(OpenError::SqliteTooOld { found }) }
}

/// Whether `version` (such as `3.51.3`) is [`SQLITE_MIN`] or newer.
#[must_use]
pub fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= SQLITE_MIN
}

/// Pages in the write-ahead log, and how many of them are in the file already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalPages {
    /// Pages in the log.
    pub log: i64,
    /// Those that are in the file.
    pub done: i64,
}

/// Kinds of checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    /// Only look.
    Noop,
    /// As much as goes without waiting for anybody.
    Passive,
    /// Everything, waiting for others.
    Full,
    /// Everything, and cut the log.
    Truncate,
}

/// Runs a checkpoint.
///
/// # Errors
/// The disk failed.
pub async fn checkpoint(connection: &mut SqliteConnection, kind: Checkpoint) -> Result<WalPages, StoreFailure> {
    let sql = match kind {
        Checkpoint::Noop => "PRAGMA wal_checkpoint(NOOP)",
        Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Checkpoint::Full => "PRAGMA wal_checkpoint(FULL)",
        Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let (_busy, log, done) = sqlx::query_as::<_, (i64, i64, i64)>(sql).fetch_one(connection).await?;
    Ok(WalPages { log, done })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A21.
    #[tokio::test]
    async fn a21_a_setting_that_did_not_take_is_refused_by_name() {
        let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.expect("memory");
        let error = kept(&mut connection, "journal_mode", "wal").await.expect_err("memory has no log");
        assert!(matches!(error, OpenError::PragmaIgnored { name: "journal_mode", .. }), "{error}");
        sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut connection).await.expect("set");
        let error = kept(&mut connection, "synchronous", "2").await.expect_err("it is NORMAL");
        assert!(matches!(&error, OpenError::PragmaIgnored { found, .. } if found == "1"), "{error}");
    }

    /// A21.
    #[test]
    fn a21_sqlite_with_the_wal_reset_bug_is_refused() {
        for old in ["3.7.0", "3.40.1", "3.46.0", "3.51.2", "3.51", "2.99.99", "", "x.y.z"] {
            assert!(!is_new_enough(old), "{old}");
        }
        for new in ["3.51.3", "3.51.4", "3.52.0", "4.0.0", "3.100.0"] {
            assert!(is_new_enough(new), "{new}");
        }
    }
}
