//! Fixed strings of octets and their hexadecimal text, which is how they are persisted and sent.
//!
//! **Invariant:** text is written in lower case, and only lower case is read back, so that one value has one spelling.
//! (Configuration that people write is read by [`decode`], which takes both cases.)

use core::fmt;

use serde::de;

/// Shows octets as lower-case hexadecimal digits.
#[derive(Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Why a text is not the hexadecimal form of what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// Two digits per octet were expected.
    #[error("expected {expected} hexadecimal digits, found {found} bytes of text")]
    Length {
        /// Digits expected.
        expected: usize,
        /// Bytes of text found.
        found: usize,
    },
    /// A character that is no hexadecimal digit.
    #[error("byte {at} of the text is not a hexadecimal digit")]
    Digit {
        /// Position in the text, from 0.
        at: usize,
    },
}

/// Reads exactly `out.len()` octets from hexadecimal digits of either case.
pub fn decode(text: &str, out: &mut [u8]) -> Result<(), HexError> {
    let text = text.as_bytes();
    let expected = out.len().saturating_mul(2);
    if text.len() != expected {
        return Err(HexError::Length { expected, found: text.len() });
    }
    for (pair, octet) in out.iter_mut().enumerate() {
        let high = digit(text, pair * 2)?;
        let low = digit(text, pair * 2 + 1)?;
        *octet = (high << 4) | low;
    }
    Ok(())
}

fn digit(text: &[u8], at: usize) -> Result<u8, HexError> {
    match text.get(at) {
        Some(c @ b'0'..=b'9') => Ok(c - b'0'),
        Some(c @ b'a'..=b'f') => Ok(c - b'a' + 10),
        Some(c @ b'A'..=b'F') => Ok(c - b'A' + 10),
        Some(_) | None => Err(HexError::Digit { at }),
    }
}

/// Reads `N` octets from a lower-case hexadecimal string.
pub(crate) struct LowerHexVisitor<const N: usize>;

impl<const N: usize> de::Visitor<'_> for LowerHexVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes as lower-case hexadecimal")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
        if let Some(at) = text.bytes().position(|c| c.is_ascii_uppercase()) {
            return Err(E::custom(HexError::Digit { at }));
        }
        let mut octets = [0; N];
        decode(text, &mut octets).map_err(E::custom)?;
        Ok(octets)
    }
}

/// Gives a tuple struct around `[u8; N]` its byte and text forms and serde as lower-case hexadecimal. A struct
/// whose octets are restricted names the `checked` constructor that decides.
macro_rules! octet_string {
    ($name:ident, $len:literal) => {
        impl $name {
            /// Wraps the octets as they are on the wire.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }
        octet_string!(@text $name, $len, |bytes| Ok::<_, core::convert::Infallible>($name(bytes)));
    };
    ($name:ident, $len:literal, checked $constructor:ident) => {
        octet_string!(@text $name, $len, |bytes| $name::$constructor(bytes));
    };
    (@text $name:ident, $len:literal, |$bytes:ident| $make:expr) => {
        impl $name {
            /// Octets of this value on the wire.
            pub const LEN: usize = $len;

            /// The octets as they are on the wire.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The octets as lower-case hexadecimal digits.
            pub fn to_hex(&self) -> heapless::String<{ 2 * $len }> {
                use core::fmt::Write as _;
                let mut text = heapless::String::new();
                write!(text, "{}", $crate::card::octets::Hex(&self.0))
                    .expect("the string has room for two digits per octet");
                text
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.to_hex())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let $bytes = deserializer.deserialize_str($crate::card::octets::LowerHexVisitor::<$len>)?;
                $make.map_err(serde::de::Error::custom)
            }
        }
    };
}

/// `Debug` as `Name(hexadecimal)`, for octets that are neither secret nor personal.
macro_rules! octet_debug {
    ($name:ident) => {
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), $crate::card::octets::Hex(&self.0))
            }
        }
    };
}

/// Equality in constant time, for what authenticates.
macro_rules! constant_time_eq {
    ($name:ident) => {
        impl subtle::ConstantTimeEq for $name {
            fn ct_eq(&self, other: &Self) -> subtle::Choice {
                self.0.ct_eq(&other.0)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                use subtle::ConstantTimeEq as _;
                self.ct_eq(other).into()
            }
        }

        impl Eq for $name {}
    };
}

pub(crate) use {constant_time_eq, octet_debug, octet_string};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_takes_both_cases_and_names_what_is_wrong() {
        let mut out = [0; 2];
        assert_eq!(decode("aBcD", &mut out), Ok(()));
        assert_eq!(out, [0xAB, 0xCD]);
        assert_eq!(decode("abc", &mut out), Err(HexError::Length { expected: 4, found: 3 }));
        assert_eq!(decode("ab0g", &mut out), Err(HexError::Digit { at: 3 }));
        assert_eq!(decode("é12", &mut out), Err(HexError::Digit { at: 0 }));
    }
}
