//! Everything about cards: commands and answers byte by byte, cryptography, dialogues.
//!
//! Layers, lowest first; each only uses those before it:
//!
//! ```text
//! octets, status, apdu, transport, tlv     bytes on the wire
//! value, date, crypto                      what the bytes mean
//! card_file, log_record, purse, psam       commands and answers of card and PSAM
//! profile                                  how one issuer's cards differ from another's
//! dialogue, intent, look, proof, purchase, settle  strictly sequential conversations
//! ```
//!
//! **Invariant:** nothing in here allocates, reads a clock or draws randomness; challenges and dates come in.
//! **Invariant:** no answer of a card or a PSAM, whatever its bytes, makes this module panic.
//! **Invariant:** `Debug` and `Display` never show an application serial number, a key or the data of an APDU.

pub mod apdu;
pub mod card_file;
pub mod crypto;
pub mod date;
pub mod dialogue;
pub mod intent;
pub mod limits;
pub mod log_record;
pub mod look;
pub mod octets;
pub mod profile;
pub mod proof;
pub mod psam;
pub mod purchase;
pub mod purse;
pub mod settle;
pub mod status;
pub mod tlv;
pub mod transport;
pub mod value;
