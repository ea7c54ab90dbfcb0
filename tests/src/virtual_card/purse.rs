//! The citizen card: selection, public files, purse, log, proofs (reference: CJ/T 166 and JR/T 0025, as collected for this project).
//!
//! **Invariant:** a command that changes something either changed it and was written to the state file, or changed nothing.
//! **Invariant:** what was begun by an INITIALIZE command ends with the next command, whatever that is.

use std::path::{Path, PathBuf};

use protocols::card::crypto::Challenge;

use super::Chip;
use super::apdu::{CommandApdu, Line, Reply, Sw};
use super::card_state::{CardState, Purse};
use super::state_file::{self, StateFileError};
use super::transaction::{self, Begun};

/// The purse application's name (City Union).
pub const AID: [u8; 9] = [0xA0, 0x00, 0x00, 0x00, 0x03, 0x86, 0x98, 0x07, 0x01];

/// Short identifier of the log file.
const LOG_SFI: u8 = 0x18;

/// A citizen card.
pub struct CitizenCard {
    state: CardState,
    file: Option<PathBuf>,
    line: Line,
    selected: bool,
    begun: Option<Begun>,
    holder_reads: u32,
}

impl CitizenCard {
    /// A card that forgets everything with its owner.
    pub fn new(state: CardState) -> Self {
        Self { state, file: None, line: Line::default(), selected: false, begun: None, holder_reads: 0 }
    }

    /// A card that lives in this file, which must exist.
    pub fn open(path: &Path) -> Result<Self, StateFileError> {
        Ok(Self { file: Some(path.to_path_buf()), ..Self::new(state_file::load(path)?) })
    }

    /// What it remembers.
    pub fn state(&self) -> &CardState {
        &self.state
    }

    /// How often the file with the holder's name and identity number was read since this card was made or opened; a terminal has no
    /// business there.
    pub fn holder_reads(&self) -> u32 {
        self.holder_reads
    }

    /// Changes what it remembers, behind its back: a block, a load elsewhere, another habit.
    pub fn alter(&mut self, change: impl FnOnce(&mut CardState)) -> Result<(), StateFileError> {
        let mut next = self.state.clone();
        change(&mut next);
        if let Some(file) = &self.file {
            state_file::save(file, &next)?;
        }
        self.state = next;
        Ok(())
    }

    fn run(&mut self, command: &CommandApdu) -> Result<Reply, Sw> {
        let begun = self.begun.take();
        match command.code() {
            0x00A4 => self.select(command),
            0x0084 => challenge(command),
            _ if !self.selected => Err(Sw::CONDITIONS),
            _ if self.state.blocked => Err(Sw::NOT_SUPPORTED),
            0x00B0 => self.read_binary(command),
            0x00B2 => self.read_record(command),
            0x0088 => self.authenticate(command),
            0x805C => self.balance(command),
            0x80CA => self.auth_code(command),
            0x8050 => {
                let (reply, begun) = transaction::initialize(&self.state, command)?;
                self.begun = Some(begun);
                Ok(reply)
            }
            0x8054 => {
                let (reply, next) = transaction::debit(&self.state, begun, command)?;
                self.commit(next).map(|()| reply)
            }
            0x8052 => {
                let (reply, next) = transaction::credit(&self.state, begun, command)?;
                self.commit(next).map(|()| reply)
            }
            0x805A => transaction::prove(&self.state, command),
            _ => Err(unknown(command.cla)),
        }
    }

    fn select(&mut self, command: &CommandApdu) -> Result<Reply, Sw> {
        let found = match command.p1p2() {
            0x0400 => command.data == AID,
            0x0000 => matches!(command.data, [0x10, 0x01] | [0x3F, 0x00]),
            _ => return Err(Sw::WRONG_P1P2),
        };
        if !found {
            return Err(Sw::NOT_FOUND);
        }
        self.selected = true;
        let mut issuer_part = vec![0x9F, 0x08, 0x01, self.state.application_version, 0x9F, 0x0C, 0x1E];
        issuer_part.extend(self.state.public_file());
        let template = [tlv(0x84, &AID), tlv(0xA5, &issuer_part)].concat();
        let sw = if self.state.blocked { Sw::NOT_SUPPORTED } else { Sw::OK };
        Ok(Reply { data: tlv(0x6F, &template), sw })
    }

    fn read_binary(&mut self, command: &CommandApdu) -> Result<Reply, Sw> {
        let public = self.state.public_file();
        let file: &[u8] = match command.p1 {
            0x95 => &public,
            0x96 => {
                self.holder_reads = self.holder_reads.saturating_add(1);
                &self.state.holder
            }
            p1 if p1 & 0x80 != 0 => return Err(Sw::NOT_FOUND),
            _ => return Err(Sw::WRONG_P1P2),
        };
        let from = file.get(usize::from(command.p2)..).filter(|part| !part.is_empty()).ok_or(Sw::WRONG_OFFSET)?;
        Ok(Reply::ok(from.get(..command.le.unwrap_or(256)).unwrap_or(from)))
    }

    fn read_record(&self, command: &CommandApdu) -> Result<Reply, Sw> {
        if command.p2 & 0x07 != 0x04 {
            return Err(Sw::WRONG_P1P2);
        }
        if command.p2 >> 3 != LOG_SFI {
            return Err(Sw::NOT_FOUND);
        }
        let index = usize::from(command.p1).checked_sub(1).ok_or(Sw::NO_RECORD)?;
        let record = self.state.log.get(index).ok_or(Sw::NO_RECORD)?;
        Ok(Reply::ok(record.0))
    }

    fn balance(&self, command: &CommandApdu) -> Result<Reply, Sw> {
        let purse = match command.p1p2() {
            0x0001 => Purse::Ed,
            0x0002 => Purse::Ep,
            _ => return Err(Sw::WRONG_P1P2),
        };
        let account = self.state.account(purse).ok_or(Sw::NOT_SUPPORTED)?;
        Ok(Reply::ok(self.state.balance_bytes(account.balance_fen)))
    }

    /// INTERNAL AUTHENTICATE: the card proves that it holds its key.
    fn authenticate(&self, command: &CommandApdu) -> Result<Reply, Sw> {
        if command.p1p2() != 0x0000 {
            return Err(Sw::WRONG_P1P2);
        }
        let challenge = Challenge::from_bytes(*command.exactly::<8>()?);
        Ok(Reply::ok(*self.state.keys.proof.card().proof_response(&challenge).as_bytes()))
    }

    /// GET MESSAGE, which only CJ/T cards know.
    fn auth_code(&self, command: &CommandApdu) -> Result<Reply, Sw> {
        if command.p1p2() != 0x0000 {
            return Err(Sw::WRONG_P1P2);
        }
        self.state.quirks.auth_code.map(Reply::ok).ok_or(Sw::UNKNOWN_INS)
    }

    /// Makes the new state the card's own, once it is written.
    fn commit(&mut self, next: CardState) -> Result<(), Sw> {
        if let Some(file) = &self.file {
            state_file::save(file, &next).map_err(|_| Sw::WRITE_FAILED)?;
        }
        self.state = next;
        Ok(())
    }
}

impl Chip for CitizenCard {
    fn atr(&self) -> Vec<u8> {
        self.state.atr.clone()
    }

    fn reset(&mut self) {
        self.line.reset();
        self.selected = false;
        self.begun = None;
    }

    fn execute(&mut self, command: &[u8]) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.line);
        let t0 = self.state.quirks.t0;
        let answer = line.answer(command, t0, |command| self.run(command).unwrap_or_else(Reply::from));
        self.line = line;
        answer
    }
}

/// GET CHALLENGE: 4 or 8 random bytes.
fn challenge(command: &CommandApdu) -> Result<Reply, Sw> {
    let mut octets = [0; 8];
    getrandom::fill(&mut octets).map_err(|_| Sw::WRITE_FAILED)?;
    match command.le {
        Some(4) => octets.get(..4).map(Reply::ok).ok_or(Sw::WRONG_LENGTH),
        Some(8) => Ok(Reply::ok(octets)),
        Some(_) | None => Err(Sw::WRONG_LENGTH),
    }
}

fn unknown(cla: u8) -> Sw {
    match cla {
        0x00 | 0x80 => Sw::UNKNOWN_INS,
        _ => Sw::UNKNOWN_CLA,
    }
}

/// A data object with a one-byte tag; all of ours are shorter than 128 bytes.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    [&[tag, length], value].concat()
}
