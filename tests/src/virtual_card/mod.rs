//! A citizen card and a PSAM made of software, on two slots of a virtual reader that the real pcscd drives.
//!
//! Owns: the wire to vpcd (`vpcd`), the reader with its faults and its trace (`reader`, `fault`), their handling by lines (`control`), the card
//! (`purse`, `transaction`, `card_state`), the PSAM (`psam`) and the made-up keys of both (`keys`).
//!
//! **Invariant:** a chip answers from its own state only, and what it answered is in its state file before the answer leaves.
//! **Invariant:** every key and every person in here is made up.

mod apdu;
mod bench;
pub mod card_state;
pub mod control;
pub mod fault;
pub mod keys;
pub mod limits;
pub mod psam;
pub mod purse;
pub mod reader;
pub mod state_file;
pub mod terminal;
mod transaction;
pub mod vpcd;

pub use bench::{CARD_READER, CardBench, PSAM_READER, READER_NAME, VirtualReader, own_process};
pub use fault::{Act, Fault, When};
pub use reader::{Exchange, Presence, Slot};

#[cfg(test)]
mod chip_tests;

/// What sits in a slot: something that has an ATR and answers APDUs.
pub trait Chip: Send + 'static {
    /// The answer to reset, 2 to 33 bytes for a real card; other lengths only to try the reader's patience.
    fn atr(&self) -> Vec<u8>;

    /// Power came on, or the reader pulled reset: everything volatile is gone.
    fn reset(&mut self);

    /// Executes one command APDU and returns the response APDU: data, then the two bytes of the status word.
    fn execute(&mut self, command: &[u8]) -> Vec<u8>;
}
