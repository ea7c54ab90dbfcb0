//! A small, bounded reader of BER-TLV and the file control information (FCI) that SELECT answers.
//!
//! **Invariant:** reading terminates and never looks outside the bytes given: each object consumes at least two
//! bytes, and at most [`TLV_OBJECTS_MAX`] are read from one template.

use super::limits::TLV_OBJECTS_MAX;

/// Why bytes are not BER-TLV as cards use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlvError {
    /// The bytes end inside a tag, a length or a value.
    #[error("the data object is cut off")]
    CutOff,
    /// A tag of more than two bytes.
    #[error("the tag is longer than two bytes")]
    TagTooLong,
    /// An indefinite length, or one of more than two length bytes.
    #[error("the length form is not used on cards")]
    LengthForm,
    /// More objects than [`TLV_OBJECTS_MAX`].
    #[error("too many data objects in one template")]
    TooMany,
}

/// A data object: its tag (one or two bytes, as a number) and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DataObject<'a> {
    /// `0x84`, `0x9F0C` …
    pub tag: u16,
    /// The value's bytes.
    pub value: &'a [u8],
}

/// Reads the data objects of one template, in order. Ends after the first error.
#[derive(Clone)]
pub struct Objects<'a> {
    rest: &'a [u8],
    read: usize,
}

impl<'a> Objects<'a> {
    /// Over the value of a template, or over a whole answer.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, read: 0 }
    }

    fn read_object(&mut self) -> Result<DataObject<'a>, TlvError> {
        if self.read == TLV_OBJECTS_MAX {
            return Err(TlvError::TooMany);
        }
        self.read += 1;
        let tag = self.tag()?;
        let length = self.length()?;
        let (value, rest) = self.rest.split_at_checked(length).ok_or(TlvError::CutOff)?;
        self.rest = rest;
        Ok(DataObject { tag, value })
    }

    fn tag(&mut self) -> Result<u16, TlvError> {
        let first = self.byte()?;
        if first & 0x1F != 0x1F {
            return Ok(u16::from(first));
        }
        let second = self.byte()?;
        if second & 0x80 != 0 {
            return Err(TlvError::TagTooLong);
        }
        Ok(u16::from_be_bytes([first, second]))
    }

    fn length(&mut self) -> Result<usize, TlvError> {
        match self.byte()? {
            short @ 0x00..=0x7F => Ok(usize::from(short)),
            0x81 => Ok(usize::from(self.byte()?)),
            0x82 => Ok(usize::from(u16::from_be_bytes([self.byte()?, self.byte()?]))),
            0x80 | 0x83..=0xFF => Err(TlvError::LengthForm),
        }
    }

    fn byte(&mut self) -> Result<u8, TlvError> {
        let (first, rest) = self.rest.split_first().ok_or(TlvError::CutOff)?;
        self.rest = rest;
        Ok(*first)
    }
}

impl<'a> Iterator for Objects<'a> {
    type Item = Result<DataObject<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let object = self.read_object();
        if object.is_err() {
            self.rest = &[];
        }
        Some(object)
    }
}

/// The value of the first object with this tag, on this level.
pub fn find(bytes: &[u8], tag: u16) -> Result<Option<&[u8]>, TlvError> {
    for object in Objects::new(bytes) {
        let object = object?;
        if object.tag == tag {
            return Ok(Some(object.value));
        }
    }
    Ok(None)
}

/// The file control information of a purse application: `6F { 84 name, A5 { 9F08 version, 9F0C issuer data } }`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fci<'a> {
    /// Tag 84.
    pub df_name: Option<&'a [u8]>,
    /// Tag 9F08, where it is one byte.
    pub version: Option<u8>,
    /// Tag 9F0C: on purse cards the content of file 0x15.
    pub issuer_data: Option<&'a [u8]>,
}

impl<'a> Fci<'a> {
    /// Reads the answer to SELECT. Parts that are missing are `None`; unknown objects are skipped.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TlvError> {
        let template = find(bytes, 0x6F)?.unwrap_or_default();
        let proprietary = find(template, 0xA5)?.unwrap_or_default();
        let version = match find(proprietary, 0x9F08)? {
            Some([version]) => Some(*version),
            Some(_) | None => None,
        };
        Ok(Self { df_name: find(template, 0x84)?, version, issuer_data: find(proprietary, 0x9F0C)? })
    }
}
