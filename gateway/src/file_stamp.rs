//! What tells one version of a file from another: it is replaced by a rename, or written in place.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A version of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    inode: u64,
    len: u64,
    modified: (i64, i64),
}

impl FileStamp {
    /// The version that is there now; `None` where no file is, or nobody may look at it.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        Some(Self { inode: meta.ino(), len: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()) })
    }
}
