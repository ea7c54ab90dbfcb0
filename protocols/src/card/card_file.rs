//! File 0x15 of a purse application: who issued the card, its serial number, from when to when it is valid.

use super::date::{CardDate, DateError};
use super::octets::{octet_debug, octet_string};
use super::value::{ApplicationSerialNumber, SerialNumberError};

/// The issuer of a card: 8 bytes. On CJ/T cards bytes 2..4 are the city code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerId([u8; 8]);

octet_string!(IssuerId, 8);
octet_debug!(IssuerId);

impl IssuerId {
    /// The city code of a CJ/T card, binary-coded decimal (Hangzhou is 3100).
    pub const fn city_code(&self) -> CityCode {
        let [_, _, high, low, ..] = self.0;
        CityCode([high, low])
    }
}

/// A city code, 2 bytes. Text form: four digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CityCode([u8; 2]);

octet_string!(CityCode, 2);
octet_debug!(CityCode);

/// Why bytes are no file 0x15 that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardFileError {
    /// Not 30 bytes.
    #[error("file 0x15 has 30 bytes, found {found}")]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// The serial number cannot be one.
    #[error(transparent)]
    SerialNumber(#[from] SerialNumberError),
    /// The start or the expiry date cannot be one.
    #[error(transparent)]
    Date(#[from] DateError),
}

/// Whether a card may be used on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// The day is before the start date.
    NotYet,
    /// The day is one from the start to the expiry date, both included.
    Valid,
    /// The day is after the expiry date.
    Expired,
}

/// File 0x15, 30 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardFile {
    /// Bytes 0..8.
    pub issuer: IssuerId,
    /// Byte 8.
    pub application_type: u8,
    /// Byte 9.
    pub application_version: u8,
    /// Bytes 10..20.
    pub serial_number: ApplicationSerialNumber,
    /// Bytes 20..24: the first day on which the card is valid.
    pub start: CardDate,
    /// Bytes 24..28: the last day on which the card is valid.
    pub expiry: CardDate,
    /// Bytes 28..30: the issuer's own.
    pub issuer_data: [u8; 2],
}

impl CardFile {
    /// Bytes of the file.
    pub const LEN: usize = 30;

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, CardFileError> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().map_err(|_| CardFileError::Length { found: bytes.len() })?;
        let [i0, i1, i2, i3, i4, i5, i6, i7, application_type, application_version, rest @ ..] = *bytes;
        let [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, rest @ ..] = rest;
        let [s0, s1, s2, s3, e0, e1, e2, e3, issuer_data @ ..] = rest;
        Ok(Self {
            issuer: IssuerId([i0, i1, i2, i3, i4, i5, i6, i7]),
            application_type,
            application_version,
            serial_number: ApplicationSerialNumber::new([n0, n1, n2, n3, n4, n5, n6, n7, n8, n9])?,
            start: CardDate::from_bcd([s0, s1, s2, s3])?,
            expiry: CardDate::from_bcd([e0, e1, e2, e3])?,
            issuer_data,
        })
    }

    /// The file as a card stores it.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(self.issuer.as_bytes());
        bytes[8] = self.application_type;
        bytes[9] = self.application_version;
        bytes[10..20].copy_from_slice(self.serial_number.as_bytes());
        bytes[20..24].copy_from_slice(self.start.as_bytes());
        bytes[24..28].copy_from_slice(self.expiry.as_bytes());
        bytes[28..].copy_from_slice(&self.issuer_data);
        bytes
    }

    /// Whether the card may be used on this day.
    pub fn validity(&self, today: CardDate) -> Validity {
        if today < self.start {
            Validity::NotYet
        } else if today > self.expiry {
            Validity::Expired
        } else {
            Validity::Valid
        }
    }
}
