//! The identity that a fact got where it arose: source, epoch, sequence number.
//!
//! **Invariant:** unique by (source, epoch, seq, kind of entry). The same key with the same body is a duplicate, and a
//! success; with another body it is a conflict.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::{DeviceId, GatewayId, NameError, Seq};

/// Where a fact arose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A device; the epoch is the device's, the number its `seq`.
    Device(DeviceId),
    /// A terminal with its PSAM (terminal id as hex); the epoch is the PSAM's serial, the number its transaction number.
    Terminal(GatewayId),
    /// A gateway; the epoch is its journal's id, the number the entry's `n`.
    Gateway(GatewayId),
    /// The centre; the epoch is the stream of orders, the number the order's `k`.
    Centre(GatewayId),
}

/// Why a text is no source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No `device:`, `terminal:`, `gateway:` or `centre:` in front.
    #[error("a source starts with device:, terminal:, gateway: or centre:")]
    Prefix,
    /// The name behind it is none.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for Source {
    type Err = SourceError;
    fn from_str(text: &str) -> Result<Self, SourceError> {
        let (prefix, name) = text.split_once(':').ok_or(SourceError::Prefix)?;
        match prefix {
            "device" => Ok(Self::Device(name.parse()?)),
            "terminal" => Ok(Self::Terminal(name.parse()?)),
            "gateway" => Ok(Self::Gateway(name.parse()?)),
            "centre" => Ok(Self::Centre(name.parse()?)),
            _ => Err(SourceError::Prefix),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(name) => write!(f, "device:{name}"),
            Self::Terminal(name) => write!(f, "terminal:{name}"),
            Self::Gateway(name) => write!(f, "gateway:{name}"),
            Self::Centre(name) => write!(f, "centre:{name}"),
        }
    }
}

impl Source {
    /// The name without its prefix.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Device(name) => name.as_str(),
            Self::Terminal(name) | Self::Gateway(name) | Self::Centre(name) => name.as_str(),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The epoch of a source: a number for devices, a text (PSAM serial, journal id, stream) for all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Epoch {
    /// A device's epoch.
    Number(u32),
    /// A PSAM serial, a journal id or a stream id.
    Text(String),
}

/// The epoch of origins that a gateway gives while it has no journal; their numbers are milliseconds of its wall clock.
pub const NO_STORAGE_EPOCH: &str = "no-storage";

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The identity of a fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// Where it arose.
    pub source: Source,
    /// In which life of the source.
    pub epoch: Epoch,
    /// Which of its facts.
    pub seq: Seq,
}

impl Origin {
    /// `{name}.{epoch}.{seq}`: the id of the alarm that this fact raised, in addresses of the local interface.
    #[must_use]
    pub fn alarm_id(&self) -> String {
        format!("{}.{}.{}", self.source.name(), self.epoch, self.seq)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.source, self.epoch, self.seq)
    }
}
