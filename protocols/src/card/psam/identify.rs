//! The preamble with a PSAM, once after each insertion: which one it is, which terminal it makes this, ready to work.
//!
//! ```text
//! begin ─► SELECT 3F00 ─► read 0x15 (serial) ─► read 0x16 (terminal id) ─► SELECT purse DF ─► Done(Ok(identity))
//!              └──────────────────┴─ any failure ───────┴────────────────────┴─► Done(Err(failure))
//! ```

use serde::{Deserialize, Serialize};

use super::super::apdu::{Command, Response};
use super::super::dialogue::{Answer, Failure, Flight, Stage, Taken, Transmit};
use super::super::profile::FileId;
use super::super::value::{PsamSerial, TerminalId};
use super::{PsamFile, parse_terminal_id, read_psam_file, read_terminal_id, select_file, select_master_file};

/// Which PSAM vouches for the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PsamIdentity {
    /// Its serial number.
    pub serial: PsamSerial,
    /// The terminal that it makes this.
    pub terminal: TerminalId,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nothing here allocates, and one step is alive at a time")]
pub enum Step {
    /// Transmit, and bring back [`Answer::Received`] or [`Answer::NoAnswer`].
    Transmit(Transmit),
    /// The end.
    Done(Result<PsamIdentity, Failure>),
}

/// The dialogue.
#[derive(Clone, Debug)]
pub struct Identify {
    purse_df: FileId,
    flight: Flight,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// SELECT of the master file.
    MasterFile,
    /// Reading the serial number.
    Serial,
    /// Reading the terminal id.
    Terminal(PsamSerial),
    /// SELECT of the purse DF.
    Purse(PsamIdentity),
    /// Over.
    Ended(Result<PsamIdentity, Failure>),
}

impl Identify {
    /// Begins with the PSAM of a profile whose purse DF this is.
    pub fn begin(purse_df: FileId) -> (Self, Step) {
        let flight = Flight::new(Stage::PsamMasterFile, select_master_file());
        let step = Step::Transmit(flight.first());
        (Self { purse_df, flight, state: State::MasterFile }, step)
    }

    /// Takes what the last step brought, and gives the next one.
    pub fn next(&mut self, answer: Answer<'_>) -> Step {
        if let State::Ended(result) = self.state {
            return Step::Done(result);
        }
        let result = match self.flight.take(answer) {
            Taken::Send(transmit) => return Step::Transmit(transmit),
            Taken::Got(answered) => self.advance(&answered.response),
            Taken::Failed(failure) => Err(failure),
        };
        match result {
            Ok(step) => step,
            Err(failure) => self.end(Err(failure)),
        }
    }

    fn advance(&mut self, response: &Response) -> Result<Step, Failure> {
        match self.state {
            State::MasterFile => {
                self.flight.read(response, super::accept_any)?;
                Ok(self.send(State::Serial, Stage::PsamFile, read_psam_file()))
            }
            State::Serial => {
                let file = self.flight.read(response, PsamFile::parse)?;
                Ok(self.send(State::Terminal(file.serial), Stage::PsamTerminalId, read_terminal_id()))
            }
            State::Terminal(serial) => {
                let terminal = self.flight.read(response, parse_terminal_id)?;
                let next = State::Purse(PsamIdentity { serial, terminal });
                Ok(self.send(next, Stage::PsamPurse, select_file(*self.purse_df.as_bytes())))
            }
            State::Purse(identity) => {
                self.flight.read(response, super::accept_any)?;
                Ok(self.end(Ok(identity)))
            }
            State::Ended(result) => Ok(Step::Done(result)),
        }
    }

    fn end(&mut self, result: Result<PsamIdentity, Failure>) -> Step {
        self.state = State::Ended(result);
        Step::Done(result)
    }

    fn send(&mut self, state: State, stage: Stage, command: Command) -> Step {
        self.state = state;
        self.flight = Flight::new(stage, command);
        Step::Transmit(self.flight.first())
    }
}
