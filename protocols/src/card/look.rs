//! A look at a card, for a person who wants to know what is on it: which card, what is in its purse, and a proof by which
//! the centre tells what is in its account.
//!
//! ```text
//! begin ─► SELECT ─► read 0x15 ─► Identified ─Approved─► GET BALANCE ─► INTERNAL AUTHENTICATE(C) ─► Seen
//!               │         │            └─Declined──────────────┴─ fails ──────────┴─ fails ───────► Seen, with what is known
//!               └─ fails ─┴─► Refused | NoAnswer
//! ```
//!
//! It needs no PSAM and no PIN, and changes nothing on the card.
//!
//! **Invariant:** no command of a look changes anything on the card, so a card may be taken away at any moment.

use super::apdu::{Command, Response};
use super::card_file::CardFile;
use super::crypto::{Challenge, ProofResponse};
use super::dialogue::{Answer, Cause, Failure, Flight, Refusal, Stage, Taken, Transmit, card_file, selected};
use super::profile::Profile;
use super::value::CardAmount;
use super::{psam, purse};

/// What was seen of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its public file.
    pub card: CardFile,
    /// What is in its purse, where it said so.
    pub balance: Option<CardAmount>,
    /// What it was asked and what it answered, where it did: who holds the issuer's key can tell whether it is genuine.
    pub proof: Option<(Challenge, ProofResponse)>,
}

/// How the look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The card was read.
    Seen(Seen),
    /// The card cannot be used here.
    Refused(Refusal),
    /// The card did not answer at this exchange.
    NoAnswer(Stage),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nothing here allocates, and one step is alive at a time")]
pub enum Step {
    /// Transmit, and bring back [`Answer::Received`] or [`Answer::NoAnswer`].
    Transmit(Transmit),
    /// Bring back [`Answer::Approved`] to go on, or [`Answer::Declined`] to end the look here.
    Identified(CardFile),
    /// The end.
    Done(Outcome),
}

/// The dialogue.
#[derive(Clone, Debug)]
pub struct Look {
    profile: Profile,
    challenge: Challenge,
    flight: Flight,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// SELECT is in progress.
    Selecting,
    /// Reading file 0x15 is in progress.
    Reading,
    /// The caller decides whether to go on with this card.
    Deciding(Seen),
    /// GET BALANCE is in progress.
    Weighing(Seen),
    /// INTERNAL AUTHENTICATE is in progress.
    Proving(Seen),
    /// Over.
    Ended(Outcome),
}

impl Look {
    /// Begins with a challenge that nobody could foresee: 8 random bytes, drawn for this dialogue.
    pub fn begin(profile: Profile, challenge: Challenge) -> (Self, Step) {
        let flight = Flight::new(Stage::Select, purse::select(&profile.aid));
        let step = Step::Transmit(flight.first());
        (Self { profile, challenge, flight, state: State::Selecting }, step)
    }

    /// Takes what the last step brought, and gives the next one.
    pub fn next(&mut self, answer: Answer<'_>) -> Step {
        if let State::Ended(outcome) = self.state {
            return Step::Done(outcome);
        }
        if let State::Deciding(seen) = self.state {
            return self.decided(seen, answer);
        }
        let taken = match self.flight.take(answer) {
            Taken::Send(transmit) => return Step::Transmit(transmit),
            Taken::Got(answered) => Ok(answered.response),
            Taken::Failed(failure) => Err(failure),
        };
        match self.state {
            State::Selecting => self.selected(taken),
            State::Reading => self.read(taken),
            State::Weighing(seen) => self.weighed(seen, taken),
            State::Proving(seen) => self.proved(seen, taken),
            State::Deciding(seen) => self.end(Outcome::Seen(seen)),
            State::Ended(outcome) => Step::Done(outcome),
        }
    }

    fn selected(&mut self, taken: Result<Response, Failure>) -> Step {
        match taken
            .map_err(failed)
            .and_then(|response| selected(&response, &self.profile.aid).map_err(Outcome::Refused))
        {
            Ok(()) => self.send(State::Reading, Stage::CardFile, purse::read_card_file()),
            Err(outcome) => self.end(outcome),
        }
    }

    fn read(&mut self, taken: Result<Response, Failure>) -> Step {
        match taken.map_err(failed).and_then(|response| card_file(&response).map_err(Outcome::Refused)) {
            Ok(card) => {
                self.state = State::Deciding(Seen { card, balance: None, proof: None });
                Step::Identified(card)
            }
            Err(outcome) => self.end(outcome),
        }
    }

    fn decided(&mut self, seen: Seen, answer: Answer<'_>) -> Step {
        match answer {
            Answer::Approved => {
                let command = purse::get_balance(self.profile.purse);
                self.send(State::Weighing(seen), Stage::Balance, command)
            }
            Answer::Declined | Answer::NoAnswer | Answer::Received(_) | Answer::Recorded | Answer::NotRecorded => {
                self.end(Outcome::Seen(seen))
            }
        }
    }

    fn weighed(&mut self, seen: Seen, taken: Result<Response, Failure>) -> Step {
        let response = match taken {
            Ok(response) => response,
            // A card that has gone answers nothing further either.
            Err(_) => return self.end(Outcome::Seen(seen)),
        };
        let balance = self.flight.read(&response, purse::parse_balance).ok();
        let command = self.profile.internal_authenticate(&self.challenge);
        self.send(State::Proving(Seen { balance, ..seen }), Stage::InternalAuthenticate, command)
    }

    fn proved(&mut self, seen: Seen, taken: Result<Response, Failure>) -> Step {
        let answered = taken.and_then(|response| self.flight.read(&response, psam::parse_proof_response)).ok();
        let proof = answered.map(|answered| (self.challenge, answered));
        self.end(Outcome::Seen(Seen { proof, ..seen }))
    }

    fn send(&mut self, state: State, stage: Stage, command: Command) -> Step {
        self.state = state;
        self.flight = Flight::new(stage, command);
        Step::Transmit(self.flight.first())
    }

    fn end(&mut self, outcome: Outcome) -> Step {
        self.state = State::Ended(outcome);
        Step::Done(outcome)
    }
}

fn failed(failure: Failure) -> Outcome {
    match failure.cause {
        Cause::NoAnswer => Outcome::NoAnswer(failure.stage),
        Cause::Malformed | Cause::Status(_) | Cause::OutOfStep => Outcome::Refused(Refusal::Failed(failure)),
    }
}
