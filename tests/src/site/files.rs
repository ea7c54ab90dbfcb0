//! The directory of a site and the files in it.
//!
//! **Invariant:** nobody but their owner reads the secrets.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::SiteError;

/// Keeps the directory of every site when it is set, to look into afterwards.
pub const KEEP_VARIABLE: &str = "KEEP_SITE";

/// A new directory in the temporary one.
///
/// # Errors
/// It cannot be made.
pub fn new_directory() -> Result<PathBuf, SiteError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("test-site-{}-{count}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            // A leftover of an earlier process with the same number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(SiteError::File { path, source }),
        }
    }
}

/// Writes a file, in place of the one that is there.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), SiteError> {
    std::fs::write(path, text).map_err(SiteError::file(path))
}

/// The same, for its owner only.
///
/// # Errors
/// It cannot be written.
pub fn write_secret(path: &Path, text: &str) -> Result<(), SiteError> {
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(SiteError::file(path))
}
