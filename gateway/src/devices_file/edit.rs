//! Changes to a devices file by the command line: add, remove. (List and check are [`load`](super::load).)
//!
//! **Invariant:** the file is replaced by one rename with its bytes synced before, mode 0600: a power cut leaves the old
//! file or the new one. What a person wrote into it (comments, order) stays.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use protocols::id::{DeviceEpoch, DeviceId};

use super::{
    DevicesFileError, Fault, HEADER, KIND_LEN_MAX, NoRandomness, SILENT_AFTER_S_RANGE, Secret, SecretHash, is_header,
    kind_is_valid, parse, place_is_valid, read,
};

/// What a new entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDevice {
    /// Its name, as the centre issued it.
    pub id: DeviceId,
    /// Epoch of this provisioning.
    pub epoch: Option<DeviceEpoch>,
    /// Seconds without a sign until it counts as silent.
    pub silent_after_s: Option<u32>,
    /// What it is, for people.
    pub kind: Option<String>,
    /// Where it is, for whoever goes there.
    pub place: Option<String>,
}

/// Why a devices file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file as it stands has a mistake, or the new entry has.
    #[error(transparent)]
    File(#[from] DevicesFileError),
    /// The id is in the file.
    #[error("{0} is in the devices file already; remove it first to give it a new secret")]
    Exists(DeviceId),
    /// The id is not in the file.
    #[error("{0} is not in the devices file")]
    Absent(DeviceId),
    /// `silent_after_s`, `kind` or `place` of the new entry.
    #[error("{key}: {fault}")]
    Value {
        /// The key.
        key: &'static str,
        /// What would be right.
        fault: Fault,
    },
    /// No secret could be drawn.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The entries of the file are not written as `[[device]]` tables, so one cannot be cut out.
    #[error("{0}: the devices are not written as [[device]] tables; remove the entry by hand")]
    Layout(PathBuf),
    /// The new file could not be written; the old one stands.
    #[error("{path}: the devices file cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Adds `device` with a fresh secret, which is given back and kept nowhere. A file that does not exist is made.
///
/// # Errors
/// [`EditError`]; the file is then as it was.
pub fn add(path: &Path, device: &NewDevice) -> Result<Secret, EditError> {
    if device.silent_after_s.is_some_and(|s| !SILENT_AFTER_S_RANGE.contains(&s)) {
        return Err(EditError::Value { key: "silent_after_s", fault: Fault::SilentAfter });
    }
    if device.kind.as_deref().is_some_and(|kind| kind.len() > KIND_LEN_MAX || !kind_is_valid(kind)) {
        return Err(EditError::Value { key: "kind", fault: Fault::Kind });
    }
    if device.place.as_deref().is_some_and(|place| !place_is_valid(place)) {
        return Err(EditError::Value { key: "place", fault: Fault::Place });
    }
    let mut text = if path.exists() { read(path)? } else { String::new() };
    if parse(path, &text)?.iter().any(|known| known.id == device.id) {
        return Err(EditError::Exists(device.id.clone()));
    }
    let secret = Secret::draw()?;
    let hash = SecretHash::of(&secret)?;
    if !text.is_empty() {
        text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    }
    text.push_str(&entry(device, &hash));
    parse(path, &text)?;
    replace(path, &text)?;
    Ok(secret)
}

fn entry(device: &NewDevice, hash: &SecretHash) -> String {
    let mut lines = format!("{HEADER}\nid = \"{}\"\n", device.id);
    if let Some(epoch) = device.epoch {
        lines.push_str(&format!("epoch = {epoch}\n"));
    }
    lines.push_str(&format!("secret_hash = \"{hash}\"\n"));
    if let Some(seconds) = device.silent_after_s {
        lines.push_str(&format!("silent_after_s = {seconds}\n"));
    }
    if let Some(kind) = &device.kind {
        lines.push_str(&format!("kind = {}\n", toml::Value::String(kind.clone())));
    }
    if let Some(place) = &device.place {
        lines.push_str(&format!("place = {}\n", toml::Value::String(place.clone())));
    }
    lines
}

/// Takes `id` out, so that it can log in no more.
///
/// # Errors
/// [`EditError`]; the file is then as it was.
pub fn remove(path: &Path, id: &DeviceId) -> Result<(), EditError> {
    let text = read(path)?;
    let devices = parse(path, &text)?;
    if !devices.iter().any(|device| device.id == *id) {
        return Err(EditError::Absent(id.clone()));
    }
    let left = without(&text, id).ok_or_else(|| EditError::Layout(path.to_owned()))?;
    let parsed = parse(path, &left)?;
    if parsed.len().saturating_add(1) != devices.len() || parsed.iter().any(|device| device.id == *id) {
        return Err(EditError::Layout(path.to_owned()));
    }
    replace(path, &left)
}

/// The text without the table of `id`; `None` when no such table is found. Comments between two tables belong to the
/// later one.
fn without(text: &str, id: &DeviceId) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|n| lines.get(*n).is_some_and(|l| is_header(l))).collect();
    for (which, start) in starts.iter().copied().enumerate() {
        let next = starts.get(which.saturating_add(1)).copied().unwrap_or(lines.len());
        let table = lines.get(start..next)?;
        let body = table.iter().rposition(|line| !is_blank_or_comment(line))?.saturating_add(1);
        let found = parse(Path::new(""), &table.concat()).ok()?.first().map(|device| device.id == *id)?;
        if found {
            let end = start.saturating_add(body);
            return Some([lines.get(..start)?.concat(), lines.get(end..)?.concat().trim_start().to_owned()].concat());
        }
    }
    None
}

fn is_blank_or_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

fn replace(path: &Path, text: &str) -> Result<(), EditError> {
    write_and_rename(path, text).map_err(|source| EditError::Write { path: path.to_owned(), source })
}

fn write_and_rename(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{}.new", std::process::id()));
    let fresh = PathBuf::from(fresh);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // The old file stands whether or not the leftover can be removed.
        std::fs::remove_file(&fresh).ok();
    }
    written
}
