//! Opening: what is checked, in which order, and what a disk that takes no writes still allows.
//!
//! ```text
//! take the directory ─ look ─ first boot: create ────────────────────────┐
//!                        └─ reads only: ours? schema? journal? head? ─────┴─ ready for writing? ─ yes: restore ─ Writable
//!                                                  │ no, the disk (give the reserve back, try once more)
//!                                                  └ restore by reading ─ Dead
//! ```

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::mpsc;

use super::chain::Tip;
use super::connect::{self, Checkpoint};
use super::create::{self, Found, MIGRATIONS};
use super::error::OpenError;
use super::failure::{FailureClass, StoreFailure};
use super::head;
use super::place::Place;
use super::reader::Reader;
use super::restore::{self, Restored};
use super::space::Space;
use super::writer::{StoreEvent, Writer};

/// "CYJ1", as the first migration sets it.
const APPLICATION_ID: i64 = 0x4359_4A31;

/// Whether the journal takes commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// A commit was made and is durable.
    Writable,
    /// No commit is possible.
    Dead(StoreFailure),
}

/// An open journal, before its writer runs.
#[derive(Debug)]
pub struct Journal {
    place: Place,
    space: Space,
    reading: SqliteConnectOptions,
    writing: Result<SqliteConnection, StoreFailure>,
    tip: Tip,
}

impl Journal {
    /// Takes the state directory, makes the journal at first boot, checks it, restores, and tries a commit. When the disk takes
    /// none, the journal is opened all the same, for reading: see [`Journal::storage`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(dir: &Path) -> Result<(Self, Restored), OpenError> {
        let place = Place::take(dir)?;
        let path = place.journal();
        let space = Space::new(place.dir());
        let enrolled = place.enrolled()?;
        match (create::look(&path)?, &enrolled) {
            (Found::File, _) => {
                let mut reading = gate(&path).await?;
                expect_journal(&mut reading, enrolled.as_deref()).await?;
                expect_head(&mut reading, head::noted(place.dir())).await?;
                reading.close().await?;
            }
            (found @ (Found::Empty | Found::Nothing), Some(journal)) => {
                return Err(OpenError::Lost { path, journal: journal.clone(), empty: found == Found::Empty });
            }
            (Found::Empty | Found::Nothing, None) => drop(create::create(&place).await?),
        }
        let (reading, restored, writing) = match ready_or_dead(&path, &space).await? {
            Ok(mut connection) => {
                let restored = restore::restore(&mut connection).await?;
                (connect::reading(&path), restored, Ok(connection))
            }
            Err(failure) => {
                tracing::error!(%failure, class = failure.class.word(), "the journal takes no commits");
                let (reading, mut connection) = connect::reading_without_writing(&path).await?;
                let restored = restore::restore(&mut connection).await?;
                connection.close().await?;
                (reading, restored, Err(failure))
            }
        };
        if enrolled.is_none() && writing.is_ok() {
            place.enrol(&restored.journal)?;
        }
        let tip = Tip { n: restored.last_n, hash: restored.last_hash };
        Ok((Self { place, space, reading, writing, tip }, restored))
    }

    /// Begins a new journal in a state directory. Where one is there, or should be, it is set aside under another name with
    /// its log, never deleted; without `replace` it is refused. The centre keeps sales closed until a person approves the new one.
    ///
    /// # Errors
    /// See [`OpenError`]; [`OpenError::AlreadyThere`] without `replace`.
    pub async fn init(dir: &Path, replace: bool) -> Result<Begun, OpenError> {
        let place = Place::take(dir)?;
        let path = place.journal();
        let there = create::look(&path)? != Found::Nothing;
        if (there || place.enrolled()?.is_some()) && !replace {
            return Err(OpenError::AlreadyThere { path });
        }
        let aside = if there { Some(create::set_aside(&place)?) } else { None };
        let journal = create::create(&place).await?;
        place.enrol(&journal)?;
        Ok(Begun { journal, aside })
    }

    /// What the last try of a commit said.
    #[must_use]
    pub fn storage(&self) -> Storage {
        match &self.writing {
            Ok(_) => Storage::Writable,
            Err(failure) => Storage::Dead(*failure),
        }
    }

    /// Tries a commit now. A dead journal stays dead in this process even when the disk has recovered: what the core was told
    /// of storage was decided at the start, so start anew.
    pub async fn probe(&mut self) -> Storage {
        let path = self.place.journal();
        let tried = match &mut self.writing {
            Ok(connection) => probe(connection).await.map_err(OpenError::from),
            Err(_) => match ready(&path, &self.space).await {
                Ok(connection) => connection.close().await.map_err(OpenError::from),
                Err(error) => Err(error),
            },
        };
        match tried {
            Ok(()) => Storage::Writable,
            Err(OpenError::Store(failure)) => Storage::Dead(failure),
            Err(_) => Storage::Dead(StoreFailure::of_program(FailureClass::Unopenable)),
        }
    }

    /// The room on the disk.
    #[must_use]
    pub fn space(&self) -> Space {
        self.space.clone()
    }

    /// Reads beside the writer.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(self.reading.clone())
    }

    /// Starts the writer as a task of the runtime; it tells what it did on `events`. The writer of a dead journal only keeps
    /// the directory: a group that is handed to it fails.
    #[must_use]
    pub fn start(self, events: mpsc::Sender<StoreEvent>) -> Writer {
        Writer::start(self.writing, self.tip, self.place, events)
    }
}

/// A journal that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its id.
    pub journal: String,
    /// Where the one before was set aside.
    pub aside: Option<PathBuf>,
}

/// Looks at an existing file without changing it: is it ours, and do we know its schema? Gives the connection for more reading.
pub(super) async fn gate(path: &Path) -> Result<SqliteConnection, OpenError> {
    let (_, mut connection) = connect::reading_without_writing(path).await?;
    connect::check_version(&mut connection).await?;
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await?;
    if application != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    let found: i64 =
        sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations").fetch_one(&mut connection).await?;
    if found > known { Err(OpenError::NewerSchema { found, known }) } else { Ok(connection) }
}

/// The file must be the journal that belongs here.
async fn expect_journal(reading: &mut SqliteConnection, enrolled: Option<&str>) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("SELECT id FROM journal").fetch_one(reading).await?;
    match enrolled {
        Some(enrolled) if enrolled != found => Err(OpenError::OtherJournal { enrolled: enrolled.to_owned(), found }),
        Some(_) | None => Ok(()),
    }
}

/// The file must hold what was noted as committed. Asked before anything is written: a log that is damaged stays as it is.
async fn expect_head(reading: &mut SqliteConnection, noted: Option<Tip>) -> Result<(), OpenError> {
    let Some(noted) = noted else { return Ok(()) };
    let found: i64 = sqlx::query_scalar("SELECT coalesce(max(n), 0) FROM entry").fetch_one(&mut *reading).await?;
    let found = found.cast_unsigned();
    if noted.n > found {
        return Err(OpenError::WentBack { noted: noted.n, found });
    }
    let hash = sqlx::query_scalar::<_, Vec<u8>>("SELECT hash FROM entry WHERE n = ?")
        .bind(noted.n.cast_signed())
        .fetch_optional(reading)
        .await?;
    // An entry that is missing is found by the walk along the chain, which says more.
    let same = hash.is_none_or(|hash| hash == noted.hash);
    if same { Ok(()) } else { Err(OpenError::Forked { n: noted.n }) }
}

/// A connection on which a commit was made, or why the disk takes none.
async fn ready_or_dead(path: &Path, space: &Space) -> Result<Result<SqliteConnection, StoreFailure>, OpenError> {
    let mut tried = ready(path, space).await;
    if tried.is_err() && (space.is_out() || is_full(&tried)) && space.release_reserve().unwrap_or(false) {
        tracing::warn!("the disk is full: the reserve for alarms is in use");
        tried = ready(path, space).await;
    }
    match tried {
        Ok(connection) => {
            if let Err(error) = space.keep_reserve() {
                tracing::warn!(%error, "no reserve for alarms could be set aside");
            }
            Ok(Ok(connection))
        }
        Err(OpenError::Store(failure)) if failure.is_of_the_disk() => Ok(Err(failure)),
        Err(error) => Err(error),
    }
}

fn is_full<T>(tried: &Result<T, OpenError>) -> bool {
    matches!(tried, Err(OpenError::Store(failure)) if failure.class == FailureClass::Full)
}

async fn ready(path: &Path, space: &Space) -> Result<SqliteConnection, OpenError> {
    if space.is_out() {
        return Err(StoreFailure::of_program(FailureClass::Full).into());
    }
    let mut connection = connect::writing(path).await?;
    create::migrate(&mut connection).await?;
    // Entries that a killed process left in the log may be in memory only. Nothing may be told about them before this.
    let pages = connect::checkpoint(&mut connection, Checkpoint::Full).await?;
    if pages.done < pages.log {
        return Err(StoreFailure::of_program(FailureClass::Busy).into());
    }
    probe(&mut connection).await?;
    Ok(connection)
}

async fn probe(connection: &mut SqliteConnection) -> Result<(), StoreFailure> {
    sqlx::query("UPDATE journal SET probe = probe + 1").execute(connection).await?;
    Ok(())
}
