//! The dialogues of the card protocols behind one face, as the core orders them.

use gateway_core::{DialogueOrder, DialogueOutcome};
use protocols::card::card_file::CardFile;
use protocols::card::crypto::Challenge;
use protocols::card::date::{CardDate, CardTime};
use protocols::card::dialogue::{Answer, Transmit};
use protocols::card::intent::PurchaseIntent;
use protocols::card::profile::Profile;
use protocols::card::psam::PsamIdentity;
use protocols::card::value::CardAmount;
use protocols::card::{look, proof, purchase, settle};

/// What a dialogue wants next.
#[derive(Debug)]
pub(super) enum Step {
    /// Transmit this.
    Transmit(Transmit),
    /// Let the core judge this card.
    Identified(CardFile),
    /// Let the core make this durable.
    RecordIntent(PurchaseIntent),
    /// The end.
    Done(DialogueOutcome),
}

/// What a dialogue is begun with, besides the core's order.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    /// The issuer's cards.
    pub(super) profile: &'a Profile,
    /// The PSAM that was lent for it.
    pub(super) psam: Option<PsamIdentity>,
    /// Drawn for it.
    pub(super) challenge: Challenge,
    /// Civil date and time of the site.
    pub(super) moment: (CardDate, CardTime),
}

/// A dialogue under way.
#[derive(Debug)]
pub(super) enum Stepper {
    /// The beginning of a proof, for its card file.
    Identify(proof::Proof),
    /// The proof of the card.
    Proof(proof::Proof),
    /// A purchase from the purse.
    Purchase(purchase::Purchase),
    /// What became of a debit.
    Settle(settle::Settle),
    /// What a person may know of the card.
    Look(look::Look),
}

/// Whether the order needs the PSAM.
pub(super) const fn needs_psam(order: &DialogueOrder) -> bool {
    match order {
        DialogueOrder::Proof | DialogueOrder::Purchase { .. } => true,
        DialogueOrder::Identify | DialogueOrder::Look | DialogueOrder::Settle { .. } => false,
    }
}

impl Stepper {
    /// Begins; `None` where the order cannot be carried out: an amount that no card can hold, or no PSAM.
    pub(super) fn begin(order: &DialogueOrder, terms: Terms<'_>) -> Option<(Self, Step)> {
        let profile = terms.profile.clone();
        Some(match order {
            DialogueOrder::Identify => {
                let (dialogue, step) = proof::Proof::begin(profile, terms.challenge);
                (Self::Identify(dialogue), of_proof(step))
            }
            DialogueOrder::Look => {
                let (dialogue, step) = look::Look::begin(profile, terms.challenge);
                (Self::Look(dialogue), of_look(step))
            }
            DialogueOrder::Proof => {
                let (dialogue, step) = proof::Proof::begin(profile, terms.challenge);
                (Self::Proof(dialogue), of_proof(step))
            }
            DialogueOrder::Purchase { amount } => {
                let (date, time) = terms.moment;
                let amount = CardAmount::new(*amount).ok()?;
                let order = purchase::Order { profile, psam: terms.psam?, amount, date, time };
                let (dialogue, step) = purchase::Purchase::begin(order);
                (Self::Purchase(dialogue), of_purchase(step))
            }
            DialogueOrder::Settle { intent } => {
                let (dialogue, step) = settle::Settle::begin(profile, *intent);
                (Self::Settle(dialogue), of_settle(step))
            }
        })
    }

    /// Takes what the last step brought, and gives the next one.
    pub(super) fn next(&mut self, answer: Answer<'_>) -> Step {
        match self {
            Self::Identify(dialogue) | Self::Proof(dialogue) => of_proof(dialogue.next(answer)),
            Self::Purchase(dialogue) => of_purchase(dialogue.next(answer)),
            Self::Settle(dialogue) => of_settle(dialogue.next(answer)),
            Self::Look(dialogue) => of_look(dialogue.next(answer)),
        }
    }
}

fn of_proof(step: proof::Step) -> Step {
    match step {
        proof::Step::Transmit(transmit) => Step::Transmit(transmit),
        proof::Step::Identified(card) => Step::Identified(card),
        proof::Step::Done(outcome) => Step::Done(DialogueOutcome::Proof(outcome)),
    }
}

fn of_purchase(step: purchase::Step) -> Step {
    match step {
        purchase::Step::Transmit(transmit) => Step::Transmit(transmit),
        purchase::Step::Identified(card) => Step::Identified(card),
        purchase::Step::RecordIntent(intent) => Step::RecordIntent(intent),
        purchase::Step::Done(outcome) => Step::Done(DialogueOutcome::Purchase(outcome)),
    }
}

fn of_settle(step: settle::Step) -> Step {
    match step {
        settle::Step::Transmit(transmit) => Step::Transmit(transmit),
        settle::Step::Done(outcome) => Step::Done(DialogueOutcome::Settle(outcome)),
    }
}

fn of_look(step: look::Step) -> Step {
    match step {
        look::Step::Transmit(transmit) => Step::Transmit(transmit),
        look::Step::Identified(card) => Step::Identified(card),
        look::Step::Done(outcome) => Step::Done(DialogueOutcome::Look(outcome)),
    }
}

/// The outcome in a word, for logs and metrics.
pub(super) const fn outcome_word(outcome: &DialogueOutcome) -> &'static str {
    match outcome {
        DialogueOutcome::Proof(proof::Outcome::Genuine(_)) => "genuine",
        DialogueOutcome::Proof(proof::Outcome::NotGenuine) => "not_genuine",
        DialogueOutcome::Look(look::Outcome::Seen(_)) => "seen",
        DialogueOutcome::Proof(proof::Outcome::NoAnswer(_)) | DialogueOutcome::Look(look::Outcome::NoAnswer(_)) => {
            "no_answer"
        }
        DialogueOutcome::Proof(proof::Outcome::Refused(refusal))
        | DialogueOutcome::Look(look::Outcome::Refused(refusal))
        | DialogueOutcome::Purchase(purchase::Outcome::Refused { refusal, .. }) => refusal.code(),
        DialogueOutcome::Purchase(purchase::Outcome::Debited { .. }) => "debited",
        DialogueOutcome::Purchase(purchase::Outcome::Unknown { why, .. }) => why.code(),
        DialogueOutcome::Settle(settle::Outcome::Debited { .. }) => "settled_debited",
        DialogueOutcome::Settle(settle::Outcome::NotDebited { .. }) => "settled_not_debited",
        DialogueOutcome::Settle(settle::Outcome::OtherCard(_)) => "other_card",
        DialogueOutcome::Settle(settle::Outcome::CounterRegress { .. }) => "counter_regress",
        DialogueOutcome::Settle(settle::Outcome::StillUnknown { why, .. }) => why.code(),
        DialogueOutcome::NotRun(why) => why.word(),
    }
}

/// The order in a word, for logs and metrics.
pub(super) const fn order_word(order: &DialogueOrder) -> &'static str {
    match order {
        DialogueOrder::Identify => "identify",
        DialogueOrder::Look => "look",
        DialogueOrder::Proof => "proof",
        DialogueOrder::Purchase { .. } => "purchase",
        DialogueOrder::Settle { .. } => "settle",
    }
}
