//! The journal on SQLite: what is durable, and where it lies.
//!
//! One file, `journal.db`, in the state directory ([`place`]). Its format is the schema in `migrations/`:
//!
//! | table | holds |
//! |---|---|
//! | `journal` | one row: the journal's id, 32 hex digits, drawn when the file was made |
//! | `entry` | the entries, `n` = 1, 2, 3 …: `bytes` exactly as they were hashed, `hash` = SHA-256(hash of `n`-1 ‖ `bytes`), and, taken from the bytes for look-ups, `lane` (0 alarms, 1 sales, 2 rest), `kind` and origin; `body` is the fingerprint of what was reported |
//! | `private` | personal data beside an entry; deleted when it is erased, which the chain does not notice |
//! | `state` | the records from which the core restores itself, each with a checksum `sum`; `store/trusted_at`, the newest trusted time, is the store's own |
//!
//! **Invariant:** one writer, which commits one group after the other; its commit is the only thing that makes a fact durable.
//! **Invariant:** what a start restores is durable before anything is told about it: the write-ahead log, which a killed
//! process may have left unsynced, is brought into the file and synced first.
//! **Invariant:** a newer schema, a lost or foreign file, a broken chain are refused by name; the file is not touched.

mod chain;
mod commit;
mod connect;
mod create;
mod entry_check;
mod error;
mod failure;
mod head;
mod limits;
mod log;
mod open;
mod origin;
mod pack;
mod place;
mod reader;
mod restore;
mod show;
mod space;
mod trusted;
mod verify;
mod walk;
mod writer;

pub use chain::{Fault, Hash, link};
pub use error::OpenError;
pub use failure::{FailureClass, StoreFailure};
pub use open::{Begun, Journal, Storage};
pub use place::journal_path;
pub use reader::{DamagedRow, LaneBatch, LaneQuery, Reader, ScrubbedState};
pub use restore::Restored;
pub use show::{ShowError, ShowFilter, show};
pub use space::Space;
pub use verify::{Depth, VerifyReport, verify};
pub use writer::{StoreEvent, Writer, WriterGone};
