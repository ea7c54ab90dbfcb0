//! What the facts of one sale call for. Pure.
//!
//! A sale's facts (its intent, its outcome, its hold) arrive in any order; after each the same question is asked: what
//! is due on the ledger now? Each answer is given at most once, since the ledger takes each effect once.
//!
//! ```text
//!             account tender                         purse tender
//! paid        hold held: post                        debit of the float, by the verdict on its TAC
//! refused,    hold held: void; no hold: a later      nothing
//! cancelled   one is refused
//! unknown     nothing: it stays open                 nothing: it stays open
//! ```
//!
//! **Invariant:** `unknown` never moves a point.
//! **Invariant:** a sale moves points at most once, and never both ways.
//! **Invariant:** a hold is posted only for the card, the lines and the amount that it was made for.

use protocols::unit::Points;
use protocols::uplink::{SaleItem, SaleOutcome, Tender};

/// How a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldState {
    /// The points are set aside.
    Held,
    /// They were paid.
    Posted,
    /// They were given back.
    Voided,
}

impl HoldState {
    /// The word that is stored.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Posted => "posted",
            Self::Voided => "voided",
        }
    }

    /// The state of a stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Held, Self::Posted, Self::Voided].into_iter().find(|state| state.word() == word)
    }
}

/// What is paid for, and by whom: an intent and its hold have to say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The total, fen.
    pub amount: Points,
    /// The lines.
    pub items: Vec<SaleItem>,
    /// The card's reference.
    pub card: String,
}

impl Terms {
    /// What differs from other terms, the weightiest first; `None` where nothing does.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<Doubt> {
        if self.card != other.card {
            Some(Doubt::CardDiffers)
        } else if self.amount != other.amount {
            Some(Doubt::AmountDiffers)
        } else if self.items != other.items {
            Some(Doubt::ItemsDiffer)
        } else {
            None
        }
    }
}

/// What is known of a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Tender and terms, once the intent is here.
    pub intent: Option<(Tender, Terms)>,
    /// The outcome, once one is here.
    pub outcome: Option<SaleOutcome>,
    /// The hold with its terms, where there is one.
    pub hold: Option<(HoldState, Terms)>,
    /// Whether the effect on the ledger was made, or none is due.
    pub settled: bool,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing now.
    Nothing,
    /// Nothing ever: the sale was not paid, and nothing was set aside.
    Close,
    /// The hold becomes a payment.
    Post,
    /// The hold is given back.
    Void,
    /// A purse paid.
    Purse,
    /// A person has to look.
    Doubt(Doubt),
}

/// A contradiction that only people can resolve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Paid from the account, but nothing was set aside.
    PaidWithoutHold,
    /// Paid from the account, but what was set aside was given back.
    PaidAfterVoid,
    /// The hold has another amount than the intent.
    AmountDiffers,
    /// The hold has other lines than the intent.
    ItemsDiffer,
    /// The hold is of another card than the intent.
    CardDiffers,
    /// A hold was asked for at prices that the catalogue does not have.
    PriceDiffers,
    /// A hold was asked for a service that the catalogue does not have.
    NotInCatalogue,
    /// A hold for a sale that a purse paid.
    HoldForPurse,
    /// Said to be paid, and not to be paid.
    OutcomeDiffers,
    /// Another gateway than the one that began the sale told its outcome.
    ForeignOutcome,
    /// A purse has paid at prices that the catalogue it was sold by does not have.
    PursePriceDiffers,
    /// A purse has paid for a service that the catalogue it was sold by does not have.
    PurseNotInCatalogue,
    /// What proves the debit of a purse is not of this debit.
    TacInvalid,
}

impl Doubt {
    /// The word that people see.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::PaidWithoutHold => "paid_without_hold",
            Self::PaidAfterVoid => "paid_after_void",
            Self::AmountDiffers => "amount_differs",
            Self::ItemsDiffer => "items_differ",
            Self::CardDiffers => "card_differs",
            Self::PriceDiffers => "price_differs",
            Self::NotInCatalogue => "not_in_catalogue",
            Self::HoldForPurse => "hold_for_purse",
            Self::OutcomeDiffers => "outcome_differs",
            Self::ForeignOutcome => "foreign_outcome",
            Self::PursePriceDiffers => "purse_price_differs",
            Self::PurseNotInCatalogue => "purse_not_in_catalogue",
            Self::TacInvalid => "tac_invalid",
        }
    }
}

/// What the facts call for.
#[must_use]
pub fn due(facts: &Facts) -> Due {
    if facts.settled {
        return Due::Nothing;
    }
    match (facts.outcome, &facts.intent, &facts.hold) {
        // Not ended yet, but people need not wait to look.
        (None | Some(SaleOutcome::Unknown), Some((Tender::Account, intended)), Some((HoldState::Held, held))) => {
            intended.difference(held).map_or(Due::Nothing, Due::Doubt)
        }
        (None | Some(SaleOutcome::Unknown), _, _) | (Some(SaleOutcome::Paid), None, _) => Due::Nothing,
        (Some(SaleOutcome::Refused | SaleOutcome::Cancelled), _, Some((HoldState::Held, _))) => Due::Void,
        (Some(SaleOutcome::Refused | SaleOutcome::Cancelled), _, None | Some((HoldState::Voided, _))) => Due::Close,
        (Some(SaleOutcome::Refused | SaleOutcome::Cancelled), _, Some((HoldState::Posted, _))) => {
            Due::Doubt(Doubt::OutcomeDiffers)
        }
        (Some(SaleOutcome::Paid), Some((Tender::Purse, _)), None) => Due::Purse,
        (Some(SaleOutcome::Paid), Some((Tender::Purse, _)), Some(_)) => Due::Doubt(Doubt::HoldForPurse),
        (Some(SaleOutcome::Paid), Some((Tender::Account, _)), None) => Due::Doubt(Doubt::PaidWithoutHold),
        (Some(SaleOutcome::Paid), Some((Tender::Account, intended)), Some((state, held))) => match state {
            HoldState::Held => intended.difference(held).map_or(Due::Post, Due::Doubt),
            HoldState::Posted => Due::Close,
            HoldState::Voided => Due::Doubt(Doubt::PaidAfterVoid),
        },
    }
}

/// What a further outcome does to the one that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// It says nothing new.
    Keep,
    /// It counts from now on.
    Take,
    /// It contradicts; the known one stays.
    Contradiction,
}

/// Merges outcomes: `unknown` gives way to every other, and no other gives way.
#[must_use]
pub const fn merge(known: Option<SaleOutcome>, told: SaleOutcome) -> Merge {
    match (known, told) {
        (None, _) => Merge::Take,
        (Some(_), SaleOutcome::Unknown)
        | (Some(SaleOutcome::Paid), SaleOutcome::Paid)
        | (Some(SaleOutcome::Refused | SaleOutcome::Cancelled), SaleOutcome::Refused | SaleOutcome::Cancelled) => {
            Merge::Keep
        }
        (Some(SaleOutcome::Unknown), SaleOutcome::Paid | SaleOutcome::Refused | SaleOutcome::Cancelled) => Merge::Take,
        (Some(SaleOutcome::Paid), SaleOutcome::Refused | SaleOutcome::Cancelled)
        | (Some(SaleOutcome::Refused | SaleOutcome::Cancelled), SaleOutcome::Paid) => Merge::Contradiction,
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
