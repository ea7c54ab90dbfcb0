//! Amounts and times, each with its unit in its type.
//!
//! **Invariant:** an amount is a whole number of fen (1 point = 100 fen) from 0 to 2^53 - 1, and is never computed
//! with an operation that could wrap.

#![warn(clippy::arithmetic_side_effects)]

use core::fmt;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize};

use crate::id::JSON_INTEGER_MAX;

/// Chongyang points or money, in fen: a whole number, never negative, at most 2^53 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Points(u64);

impl Points {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// `fen`, or `None` above 2^53 - 1.
    #[must_use]
    pub const fn from_fen(fen: u64) -> Option<Self> {
        if fen <= JSON_INTEGER_MAX { Some(Self(fen)) } else { None }
    }

    /// The amount in fen.
    #[must_use]
    pub const fn fen(self) -> u64 {
        self.0
    }

    /// The sum, or `None` when it leaves the range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Self::from_fen(sum),
            None => None,
        }
    }

    /// The difference, or `None` when it would be negative.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// The amount `count` times, or `None` when it leaves the range.
    #[must_use]
    pub const fn checked_mul(self, count: u32) -> Option<Self> {
        match self.0.checked_mul(count as u64) {
            Some(product) => Self::from_fen(product),
            None => None,
        }
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fen = u64::deserialize(deserializer)?;
        Self::from_fen(fen).ok_or_else(|| de::Error::custom("an amount is at most 2^53 - 1 fen"))
    }
}

/// Points with two decimals: `12.50`.
impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// A wall-clock time: milliseconds since 1970-01-01T00:00:00Z. Order never depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g1_amounts_that_are_no_whole_fen_are_refused() {
        for text in
            ["-1", "1e3", "1.0", "0.1", "\"１００\"", "\"1,00\"", "\"100\"", "9007199254740993", "null", "1.001"]
        {
            assert!(serde_json::from_str::<Points>(text).is_err(), "{text}");
        }
        let exact = serde_json::from_str::<Points>("9007199254740991").map(Points::fen);
        assert_eq!(exact.ok(), Some(JSON_INTEGER_MAX));
    }

    #[test]
    fn g3_sums_and_products_never_wrap() {
        let most = Points::from_fen(JSON_INTEGER_MAX).expect("the limit itself is an amount");
        let one = Points::from_fen(1).expect("one fen is an amount");
        assert_eq!(most.checked_add(one), None);
        assert_eq!(most.checked_mul(2), None);
        assert_eq!(Points::ZERO.checked_sub(one), None);
    }
}
