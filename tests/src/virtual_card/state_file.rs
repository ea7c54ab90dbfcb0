//! A chip's memory as a JSON file, so that a card keeps its balance from one process to the next.
//!
//! **Invariant:** the file holds either the state before a command or the one after it, never a part of one.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a state file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// Reading or writing failed.
    #[error("state file: {0}")]
    Io(#[from] io::Error),
    /// It is no state of this kind of chip.
    #[error("state file: {0}")]
    Content(#[from] serde_json::Error),
}

/// Reads a chip's state.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, StateFileError> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// Writes a chip's state beside the old one and puts it into its place. It survives the end of the process; a power cut is not
/// played here.
pub fn save<T: Serialize>(path: &Path, state: &T) -> Result<(), StateFileError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut text = serde_json::to_vec_pretty(state)?;
    text.push(b'\n');
    std::fs::write(&beside, text)?;
    Ok(std::fs::rename(&beside, path)?)
}
