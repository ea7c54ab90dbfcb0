//! Names of things: devices, gateways, and the numbers that give a fact its identity.
//!
//! **Invariant:** a value of a type in this module is valid; it is checked once, where it comes in.

use core::fmt;
use core::str::FromStr;

use heapless::String;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name of a device, gateway, reader, service or provider, in bytes.
pub const NAME_LEN_MAX: usize = 32;

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("the name is empty")]
    Empty,
    /// The text is longer than [`NAME_LEN_MAX`] bytes.
    #[error("the name is longer than {NAME_LEN_MAX} characters")]
    TooLong,
    /// A character outside `A-Z a-z 0-9 - _`.
    #[error("the name has a character outside A-Z a-z 0-9 - _")]
    Character,
}

fn check_name(text: &str) -> Result<String<NAME_LEN_MAX>, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Err(NameError::Character);
    }
    String::try_from(text).map_err(|_| NameError::TooLong)
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 32 of `A-Z a-z 0-9 - _`.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String<NAME_LEN_MAX>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                check_name(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(NameVisitor).map(Self)
            }
        }
    };
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = String<NAME_LEN_MAX>;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("1 to 32 characters of A-Z a-z 0-9 - _")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        check_name(text).map_err(E::custom)
    }
}

name! {
    /// A device's name, unique in the district for ever; issued by the centre.
    DeviceId
}
name! {
    /// A gateway's name, unique in the district.
    GatewayId
}
name! {
    /// A card reader's name in the gateway's configuration.
    ReaderId
}
name! {
    /// A service that can be ordered and paid, as the catalogue names it.
    ServiceId
}
name! {
    /// A provider of services, to whom the centre settles.
    ProviderId
}
name! {
    /// A person who acts (staff member, operator), by the name of the session or bearer token.
    ActorId
}

/// The largest integer that every JSON reader keeps exact: 2^53 - 1.
pub const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;

/// The number that a device gives a report; it grows with each report, over reboots too. At most 2^53 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// The number, or `None` above 2^53 - 1.
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        if value <= JSON_INTEGER_MAX { Some(Self(value)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Seq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u64::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| de::Error::custom("a sequence number is at most 2^53 - 1"))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A device's epoch: set anew at each provisioning, so that sequence numbers may start again.
pub type DeviceEpoch = u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_the_alphabet_or_the_length_are_refused() {
        assert_eq!("".parse::<DeviceId>(), Err(NameError::Empty));
        assert_eq!("a/b".parse::<DeviceId>(), Err(NameError::Character));
        assert_eq!("a+".parse::<DeviceId>(), Err(NameError::Character));
        assert_eq!("按钮".parse::<DeviceId>(), Err(NameError::Character));
        assert_eq!("a".repeat(33).parse::<DeviceId>(), Err(NameError::TooLong));
        assert_eq!("btn-0001".parse::<DeviceId>().map(|d| d.as_str().len()), Ok(8));
    }

    #[test]
    fn a_sequence_number_above_the_json_limit_is_refused() {
        assert!(Seq::new(JSON_INTEGER_MAX).is_some());
        assert!(Seq::new(JSON_INTEGER_MAX + 1).is_none());
        assert!(serde_json::from_str::<Seq>("9007199254740993").is_err());
        assert!(serde_json::from_str::<Seq>("1e3").is_err());
    }
}
