//! What the disk below the site can do: syncs alone, and SQLite alone with the rows of the journal.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gateway_core::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Sqlite};

use super::BenchError;
use super::rows::Rows;
use crate::site::files;

const PAGE: [u8; 4096] = [0xA5; 4096];
/// Between two syncs of the probe beside a load.
const PROBE_EVERY: Duration = Duration::from_millis(10);
/// Rows in one INSERT of plain SQLite: more were not faster.
const PLAIN_ROWS: usize = 100;

/// The journal's table and indexes, as in the gateway's migrations.
const SCHEMA: &str = "CREATE TABLE entry (n INTEGER PRIMARY KEY, hash BLOB NOT NULL, lane INTEGER NOT NULL, kind TEXT NOT NULL, \
     source TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL, body INTEGER NOT NULL, bytes TEXT NOT NULL) STRICT";
const INDEXES: &str = "CREATE INDEX entry_lane ON entry (lane, n); \
     CREATE INDEX entry_origin ON entry (n >> 12, source, epoch, seq, body); \
     CREATE INDEX entry_refused ON entry (n) WHERE kind = 'report.refused'";

/// Syncs a second, each after one page more.
///
/// # Errors
/// The file cannot be written.
pub async fn syncs(within: Duration) -> Result<f64, BenchError> {
    let work = move || {
        let directory = Directory::new()?;
        let mut file = File::create(directory.0.join("synced"))?;
        let started = Instant::now();
        let mut count = 0;
        while started.elapsed() < within {
            sync_once(&mut file)?;
            count += 1;
        }
        Ok(super::per_second(count, started.elapsed()))
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| BenchError::Thread)?
}

fn sync_once(file: &mut File) -> std::io::Result<()> {
    file.write_all(&PAGE)?;
    file.sync_data()
}

/// Syncs beside a load, a hundred a second, each timed.
pub struct Probe {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<std::io::Result<Vec<(Instant, Duration)>>>,
}

impl Probe {
    /// Starts it in the directory of a site.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn start(directory: &Path) -> Result<Self, BenchError> {
        let mut file = File::create(directory.join("probe"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let work = move || {
            let mut times = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let at = Instant::now();
                sync_once(&mut file)?;
                times.push((at, at.elapsed()));
                std::thread::sleep(PROBE_EVERY);
            }
            Ok(times)
        };
        Ok(Self { stop, thread: std::thread::Builder::new().name("probe".to_owned()).spawn(work)? })
    }

    /// Ends it; when each sync began, and how long it took.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn end(self) -> Result<Vec<(Instant, Duration)>, BenchError> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(self.thread.join().map_err(|_| BenchError::Thread)??)
    }
}

/// Rows a second of plain SQLite at the journal's settings: the journal's rows, so many in each commit, by INSERTs of many
/// rows, with or without the journal's indexes. Nothing is parsed, hashed or acknowledged.
///
/// # Errors
/// The database fails.
pub async fn plain_sqlite(within: Duration, in_commit: usize, indexes: bool) -> Result<f64, BenchError> {
    let directory = Directory::new()?;
    let mut connection: SqliteConnection = SqliteConnectOptions::new()
        .filename(directory.0.join("rows.sqlite"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-8192")
        .disable_statement_logging()
        .connect()
        .await?;
    sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
    if indexes {
        sqlx::raw_sql(INDEXES).execute(&mut connection).await?;
    }
    let mut source = Rows::new(100, "plain");
    let (mut count, mut busy) = (0_u64, Duration::ZERO);
    while busy < within {
        let rows: Vec<Row> = source.by_ref().take(in_commit.max(1)).collect();
        let started = Instant::now();
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for part in rows.chunks(PLAIN_ROWS) {
            insert(&mut transaction, part).await?;
        }
        transaction.commit().await?;
        busy = busy.saturating_add(started.elapsed());
        count = count.saturating_add(rows.len() as u64);
    }
    connection.close().await?;
    Ok(super::per_second(count, busy))
}

async fn insert(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    let mut query =
        QueryBuilder::<Sqlite>::new("INSERT INTO entry (n, hash, lane, kind, source, epoch, seq, body, bytes) ");
    query.push_values(rows, |mut to, row| {
        to.push_bind(row.n.cast_signed())
            .push_bind(row.hash.as_slice())
            .push_bind(2)
            .push_bind(row.kind.as_str())
            .push_bind(row.source.as_str())
            .push_bind(row.epoch.as_str())
            .push_bind(row.seq.cast_signed())
            .push_bind(row.body.cast_signed())
            .push_bind(row.bytes.as_str());
    });
    query.build().persistent(rows.len() == PLAIN_ROWS).execute(connection).await?;
    Ok(())
}

/// A temporary directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self, BenchError> {
        Ok(Self(files::new_directory()?))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A directory that cannot be removed is left to the system's cleaning of its temporary files.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
