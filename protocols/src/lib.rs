//! Every wire format of the gateway, once, shared by the firmware, the gateway and the centre.
//!
//! * [`device`]: what a device publishes (event report, heartbeat) and hears (command).
//! * [`uplink`] (feature `alloc`): journal entries, their results, holds and orders between gateway and centre.
//! * [`card`]: APDUs, purse and PSAM commands, MAC and TAC, and the dialogues with a citizen card.
//!
//! **Invariant:** a format changes by adding, with a new [`version`]; the golden bytes in `tests/golden` are never edited.
#![no_std]
#![warn(missing_docs)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod card;
pub mod device;
pub mod id;
pub mod topic;
pub mod unit;
#[cfg(feature = "alloc")]
pub mod uplink;
pub mod version;
