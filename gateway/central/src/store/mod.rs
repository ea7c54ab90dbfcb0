//! The centre's database: how it is opened, checked, written and read.
//!
//! Owns the only connection that writes ([`Writer`]) and the pool of connections that read.
//!
//! **Invariant:** nothing is acknowledged before the commit that holds it, in a database whose `journal_mode` is WAL
//! and whose `synchronous` is FULL; both are read back before anything is served.
//! **Invariant:** one process has the database open for writing; the lock file beside it says so.
//! **Invariant:** the database holds personal data: it is made for its owner alone, and what SQLite makes beside it gets
//! the same permissions.

mod job;
mod rows;
mod writer;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool};

pub use job::{Now, Tx, day_start_ms};
pub use rows::{in_list, insert_rows};
pub use writer::{JobFuture, Priority, StoreError, Writer, WriterTask};

use crate::limits;

/// The oldest SQLite without the WAL-reset fault.
const SQLITE_MIN: (u32, u32, u32) = (3, 51, 3);

/// Permission bits of what is made here.
const PRIVATE: u32 = 0o600;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The lock file could not be made.
    #[error("cannot make the lock file {path}")]
    LockFile {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database's file could not be made.
    #[error("cannot make the database {path}")]
    Make {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has the database.
    #[error("another process has {path} open: stop it first")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// SQLite says no.
    #[error("the database cannot be opened")]
    Sqlite(#[from] sqlx::Error),
    /// The library is too old.
    #[error("SQLite {found} is too old: 3.51.3 or newer is needed")]
    TooOld {
        /// Its version.
        found: String,
    },
    /// A setting did not take.
    #[error("SQLite did not take {setting}: it says {found}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// What it says.
        found: String,
    },
    /// The schema could not be brought up to date, or is newer than this program.
    #[error("the schema cannot be used by this version")]
    Schema(#[from] sqlx::migrate::MigrateError),
}

/// The open database.
#[derive(Debug)]
pub struct Store {
    /// The one who writes.
    pub writer: Writer,
    /// Those who read.
    pub readers: SqlitePool,
    _lock: File,
}

impl Store {
    /// Opens the database at `path`, making it where it is missing, checks it and starts its writer.
    ///
    /// # Errors
    /// It is in use, cannot be opened, is of another version, or its settings do not take.
    pub async fn open(path: &Path) -> Result<(Self, WriterTask), OpenError> {
        let lock = lock(path)?;
        make_private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(256)
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "MEMORY")
            .disable_statement_logging();
        let mut connection = SqliteConnection::connect_with(&options).await?;
        check(&mut connection).await?;
        sqlx::migrate!("./migrations").run(&mut connection).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(limits::READERS)
            .acquire_timeout(limits::READER_WAIT)
            .connect_with(options.clone().create_if_missing(false).pragma("query_only", "1"))
            .await?;
        let (writer, task) = writer::start(connection);
        Ok((Self { writer, readers, _lock: lock }, task))
    }
}

/// The files of a database: its own, and those that SQLite keeps beside it.
#[must_use]
pub fn files(database: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| beside(database, suffix))
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

/// Makes the database's file for its owner alone, unless it is there.
fn make_private(path: &Path) -> Result<(), OpenError> {
    match OpenOptions::new().create_new(true).write(true).mode(PRIVATE).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(OpenError::Make { path: path.to_owned(), source }),
    }
}

fn lock(database: &Path) -> Result<File, OpenError> {
    let path = beside(database, ".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(PRIVATE)
        .open(&path)
        .map_err(|source| OpenError::LockFile { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse { path }),
        Err(std::fs::TryLockError::Error(source)) => Err(OpenError::LockFile { path, source }),
    }
}

async fn check(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *connection).await?;
    if version(&found).is_none_or(|version| version < SQLITE_MIN) {
        return Err(OpenError::TooOld { found });
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    if mode != "wal" {
        return Err(OpenError::Setting { setting: "journal_mode = WAL", found: mode });
    }
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await?;
    if synchronous != 2 {
        return Err(OpenError::Setting { setting: "synchronous = FULL", found: synchronous.to_string() });
    }
    Ok(())
}

fn version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(str::parse);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => Some((major, minor, patch)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_with_the_wal_reset_fault_is_too_old() {
        assert!(version("3.51.2").expect("a version") < SQLITE_MIN);
        assert!(version("3.40.1").expect("a version") < SQLITE_MIN);
        assert!(version("3.51.3").expect("a version") >= SQLITE_MIN);
        assert!(version("3.52.0").expect("a version") >= SQLITE_MIN);
        assert_eq!(version("nonsense"), None);
    }
}
