//! The proof of the card for the account tender: the card shows that it holds its key.
//!
//! ```text
//! begin ─► SELECT ─► read 0x15 ─► Identified ─Approved─► card: INTERNAL AUTHENTICATE(C) ─► R
//!                                     │                      │
//!                                  Declined              PSAM: 80 1A factors, 80 FA C ─► R'
//!                                     ▼                      ▼
//!                                  Refused           R = R' ? Genuine : NotGenuine
//! ```
//!
//! No answer at any exchange is `NoAnswer`, any other failure `Refused`; nothing changes on the card in any case.
//!
//! **Invariant:** `Genuine` is only said when R and R' are equal, compared in constant time.

use serde::{Deserialize, Serialize};

use super::apdu::{Command, Response};
use super::card_file::CardFile;
use super::crypto::{Challenge, ProofResponse};
use super::dialogue::{Answer, Cause, Failure, Flight, Refusal, Stage, Taken, Transmit, card_file, selected};
use super::profile::Profile;
use super::psam;
use super::purse;
use super::value::ApplicationSerialNumber;

/// A card that has proved itself, with what proves it to others who hold the issuer's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genuine {
    /// Which card.
    pub serial_number: ApplicationSerialNumber,
    /// What it was asked.
    pub challenge: Challenge,
    /// What it answered.
    pub response: ProofResponse,
}

/// How the dialogue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The card is what it says.
    Genuine(Genuine),
    /// The card answered, and wrongly: a copy, or keys that do not match.
    NotGenuine,
    /// The card cannot be used, or the PSAM cannot tell.
    Refused(Refusal),
    /// Card or PSAM did not answer at this exchange.
    NoAnswer(Stage),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nothing here allocates, and one step is alive at a time")]
pub enum Step {
    /// Transmit, and bring back [`Answer::Received`] or [`Answer::NoAnswer`].
    Transmit(Transmit),
    /// Check validity and hotlist, and bring back [`Answer::Approved`] or [`Answer::Declined`].
    Identified(CardFile),
    /// The end.
    Done(Outcome),
}

/// The dialogue.
#[derive(Clone, Debug)]
pub struct Proof {
    profile: Profile,
    challenge: Challenge,
    flight: Flight,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// An exchange is in progress.
    Exchanging(Phase),
    /// The caller decides whether this card may be used.
    Deciding(CardFile),
    /// Over.
    Ended(Outcome),
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// SELECT.
    Select,
    /// Reading file 0x15.
    CardFile,
    /// The card transforms the challenge.
    Authenticate(CardFile),
    /// The PSAM diversifies its key.
    PsamInit(CardFile, ProofResponse),
    /// The PSAM transforms the challenge.
    PsamCrypt(CardFile, ProofResponse),
}

impl Proof {
    /// Begins with a challenge that nobody could foresee: 8 random bytes, drawn for this dialogue.
    pub fn begin(profile: Profile, challenge: Challenge) -> (Self, Step) {
        let flight = Flight::new(Stage::Select, purse::select(&profile.aid));
        let step = Step::Transmit(flight.first());
        (Self { profile, challenge, flight, state: State::Exchanging(Phase::Select) }, step)
    }

    /// Takes what the last step brought, and gives the next one.
    pub fn next(&mut self, answer: Answer<'_>) -> Step {
        let result = match self.state {
            State::Ended(outcome) => return Step::Done(outcome),
            State::Deciding(card) => self.decided(card, answer),
            State::Exchanging(phase) => match self.flight.take(answer) {
                Taken::Send(transmit) => return Step::Transmit(transmit),
                Taken::Got(answered) => self.advance(phase, &answered.response),
                Taken::Failed(failure) => Err(failed(failure)),
            },
        };
        result.unwrap_or_else(|outcome| {
            self.state = State::Ended(outcome);
            Step::Done(outcome)
        })
    }

    fn decided(&mut self, card: CardFile, answer: Answer<'_>) -> Result<Step, Outcome> {
        match answer {
            Answer::Approved => {
                let command = self.profile.internal_authenticate(&self.challenge);
                Ok(self.send(Phase::Authenticate(card), Stage::InternalAuthenticate, command))
            }
            Answer::Declined => Err(Outcome::Refused(Refusal::Declined)),
            Answer::NoAnswer => Err(Outcome::NoAnswer(self.flight.stage())),
            Answer::Received(_) | Answer::Recorded | Answer::NotRecorded => {
                Err(failed(self.flight.failure(Cause::OutOfStep)))
            }
        }
    }

    fn advance(&mut self, phase: Phase, response: &Response) -> Result<Step, Outcome> {
        match phase {
            Phase::Select => {
                selected(response, &self.profile.aid).map_err(Outcome::Refused)?;
                Ok(self.send(Phase::CardFile, Stage::CardFile, purse::read_card_file()))
            }
            Phase::CardFile => {
                let card = card_file(response).map_err(Outcome::Refused)?;
                self.state = State::Deciding(card);
                Ok(Step::Identified(card))
            }
            Phase::Authenticate(card) => {
                let answered = self.flight.read(response, psam::parse_proof_response).map_err(failed)?;
                let command = psam::init_for_proof(&self.profile.proof.psam_init, &self.profile.factors_of(&card));
                Ok(self.send(Phase::PsamInit(card, answered), Stage::PsamProofInit, command))
            }
            Phase::PsamInit(card, answered) => {
                self.flight.read(response, psam::accept_any).map_err(failed)?;
                let command = psam::crypt_for_proof(&self.profile.proof.psam_crypt, &self.challenge);
                Ok(self.send(Phase::PsamCrypt(card, answered), Stage::PsamProofCrypt, command))
            }
            Phase::PsamCrypt(card, answered) => {
                let expected = self.flight.read(response, psam::parse_proof_response).map_err(failed)?;
                // `==` on these is in constant time.
                if answered != expected {
                    return Err(Outcome::NotGenuine);
                }
                Err(Outcome::Genuine(Genuine {
                    serial_number: card.serial_number,
                    challenge: self.challenge,
                    response: answered,
                }))
            }
        }
    }

    fn send(&mut self, phase: Phase, stage: Stage, command: Command) -> Step {
        self.state = State::Exchanging(phase);
        self.flight = Flight::new(stage, command);
        Step::Transmit(self.flight.first())
    }
}

fn failed(failure: Failure) -> Outcome {
    match failure.cause {
        Cause::NoAnswer => Outcome::NoAnswer(failure.stage),
        Cause::Malformed | Cause::Status(_) | Cause::OutOfStep => Outcome::Refused(Refusal::Failed(failure)),
    }
}
