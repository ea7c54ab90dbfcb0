//! What can go wrong with a disk for tests.

use std::io;
use std::path::{Path, PathBuf};

use crate::site::error::SiteError;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    /// A file or directory.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program of the system cannot be started.
    #[error("{program}: {source}")]
    Missing {
        /// Its name.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A program of the system failed.
    #[error("{program}: {output}")]
    Tool {
        /// Its name.
        program: String,
        /// What it said.
        output: String,
    },
    /// The journal cannot be read.
    #[error("the journal cannot be read: {0}")]
    Journal(#[from] sqlx::Error),
    /// The site.
    #[error(transparent)]
    Site(#[from] SiteError),
}

impl PowerError {
    /// For `map_err` of file operations.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
