//! A purchase from the purse on the card.
//!
//! ```text
//! begin ─► SELECT ─► read 0x15 ─► Identified ─Approved─► [GET MESSAGE] ─► INIT FOR PURCHASE ─► balance ≥ amount?
//!                                                                                                 │
//!          Refused, intent: None  ◄───────── every failure up to here ────────────────────────────┤
//!                                                                                                 ▼
//!          Refused, intent: Some  ◄─NotRecorded── RecordIntent ◄── PSAM: INIT_SAM (terminal seq, MAC1)
//!                   ▲                                 │ Recorded
//!                   │                                 ▼
//!                   └─ a word of the table ─────── DEBIT ── 9000, TAC ‖ MAC2 ─► PSAM: CREDIT_SAM(MAC2) ── 9000 ─► Debited
//!                                                     │                            │
//!                                                     └── anything else ─► Unknown ◄── 9302, no answer, anything else
//! ```
//!
//! **Invariant:** DEBIT goes out only after the caller said that the intent is durable, and at most once.
//! **Invariant:** `Debited` is only said when the PSAM accepted MAC2. A debit whose MAC2 nobody checked is `Unknown`,
//! with the TAC kept as evidence, and is settled by [`super::settle`] or by the issuer's verdict on the TAC.
//! **Invariant:** `Refused` after the intent is only said where nothing can have been debited: [`proves_no_debit`].

#![warn(clippy::arithmetic_side_effects)]

use super::apdu::{Command, Response};
use super::card_file::CardFile;
use super::crypto::AuthCode;
use super::date::{CardDate, CardTime};
use super::dialogue::{
    Answer, Cause, Failure, Flight, Refusal, Stage, Taken, Transmit, card_file, refused_by, selected,
};
use super::intent::PurchaseIntent;
use super::profile::Profile;
use super::psam::{self, InitAnswer, PsamIdentity};
use super::purse::{self, DebitAnswer, InitPurchaseAnswer};
use super::status::StatusWord;
use super::transport::Answered;
use super::value::CardAmount;

/// What is to be bought, and on what terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The issuer's cards.
    pub profile: Profile,
    /// The PSAM that will vouch for the terminal.
    pub psam: PsamIdentity,
    /// How much; not zero.
    pub amount: CardAmount,
    /// The civil date that card and TAC will carry.
    pub date: CardDate,
    /// The civil time that card and TAC will carry.
    pub time: CardTime,
}

/// Why nobody knows whether the card was debited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// DEBIT went out, and what came back does not tell.
    #[error("the answer to the debit is missing: {0}")]
    Debit(Cause),
    /// The card says that it debited, and the PSAM rejects its MAC2. The card may be a forgery: only the issuer's
    /// verdict on its TAC may make this paid, not its log.
    #[error("the PSAM rejects the MAC2 of the card")]
    Mac2Rejected,
    /// The card says that it debited, and the PSAM did not check it.
    #[error("the PSAM did not check the MAC2 of the card: {0}")]
    Psam(Cause),
}

impl Doubt {
    /// A stable word for metrics and interfaces.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Debit(_) => "debit_unanswered",
            Self::Mac2Rejected => "mac2_rejected",
            Self::Psam(_) => "mac2_unchecked",
        }
    }
}

/// How the dialogue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The card was debited, and proved it to the PSAM.
    Debited {
        /// What was agreed.
        intent: PurchaseIntent,
        /// TAC for the issuer, and the MAC2 that was checked.
        debit: DebitAnswer,
        /// The balance after the debit.
        new_balance: CardAmount,
    },
    /// The card was not debited.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The intent that the caller was asked to record, and which is now void.
        intent: Option<PurchaseIntent>,
    },
    /// The card may have been debited.
    Unknown {
        /// What was agreed.
        intent: PurchaseIntent,
        /// Why it is not known.
        why: Doubt,
        /// What the card answered to the debit, where it did.
        debit: Option<DebitAnswer>,
    },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Transmit, and bring back [`Answer::Received`] or [`Answer::NoAnswer`].
    Transmit(Transmit),
    /// Check validity and hotlist, and bring back [`Answer::Approved`] or [`Answer::Declined`].
    Identified(CardFile),
    /// Make this durable, and bring back [`Answer::Recorded`] or [`Answer::NotRecorded`]; [`Answer::NoAnswer`] where the
    /// card is known to have gone in the meantime.
    RecordIntent(PurchaseIntent),
    /// The end.
    Done(Outcome),
}

/// The dialogue.
#[derive(Clone, Debug)]
pub struct Purchase {
    order: Order,
    flight: Flight,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// An exchange is in progress.
    Exchanging(Phase),
    /// The caller decides whether this card may be used.
    Deciding(CardFile),
    /// The caller records the intent.
    Recording(PurchaseIntent),
    /// Over.
    Ended(Outcome),
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// SELECT.
    Select,
    /// Reading file 0x15.
    CardFile,
    /// Reading the authentication code.
    AuthCode(CardFile),
    /// INITIALIZE FOR PURCHASE.
    Init(CardFile, Option<AuthCode>),
    /// INIT_SAM_FOR_PURCHASE.
    PsamInit(CardFile, InitPurchaseAnswer),
    /// DEBIT FOR PURCHASE: from here on only the card's proof ends the doubt.
    Debit(PurchaseIntent),
    /// CREDIT_SAM_FOR_PURCHASE.
    Credit(PurchaseIntent, DebitAnswer),
}

impl Purchase {
    /// Begins. An order over nothing ends at once.
    pub fn begin(order: Order) -> (Self, Step) {
        let flight = Flight::new(Stage::Select, purse::select(&order.profile.aid));
        if order.amount.is_zero() {
            let outcome = refused(Refusal::AmountZero);
            return (Self { order, flight, state: State::Ended(outcome) }, Step::Done(outcome));
        }
        let step = Step::Transmit(flight.first());
        (Self { order, flight, state: State::Exchanging(Phase::Select) }, step)
    }

    /// Takes what the last step brought, and gives the next one.
    pub fn next(&mut self, answer: Answer<'_>) -> Step {
        let result = match self.state {
            State::Ended(outcome) => return Step::Done(outcome),
            State::Deciding(card) => self.decided(card, answer),
            State::Recording(intent) => self.recorded(intent, answer),
            State::Exchanging(phase) => match self.flight.take(answer) {
                Taken::Send(transmit) => return Step::Transmit(transmit),
                Taken::Got(answered) => self.advance(phase, &answered),
                Taken::Failed(failure) => Err(failed(phase, failure)),
            },
        };
        result.unwrap_or_else(|outcome| {
            self.state = State::Ended(outcome);
            Step::Done(outcome)
        })
    }

    fn decided(&mut self, card: CardFile, answer: Answer<'_>) -> Result<Step, Outcome> {
        match answer {
            Answer::Approved if self.order.profile.auth_code => {
                Ok(self.send(Phase::AuthCode(card), Stage::AuthCode, purse::get_auth_code()))
            }
            Answer::Approved => Ok(self.init(card, None)),
            Answer::Declined => Err(refused(Refusal::Declined)),
            Answer::NoAnswer => Err(refused(Refusal::Failed(self.flight.failure(Cause::NoAnswer)))),
            Answer::Received(_) | Answer::Recorded | Answer::NotRecorded => {
                Err(refused(Refusal::Failed(self.flight.failure(Cause::OutOfStep))))
            }
        }
    }

    fn recorded(&mut self, intent: PurchaseIntent, answer: Answer<'_>) -> Result<Step, Outcome> {
        let refusal = match answer {
            Answer::Recorded => {
                let PurchaseIntent { terminal_sequence, date, time, mac1, .. } = intent;
                let command = purse::debit_for_purchase(terminal_sequence, date, time, &mac1);
                return Ok(self.send(Phase::Debit(intent), Stage::Debit, command));
            }
            Answer::NotRecorded => Refusal::NotRecorded,
            // The card has gone; the debit that it would have got was not sent.
            Answer::NoAnswer => Refusal::Failed(Failure { stage: Stage::Debit, cause: Cause::NoAnswer }),
            Answer::Received(_) | Answer::Approved | Answer::Declined => {
                Refusal::Failed(self.flight.failure(Cause::OutOfStep))
            }
        };
        Err(Outcome::Refused { refusal, intent: Some(intent) })
    }

    fn advance(&mut self, phase: Phase, answered: &Answered) -> Result<Step, Outcome> {
        let response = &answered.response;
        match phase {
            Phase::Select => {
                selected(response, &self.order.profile.aid).map_err(refused)?;
                Ok(self.send(Phase::CardFile, Stage::CardFile, purse::read_card_file()))
            }
            Phase::CardFile => {
                let card = card_file(response).map_err(refused)?;
                self.state = State::Deciding(card);
                Ok(Step::Identified(card))
            }
            Phase::AuthCode(card) => {
                let code = self.flight.read(response, purse::parse_auth_code);
                let code = code.map_err(|failure| refused(Refusal::Failed(failure)))?;
                Ok(self.init(card, Some(code)))
            }
            Phase::Init(card, auth_code) => self.initialized(card, auth_code, response),
            Phase::PsamInit(card, init) => {
                let answer = self.flight.read(response, InitAnswer::parse);
                let answer = answer.map_err(|failure| refused(Refusal::Failed(failure)))?;
                let intent = self.intent(&card, &init, &answer);
                self.state = State::Recording(intent);
                Ok(Step::RecordIntent(intent))
            }
            Phase::Debit(intent) => self.debited(intent, answered),
            Phase::Credit(intent, debit) => Err(credited(intent, debit, response)),
        }
    }

    fn init(&mut self, card: CardFile, auth_code: Option<AuthCode>) -> Step {
        let Order { profile, psam, amount, .. } = &self.order;
        let command = purse::init_for_purchase(profile.purse, profile.key_index, *amount, &psam.terminal);
        self.send(Phase::Init(card, auth_code), Stage::InitPurchase, command)
    }

    fn initialized(
        &mut self,
        card: CardFile,
        auth_code: Option<AuthCode>,
        response: &Response,
    ) -> Result<Step, Outcome> {
        if response.status() != StatusWord::Success {
            return Err(refused(refused_by(Stage::InitPurchase, response.status())));
        }
        let init = self.flight.read(response, InitPurchaseAnswer::parse);
        let init = init.map_err(|failure| refused(Refusal::Failed(failure)))?;
        // An overdraft limit is not money that the elder has: only the balance counts.
        if init.balance < self.order.amount {
            return Err(refused(Refusal::InsufficientBalance { balance: Some(init.balance) }));
        }
        if init.counter.next().is_none() {
            return Err(refused(Refusal::CounterExhausted));
        }
        init.algorithm.supported().map_err(|error| refused(Refusal::Algorithm(error)))?;
        let Order { profile, amount, date, time, .. } = &self.order;
        let command = psam::PurchaseInit {
            random: init.random,
            counter: init.counter,
            amount: *amount,
            kind: profile.purse.purchase_type(),
            date: *date,
            time: *time,
            key_version: init.key_version,
            algorithm: init.algorithm,
            factors: profile.factors_of(&card),
            auth_code,
        }
        .command();
        Ok(self.send(Phase::PsamInit(card, init), Stage::PsamInitPurchase, command))
    }

    fn intent(&self, card: &CardFile, init: &InitPurchaseAnswer, answer: &InitAnswer) -> PurchaseIntent {
        let Order { profile, psam, amount, date, time } = &self.order;
        PurchaseIntent {
            serial_number: card.serial_number,
            counter: init.counter,
            old_balance: init.balance,
            amount: *amount,
            kind: profile.purse.purchase_type(),
            terminal: psam.terminal,
            psam: psam.serial,
            terminal_sequence: answer.sequence,
            date: *date,
            time: *time,
            mac1: answer.mac1,
            key_version: init.key_version,
            algorithm: init.algorithm,
        }
    }

    fn debited(&mut self, intent: PurchaseIntent, answered: &Answered) -> Result<Step, Outcome> {
        let status = answered.response.status();
        // After 61xx the debit was carried out, and the word is one of GET RESPONSE.
        if proves_no_debit(status) && !answered.fetched {
            return Err(Outcome::Refused { refusal: refused_by(Stage::Debit, status), intent: Some(intent) });
        }
        match self.flight.read(&answered.response, DebitAnswer::parse) {
            Ok(debit) => {
                let command = psam::credit_for_purchase(&debit.mac2);
                Ok(self.send(Phase::Credit(intent, debit), Stage::PsamCredit, command))
            }
            Err(failure) => Err(failed(Phase::Debit(intent), failure)),
        }
    }

    fn send(&mut self, phase: Phase, stage: Stage, command: Command) -> Step {
        self.state = State::Exchanging(phase);
        self.flight = Flight::new(stage, command);
        Step::Transmit(self.flight.first())
    }
}

/// Whether this status word of DEBIT FOR PURCHASE proves that the card was not debited. A card checks all of these
/// before it changes anything, and the command goes out only once, so none of them can belong to a second attempt:
///
/// | word | the card found |
/// |---|---|
/// | 6700 | a wrong length |
/// | 6900, 6901, 6985 | no INITIALIZE before the debit (card changed, or reset in between) |
/// | 6982 | a PIN missing |
/// | 6A81, 9303 | the application blocked |
/// | 6A86, 6D00, 6E00 | a command that it does not have |
/// | 9301, 9401 | not enough money |
/// | 9302 | MAC1 wrong |
/// | 9402 | the counter used up |
/// | 9403 | no such key |
///
/// Every other word leaves the debit unknown: 6581 above all (writing failed half-way), 6281, 6Cxx, words that no
/// list names.
pub const fn proves_no_debit(status: StatusWord) -> bool {
    matches!(
        status,
        StatusWord::WrongLength
            | StatusWord::NotAccepted
            | StatusWord::InvalidState
            | StatusWord::ConditionsNotSatisfied
            | StatusWord::SecurityStatus
            | StatusWord::NotSupportedOrLocked
            | StatusWord::ApplicationPermanentlyBlocked
            | StatusWord::WrongParameters
            | StatusWord::InstructionNotSupported
            | StatusWord::ClassNotSupported
            | StatusWord::InsufficientFundsVendor
            | StatusWord::InsufficientFunds
            | StatusWord::MacInvalid
            | StatusWord::CounterAtMaximum
            | StatusWord::KeyIndexNotSupported
    )
}

/// Refused before there was an intent.
const fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused { refusal, intent: None }
}

/// An exchange failed: before DEBIT a refusal, from DEBIT on a doubt.
const fn failed(phase: Phase, failure: Failure) -> Outcome {
    match phase {
        Phase::Select | Phase::CardFile | Phase::AuthCode(_) | Phase::Init(..) | Phase::PsamInit(..) => {
            refused(Refusal::Failed(failure))
        }
        Phase::Debit(intent) => Outcome::Unknown { intent, why: Doubt::Debit(failure.cause), debit: None },
        Phase::Credit(intent, debit) => {
            Outcome::Unknown { intent, why: Doubt::Psam(failure.cause), debit: Some(debit) }
        }
    }
}

/// What the PSAM says to the card's MAC2.
fn credited(intent: PurchaseIntent, debit: DebitAnswer, response: &Response) -> Outcome {
    let status = response.status();
    let why = if status == StatusWord::MacInvalid {
        Doubt::Mac2Rejected
    } else if status != StatusWord::Success {
        Doubt::Psam(Cause::Status(status))
    } else if let Some(new_balance) = intent.new_balance() {
        return Outcome::Debited { intent, debit, new_balance };
    } else {
        // An intent is only made where the balance covers the amount; if it did not, no receipt could be right.
        Doubt::Psam(Cause::OutOfStep)
    };
    Outcome::Unknown { intent, why, debit: Some(debit) }
}
