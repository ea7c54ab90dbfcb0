//! Why something about a site could not be done.

use std::path::PathBuf;
use std::time::Duration;

use crate::pcscd::PcscdError;
use crate::virtual_card::state_file::StateFileError;

/// Something about a site could not be done.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A program of the workspace is not there.
    #[error("{path} is not built; run: {build}")]
    NotBuilt {
        /// Where it would be.
        path: PathBuf,
        /// The command that builds it.
        build: &'static str,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("{program} could not be started: {source}")]
    Start {
        /// Its name.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program ended although it should run, or ended otherwise than it should.
    #[error("{program} ended with {status}; the end of its output:\n{output}")]
    Ended {
        /// Its name.
        program: String,
        /// How.
        status: std::process::ExitStatus,
        /// The last lines of what it printed.
        output: String,
    },
    /// What a program printed is not what it should print.
    #[error("{program} printed something else than {wanted}:\n{output}")]
    Output {
        /// Its name.
        program: String,
        /// What was wanted.
        wanted: &'static str,
        /// What it printed.
        output: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {within:?}{last}")]
    Late {
        /// What.
        what: String,
        /// The deadline.
        within: Duration,
        /// What was seen last, if anything.
        last: Seen,
    },
    /// A request got no answer.
    #[error("{method} {url}: {source}")]
    NoAnswer {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// A request got another answer than wanted.
    #[error("{method} {url}: {status}\n{body}")]
    Answer {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made: {0}")]
    Client(reqwest::Error),
    /// The gateway does not let a device in, or cut it off.
    #[error("device {device}: {why}")]
    Device {
        /// Which.
        device: String,
        /// Why.
        why: String,
    },
    /// pcscd and the virtual reader.
    #[error(transparent)]
    Pcscd(#[from] PcscdError),
    /// The state file of a virtual chip.
    #[error(transparent)]
    Chip(#[from] StateFileError),
    /// No port is free.
    #[error("no port between {0} and {1} is free")]
    NoPort(u16, u16),
}

/// What was seen last before the time was over.
#[derive(Debug, Clone, Default)]
pub struct Seen(pub Option<String>);

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(last) => write!(f, "; last seen: {last}"),
            None => Ok(()),
        }
    }
}

impl SiteError {
    /// For `map_err` of file operations.
    pub fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
