//! Settlement of a purchase whose outcome is unknown, when a card is next on a reader, at whatever terminal.
//!
//! ```text
//! begin ─► SELECT ─► read 0x15 ── another serial number ─► OtherCard
//!                        │
//!                        ▼
//!        INIT FOR PURCHASE over 0 (over 1 fen where the card refuses 0): its counter c, against S of the intent
//!          c < S     ─► CounterRegress
//!          c = S     ─► NotDebited(CounterUnchanged)
//!          c > S, or INIT refused by the card
//!              └─► GET TRANSACTION PROVE(S+1) ─► proof, or a refusing word (9406: TAC missing)
//!                      └─► log records 1 … 10, newest first, until the purchase with counter S+1
//!                            equal to the intent                     ─► Debited
//!                            of another terminal or moment           ─► NotDebited(CounterUsedElsewhere)
//!                            of this terminal and moment, but other  ─► StillUnknown(Contradiction)
//!                            none                                    ─► StillUnknown(LogRolledOver | RecordMissing)
//!
//! any exchange that fails ─► StillUnknown(Failed)
//! ```
//!
//! INITIALIZE FOR PURCHASE alone changes nothing on a card, so the dialogue may be torn and repeated at will.
//!
//! **Invariant:** nothing is debited here.
//! **Invariant:** `Debited` rests on the card's own record of exactly this purchase; the TAC, for which only the
//! issuer can vouch, comes on top where the card still gives it. A card's log is not authenticated: whoever must not
//! trust the card (its MAC2 was rejected) waits for the issuer's verdict on the TAC.

#![warn(clippy::arithmetic_side_effects)]

use super::apdu::{Command, Response};
use super::card_file::CardFile;
use super::crypto::Tac;
use super::dialogue::{Answer, Failure, Flight, Refusal, Stage, Taken, Transmit, card_file, selected};
use super::intent::PurchaseIntent;
use super::log_record::LogRecord;
use super::profile::Profile;
use super::purse::{self, InitPurchaseAnswer, LogIndex, Purse, TransactionProof};
use super::status::StatusWord;
use super::value::{CardAmount, CardCounter, TransactionType};

/// What shows that a card was not debited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDebitedBy {
    /// The counter is still S.
    CounterUnchanged,
    /// The transaction that took the counter to S+1 was made at another terminal or at another moment.
    CounterUsedElsewhere,
}

/// Why it is still not known whether the card was debited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StillUnknown {
    /// The card cannot be used at all.
    #[error(transparent)]
    Refused(Refusal),
    /// An exchange failed; the next tap may bring more.
    #[error(transparent)]
    Failed(Failure),
    /// All ten records of the log are of later transactions.
    #[error("the log of the card holds only later transactions")]
    LogRolledOver,
    /// The counter went on, and the log has no record of the transaction that took it to S+1.
    #[error("the log of the card has no record of the transaction")]
    RecordMissing,
    /// The card's record of S+1 agrees with the intent in part, or its balance does and its record does not.
    #[error("the records of the card contradict the intent")]
    Contradiction,
}

impl StillUnknown {
    /// A stable word for metrics and interfaces.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Failed(_) => "exchange_failed",
            Self::LogRolledOver => "log_rolled_over",
            Self::RecordMissing => "record_missing",
            Self::Contradiction => "contradiction",
        }
    }
}

/// How the dialogue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The card was not debited.
    NotDebited {
        /// What shows it.
        by: NotDebitedBy,
        /// The balance now.
        balance: Option<CardAmount>,
    },
    /// The card was debited.
    Debited {
        /// The card's record of it.
        record: LogRecord,
        /// The answer to GET TRANSACTION PROVE as it came, where the card gave one.
        proof: Option<TransactionProof>,
        /// The TAC out of it, where the profile says it lies. Missing: to be settled on the record and by review.
        tac: Option<Tac>,
        /// The balance now, where the card said it; after later transactions not the one after this purchase.
        balance: Option<CardAmount>,
    },
    /// This is another card; nothing was asked of it.
    OtherCard(CardFile),
    /// The card's counter is below S: it is a copy of an older state, and must be blocked.
    CounterRegress {
        /// What the card said.
        found: CardCounter,
    },
    /// It stays unknown.
    StillUnknown {
        /// Why.
        why: StillUnknown,
        /// The answer to GET TRANSACTION PROVE, where there was one: the issuer may be able to decide by its TAC.
        proof: Option<TransactionProof>,
    },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nothing here allocates, and one step is alive at a time")]
pub enum Step {
    /// Transmit, and bring back [`Answer::Received`] or [`Answer::NoAnswer`].
    Transmit(Transmit),
    /// The end.
    Done(Outcome),
}

/// The dialogue.
#[derive(Clone, Debug)]
pub struct Settle {
    profile: Profile,
    intent: PurchaseIntent,
    /// S+1.
    counter_after: CardCounter,
    flight: Flight,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// An exchange is in progress.
    Exchanging(Phase),
    /// Over.
    Ended(Outcome),
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// SELECT.
    Select,
    /// Reading file 0x15.
    CardFile,
    /// INITIALIZE FOR PURCHASE over this amount.
    Init(CardAmount),
    /// GET TRANSACTION PROVE.
    Proof(Seen),
    /// READ RECORD.
    Log(Search),
}

/// What INITIALIZE FOR PURCHASE showed.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// Counter and balance, the counter above S.
    Answer(InitPurchaseAnswer),
    /// The card refused it, for this reason; only the log can tell.
    Refused(Failure),
}

impl Seen {
    const fn balance(self) -> Option<CardAmount> {
        match self {
            Self::Answer(answer) => Some(answer.balance),
            Self::Refused(_) => None,
        }
    }
}

/// How far the search of the log is.
#[derive(Clone, Copy, Debug)]
struct Search {
    seen: Seen,
    proof: Option<TransactionProof>,
    index: LogIndex,
    /// Whether a purchase with a counter of S or less was met: then the record of S+1 cannot have rolled over.
    older_met: bool,
}

impl Settle {
    /// Begins, for an intent that was recorded and whose purchase ended as unknown, or not at all.
    pub fn begin(profile: Profile, intent: PurchaseIntent) -> (Self, Step) {
        let flight = Flight::new(Stage::Select, purse::select(&profile.aid));
        let (counter_after, state, step) = match intent.counter_after() {
            Some(counter) => (counter, State::Exchanging(Phase::Select), Step::Transmit(flight.first())),
            None => {
                let outcome = Outcome::StillUnknown { why: StillUnknown::Contradiction, proof: None };
                (intent.counter, State::Ended(outcome), Step::Done(outcome))
            }
        };
        (Self { profile, intent, counter_after, flight, state }, step)
    }

    /// Takes what the last step brought, and gives the next one.
    pub fn next(&mut self, answer: Answer<'_>) -> Step {
        let phase = match self.state {
            State::Ended(outcome) => return Step::Done(outcome),
            State::Exchanging(phase) => phase,
        };
        let result = match self.flight.take(answer) {
            Taken::Send(transmit) => return Step::Transmit(transmit),
            Taken::Got(answered) => self.advance(phase, &answered.response),
            Taken::Failed(failure) => Err(still_unknown(phase, StillUnknown::Failed(failure))),
        };
        result.unwrap_or_else(|outcome| {
            self.state = State::Ended(outcome);
            Step::Done(outcome)
        })
    }

    fn advance(&mut self, phase: Phase, response: &Response) -> Result<Step, Outcome> {
        let refused = |refusal| still_unknown(phase, StillUnknown::Refused(refusal));
        match phase {
            Phase::Select => {
                selected(response, &self.profile.aid).map_err(refused)?;
                Ok(self.send(Phase::CardFile, Stage::CardFile, purse::read_card_file()))
            }
            Phase::CardFile => {
                let card = card_file(response).map_err(refused)?;
                if card.serial_number != self.intent.serial_number {
                    return Err(Outcome::OtherCard(card));
                }
                Ok(self.init(CardAmount::ZERO))
            }
            Phase::Init(amount) => self.initialized(amount, response),
            Phase::Proof(seen) => self.proved(seen, response),
            Phase::Log(search) => self.read_record(search, response),
        }
    }

    fn init(&mut self, amount: CardAmount) -> Step {
        let purse = purse_of(self.intent.kind, self.profile.purse);
        let command = purse::init_for_purchase(purse, self.profile.key_index, amount, &self.intent.terminal);
        self.send(Phase::Init(amount), Stage::InitPurchase, command)
    }

    fn initialized(&mut self, amount: CardAmount, response: &Response) -> Result<Step, Outcome> {
        let failure = match self.flight.read(response, InitPurchaseAnswer::parse) {
            Ok(answer) => return self.compare_counter(answer),
            Err(failure) => failure,
        };
        if amount.is_zero() {
            return Ok(self.init(CardAmount::ONE_FEN));
        }
        Ok(self.prove(Seen::Refused(failure)))
    }

    fn compare_counter(&mut self, answer: InitPurchaseAnswer) -> Result<Step, Outcome> {
        if answer.counter < self.intent.counter {
            return Err(Outcome::CounterRegress { found: answer.counter });
        }
        if answer.counter == self.intent.counter {
            let balance = Some(answer.balance);
            return Err(Outcome::NotDebited { by: NotDebitedBy::CounterUnchanged, balance });
        }
        Ok(self.prove(Seen::Answer(answer)))
    }

    fn prove(&mut self, seen: Seen) -> Step {
        let command = purse::transaction_prove(self.intent.kind, self.counter_after);
        self.send(Phase::Proof(seen), Stage::TransactionProof, command)
    }

    /// A proof that is refused, or of a wrong length, is one that the card no longer has: the log decides.
    fn proved(&mut self, seen: Seen, response: &Response) -> Result<Step, Outcome> {
        let proof = self.flight.read(response, TransactionProof::parse).ok();
        Ok(self.read_log(Search { seen, proof, index: LogIndex::NEWEST, older_met: false }))
    }

    fn read_log(&mut self, search: Search) -> Step {
        self.send(Phase::Log(search), Stage::LogRecord, purse::read_log_record(search.index))
    }

    fn read_record(&mut self, mut search: Search, response: &Response) -> Result<Step, Outcome> {
        if response.status() == StatusWord::RecordNotFound {
            return Err(self.not_found(search, StillUnknown::RecordMissing));
        }
        let record = self.flight.read(response, LogRecord::parse);
        let record = record.map_err(|failure| still_unknown(Phase::Log(search), StillUnknown::Failed(failure)))?;
        if self.uses_same_counter(record.kind) {
            if record.counter == self.counter_after {
                return Err(self.judge(search, record));
            }
            search.older_met |= record.counter < self.counter_after;
        }
        let Some(index) = search.index.older() else {
            let why = if search.older_met { StillUnknown::RecordMissing } else { StillUnknown::LogRolledOver };
            return Err(self.not_found(search, why));
        };
        search.index = index;
        Ok(self.read_log(search))
    }

    /// Decides by the card's record of the transaction that took the counter to S+1.
    fn judge(&self, search: Search, record: LogRecord) -> Outcome {
        let Search { seen, proof, .. } = search;
        if self.intent.is_recorded_by(&record) {
            let tac = proof.map(|proof| proof.tac(self.profile.transaction_proof));
            return Outcome::Debited { record, proof, tac, balance: seen.balance() };
        }
        if self.intent.is_place_and_time_of(&record) || self.balance_says_debited(seen) {
            return still_unknown(Phase::Log(search), StillUnknown::Contradiction);
        }
        Outcome::NotDebited { by: NotDebitedBy::CounterUsedElsewhere, balance: seen.balance() }
    }

    /// Whether nothing but this purchase seems to have happened since the intent.
    fn balance_says_debited(&self, seen: Seen) -> bool {
        match seen {
            Seen::Answer(answer) => {
                answer.counter == self.counter_after && Some(answer.balance) == self.intent.new_balance()
            }
            Seen::Refused(_) => false,
        }
    }

    /// The log does not tell. Where INITIALIZE was refused, that is the reason which matters.
    fn not_found(&self, search: Search, why: StillUnknown) -> Outcome {
        let why = match search.seen {
            Seen::Answer(_) => why,
            Seen::Refused(failure) => StillUnknown::Failed(failure),
        };
        still_unknown(Phase::Log(search), why)
    }

    /// Whether a transaction of this type counts up the offline counter that the intent's type does. The electronic
    /// deposit and the electronic purse have one each, and loads have another.
    fn uses_same_counter(&self, kind: TransactionType) -> bool {
        let of_deposit = |kind| kind == TransactionType::ED_PURCHASE || kind == TransactionType::CASH;
        let of_purse = |kind| kind == TransactionType::EP_PURCHASE || kind == TransactionType::COMPOUND_PURCHASE;
        let own = self.intent.kind;
        kind == own || of_deposit(own) && of_deposit(kind) || of_purse(own) && of_purse(kind)
    }

    fn send(&mut self, phase: Phase, stage: Stage, command: Command) -> Step {
        self.state = State::Exchanging(phase);
        self.flight = Flight::new(stage, command);
        Step::Transmit(self.flight.first())
    }
}

/// The balance that an intent of this type was made on: the profile may have changed since.
fn purse_of(kind: TransactionType, configured: Purse) -> Purse {
    if kind == Purse::Ed.purchase_type() {
        Purse::Ed
    } else if kind == Purse::Ep.purchase_type() {
        Purse::Ep
    } else {
        configured
    }
}

fn still_unknown(phase: Phase, why: StillUnknown) -> Outcome {
    let proof = match phase {
        Phase::Select | Phase::CardFile | Phase::Init(_) | Phase::Proof(_) => None,
        Phase::Log(search) => search.proof,
    };
    Outcome::StillUnknown { why, proof }
}
