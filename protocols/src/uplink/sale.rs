//! Bodies of the entries about sales.
//!
//! **Invariant:** the card's number is not in a body; it lies in the private record beside the entry ([`SalePrivate`]).

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::id::{ProviderId, ServiceId};
use crate::unit::Points;

/// What pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tender {
    /// Chongyang points in the account at the centre.
    Account,
    /// The electronic purse on the card.
    Purse,
}

/// One line of a sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleItem {
    /// The service.
    pub service: ServiceId,
    /// Who provides it.
    pub provider: ProviderId,
    /// How many.
    pub quantity: u32,
    /// The price of one, by the catalogue, in fen.
    pub unit_price: Points,
}

/// What the terminal and the card agreed on before the debit; all hex as on the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurseIntent {
    /// The card's offline counter before the debit.
    pub counter: u16,
    /// The balance before the debit, fen.
    pub old_balance: u32,
    /// Transaction type: 5 ED purchase, 6 EP purchase, 9 compound.
    pub transaction_type: u8,
    /// Terminal id, 6 bytes.
    pub terminal: String,
    /// PSAM serial, 10 bytes.
    pub psam: String,
    /// Terminal transaction number.
    pub terminal_seq: u32,
    /// Date, `YYYYMMDD`.
    pub date: String,
    /// Time, `HHMMSS`.
    pub time: String,
    /// MAC1, 4 bytes.
    pub mac1: String,
    /// Version of the purchase key.
    pub key_version: u8,
    /// Algorithm of the purse: 0 is 3DES.
    pub algorithm: u8,
}

/// Body of `sale.intent`. Purse: origin is the terminal's. Account: origin is the gateway's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleIntentBody {
    /// The sale's id at its gateway.
    pub sale: String,
    /// What pays.
    pub tender: Tender,
    /// The lines.
    pub items: Vec<SaleItem>,
    /// Their total, fen.
    pub amount: Points,
    /// Version of the catalogue that set the prices.
    pub catalogue: u32,
    /// The purse's side, where it pays.
    pub purse: Option<PurseIntent>,
    /// HMAC-SHA256(salt, private bytes), hex.
    pub private_hmac: String,
}

/// The private record beside a `sale.intent`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SalePrivate {
    /// Application serial number, 10 bytes as hex.
    pub card: String,
}

impl core::fmt::Debug for SalePrivate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SalePrivate(..)")
    }
}

/// What became of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SaleOutcome {
    /// Paid. Account: posts the hold. Purse: the card was debited.
    Paid,
    /// Not paid: refused by a rule, the card or the centre. Voids a hold.
    Refused,
    /// Not paid: taken back by a person or a time-out. Voids a hold.
    Cancelled,
    /// Not known yet; a later `sale.outcome` settles it.
    Unknown,
}

/// What proves a debit of the purse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurseProof {
    /// TAC, 4 bytes as hex; absent where the card no longer gave it.
    pub tac: Option<String>,
    /// MAC2, 4 bytes as hex, checked by the PSAM; absent where the proof is the transaction proof or the log.
    pub mac2: Option<String>,
    /// The card's answer to GET TRANSACTION PROVE, 8 bytes as hex, where it was asked.
    pub transaction_proof: Option<String>,
    /// The card's log record, 23 bytes as hex, where it was read.
    pub log_record: Option<String>,
    /// The balance after the debit, fen, where it was seen.
    pub new_balance: Option<u32>,
}

/// Body of `sale.outcome`; `about` is the origin of the `sale.intent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleOutcomeBody {
    /// The sale's id at its gateway.
    pub sale: String,
    /// What became of it.
    pub outcome: SaleOutcome,
    /// A word that says why, where it was not paid.
    pub reason: Option<String>,
    /// What proves the debit, where a purse paid.
    pub purse: Option<PurseProof>,
}
