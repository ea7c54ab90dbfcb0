//! The one task that writes, and its group commit.
//!
//! Jobs wait in three queues; what waits is taken as one group, alarms first, applied each inside a savepoint, and
//! committed once. There is no timer: a lone job is committed at once, and a crowd shares one fsync.
//!
//! **Invariant:** a job's answer is released only after the commit that holds it.
//! **Invariant:** a job that fails leaves nothing behind, and the others of its group go on.
//! **Invariant:** a commit that fails is unknown: its jobs are answered so, and the writer ends, so that the process
//! starts again from what the disk holds.

use futures_util::future::BoxFuture;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::job::{Now, Tx};
use crate::limits;
use crate::news::{News, NewsDesk};

/// What a job returns.
pub type JobFuture<'c, T> = BoxFuture<'c, Result<T, StoreError>>;

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Job = Box<dyn for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<Answer, Failure>> + Send>;

/// Why something was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too much waits; try again in a moment.
    #[error("too much waits to be written")]
    Busy,
    /// The writer has ended.
    #[error("the writer has ended")]
    Ended,
    /// The disk is full; nothing was committed.
    #[error("the disk is full")]
    Full,
    /// Whether it was committed is not known; the same request, sent again, finds out.
    #[error("whether it was committed is not known")]
    Unknown,
    /// The database refused or could not answer.
    #[error("the database could not do it")]
    Database(#[from] sqlx::Error),
    /// A row holds what this program never writes.
    #[error("a row of {table} cannot be understood")]
    Row {
        /// The table.
        table: &'static str,
    },
}

/// Which queue a job waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Alarms: before everything else.
    Alarm,
    /// A person waits for it: after the alarms.
    Person,
    /// Uploads: when nobody else waits.
    Bulk,
}

/// How a failed job leaves the transaction.
enum Failure {
    /// Only this job failed.
    Job,
    /// The disk is full: the group is rolled back, and the writer lives on.
    Full,
    /// The transaction, or the disk under it, is in doubt.
    Doubt,
}

struct Waiting {
    weight: usize,
    job: Job,
}

/// The way to the writer.
#[derive(Debug, Clone)]
pub struct Writer {
    alarms: mpsc::Sender<Waiting>,
    people: mpsc::Sender<Waiting>,
    bulk: mpsc::Sender<Waiting>,
    desk: NewsDesk,
}

/// The running writer; it ends when every [`Writer`] is gone, or when a commit failed.
pub type WriterTask = JoinHandle<Result<(), StoreError>>;

pub(super) fn start(connection: SqliteConnection) -> (Writer, WriterTask) {
    let (alarms, alarms_in) = mpsc::channel(limits::WRITER_QUEUE);
    let (people, people_in) = mpsc::channel(limits::WRITER_QUEUE);
    let (bulk, bulk_in) = mpsc::channel(limits::WRITER_QUEUE);
    let desk = NewsDesk::new();
    let tx = Tx { conn: connection, now: Now::read(), news: Vec::new() };
    let queues = Queues { alarms: alarms_in, people: people_in, bulk: bulk_in };
    let task = tokio::spawn(run(tx, queues, desk.clone()));
    (Writer { alarms, people, bulk, desk }, task)
}

impl Writer {
    /// Where what was committed is told.
    #[must_use]
    pub const fn desk(&self) -> &NewsDesk {
        &self.desk
    }

    /// Runs `job` inside the next commit and returns its value after that commit. `weight` is roughly its number of rows.
    ///
    /// # Errors
    /// Too much waits, the job failed, or the commit did.
    pub async fn run<T, F>(&self, priority: Priority, weight: usize, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Tx) -> JobFuture<'c, T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            Box::pin(async move {
                match job(tx).await {
                    Ok(value) => {
                        let release: Answer = Box::new(move |committed| {
                            // The one who asked may be gone; what was committed stays committed.
                            reply.send(committed.map(|()| value)).ok();
                        });
                        Ok(release)
                    }
                    Err(error) => {
                        let failure = classify(&error);
                        let error = if matches!(failure, Failure::Full) { StoreError::Full } else { error };
                        reply.send(Err(error)).ok();
                        Err(failure)
                    }
                }
            })
        });
        let queue = match priority {
            Priority::Alarm => &self.alarms,
            Priority::Person => &self.people,
            Priority::Bulk => &self.bulk,
        };
        queue.try_send(Waiting { weight, job }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Ended,
        })?;
        answer.await.map_err(|_| StoreError::Unknown)?
    }
}

struct Queues {
    alarms: mpsc::Receiver<Waiting>,
    people: mpsc::Receiver<Waiting>,
    bulk: mpsc::Receiver<Waiting>,
}

impl Queues {
    /// The next job, or `None` when nobody can send one any more.
    async fn next(&mut self) -> Option<Waiting> {
        tokio::select! {
            biased;
            Some(job) = self.alarms.recv() => Some(job),
            Some(job) = self.people.recv() => Some(job),
            Some(job) = self.bulk.recv() => Some(job),
            else => None,
        }
    }

    /// A job that waits already.
    fn waiting(&mut self) -> Option<Waiting> {
        self.alarms.try_recv().or_else(|_| self.people.try_recv()).or_else(|_| self.bulk.try_recv()).ok()
    }

    /// The next group: what waits, up to the limits of one commit.
    async fn group(&mut self) -> Option<Vec<Waiting>> {
        let first = self.next().await?;
        let mut weight = first.weight;
        let mut group = vec![first];
        while group.len() < limits::JOBS_PER_COMMIT_MAX && weight < limits::WEIGHT_PER_COMMIT_MAX {
            let Some(next) = self.waiting() else { break };
            weight = weight.saturating_add(next.weight);
            group.push(next);
        }
        Some(group)
    }
}

async fn run(mut tx: Tx, mut queues: Queues, desk: NewsDesk) -> Result<(), StoreError> {
    while let Some(group) = queues.group().await {
        let news = commit(&mut tx, group).await?;
        desk.tell(news);
    }
    tx.conn.close().await.map_err(StoreError::Database)
}

/// Applies and commits a group. An error means that the outcome is unknown and the writer must end.
async fn commit(tx: &mut Tx, group: Vec<Waiting>) -> Result<Vec<News>, StoreError> {
    let started = std::time::Instant::now();
    let jobs = group.len();
    tx.now = Now::read();
    tx.news.clear();
    let mut answers = Vec::with_capacity(jobs);
    match attempt(tx, group, &mut answers).await {
        Ok(true) => {
            metrics::histogram!("central_commit_seconds").record(started.elapsed().as_secs_f64());
            metrics::counter!("central_commits_total").increment(1);
            metrics::counter!("central_jobs_total").increment(u64::try_from(jobs).unwrap_or(u64::MAX));
            answers.into_iter().for_each(|answer| answer(Ok(())));
            Ok(std::mem::take(&mut tx.news))
        }
        Ok(false) => {
            metrics::counter!("central_disk_full_total").increment(1);
            tracing::error!("the disk is full: nothing can be taken until there is room");
            answers.into_iter().for_each(|answer| answer(Err(StoreError::Full)));
            Ok(Vec::new())
        }
        Err(error) => {
            metrics::counter!("central_commit_failures_total").increment(1);
            tracing::error!(error = %error, "a commit failed; the process ends and starts again from the disk");
            answers.into_iter().for_each(|answer| answer(Err(StoreError::Unknown)));
            Err(error)
        }
    }
}

/// Whether the group was committed; if not, it was rolled back because the disk is full. Jobs whose answer is dropped
/// unsent are read as unknown by those who wait.
async fn attempt(tx: &mut Tx, group: Vec<Waiting>, answers: &mut Vec<Answer>) -> Result<bool, StoreError> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut tx.conn).await?;
    for waiting in group {
        let told = tx.news.len();
        sqlx::query("SAVEPOINT job").execute(&mut tx.conn).await?;
        match (waiting.job)(tx).await {
            Ok(answer) => {
                sqlx::query("RELEASE job").execute(&mut tx.conn).await?;
                answers.push(answer);
            }
            Err(Failure::Job) => {
                tx.news.truncate(told);
                sqlx::query("ROLLBACK TO job").execute(&mut tx.conn).await?;
                sqlx::query("RELEASE job").execute(&mut tx.conn).await?;
            }
            Err(Failure::Full) => {
                // SQLite may have rolled back by itself; then there is no transaction to end.
                sqlx::query("ROLLBACK").execute(&mut tx.conn).await.ok();
                return Ok(false);
            }
            Err(Failure::Doubt) => return Err(StoreError::Unknown),
        }
    }
    sqlx::query("COMMIT").execute(&mut tx.conn).await?;
    Ok(true)
}

/// What an error inside a job means for its group: out of memory, read-only, interrupted, I/O error, corrupt, cannot
/// open, not a database, or a lost connection leave it in doubt.
fn classify(error: &StoreError) -> Failure {
    match error {
        StoreError::Database(sqlx::Error::Database(error)) => {
            match error.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xFF) {
                Some(13) => Failure::Full,
                Some(7..=11 | 14 | 26) => Failure::Doubt,
                Some(_) | None => Failure::Job,
            }
        }
        StoreError::Database(sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed) => Failure::Doubt,
        StoreError::Full => Failure::Full,
        StoreError::Database(_)
        | StoreError::Busy
        | StoreError::Ended
        | StoreError::Unknown
        | StoreError::Row { .. } => Failure::Job,
    }
}
