//! The journal at the start of the daemon: opened, or done without, and whether to try anew.
//!
//! **Invariant:** no state of the disk or of the file keeps alarms from being taken; only a second instance or the wrong version
//! of the program does.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_core::Storage;
use tokio::sync::mpsc;

use crate::adapter::store::{self, Journal, OpenError, StoreEvent, Writer};
use crate::app::ExitCode;
use crate::file_stamp::FileStamp;
use crate::limits::STORAGE_RETRY_FIRST;
use crate::troubles::{Part, Troubles};

/// What stands in an upload for the id of a journal that could not be opened. The centre wants a name, and alarms without a
/// number say nothing about a journal.
const NO_JOURNAL: &str = "none";
/// The journal, or what stands in for it when the disk takes nothing.
pub struct Opened {
    /// Open for writing or, where the disk is dead, for reading only; absent where it could not be opened.
    pub journal: Option<Journal>,
    /// What it held.
    pub restored: store::Restored,
    /// Whether it takes commits.
    pub storage: Storage,
    /// The file that a person has to mend or replace before another try makes sense, as it is now.
    pub broken: Option<Broken>,
}

/// A file that only a person can mend.
#[derive(Debug)]
pub struct Broken {
    path: PathBuf,
    stamp: Option<FileStamp>,
}

/// Opens the journal of a state directory. A journal that is damaged, lost or on a disk that takes nothing keeps nobody from
/// starting.
///
/// # Errors
/// The few reasons for which this process must not run at all.
pub async fn open(dir: &Path, troubles: &Troubles) -> Result<Opened, OpenError> {
    match Journal::open(dir).await {
        Ok((journal, restored)) => {
            let storage = match journal.storage() {
                store::Storage::Writable => Storage::Journal,
                store::Storage::Dead(failure) => {
                    tracing::error!(%failure, "the disk takes nothing: alarms go straight to the centre, sales are closed");
                    troubles.begin(Part::Journal, &failure.to_string());
                    Storage::Dead
                }
            };
            Ok(Opened { journal: Some(journal), restored, storage, broken: None })
        }
        Err(error) if error.forbids_running() => Err(error),
        Err(error) => {
            let path = store::journal_path(dir);
            let person = error.needs_a_person() && !is_unreadable(&path);
            tracing::error!(%error, person, "the journal cannot be opened: alarms go straight to the centre, sales are closed");
            troubles.begin(Part::Journal, &error.to_string());
            let broken = person.then(|| Broken { stamp: FileStamp::of(&path), path });
            let restored = store::Restored { journal: NO_JOURNAL.to_owned(), ..store::Restored::default() };
            Ok(Opened { journal: None, restored, storage: Storage::Dead, broken })
        }
    }
}

/// Whether it is the disk that cannot read the file. SQLite calls such a file damaged, but another try may read it, so no person
/// is needed for one.
fn is_unreadable(path: &Path) -> bool {
    let read = File::open(path).and_then(|mut file| io::copy(&mut file, &mut io::sink()));
    read.is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
}

/// The writer of a journal that takes commits, or the journal that does not.
pub fn writer_or_journal(
    storage: Storage,
    journal: Option<Journal>,
    events: &mpsc::Sender<StoreEvent>,
) -> (Option<Writer>, Option<Journal>) {
    match (storage, journal) {
        (Storage::Journal, Some(journal)) => (Some(journal.start(events.clone())), None),
        (Storage::Journal | Storage::Dead, journal) => (None, journal),
    }
}

/// Ends when a start anew may find a journal that takes commits: the disk that took nothing takes them again, or the file that
/// only a person can mend is another. Never, where all was well from the start. `retry`: from one attempt to the next, at most.
pub async fn is_back(storage: Storage, mut journal: Option<Journal>, broken: Option<Broken>, retry: Duration) {
    if storage == Storage::Journal {
        return std::future::pending().await;
    }
    let mut pause = if journal.is_some() { STORAGE_RETRY_FIRST.min(retry) } else { retry };
    loop {
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(retry);
        match &mut journal {
            Some(journal) => {
                if journal.probe().await == store::Storage::Writable {
                    return;
                }
            }
            // Nobody touched it: a new start would find the same, and cut every device's connection for it.
            None if broken.as_ref().is_some_and(|broken| FileStamp::of(&broken.path) == broken.stamp) => {}
            // It could not even be opened: only a new start can try again.
            None => return,
        }
    }
}

/// EX_IOERR.
const STORAGE_EXIT: u8 = 74;

#[expect(clippy::print_stderr, reason = "the last word to whoever started the daemon by hand")]
/// Says why the gateway must not run: the journal, or what a newer release wrote into it.
pub fn does_not_start(error: &dyn std::error::Error) -> ExitCode {
    tracing::error!(error = %error, "the gateway does not start");
    eprintln!("gateway: {error}");
    ExitCode::Storage(STORAGE_EXIT)
}
