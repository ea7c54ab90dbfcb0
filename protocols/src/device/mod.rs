//! What a device publishes and hears: JSON of at most [`PAYLOAD_LEN_MAX`] bytes, without an allocator.
//!
//! Reading is lenient in the way the protocol promises: unknown fields are ignored, missing optional fields are
//! absent, an unknown kind is kept as [`Kind::Unknown`]. Everything else is an error, and the gateway raises a
//! technical alarm for it.

mod command;
mod event;
mod heartbeat;

pub use command::{AlarmCommand, AlarmState, Command, SEQS_PER_COMMAND_MAX, SettingsCommand};
pub use event::{DETAIL_LEN_MAX, EventReport, KIND_LEN_MAX, Kind};
pub use heartbeat::{FAULTS_MAX, FIRMWARE_LEN_MAX, Heartbeat, WORD_LEN_MAX};

/// The longest payload in either direction, in bytes.
pub const PAYLOAD_LEN_MAX: usize = 1024;

/// Why a message could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the buffer is too small for the message")]
pub struct BufferTooSmall;

/// Writes `message` into `buffer` and gives the number of bytes.
///
/// # Errors
/// [`BufferTooSmall`]; a buffer of [`PAYLOAD_LEN_MAX`] bytes is enough for every message of this module.
pub fn encode<T: serde::Serialize>(message: &T, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
    serde_json_core::to_slice(message, buffer).map_err(|_| BufferTooSmall)
}
