//! Short command and response APDUs (ISO 7816-3 cases 1 to 4): built, parsed, bounded.
//!
//! **Invariant:** `Debug` shows headers, lengths and status words, never data, which may hold a card number.

use core::fmt;

use super::limits::{COMMAND_BYTES_MAX, COMMAND_DATA_BYTES_MAX, RESPONSE_BYTES_MAX, RESPONSE_DATA_BYTES_MAX};
use super::status::StatusWord;

/// The bytes of a command APDU, ready to be transmitted.
pub type CommandBytes = heapless::Vec<u8, COMMAND_BYTES_MAX>;

/// The bytes of a response APDU.
pub type ResponseBytes = heapless::Vec<u8, RESPONSE_BYTES_MAX>;

/// Class, instruction and two parameters of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Class.
    pub cla: u8,
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
}

impl Header {
    /// The header from its four bytes in order.
    pub const fn new(bytes: [u8; 4]) -> Self {
        let [cla, ins, p1, p2] = bytes;
        Self { cla, ins, p1, p2 }
    }

    /// The four bytes in order.
    pub const fn to_bytes(self) -> [u8; 4] {
        [self.cla, self.ins, self.p1, self.p2]
    }
}

/// How many bytes of data the sender of a command expects, 1 to 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedLength(u8);

impl ExpectedLength {
    /// As many as there are, up to 256 (Le = 00).
    pub const ALL: Self = Self(0);

    /// From the Le byte, where 00 means 256.
    pub const fn from_le(le: u8) -> Self {
        Self(le)
    }

    /// The Le byte.
    pub const fn to_le(self) -> u8 {
        self.0
    }

    /// The number of bytes, 1 to 256.
    pub const fn bytes(self) -> usize {
        if self.0 == 0 { RESPONSE_DATA_BYTES_MAX } else { self.0 as usize }
    }
}

/// Why bytes are not a short command APDU, or a command cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Fewer than the four bytes of a header.
    #[error("a command APDU has at least 4 bytes, found {found}")]
    TooShort {
        /// Bytes found.
        found: usize,
    },
    /// Lc = 00 with more bytes behind it: an extended length, which no card of the field uses.
    #[error("extended lengths are not supported")]
    ExtendedLength,
    /// The bytes behind Lc are neither its data nor its data and Le.
    #[error("Lc says {declared} data bytes, {found} bytes follow it")]
    LengthMismatch {
        /// What Lc says.
        declared: usize,
        /// Bytes after Lc.
        found: usize,
    },
    /// More than 255 data bytes.
    #[error("a short command carries at most 255 data bytes, not {found}")]
    DataTooLong {
        /// Data bytes offered.
        found: usize,
    },
}

/// A short command APDU.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    header: Header,
    data: heapless::Vec<u8, COMMAND_DATA_BYTES_MAX>,
    expected: Option<ExpectedLength>,
}

impl Command {
    /// A command with 0 to 255 bytes of data; none makes it case 1 or 2.
    pub fn new(header: Header, data: &[u8], expected: Option<ExpectedLength>) -> Result<Self, CommandError> {
        let data = heapless::Vec::from_slice(data).map_err(|_| CommandError::DataTooLong { found: data.len() })?;
        Ok(Self { header, data, expected })
    }

    /// A command without data: case 1 or 2.
    pub const fn without_data(header: Header, expected: Option<ExpectedLength>) -> Self {
        Self { header, data: heapless::Vec::new(), expected }
    }

    /// A command from parts whose lengths the caller's types fix, below 255 bytes together.
    pub(crate) fn from_parts(header: [u8; 4], parts: &[&[u8]], expected: Option<ExpectedLength>) -> Self {
        let mut data = heapless::Vec::new();
        for part in parts {
            data.extend_from_slice(part).expect("parts have fixed lengths whose sum is far below 255 bytes");
        }
        Self { header: Header::new(header), data, expected }
    }

    /// Reads a command as a card receives it.
    pub fn parse(bytes: &[u8]) -> Result<Self, CommandError> {
        let Some((header, body)) = bytes.split_first_chunk::<4>() else {
            return Err(CommandError::TooShort { found: bytes.len() });
        };
        let header = Header::new(*header);
        match body {
            [] => Ok(Self::without_data(header, None)),
            [le] => Ok(Self::without_data(header, Some(ExpectedLength::from_le(*le)))),
            [0, ..] => Err(CommandError::ExtendedLength),
            [lc, rest @ ..] => {
                let declared = usize::from(*lc);
                let mismatch = CommandError::LengthMismatch { declared, found: rest.len() };
                let (data, tail) = rest.split_at_checked(declared).ok_or(mismatch)?;
                match tail {
                    [] => Self::new(header, data, None),
                    [le] => Self::new(header, data, Some(ExpectedLength::from_le(*le))),
                    [_, _, ..] => Err(mismatch),
                }
            }
        }
    }

    /// The bytes to transmit.
    pub fn to_bytes(&self) -> CommandBytes {
        let mut bytes = CommandBytes::new();
        let mut put = |part: &[u8]| {
            bytes.extend_from_slice(part).expect("header, Lc, 255 data bytes and Le are the buffer's size");
        };
        put(&self.header.to_bytes());
        if let Ok(lc @ 1..) = u8::try_from(self.data.len()) {
            put(&[lc]);
            put(&self.data);
        }
        if let Some(expected) = self.expected {
            put(&[expected.to_le()]);
        }
        bytes
    }

    /// Class, instruction and parameters.
    pub const fn header(&self) -> Header {
        self.header
    }

    /// Data, 0 to 255 bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Le, where there is one.
    pub const fn expected(&self) -> Option<ExpectedLength> {
        self.expected
    }

    /// The same command with another Le, as 6Cxx asks for it.
    pub fn with_expected(mut self, expected: ExpectedLength) -> Self {
        self.expected = Some(expected);
        self
    }
}

/// `Command(80 54 01 00, 15 data bytes, Le 08)`: never the data.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Header { cla, ins, p1, p2 } = self.header;
        write!(f, "Command({cla:02X} {ins:02X} {p1:02X} {p2:02X}, {} data bytes", self.data.len())?;
        match self.expected {
            Some(expected) => write!(f, ", Le {:02X})", expected.to_le()),
            None => f.write_str(")"),
        }
    }
}

/// Why bytes are not a short response APDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Fewer than two bytes: there is no status word, so there is no answer.
    #[error("a response has at least 2 bytes, found {found}")]
    NoStatusWord {
        /// Bytes found, 0 or 1.
        found: usize,
    },
    /// More than 256 data bytes and a status word.
    #[error("a short response has at most 258 bytes, found {found}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
}

/// A short response APDU.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    data: heapless::Vec<u8, RESPONSE_DATA_BYTES_MAX>,
    status: StatusWord,
}

impl Response {
    /// A response with 0 to 256 bytes of data.
    pub fn new(data: &[u8], status: StatusWord) -> Result<Self, ResponseError> {
        let found = data.len().saturating_add(2);
        let data = heapless::Vec::from_slice(data).map_err(|_| ResponseError::TooLong { found })?;
        Ok(Self { data, status })
    }

    /// A response of a status word only.
    pub const fn of_status(status: StatusWord) -> Self {
        Self { data: heapless::Vec::new(), status }
    }

    /// Reads a response as a reader hands it over.
    pub fn parse(bytes: &[u8]) -> Result<Self, ResponseError> {
        match bytes.split_last_chunk::<2>() {
            Some((data, word)) => Self::new(data, StatusWord::from_u16(u16::from_be_bytes(*word))),
            None => Err(ResponseError::NoStatusWord { found: bytes.len() }),
        }
    }

    /// The bytes as a card sends them.
    pub fn to_bytes(&self) -> ResponseBytes {
        let mut bytes = ResponseBytes::new();
        bytes.extend_from_slice(&self.data).expect("256 data bytes fit a buffer of 258");
        bytes.extend_from_slice(&self.status.to_u16().to_be_bytes()).expect("2 bytes are left beside 256 data bytes");
        bytes
    }

    /// Data, 0 to 256 bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The status word.
    pub const fn status(&self) -> StatusWord {
        self.status
    }
}

/// `Response(30 data bytes, 9000 done)`: never the data.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} data bytes, {})", self.data.len(), self.status)
    }
}
