//! The devices file: which devices may log in, and how each is known again. Owns its format, the directory that the
//! device link asks, and the changes that the command line makes.
//!
//! ```toml
//! [[device]]
//! id = "btn-0001"             # 1 to 32 of A-Z a-z 0-9 - _, unique in the district
//! epoch = 1                   # optional; set anew at each provisioning
//! secret_hash = "v1$…$…"      # see `secret`
//! silent_after_s = 10800      # optional; seconds without a sign until the device counts as silent
//! kind = "button"             # optional; what it is, for people
//! place = "3号楼 201 卧室"      # optional; where it is, so that whoever goes there finds it
//! ```
//!
//! **Invariant:** no secret is in the file, only its keyed hash; the secret exists in the device and for one moment on
//! the screen of whoever added it.
//! **Invariant:** a file with any mistake gives no directory at all, so a gateway never runs with half of its devices.

mod directory;
mod edit;
mod secret;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protocols::id::{DeviceEpoch, DeviceId};
use serde::Deserialize;
use toml::Spanned;

pub use directory::{DeviceDirectory, LoginError};
pub use edit::{EditError, NewDevice, add, remove};
pub use secret::{NoRandomness, Secret, SecretHash, SecretHashError};

/// The largest devices file, in bytes: ten thousand devices with all their keys are below 3 MB.
pub const FILE_LEN_MAX: u64 = 8 * 1024 * 1024;
/// The most devices of one gateway; a larger site assigns devices to several.
pub const DEVICES_MAX: usize = 20_000;
/// Tables of the file that are read at once.
const TABLES_AT_ONCE: usize = 64;
/// Seconds without a sign after which a device counts as silent, unless its entry says otherwise: three missed hourly
/// heartbeats.
pub const SILENT_AFTER_S_DEFAULT: u32 = 10_800;
/// Bounds of `silent_after_s`: shorter than a radio cell's hiccup would cry wolf, longer than a day would be found too
/// late.
pub const SILENT_AFTER_S_RANGE: std::ops::RangeInclusive<u32> = 60..=86_400;
/// The longest `kind`, in bytes.
pub const KIND_LEN_MAX: usize = 32;
/// The longest `place`, in bytes: thirty Chinese characters and room.
pub const PLACE_LEN_MAX: usize = 96;

/// One device of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name, which is also its client id and user name.
    pub id: DeviceId,
    /// Epoch of its provisioning, where the file says it.
    pub epoch: Option<DeviceEpoch>,
    /// What its secret is checked against.
    pub secret_hash: SecretHash,
    /// Seconds without a sign until it counts as silent.
    pub silent_after_s: u32,
    /// What it is, for people.
    pub kind: Option<String>,
    /// Where it is, for whoever goes there; no name of a person.
    pub place: Option<String>,
}

/// What is wrong with a devices file, for a person to mend. Its text names file, line and key and never shows a hash.
#[derive(Debug, thiserror::Error)]
pub enum DevicesFileError {
    /// The file cannot be read.
    #[error("{path}: the devices file cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than [`FILE_LEN_MAX`].
    #[error("{path}: the devices file is larger than {FILE_LEN_MAX} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// No TOML, an unknown or missing key, or a value of another type.
    #[error("{path}:{line}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the TOML reader says, on one line.
        message: SyntaxMessage,
    },
    /// A value that the key does not allow.
    #[error("{path}:{line}: {key}: {fault}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key.
        key: &'static str,
        /// What would be right.
        fault: Fault,
    },
}

/// The TOML reader's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxMessage(Box<str>);

impl std::fmt::Display for SyntaxMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a value lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No device name.
    #[error("{0}")]
    Name(#[from] protocols::id::NameError),
    /// No secret hash.
    #[error("{0}")]
    Hash(#[from] SecretHashError),
    /// The id stands in an earlier entry.
    #[error("this id is already used on line {first}")]
    Twice {
        /// The line of the first one.
        first: usize,
    },
    /// Outside [`SILENT_AFTER_S_RANGE`].
    #[error("must be between {} and {} seconds", SILENT_AFTER_S_RANGE.start(), SILENT_AFTER_S_RANGE.end())]
    SilentAfter,
    /// Empty, too long, or with control characters.
    #[error("must be 1 to {KIND_LEN_MAX} bytes without control characters")]
    Kind,
    /// Empty, too long, or with control characters.
    #[error("must be 1 to {PLACE_LEN_MAX} bytes without control characters")]
    Place,
    /// More than [`DEVICES_MAX`].
    #[error("more than {DEVICES_MAX} devices; assign some of them to another gateway")]
    TooMany,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    device: Vec<RawDevice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDevice {
    id: Spanned<String>,
    epoch: Option<DeviceEpoch>,
    secret_hash: Spanned<String>,
    silent_after_s: Option<Spanned<u32>>,
    kind: Option<Spanned<String>>,
    place: Option<Spanned<String>>,
}

/// Reads and checks a devices file; the devices in the order of their ids.
///
/// # Errors
/// [`DevicesFileError`], the first mistake of the file.
pub fn load(path: &Path) -> Result<Vec<Device>, DevicesFileError> {
    parse(path, &read(path)?)
}

fn read(path: &Path) -> Result<String, DevicesFileError> {
    let unreadable = |source| DevicesFileError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_LEN_MAX {
        return Err(DevicesFileError::TooLarge { path: path.to_owned() });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// Checks the text of a devices file; `path` is only named in errors.
///
/// # Errors
/// [`DevicesFileError`], the first mistake of the text.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Device>, DevicesFileError> {
    let mut found = Found { path, text, devices: BTreeMap::new() };
    for (start, part) in parts(text) {
        match toml::from_str::<RawFile>(part) {
            Ok(raw) if part.split_inclusive('\n').next().is_some_and(is_header) || raw.device.is_empty() => {
                found.take(raw, start)?;
            }
            // What is wrong is said of the file as a whole, and a file that only makes sense as a whole is read as one.
            Ok(_) | Err(_) => return parse_whole(path, text),
        }
    }
    Ok(found.into_devices())
}

fn parse_whole(path: &Path, text: &str) -> Result<Vec<Device>, DevicesFileError> {
    let raw: RawFile = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let message = error.message().replace(['\n', '\r'], " ").into_boxed_str();
        DevicesFileError::Syntax { path: path.to_owned(), line: line_of(text, at), message: SyntaxMessage(message) }
    })?;
    let mut found = Found { path, text, devices: BTreeMap::new() };
    found.take(raw, 0)?;
    Ok(found.into_devices())
}

/// The text in parts of [`TABLES_AT_ONCE`] tables, each with where it begins; what stands before the first table is a part of its
/// own. The reader of TOML takes twenty times a text's length of memory, which of a file as a whole would stay with the process.
fn parts(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut starts = vec![0];
    let mut at = 0_usize;
    let mut tables = 0_usize;
    for line in text.split_inclusive('\n') {
        if is_header(line) {
            if tables.is_multiple_of(TABLES_AT_ONCE) && at > 0 {
                starts.push(at);
            }
            tables = tables.saturating_add(1);
        }
        at = at.saturating_add(line.len());
    }
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| (start, text.get(start..end).unwrap_or_default()))
}

/// The line that begins an entry.
const HEADER: &str = "[[device]]";

fn is_header(line: &str) -> bool {
    line.split('#').next().is_some_and(|code| code.split_whitespace().collect::<String>() == HEADER)
}

/// Devices of a text, each with where it stands.
struct Found<'t> {
    path: &'t Path,
    text: &'t str,
    devices: BTreeMap<DeviceId, (usize, Device)>,
}

impl Found<'_> {
    /// Takes the devices of a part that begins at `start`.
    fn take(&mut self, raw: RawFile, start: usize) -> Result<(), DevicesFileError> {
        for raw in raw.device {
            let at = start.saturating_add(raw.id.span().start);
            let device = checked(&raw).map_err(|(at, key, why)| self.fault(start.saturating_add(at), key, why))?;
            if self.devices.len() == DEVICES_MAX {
                return Err(self.fault(at, "device", Fault::TooMany));
            }
            if let Some((first, _)) = self.devices.get(&device.id) {
                return Err(self.fault(at, "id", Fault::Twice { first: line_of(self.text, *first) }));
            }
            self.devices.insert(device.id.clone(), (at, device));
        }
        Ok(())
    }

    fn fault(&self, at: usize, key: &'static str, fault: Fault) -> DevicesFileError {
        DevicesFileError::Value { path: self.path.to_owned(), line: line_of(self.text, at), key, fault }
    }

    fn into_devices(self) -> Vec<Device> {
        self.devices.into_values().map(|(_, device)| device).collect()
    }
}

fn checked(raw: &RawDevice) -> Result<Device, (usize, &'static str, Fault)> {
    let id =
        raw.id.get_ref().parse().map_err(|why: protocols::id::NameError| (raw.id.span().start, "id", why.into()))?;
    let secret_hash = raw
        .secret_hash
        .get_ref()
        .parse()
        .map_err(|why: SecretHashError| (raw.secret_hash.span().start, "secret_hash", why.into()))?;
    let silent_after_s = match &raw.silent_after_s {
        None => SILENT_AFTER_S_DEFAULT,
        Some(value) if SILENT_AFTER_S_RANGE.contains(value.get_ref()) => *value.get_ref(),
        Some(value) => return Err((value.span().start, "silent_after_s", Fault::SilentAfter)),
    };
    let kind = match &raw.kind {
        None => None,
        Some(value) if kind_is_valid(value.get_ref()) => Some(value.get_ref().clone()),
        Some(value) => return Err((value.span().start, "kind", Fault::Kind)),
    };
    let place = match &raw.place {
        None => None,
        Some(value) if place_is_valid(value.get_ref()) => Some(value.get_ref().clone()),
        Some(value) => return Err((value.span().start, "place", Fault::Place)),
    };
    Ok(Device { id, epoch: raw.epoch, secret_hash, silent_after_s, kind, place })
}

fn kind_is_valid(kind: &str) -> bool {
    (1..=KIND_LEN_MAX).contains(&kind.len()) && !kind.chars().any(char::is_control)
}

fn place_is_valid(place: &str) -> bool {
    (1..=PLACE_LEN_MAX).contains(&place.len()) && !place.chars().any(char::is_control)
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count().saturating_add(1)
}

#[cfg(test)]
mod tests;
