//! The state directory: who may see it, who works in it, and whether this gateway had a journal before.
//!
//! | file | what |
//! |---|---|
//! | `journal.db`, `-wal`, `-shm` | the journal |
//! | `journal.db.new` | a journal in the making; left behind by a power cut and made anew |
//! | `enrolled` | the id of the journal that belongs here: from then on a missing file is a loss, not a first boot |
//! | `head` | the last entry that was committed |
//! | `reserve` | room for alarms when the disk is full |
//! | `lock` | locked by the one gateway that works here; holds its process id |
//!
//! **Invariant:** the directory is open to its owner alone (0700), its files too (0600).
//! **Invariant:** a file appears under its name only when it is complete and durable (written aside, synced, renamed).

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::error::OpenError;

const JOURNAL: &str = "journal.db";
const ENROLLED: &str = "enrolled";
const LOCK: &str = "lock";

/// The state directory, held for this process as long as the value lives.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    _lock: File,
}

impl Place {
    /// Makes the directory where it is missing, closes it to others, and takes it for this process.
    ///
    /// # Errors
    /// It cannot be made or written; another process holds it.
    pub fn take(dir: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Place { path: dir.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let dir = dir.canonicalize().map_err(failed)?;
        close_to_others(&dir, 0o700).map_err(failed)?;
        let lock = lock(&dir)?;
        Ok(Self { dir, _lock: lock })
    }

    /// The journal's file.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        journal_path(&self.dir)
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The id of the journal that belongs here, if this gateway ever had one.
    ///
    /// # Errors
    /// The mark is there and cannot be read.
    pub fn enrolled(&self) -> Result<Option<String>, OpenError> {
        let path = self.dir.join(ENROLLED);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(OpenError::Place { path, source }),
        }
    }

    /// Marks the directory as that of `journal`, durably.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn enrol(&self, journal: &str) -> Result<(), OpenError> {
        let path = self.dir.join(ENROLLED);
        let aside = self.dir.join("enrolled.new");
        let write = || {
            let mut file = private_file(&aside, OpenOptions::new().truncate(true))?;
            writeln!(file, "{journal}")?;
            file.sync_all()?;
            std::fs::rename(&aside, &path)?;
            self.sync()
        };
        write().map_err(|source| OpenError::Place { path: path.clone(), source })
    }

    /// Makes the directory's entries durable.
    ///
    /// # Errors
    /// The disk failed.
    pub fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

/// Where the journal lies in a state directory.
#[must_use]
pub fn journal_path(dir: &Path) -> PathBuf {
    dir.join(JOURNAL)
}

/// `path` with `suffix` behind its name, such as `-wal`.
#[must_use]
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens or makes a file that only its owner may read.
pub fn private_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.write(true).create(true).mode(0o600).open(path)?;
    close_to_others(path, 0o600)?;
    Ok(file)
}

fn close_to_others(path: &Path, mode: u32) -> io::Result<()> {
    let permissions = std::fs::metadata(path)?.permissions();
    if permissions.mode() & 0o077 == 0 { Ok(()) } else { std::fs::set_permissions(path, Permissions::from_mode(mode)) }
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(LOCK);
    let failed = |source| OpenError::Place { path: path.clone(), source };
    let opened = private_file(&path, OpenOptions::new().read(true)).or_else(|error| {
        if error.kind() == io::ErrorKind::ReadOnlyFilesystem { File::open(&path) } else { Err(error) }
    });
    let mut file = opened.map_err(failed)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(OpenError::InUse { dir: dir.to_owned(), pid });
        }
        Err(errno) => return Err(failed(errno.into())),
    }
    // The process id is for people only; a disk that takes nothing must not keep the gateway from starting.
    let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = noted {
        tracing::warn!(%error, "the lock file does not take the process id");
    }
    Ok(file)
}
