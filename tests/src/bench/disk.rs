//! What the disk below the site can do: syncs alone, and SQLite alone with rows like the journal's.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use super::BenchError;
use crate::site::files;

/// Bytes of a row beside its numbers: an entry about a report.
const ROW_BYTES: usize = 420;
const PAGE: [u8; 4096] = [0xA5; 4096];

/// Syncs a second, each after one page more.
pub async fn syncs(within: Duration) -> Result<f64, BenchError> {
    let work = move || {
        let directory = files::new_directory()?;
        let rate = sync_rate(&directory.join("synced"), within);
        // A directory that cannot be removed is left to the system's cleaning of its temporary files.
        drop(std::fs::remove_dir_all(&directory));
        Ok(rate?)
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| BenchError::Thread)?
}

fn sync_rate(path: &Path, within: Duration) -> std::io::Result<f64> {
    let mut file = File::create(path)?;
    let started = Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < within {
        file.write_all(&PAGE)?;
        file.sync_data()?;
        count = count.saturating_add(1);
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

/// Rows a second, so many in each commit, with the journal's settings.
pub async fn sqlite_rows(within: Duration, in_commit: u32) -> Result<f64, BenchError> {
    let directory = files::new_directory()?;
    let rate = row_rate(&directory.join("rows.sqlite"), within, in_commit).await;
    // As above.
    drop(std::fs::remove_dir_all(&directory));
    Ok(rate?)
}

async fn row_rate(path: &Path, within: Duration, in_commit: u32) -> Result<f64, sqlx::Error> {
    let mut connection: SqliteConnection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await?;
    sqlx::query(
        "CREATE TABLE entry (n INTEGER PRIMARY KEY, hash BLOB NOT NULL, lane INTEGER NOT NULL, bytes TEXT NOT NULL)",
    )
    .execute(&mut connection)
    .await?;
    let bytes = "x".repeat(ROW_BYTES);
    let started = Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < within {
        let mut transaction = connection.begin().await?;
        for _ in 0..in_commit {
            sqlx::query("INSERT INTO entry (hash, lane, bytes) VALUES ($1, 2, $2)")
                .bind([0x5A_u8; 32].as_slice())
                .bind(&bytes)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        count = count.saturating_add(in_commit);
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}
