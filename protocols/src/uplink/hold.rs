//! The hold: points in an account at the centre, set aside for one sale until its entry posts or voids them. And the
//! question what is in an account, which sets nothing aside.

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

/// Why a hold is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldRefusal {
    /// The request's version, origin or card is none.
    Malformed,
    /// The lines do not add up to the amount, or the amount is nothing.
    Amount,
    /// The origin belongs to another gateway.
    ForeignOrigin,
    /// Sales of this gateway are closed until a person approves its journal.
    Closed,
    /// The same origin with another amount, other lines or another card.
    Conflict,
    /// A service is not in the catalogue.
    NotInCatalogue,
    /// A service has another price or provider in the catalogue.
    PriceDiffers,
    /// The sale was refused or cancelled.
    Cancelled,
    /// The card did not prove itself.
    NotGenuine,
    /// There is no issuer to ask whether the card is genuine.
    ProofPending,
    /// No account belongs to the card.
    NoAccount,
    /// The card is on the hotlist.
    CardBlocked,
    /// Too few points.
    Insufficient,
}

impl HoldRefusal {
    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Amount => "amount",
            Self::ForeignOrigin => "foreign_origin",
            Self::Closed => "closed",
            Self::Conflict => "conflict",
            Self::NotInCatalogue => "not_in_catalogue",
            Self::PriceDiffers => "price_differs",
            Self::Cancelled => "cancelled",
            Self::NotGenuine => "not_genuine",
            Self::ProofPending => "proof_pending",
            Self::NoAccount => "no_account",
            Self::CardBlocked => "card_blocked",
            Self::Insufficient => "insufficient",
        }
    }
    /// The refusal that a word on the wire stands for; `None` where this version does not know it.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Malformed,
            Self::Amount,
            Self::ForeignOrigin,
            Self::Closed,
            Self::Conflict,
            Self::NotInCatalogue,
            Self::PriceDiffers,
            Self::Cancelled,
            Self::NotGenuine,
            Self::ProofPending,
            Self::NoAccount,
            Self::CardBlocked,
            Self::Insufficient,
        ]
        .into_iter()
        .find(|refusal| refusal.word() == word)
    }
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
    /// A [`HoldRefusal`]'s word.
    pub reason: Option<String>,
    /// The account after it, where there is one.
    pub account: Option<AccountState>,
}

/// Body of `POST /v1/gateways/{gateway}/balances`: what is in the account of the card that lies on a reader?
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceRequest {
    /// Format version.
    pub v: u8,
    /// Application serial number, 10 bytes as hex.
    pub card: String,
    /// The proof of the card.
    pub proof: CardProof,
}

impl core::fmt::Debug for BalanceRequest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("BalanceRequest(..)")
    }
}

/// Answer to a [`BalanceRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceAnswer {
    /// Format version.
    pub v: u8,
    /// A [`HoldRefusal`]'s word, where the account is not told.
    pub reason: Option<String>,
    /// The account, where it is told.
    pub account: Option<AccountState>,
}
