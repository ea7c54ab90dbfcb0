//! The journal on SQLite: what is durable, and where it lies.
//!
//! One file, `journal.db`, in the state directory ([`place`]). Its format is the schema in `migrations/`:
//!
//! | table | holds |
//! |---|---|
//! | `journal` | one row: the journal's id, 32 hex digits, drawn when the file was made |
//! | `entry` | the entries, `n` = 1, 2, 3 …: `bytes` exactly as they were hashed, `hash` = SHA-256(hash of `n`-1 ‖ `bytes`), and, taken from the bytes for look-ups, `lane` (0 alarms, 1 sales, 2 rest), `kind` and origin; `body` is the fingerprint of what was reported |
//! | `private` | personal data beside an entry; deleted when it is erased, which the chain does not notice |
//! | `state` | the records from which the core restores itself, each with a checksum `sum` |
//!
//! **Invariant:** one writer, which commits one group after the other; its commit is the only thing that makes a fact durable.
//! **Invariant:** what a start restores is durable before anything is told about it: the write-ahead log, which a killed
//! process may have left unsynced, is brought into the file and synced first.
//! **Invariant:** a newer schema, a lost or foreign file, a broken chain are refused by name; the file is not touched.

mod chain;
mod commit;
mod connect;
mod create;
mod error;
mod failure;
mod limits;
mod place;
mod reader;
mod restore;
mod walk;
mod writer;

use std::path::Path;

use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::mpsc;

pub use chain::{Fault, Hash, link};
pub use error::OpenError;
pub use failure::{FailureClass, StoreFailure};
pub use reader::{DamagedRow, LaneBatch, LaneQuery, Reader};
pub use restore::Restored;
pub use writer::{StoreEvent, Writer, WriterGone};

use chain::Tip;
use create::{Found, MIGRATIONS};
use place::Place;

/// An open journal, before its writer runs.
#[derive(Debug)]
pub struct Journal {
    place: Place,
    connection: SqliteConnection,
    tip: Tip,
}

impl Journal {
    /// Takes the state directory, makes the journal at first boot, checks it and restores.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(dir: &Path) -> Result<(Self, Restored), OpenError> {
        let place = Place::take(dir)?;
        let path = place.journal();
        let enrolled = place.enrolled()?;
        match (create::look(&path)?, &enrolled) {
            (Found::File, _) => gate(&path).await?,
            (found @ (Found::Empty | Found::Nothing), Some(journal)) => {
                return Err(OpenError::Lost { path, journal: journal.clone(), empty: found == Found::Empty });
            }
            (Found::Empty | Found::Nothing, None) => drop(create::create(&place).await?),
        }
        let mut connection = connect::writing(&path).await?;
        MIGRATIONS.run(&mut connection).await.map_err(OpenError::Migration)?;
        connect::checkpoint(&mut connection, connect::Checkpoint::Truncate).await?;
        let restored = restore::restore(&mut connection).await?;
        match enrolled {
            Some(enrolled) if enrolled != restored.journal => {
                return Err(OpenError::OtherJournal { enrolled, found: restored.journal });
            }
            Some(_) => {}
            None => place.enrol(&restored.journal)?,
        }
        let tip = Tip { n: restored.last_n, hash: restored.last_hash };
        Ok((Self { place, connection, tip }, restored))
    }

    /// Reads beside the writer.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(&self.place.journal())
    }

    /// Starts the writer as a task of the runtime; it tells what it did on `events`.
    #[must_use]
    pub fn start(self, events: mpsc::Sender<StoreEvent>) -> Writer {
        Writer::start(self.connection, self.tip, self.place, events)
    }
}

/// Looks at an existing file without changing it: is it ours, and do we know its schema?
async fn gate(path: &Path) -> Result<(), OpenError> {
    let mut connection = connect::reading(path).connect().await?;
    connect::check_version(&mut connection).await?;
    let foreign = || OpenError::Foreign { path: path.to_owned() };
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await?;
    if application != APPLICATION_ID {
        return Err(foreign());
    }
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    let found: i64 =
        sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations").fetch_one(&mut connection).await?;
    connection.close().await?;
    if found > known { Err(OpenError::NewerSchema { found, known }) } else { Ok(()) }
}

/// "CYJ1", as the first migration sets it.
const APPLICATION_ID: i64 = 0x4359_4A31;
