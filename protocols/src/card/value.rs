//! Numbers and identifiers that commands and answers carry, each as a type of its own.
//!
//! **Invariant:** a value that exists is a value that the wire can carry; constructors check, nothing later does.
//! **Invariant:** an [`ApplicationSerialNumber`] shows itself only through methods that say so by name.

#![warn(clippy::arithmetic_side_effects)]

use core::fmt;

use serde::{Deserialize, Serialize};

use super::crypto::DiversificationFactor;
use super::limits::AMOUNT_FEN_MAX;
use super::octets::{octet_debug, octet_string};

/// Why octets are no application serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SerialNumberError {
    /// A nibble that is no decimal digit. Where it is, is not said: positions would leak digits.
    #[error("the application serial number is not binary-coded decimal")]
    NotDecimal,
    /// All zero: a card that was never personalised. Two of them would share one account.
    #[error("the application serial number is all zero")]
    AllZero,
}

/// The number that identifies a card's purse application: 10 bytes, 20 decimal digits. Personal data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationSerialNumber([u8; 10]);

octet_string!(ApplicationSerialNumber, 10, checked new);

impl ApplicationSerialNumber {
    /// From bytes 10..20 of file 0x15.
    pub fn new(bytes: [u8; 10]) -> Result<Self, SerialNumberError> {
        if !is_decimal(&bytes) {
            return Err(SerialNumberError::NotDecimal);
        }
        if bytes == [0; 10] {
            return Err(SerialNumberError::AllZero);
        }
        Ok(Self(bytes))
    }

    /// The last 8 bytes, from which the card's keys are diversified.
    pub fn factor(&self) -> DiversificationFactor {
        let [_, _, factor @ ..] = self.0;
        DiversificationFactor::from_bytes(factor)
    }

    /// The last four digits, for receipts: the most of a card number that is ever shown.
    pub fn last_four_digits(&self) -> heapless::String<4> {
        use fmt::Write as _;
        let [.., a, b] = self.0;
        let mut text = heapless::String::new();
        write!(text, "{a:02x}{b:02x}").expect("the string has room for four digits");
        text
    }
}

/// A mask: the number is personal data.
impl fmt::Debug for ApplicationSerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApplicationSerialNumber(hidden)")
    }
}

/// Whether every nibble is a decimal digit.
pub(crate) fn is_decimal(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte >> 4 <= 9 && byte & 0x0F <= 9)
}

/// The serial number of a PSAM: 10 bytes, compared and recorded but not interpreted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PsamSerial([u8; 10]);

octet_string!(PsamSerial, 10);
octet_debug!(PsamSerial);

/// The number of a terminal, as its PSAM holds it: 6 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminalId([u8; 6]);

octet_string!(TerminalId, 6);
octet_debug!(TerminalId);

/// The terminal transaction number, which the PSAM counts up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TerminalSequence(u32);

impl TerminalSequence {
    /// From its number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Four bytes, big-endian.
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }
}

/// A transaction counter of the card: offline for purchases, online for loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CardCounter(u16);

impl CardCounter {
    /// From its number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The counter after one more transaction; none at the end of the card's life.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Two bytes, big-endian.
    pub const fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

/// An amount above [`AMOUNT_FEN_MAX`] fen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount on a card is at most 2147483647 fen")]
pub struct AmountTooLarge;

/// An amount or a balance on a card: 0 to 2,147,483,647 fen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct CardAmount(u32);

impl CardAmount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The smallest amount.
    pub const ONE_FEN: Self = Self(1);

    /// From fen.
    pub const fn new(fen: u32) -> Result<Self, AmountTooLarge> {
        if fen > AMOUNT_FEN_MAX { Err(AmountTooLarge) } else { Ok(Self(fen)) }
    }

    /// From the four bytes of a balance, whose top bit is junk on some cards.
    pub const fn from_balance(bytes: [u8; 4]) -> Self {
        Self(u32::from_be_bytes(bytes) & AMOUNT_FEN_MAX)
    }

    /// The amount in fen.
    pub const fn fen(self) -> u32 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, where a card can hold it.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(fen) if fen <= AMOUNT_FEN_MAX => Some(Self(fen)),
            Some(_) | None => None,
        }
    }

    /// The difference, where it is not negative.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(fen) => Some(Self(fen)),
            None => None,
        }
    }

    /// Four bytes, big-endian.
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }
}

impl TryFrom<u32> for CardAmount {
    type Error = AmountTooLarge;

    fn try_from(fen: u32) -> Result<Self, AmountTooLarge> {
        Self::new(fen)
    }
}

impl From<CardAmount> for u32 {
    fn from(amount: CardAmount) -> Self {
        amount.0
    }
}

/// The type of a purse transaction. Terminals of other trades write types of their own, so any byte is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransactionType(u8);

impl TransactionType {
    /// 01: load of the electronic deposit (ED).
    pub const ED_LOAD: Self = Self(0x01);
    /// 02: load of the electronic purse (EP).
    pub const EP_LOAD: Self = Self(0x02);
    /// 03: unload.
    pub const UNLOAD: Self = Self(0x03);
    /// 04: cash withdrawal from the electronic deposit.
    pub const CASH: Self = Self(0x04);
    /// 05: purchase from the electronic deposit.
    pub const ED_PURCHASE: Self = Self(0x05);
    /// 06: purchase from the electronic purse.
    pub const EP_PURCHASE: Self = Self(0x06);
    /// 07: change of the overdraft limit.
    pub const OVERDRAFT: Self = Self(0x07);
    /// 09: compound purchase from the electronic purse.
    pub const COMPOUND_PURCHASE: Self = Self(0x09);

    /// From its byte.
    pub const fn new(byte: u8) -> Self {
        Self(byte)
    }

    /// Its byte.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Version of the key that a card asks its terminal to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyVersion(u8);

impl KeyVersion {
    /// From its byte.
    pub const fn new(byte: u8) -> Self {
        Self(byte)
    }

    /// Its byte.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// An algorithm that no sourced definition of MAC and TAC exists for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("purse algorithm {:02X} is not supported: only 00 (triple DES) is; SM4 purses are refused, not guessed", id.get())]
pub struct UnsupportedAlgorithm {
    /// What the card named.
    pub id: AlgorithmId,
}

/// The algorithm byte of a card's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlgorithmId(u8);

impl AlgorithmId {
    /// 00: triple DES with single-DES session keys, the only one supported.
    pub const TRIPLE_DES: Self = Self(0x00);

    /// From its byte.
    pub const fn new(byte: u8) -> Self {
        Self(byte)
    }

    /// Its byte.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Refuses every algorithm but triple DES.
    pub const fn supported(self) -> Result<(), UnsupportedAlgorithm> {
        if self.0 == Self::TRIPLE_DES.0 { Ok(()) } else { Err(UnsupportedAlgorithm { id: self }) }
    }
}
