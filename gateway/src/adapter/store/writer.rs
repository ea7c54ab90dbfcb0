//! The one writer: a task that owns the connection and stores group after group.
//!
//! **Invariant:** a group is reported durable only after COMMIT returned without an error.
//! **Invariant:** after a failure the writer stores nothing more: the outcome is unknown until the file is opened anew.

use gateway_core::{Group, StoreInput};
use metrics::counter;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::chain::Tip;
use super::commit::commit;
use super::connect::{Checkpoint, checkpoint};
use super::failure::{FailureClass, StoreFailure};
use super::head::HeadNote;
use super::limits::GROUPS_MAX;
use super::log::LogKeeper;
use super::place::Place;

/// What the writer tells the daemon.
#[derive(Debug)]
pub enum StoreEvent {
    /// For the core.
    Input(StoreInput),
    /// A commit failed: its outcome is unknown. Acknowledge nothing more, end the process, open the journal again.
    Failed(StoreFailure),
}

/// The writer has ended; a [`StoreEvent::Failed`] said why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal's writer has ended")]
pub struct WriterGone;

enum Task {
    Commit(Group),
    ErasePrivate { n: u64, done: oneshot::Sender<bool> },
}

/// Hands groups to the writer's task.
#[derive(Debug)]
pub struct Writer {
    tasks: mpsc::Sender<Task>,
    task: JoinHandle<()>,
}

impl Writer {
    pub(super) fn start(
        writing: Result<SqliteConnection, StoreFailure>,
        tip: Tip,
        place: Place,
        events: mpsc::Sender<StoreEvent>,
    ) -> Self {
        let (tasks, inbox) = mpsc::channel(GROUPS_MAX);
        let told = events.clone();
        let task = match writing {
            Ok(connection) => {
                let warn = |error: &_| tracing::warn!(%error, "the head cannot be noted");
                let head = HeadNote::open(place.dir()).inspect_err(warn).ok();
                let log = LogKeeper::start(place.journal());
                tokio::spawn(Work { connection, tip, head, log, events, place }.run(inbox))
            }
            Err(failure) => tokio::spawn(refuse(failure, place, inbox, events)),
        };
        Self { tasks, task: tokio::spawn(watch(task, told)) }
    }

    /// Hands a group over; [`StoreInput::Committed`] or [`StoreEvent::Failed`] follows.
    ///
    /// # Errors
    /// The writer has ended, or more than [`GROUPS_MAX`] groups wait (the core keeps at most one under way).
    pub fn submit(&self, group: Group) -> Result<(), WriterGone> {
        self.tasks.try_send(Task::Commit(group)).map_err(|_| WriterGone)
    }

    /// Erases the personal data beside entry `n`, from the file and its log too; whether there was any.
    ///
    /// # Errors
    /// The writer has ended.
    pub async fn erase_private(&self, n: u64) -> Result<bool, WriterGone> {
        let (done, answer) = oneshot::channel();
        self.tasks.send(Task::ErasePrivate { n, done }).await.map_err(|_| WriterGone)?;
        answer.await.map_err(|_| WriterGone)
    }

    /// Stores what was handed over, brings the log into the file and lets the directory go.
    pub async fn close(self) {
        drop(self.tasks);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the journal's writer did not end by itself");
        }
    }
}

struct Work {
    connection: SqliteConnection,
    tip: Tip,
    head: Option<HeadNote>,
    log: LogKeeper,
    events: mpsc::Sender<StoreEvent>,
    place: Place,
}

impl Work {
    async fn run(mut self, mut inbox: mpsc::Receiver<Task>) {
        while let Some(task) = inbox.recv().await {
            if let Err(failure) = self.step(task).await {
                tracing::error!(%failure, class = failure.class.word(), "the journal failed");
                // Nobody listens only when the daemon is ending anyway.
                let _ended = self.events.send(StoreEvent::Failed(failure)).await;
                return;
            }
        }
        if let Err(failure) = self.end().await {
            tracing::warn!(%failure, "the journal was not closed cleanly; the next start mends it");
        }
    }

    async fn step(&mut self, task: Task) -> Result<(), StoreFailure> {
        match task {
            Task::Commit(group) => {
                let (id, rows) = (group.id, group.rows.len());
                commit(&mut self.connection, &mut self.tip, group).await?;
                self.note_head(rows);
                counter!("journal_commits_total").increment(1);
                counter!("journal_rows_total").increment(rows as u64);
                let told = self.events.send(StoreEvent::Input(StoreInput::Committed { group: id })).await;
                if told.is_err() {
                    tracing::debug!("nobody waits for the journal any more");
                }
                self.log.after_commit(&mut self.connection, rows).await
            }
            Task::ErasePrivate { n, done } => {
                let erased = erase_private(&mut self.connection, n).await?;
                let _gone = done.send(erased);
                Ok(())
            }
        }
    }

    fn note_head(&mut self, rows: usize) {
        if rows > 0
            && let Some(head) = &self.head
            && let Err(error) = head.note(&self.tip)
        {
            tracing::warn!(%error, "the head cannot be noted");
            self.head = None;
        }
    }

    async fn end(mut self) -> Result<(), StoreFailure> {
        self.log.end().await;
        checkpoint(&mut self.connection, Checkpoint::Truncate).await?;
        self.connection.close().await?;
        drop(self.place);
        Ok(())
    }
}

/// A writer that panics leaves a group without an answer: that is a failed commit, too.
async fn watch(work: JoinHandle<()>, events: mpsc::Sender<StoreEvent>) {
    if let Err(error) = work.await {
        tracing::error!(%error, "the journal's writer broke");
        let failure = StoreFailure { class: FailureClass::Disorder, code: 0 };
        // Nobody listens only when the daemon is ending anyway.
        let _ended = events.send(StoreEvent::Failed(failure)).await;
    }
}

/// Holds the directory until a group comes, which fails.
async fn refuse(
    failure: StoreFailure,
    _place: Place,
    mut inbox: mpsc::Receiver<Task>,
    events: mpsc::Sender<StoreEvent>,
) {
    if inbox.recv().await.is_some() {
        // Nobody listens only when the daemon is ending anyway.
        let _ended = events.send(StoreEvent::Failed(failure)).await;
    }
}

async fn erase_private(connection: &mut SqliteConnection, n: u64) -> Result<bool, StoreFailure> {
    sqlx::query("PRAGMA secure_delete = ON").execute(&mut *connection).await?;
    let result = sqlx::query("DELETE FROM private WHERE n = ?").bind(n.cast_signed()).execute(&mut *connection).await?;
    sqlx::query("PRAGMA secure_delete = OFF").execute(&mut *connection).await?;
    let pages = checkpoint(connection, Checkpoint::Truncate).await?;
    if pages.log > 0 {
        tracing::warn!(n, "a reader keeps the log, which holds the erased record until the log is begun anew");
    }
    Ok(result.rows_affected() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn i8_a_writer_that_panics_counts_as_a_failed_commit() {
        let (events, mut told) = mpsc::channel(1);
        watch(tokio::spawn(async { panic!("a fault in the writer") }), events).await;
        assert!(matches!(told.recv().await, Some(StoreEvent::Failed(_))));
    }
}
