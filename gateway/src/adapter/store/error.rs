//! Why a journal cannot be opened. Each message says what a person can do.

use std::io;
use std::path::PathBuf;

use super::chain::Fault;
use super::failure::{FailureClass, StoreFailure};

/// Why the journal was not opened. Nothing was changed in the file unless the variant says so.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The state directory or a small file in it cannot be used.
    #[error("{}: {source}", path.display())]
    Place {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another instance holds the directory.
    #[error("another gateway{} works in {}; stop it first", pid_text(*pid), dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The other's process id, where it could be read.
        pid: Option<u32>,
    },
    /// The SQLite in use can lose committed data (the WAL-reset bug).
    #[error("SQLite {found} is too old: 3.51.3 or newer is needed, since older ones can lose committed entries")]
    SqliteTooOld {
        /// Its version.
        found: String,
    },
    /// A setting that durability rests on did not take.
    #[error("SQLite does not keep {name}: it says {found}, where {wanted} is needed for entries to be durable")]
    PragmaIgnored {
        /// The pragma.
        name: &'static str,
        /// What was set.
        wanted: &'static str,
        /// What was read back.
        found: String,
    },
    /// The file was written by a newer version of this program.
    #[error(
        "the journal has schema {found}, this version knows {known}: install the newer version again; the file was not touched"
    )]
    NewerSchema {
        /// The schema of the file.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// This gateway had a journal, and it is gone or empty.
    #[error(
        "this gateway is enrolled (journal {journal}), but {} is {}: put the file back from where it went, \
         or begin a new journal with `gateway journal init --replace`; until a person at the centre approves it, sales stay closed",
        path.display(), if *empty { "empty" } else { "missing" }
    )]
    Lost {
        /// Where it should be.
        path: PathBuf,
        /// Its id.
        journal: String,
        /// Whether a file without content is there.
        empty: bool,
    },
    /// The file is a database, but none of this program; or none at all.
    #[error("{} is no journal of this program", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// The journal of another gateway, or an earlier one of this gateway, lies there.
    #[error(
        "this gateway is enrolled with journal {enrolled}, but the file is journal {found}: put the right file back, or `gateway journal init --replace`"
    )]
    OtherJournal {
        /// Which journal belongs here.
        enrolled: String,
        /// Which one lies there.
        found: String,
    },
    /// The journal ends before an entry that was committed: its log was lost, or an older copy was put back.
    #[error(
        "the journal ends at entry {found}, but entry {noted} was committed: put the newer file and its -wal file back, \
         or begin a new journal with `gateway journal init --replace`"
    )]
    WentBack {
        /// The last entry that was noted as committed.
        noted: u64,
        /// The last entry in the file.
        found: u64,
    },
    /// Another entry has the number of one that was committed.
    #[error(
        "entry {n} is not the one that was committed under this number; `gateway journal init --replace` begins a new journal"
    )]
    Forked {
        /// The number.
        n: u64,
    },
    /// A journal is there already.
    #[error("{} is there already; `--replace` sets it aside and begins a new one", path.display())]
    AlreadyThere {
        /// Where.
        path: PathBuf,
    },
    /// An entry does not fit into the chain.
    #[error(
        "entry {n} is damaged: {fault}; look at it with `gateway journal verify`, begin a new journal with `gateway journal init --replace`"
    )]
    Chain {
        /// The first bad entry.
        n: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The schema could not be brought up to date.
    #[error("the journal's schema could not be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The operating system gave no randomness for the journal's id.
    #[error("no randomness for the journal's id")]
    Random(#[source] getrandom::Error),
    /// The database failed.
    #[error("the journal cannot be opened: {0}")]
    Store(#[from] StoreFailure),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(StoreFailure::from(error))
    }
}

impl OpenError {
    /// Whether the file itself is damaged, lost or not the right one, so that only a person can decide.
    #[must_use]
    pub const fn needs_a_person(&self) -> bool {
        match self {
            Self::Lost { .. }
            | Self::Foreign { .. }
            | Self::OtherJournal { .. }
            | Self::WentBack { .. }
            | Self::Forked { .. }
            | Self::Chain { .. } => true,
            Self::Store(failure) => matches!(failure.class, FailureClass::Corrupt),
            Self::Place { .. }
            | Self::InUse { .. }
            | Self::SqliteTooOld { .. }
            | Self::PragmaIgnored { .. }
            | Self::NewerSchema { .. }
            | Self::AlreadyThere { .. }
            | Self::Migration(_)
            | Self::Random(_) => false,
        }
    }

    /// Whether the gateway must not run at all, not even to forward alarms without a journal: another one does already, or
    /// this version is not the one to run here.
    #[must_use]
    pub const fn forbids_running(&self) -> bool {
        match self {
            Self::InUse { .. } | Self::SqliteTooOld { .. } | Self::PragmaIgnored { .. } | Self::NewerSchema { .. } => {
                true
            }
            Self::Place { .. }
            | Self::Lost { .. }
            | Self::Foreign { .. }
            | Self::OtherJournal { .. }
            | Self::WentBack { .. }
            | Self::Forked { .. }
            | Self::AlreadyThere { .. }
            | Self::Chain { .. }
            | Self::Migration(_)
            | Self::Random(_)
            | Self::Store(_) => false,
        }
    }
}

fn pid_text(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
