//! The write-ahead log's length.
//!
//! ```text
//! a look now and then ─ short ─────────────────────────────────> nothing
//!                     ├ long, most of it not in the file yet ──> a second connection brings it there, beside the writer
//!                     ├ long, little of it left ───────────────> the writer does the rest: the next commit begins anew
//!                     └ very long ─────────────────────────────> the writer does it all
//! ```
//!
//! **Invariant:** the log does not grow for ever: only when all of it is in the file and nobody reads it does a commit begin it
//! anew, so the last part is done by the writer, between two commits.
//! **Invariant:** a commit waits for a checkpoint of at most [`WAL_REST_PAGES`] pages, but where the log is very long.

use std::path::PathBuf;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::connect::{self, Checkpoint, checkpoint};
use super::error::OpenError;
use super::failure::{FailureClass, StoreFailure};
use super::limits::{COMMITS_PER_LOOK, ROWS_PER_LOOK, WAL_PAGES, WAL_PAGES_MAX, WAL_REST_PAGES};

/// Keeps the log short.
#[derive(Debug)]
pub struct LogKeeper {
    commits: u32,
    rows: usize,
    beside: mpsc::Sender<()>,
    task: JoinHandle<()>,
}

impl LogKeeper {
    /// Starts the task that works beside the writer of `path`.
    #[must_use]
    pub fn start(path: PathBuf) -> Self {
        let (beside, wishes) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            if let Err(error) = work_beside(path, wishes).await {
                tracing::warn!(%error, "the log is brought into the file by the writer alone");
            }
        });
        Self { commits: 0, rows: 0, beside, task }
    }

    /// To be called after each commit, with the number of its rows.
    ///
    /// # Errors
    /// The disk failed.
    pub async fn after_commit(&mut self, writer: &mut SqliteConnection, rows: usize) -> Result<(), StoreFailure> {
        self.commits = self.commits.saturating_add(1);
        self.rows = self.rows.saturating_add(rows);
        if self.commits < COMMITS_PER_LOOK && self.rows < ROWS_PER_LOOK {
            return Ok(());
        }
        (self.commits, self.rows) = (0, 0);
        let pages = checkpoint(writer, Checkpoint::Noop).await?;
        let rest = pages.log.saturating_sub(pages.done);
        if pages.log < WAL_PAGES || rest == 0 {
            return Ok(());
        }
        // Where the task beside is busy, or has ended, the log goes on growing until the writer does it all.
        if rest > WAL_REST_PAGES && pages.log < WAL_PAGES_MAX && self.beside.try_send(()).is_ok() {
            return Ok(());
        }
        match checkpoint(writer, Checkpoint::Passive).await {
            Err(failure) if failure.class != FailureClass::Busy => Err(failure),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Ends the task beside.
    pub async fn end(self) {
        drop(self.beside);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the task beside the writer did not end by itself");
        }
    }
}

async fn work_beside(path: PathBuf, mut wishes: mpsc::Receiver<()>) -> Result<(), OpenError> {
    let mut connection = None;
    while wishes.recv().await.is_some() {
        let connection = match &mut connection {
            Some(connection) => connection,
            none @ None => none.insert(connect::writing(&path).await?),
        };
        checkpoint(connection, Checkpoint::Passive).await?;
    }
    match connection {
        Some(connection) => Ok(connection.close().await?),
        None => Ok(()),
    }
}
