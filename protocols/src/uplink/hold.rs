//! The hold: points in an account at the centre, set aside for one sale until its entry posts or voids them.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::sale::SaleItem;
use crate::unit::Points;

/// The card's answer to a random challenge, which proves that it is genuine.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardProof {
    /// The challenge, 8 bytes as hex.
    pub challenge: String,
    /// The card's answer, 8 bytes as hex.
    pub response: String,
}

impl core::fmt::Debug for CardProof {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CardProof(..)")
    }
}

/// Body of `POST /v1/gateways/{gateway}/holds`. Sent again with the same origin, it is the same hold.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRequest {
    /// Format version.
    pub v: u8,
    /// The origin of the sale's `sale.intent`.
    pub origin: Origin,
    /// Application serial number, 10 bytes as hex.
    pub card: String,
    /// The proof of the card.
    pub proof: CardProof,
    /// The lines.
    pub items: Vec<SaleItem>,
    /// Their total, fen.
    pub amount: Points,
}

impl core::fmt::Debug for HoldRequest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "HoldRequest({}, {})", self.origin, self.amount)
    }
}

/// What the centre says to a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOutcome {
    /// The points are set aside.
    Held,
    /// They are not; `reason` says why.
    Refused,
    /// This hold was made before; it counts once.
    Duplicate,
}

/// The account behind the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// All points, fen.
    pub balance: Points,
    /// Points that are not set aside, fen: what the person can spend.
    pub available: Points,
}

/// Answer to a [`HoldRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldAnswer {
    /// Format version.
    pub v: u8,
    /// What the centre says.
    pub outcome: HoldOutcome,
    /// A word: `insufficient`, `no_account`, `card_blocked`, `not_genuine`, `conflict`, `closed` …
    pub reason: Option<String>,
    /// The account after it, where there is one.
    pub account: Option<AccountState>,
}
