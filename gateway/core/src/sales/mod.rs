//! Sales: one state machine for both tenders, and the readers on which their cards lie.
//!
//! ```text
//! StartSale ─> AwaitingCard ─card─> Touched ─┬─ account: proof ─> intent recorded ─> Holding ─> Ended(paid | refused)
//!                   ▲      <─card gone too soon─┤
//!                   │                           └─ purse: intent recorded ─> Debiting ─> Ended(paid | refused | unknown)
//!                   └─ cancelled, timed out ─> Ended(cancelled)         Ended(unknown) ─next tap─> Ended(paid | cancelled)
//! ```
//!
//! **Invariant:** no card is debited and no hold is asked for before the sale's intent is durable.
//! **Invariant:** a sale is debited at most once: DEBIT goes out at most once for each sale.
//! **Invariant:** people see `paid` only after the outcome is durable.
//! **Invariant:** where the PSAM rejected a card's MAC2, the card's own word (proof, log) makes the sale `paid` only
//! after the card has proved itself to the PSAM in the same visit; else the issuer's word does, by an order.

#![warn(clippy::arithmetic_side_effects)]

mod dialogue;
mod look;
mod start;
mod tender;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use dialogue::unhex;
use look::Look;

use protocols::card::card_file::CardFile;
use protocols::card::intent::PurchaseIntent;
use protocols::card::psam::PsamIdentity;
use protocols::id::{ReaderId, ServiceId};
use protocols::unit::Points;
use protocols::uplink::{Origin, SaleItem, SaleOutcome, Source, Tender};
use serde::{Deserialize, Serialize};

use crate::effect::{Refusal, SaleLine, SaleView, SettledBy, outcome_name};
use crate::input::{DialogueId, SaleId};
use crate::limits::CLOSED_SALES_MAX;

/// How far a sale has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub(crate) enum Phase {
    /// Nothing was touched; a card may come.
    AwaitingCard,
    /// A dialogue runs; nothing binds yet.
    Touched,
    /// Account: the intent is recorded, the centre is asked.
    Holding,
    /// Purse: the intent is recorded, the debit may go out.
    Debiting,
    /// The end, but for `unknown`, which the next tap settles.
    Ended {
        /// What became of it.
        outcome: SaleOutcome,
    },
}

/// What an entry told of a doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Why it stays unknown.
    pub why: String,
    /// The card's transaction proof, hex, where it gave one: the issuer may decide by the TAC in it.
    pub proof: Option<String>,
}

/// A sale as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sale {
    pub id: SaleId,
    pub key: String,
    pub reader: ReaderId,
    pub tender: Tender,
    pub requested: Vec<(ServiceId, u32)>,
    pub items: Vec<SaleItem>,
    pub amount: Points,
    pub catalogue: u32,
    pub started_at: String,
    pub salt: [u8; 32],
    #[serde(flatten)]
    pub phase: Phase,
    pub origin: Option<Origin>,
    /// Kept until the sale is settled, then dropped: it names the card.
    pub intent: Option<PurchaseIntent>,
    /// The card's MAC2 did not convince the PSAM: a card that proves itself can settle it, or the issuer's verdict on the TAC.
    #[serde(default)]
    pub mac2_rejected: bool,
    pub reason: Option<Refusal>,
    /// Why it is in doubt, as it was last told to the centre.
    #[serde(default)]
    pub doubt: Option<Told>,
    pub balance: Option<Points>,
    /// What was in the account or purse before, where known.
    #[serde(default)]
    pub balance_before: Option<Points>,
    /// The lines as people read them.
    #[serde(default)]
    pub lines: Vec<SaleLine>,
    /// Civil time at which what became of it was recorded, RFC 3339.
    #[serde(default)]
    pub ended_at: Option<String>,
    /// What people are shown: the newest that is durable.
    #[serde(skip)]
    pub shown: Option<SaleView>,
}

impl Sale {
    /// Whether it has ended for good.
    pub fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Ended { outcome } if outcome != SaleOutcome::Unknown)
    }

    /// Whether it was left in doubt.
    pub const fn is_unknown(&self) -> bool {
        matches!(self.phase, Phase::Ended { outcome: SaleOutcome::Unknown })
    }

    /// What will settle it, where it was left in doubt.
    fn settled_by(&self) -> Option<SettledBy> {
        if !self.is_unknown() {
            return None;
        }
        let said_all = ["log_rolled_over", "record_missing", "contradiction", "card_counter_regress"];
        let by = match &self.doubt {
            Some(Told { proof: Some(_), .. }) => SettledBy::Centre,
            Some(Told { why, .. }) if said_all.contains(&why.as_str()) => SettledBy::Centre,
            Some(_) | None if self.mac2_rejected => SettledBy::GenuineCard,
            Some(_) | None => SettledBy::Card,
        };
        Some(by)
    }

    /// The sale as people may see it once what it says is durable.
    pub fn view(&self) -> SaleView {
        SaleView {
            id: self.id.clone(),
            state: match self.phase {
                Phase::AwaitingCard => "awaiting_card",
                Phase::Touched | Phase::Holding | Phase::Debiting => "in_progress",
                Phase::Ended { outcome } => outcome_name(outcome),
            },
            tender: self.tender,
            reader: self.reader.clone(),
            amount: self.amount,
            items: self.items.clone(),
            lines: self.lines.clone(),
            subsidy: self.subsidy(),
            reason: self.reason,
            doubt: self.is_unknown().then(|| self.doubt.as_ref().map(|doubt| doubt.why.clone())).flatten(),
            settled_by: self.settled_by(),
            balance: self.balance,
            balance_before: self.balance_before,
            purse_offered: self.tender == Tender::Account && self.reason.is_some_and(Refusal::offers_purse),
            started_at: self.started_at.clone(),
            origin: self.origin.as_ref().map(ToString::to_string),
            receipt: self.origin.as_ref().map(receipt),
            ended_at: self.ended_at.clone(),
            card_wait_left_ms: None,
        }
    }

    /// What the city pays of all lines.
    fn subsidy(&self) -> Points {
        let of_line = |line: &SaleLine| line.unit_subsidy.checked_mul(line.quantity);
        let sum = self.lines.iter().try_fold(Points::ZERO, |sum, line| sum.checked_add(of_line(line)?));
        sum.unwrap_or(Points::ZERO)
    }
}

/// The number on a receipt.
fn receipt(origin: &Origin) -> String {
    let by = match &origin.source {
        Source::Terminal(terminal) => terminal.to_string(),
        Source::Gateway(gateway) => gateway.to_string(),
        Source::Device(_) | Source::Centre(_) => origin.source.to_string(),
    };
    format!("{by}-{}", origin.seq.get())
}

/// What a dialogue is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To see which card lies there.
    Identify,
    /// To see whether the card is genuine before its word settles a sale whose MAC2 was rejected.
    Vouch,
    /// To show a person what is on it.
    Look,
    /// To settle a sale in doubt.
    Settle(SaleId),
    /// To prove the card for a sale.
    Proof(SaleId),
    /// To debit the purse for a sale.
    Purchase(SaleId),
}

/// A dialogue under way.
#[derive(Debug)]
pub(crate) struct Running {
    pub id: DialogueId,
    pub purpose: Purpose,
}

/// One card's visit on one reader.
#[derive(Debug, Default)]
pub(crate) struct Visit {
    pub running: Option<Running>,
    /// The card, once identified.
    pub card: Option<CardFile>,
    /// Whether the card has proved itself to the PSAM; absent while it was not asked to.
    pub genuine: Option<bool>,
    /// Why the identified card was declined.
    pub declined: Option<Refusal>,
    /// The card fell silent or was dealt with: it has to be laid on anew.
    pub over: bool,
    /// The reader changed while a dialogue was running.
    pub renewed: bool,
    /// Another program held the card.
    pub held: bool,
    /// Sales in doubt that this visit could not settle.
    pub tried: BTreeSet<SaleId>,
}

/// All sales that the gateway remembers.
#[derive(Debug, Default)]
pub(crate) struct Sales {
    pub by_id: BTreeMap<SaleId, Sale>,
    pub by_key: BTreeMap<String, SaleId>,
    pub settled: Vec<SaleId>,
    pub visits: BTreeMap<ReaderId, Visit>,
    /// What people were shown of the cards that lie there.
    pub looks: BTreeMap<ReaderId, Look>,
    pub psam: Option<PsamIdentity>,
}

impl Sales {
    /// Puts a sale in, new or restored.
    pub fn insert(&mut self, sale: Sale) {
        self.by_key.insert(sale.key.clone(), sale.id.clone());
        if sale.is_settled() {
            self.settled.push(sale.id.clone());
        }
        self.by_id.insert(sale.id.clone(), sale);
    }

    /// Puts the settled ones in the order of their beginnings, so that the oldest is forgotten first.
    pub fn sort_settled(&mut self) {
        let by_id = &self.by_id;
        self.settled.sort_by(|a, b| {
            let begun = |id| by_id.get(id).map(|sale| &sale.started_at);
            begun(a).cmp(&begun(b))
        });
    }

    /// The sale that waits or runs at a reader.
    pub fn active_at(&self, reader: &ReaderId) -> Option<&Sale> {
        self.by_id.values().find(|sale| {
            sale.reader == *reader
                && matches!(sale.phase, Phase::AwaitingCard | Phase::Touched | Phase::Holding | Phase::Debiting)
        })
    }

    /// The sale that waits for a card at a reader.
    pub fn awaiting_at(&self, reader: &ReaderId) -> Option<&Sale> {
        self.active_at(reader).filter(|sale| sale.phase == Phase::AwaitingCard)
    }

    /// Whether any sale is in doubt.
    pub fn any_unknown(&self) -> bool {
        self.by_id.values().any(Sale::is_unknown)
    }

    /// The sale in doubt of a card that this visit has not tried to settle yet.
    pub fn unknown_of(&self, card: &CardFile, tried: &BTreeSet<SaleId>) -> Option<&Sale> {
        self.by_id.values().find(|sale| {
            sale.is_unknown()
                && !tried.contains(&sale.id)
                && sale.intent.as_ref().is_some_and(|intent| intent.serial_number == card.serial_number)
        })
    }

    /// The visit in which a dialogue runs.
    pub fn visit_of(&self, dialogue: DialogueId) -> Option<(ReaderId, Purpose)> {
        self.visits.iter().find_map(|(reader, visit)| {
            let running = visit.running.as_ref()?;
            (running.id == dialogue).then(|| (reader.clone(), running.purpose.clone()))
        })
    }

    /// The dialogue that runs at a reader.
    pub fn running_at(&self, reader: &ReaderId) -> Option<&Running> {
        self.visits.get(reader)?.running.as_ref()
    }

    /// Notes that a sale has ended for good; gives the ids that are remembered no longer.
    pub fn settle(&mut self, id: &str) -> Vec<SaleId> {
        self.settled.push(id.to_owned());
        let mut forgotten = Vec::new();
        while self.settled.len() > CLOSED_SALES_MAX {
            let old = self.settled.remove(0);
            if let Some(sale) = self.by_id.remove(&old) {
                self.by_key.remove(&sale.key);
            }
            forgotten.push(old);
        }
        forgotten
    }
}
