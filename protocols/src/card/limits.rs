//! Every bound of the card side, with its reason.

/// Data bytes of a short command APDU: one length byte, ISO 7816-3.
pub const COMMAND_DATA_BYTES_MAX: usize = 255;

/// A whole short command APDU: header 4, Lc 1, data, Le 1.
pub const COMMAND_BYTES_MAX: usize = 4 + 1 + COMMAND_DATA_BYTES_MAX + 1;

/// Data bytes of a short response APDU: Le = 00 asks for 256.
pub const RESPONSE_DATA_BYTES_MAX: usize = 256;

/// A whole short response APDU: data and the two status bytes.
pub const RESPONSE_BYTES_MAX: usize = RESPONSE_DATA_BYTES_MAX + 2;

/// APDUs that one logical command may take with 61xx and 6Cxx. The longest honest course is command, 6Cxx, command
/// again, 61xx, GET RESPONSE, 6Cxx, GET RESPONSE; a card that goes on for longer is looping.
pub const EXCHANGES_PER_COMMAND_MAX: u8 = 8;

/// Data objects read from one template; a purse's FCI has three levels with two objects each.
pub const TLV_OBJECTS_MAX: usize = 32;

/// Bytes of a DF name (AID), ISO 7816-5.
pub const AID_BYTES_MAX: usize = 16;

/// Diversification levels of a PSAM key.
pub const DIVERSIFICATION_LEVELS_MAX: usize = 3;

/// Records of the purse's cyclic log that are searched; the card keeps ten.
pub const LOG_RECORDS_MAX: u8 = 10;

/// Largest amount or balance in fen: the top bit of a balance is not part of the number on some cards.
pub const AMOUNT_FEN_MAX: u32 = 0x7FFF_FFFF;
