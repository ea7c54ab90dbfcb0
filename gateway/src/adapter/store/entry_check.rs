//! Whether a row's columns and private record agree with its bytes.

use std::borrow::Cow;

use gateway_core::OutLane;
use hmac::{Hmac, KeyInit, Mac};
use protocols::uplink::{Entry, PrivateRecord};
use serde::Deserialize;
use sha2::Sha256;

use super::chain::Fault;
use super::commit::lane_number;
use super::pack::PackedRow;

/// What became of the private record of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Private {
    /// The entry names none.
    None,
    /// It is there and unchanged.
    Kept,
    /// It was erased.
    Erased,
}

/// Checks one row.
///
/// # Errors
/// What is wrong with it.
pub fn check_entry(row: &PackedRow<'_>, record: Option<&PrivateRecord>) -> Result<Private, Fault> {
    let entry = serde_json::from_slice::<Entry>(row.bytes).map_err(|_| Fault::NotAnEntry)?;
    if !columns_agree(row, &entry) {
        return Err(Fault::Columns);
    }
    match (named_hmac(&entry), record) {
        (None, None) => Ok(Private::None),
        (Some(_), None) => Ok(Private::Erased),
        (None, Some(_)) => Err(Fault::PrivateUnnamed),
        (Some(named), Some(record)) if seals(&named, record) => Ok(Private::Kept),
        (Some(_), Some(_)) => Err(Fault::Private),
    }
}

fn columns_agree(row: &PackedRow<'_>, entry: &Entry) -> bool {
    row.source == entry.origin.source.to_string().as_bytes()
        && row.epoch == entry.origin.epoch.to_string().as_bytes()
        && row.seq == entry.origin.seq.get()
        && row.kind == entry.kind.as_bytes()
        && lanes_of_kind(&entry.kind).iter().any(|lane| row.lane == lane_number(*lane))
}

/// The lanes on which entries of a kind leave.
fn lanes_of_kind(kind: &str) -> &'static [OutLane] {
    match kind.split_once('.') {
        Some(("alarm", _)) => &[OutLane::Alarms, OutLane::AlarmNotes],
        Some(("sale", _)) => &[OutLane::Sales],
        Some(_) | None => &[OutLane::Rest],
    }
}

/// The HMAC by which an entry names its private record.
fn named_hmac(entry: &Entry) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Names<'a> {
        #[serde(borrow)]
        private_hmac: Option<Cow<'a, str>>,
    }
    let body = entry.body.get();
    if !body.contains("private_hmac") {
        return None;
    }
    serde_json::from_str::<Names<'_>>(body).ok()?.private_hmac
}

/// Whether HMAC-SHA256(salt, bytes) is the one named.
fn seals(named: &str, record: &PrivateRecord) -> bool {
    let (Ok(named), Ok(salt)) = (hex::decode(named), hex::decode(&record.salt)) else { return false };
    let mut mac = Hmac::<Sha256>::new_from_slice(&salt).expect("HMAC takes keys of any length");
    mac.update(record.bytes.as_bytes());
    mac.verify_slice(&named).is_ok()
}
