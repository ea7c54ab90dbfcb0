//! The terminal's security module: its files, MAC1 for a purchase, the check of MAC2, and the proof of a card.
//!
//! **Invariant:** a terminal transaction number is in the state file before it leaves in an answer, and none leaves twice
//! (unless the quirk says that this PSAM counts only what succeeded).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Chip;
use super::apdu::{CommandApdu, Line, Reply, Sw};
use super::card_state::contactless_atr;
use super::state_file::{self, StateFileError};

/// Everything that a PSAM remembers. Octets are in hexadecimal.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PsamState {
    /// Answer to reset.
    #[serde(with = "hex::serde")]
    pub atr: Vec<u8>,
    /// Serial number, bytes 0 to 9 of file 0x15.
    #[serde(with = "hex::serde")]
    pub serial: [u8; 10],
    /// Version, key card type and issuer's data: bytes 10 to 13 of file 0x15.
    #[serde(with = "hex::serde")]
    pub description: [u8; 4],
    /// The terminal's number: file 0x16.
    #[serde(with = "hex::serde")]
    pub terminal: [u8; 6],
    /// The number that the next purchase gets.
    pub terminal_sequence: u32,
    /// Habits.
    pub quirks: PsamQuirks,
}

/// Habits that differ from maker to maker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PsamQuirks {
    /// Answers 61xx and 6Cxx as a T=0 card.
    pub t0: bool,
}

impl PsamState {
    /// A new PSAM for this terminal.
    pub fn new(terminal: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = terminal;
        Self {
            atr: contactless_atr(b"PSAM"),
            serial: [0x00, 0x00, 0x31, 0x00, a, b, c, d, e, f],
            description: [0x01, 0x01, 0x00, 0x00],
            terminal,
            terminal_sequence: 1,
            quirks: PsamQuirks::default(),
        }
    }
}

/// Which directory is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directory {
    Master,
    Purse,
}

/// A PSAM.
pub struct Psam {
    state: PsamState,
    file: Option<PathBuf>,
    line: Line,
    directory: Directory,
}

impl Psam {
    /// A PSAM that forgets everything with its owner.
    pub fn new(state: PsamState) -> Self {
        Self { state, file: None, line: Line::default(), directory: Directory::Master }
    }

    /// A PSAM that lives in this file, which must exist.
    pub fn open(path: &Path) -> Result<Self, StateFileError> {
        Ok(Self { file: Some(path.to_path_buf()), ..Self::new(state_file::load(path)?) })
    }

    /// What it remembers.
    pub fn state(&self) -> &PsamState {
        &self.state
    }

    /// Changes what it remembers, behind its back.
    pub fn alter(&mut self, change: impl FnOnce(&mut PsamState)) -> Result<(), StateFileError> {
        let mut next = self.state.clone();
        change(&mut next);
        if let Some(file) = &self.file {
            state_file::save(file, &next)?;
        }
        self.state = next;
        Ok(())
    }

    fn run(&mut self, command: &CommandApdu) -> Result<Reply, Sw> {
        match command.code() {
            0x00A4 => self.select(command),
            0x00B0 => self.read_binary(command),
            0x8000..=0x80FF | 0x0000..=0x00FF => Err(Sw::UNKNOWN_INS),
            _ => Err(Sw::UNKNOWN_CLA),
        }
    }

    fn select(&mut self, command: &CommandApdu) -> Result<Reply, Sw> {
        if command.p1p2() != 0x0000 {
            return Err(Sw::WRONG_P1P2);
        }
        self.directory = match command.data {
            [0x3F, 0x00] => Directory::Master,
            [0x3F, 0x01] | [0xDF, 0x01] | [0x10, 0x01] => Directory::Purse,
            _ => return Err(Sw::NOT_FOUND),
        };
        Ok(Reply::ok([]))
    }

    fn read_binary(&self, command: &CommandApdu) -> Result<Reply, Sw> {
        let info = [&self.state.serial[..], &self.state.description[..]].concat();
        let file: &[u8] = match (self.directory, command.p1) {
            (Directory::Master, 0x95) => &info,
            (Directory::Master, 0x96) => &self.state.terminal,
            (Directory::Master | Directory::Purse, p1) if p1 & 0x80 != 0 => return Err(Sw::NOT_FOUND),
            (Directory::Master | Directory::Purse, _) => return Err(Sw::WRONG_P1P2),
        };
        let from = file.get(usize::from(command.p2)..).filter(|part| !part.is_empty()).ok_or(Sw::WRONG_OFFSET)?;
        Ok(Reply::ok(from.get(..command.le.unwrap_or(256)).unwrap_or(from)))
    }
}

impl Chip for Psam {
    fn atr(&self) -> Vec<u8> {
        self.state.atr.clone()
    }

    fn reset(&mut self) {
        self.line.reset();
        self.directory = Directory::Master;
    }

    fn execute(&mut self, command: &[u8]) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.line);
        let t0 = self.state.quirks.t0;
        let answer = line.answer(command, t0, |command| self.run(command).unwrap_or_else(Reply::from));
        self.line = line;
        answer
    }
}
