//! The terminal's security module: its files, MAC1 for a purchase, the check of MAC2, and the proof of a card.
//!
//! **Invariant:** a terminal transaction number is in the state file before it leaves in an answer, and none leaves twice
//! (unless the quirk says that this PSAM counts only what succeeded).

use std::path::{Path, PathBuf};

use protocols::card::crypto::{
    AuthCode, CardKey, CardRandom, Challenge, DiversificationFactor, Mac2, SessionKey, TransactionData,
};
use protocols::card::date::{CardDate, CardTime};
use protocols::card::value::{CardAmount, CardCounter, TerminalId, TerminalSequence, TransactionType};
use serde::{Deserialize, Serialize};

use super::Chip;
use super::apdu::{CommandApdu, Line, Reply, Sw};
use super::card_state::contactless_atr;
use super::keys::{Masters, StoredKey};
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
    pub terminal_sequence: TerminalSequence,
    /// Master of the cards' purchase keys (DPK).
    pub purchase_master: StoredKey,
    /// Master of the cards' keys for their proof (DIK).
    pub proof_master: StoredKey,
    /// Habits.
    pub quirks: PsamQuirks,
}

/// Habits that differ from maker to maker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PsamQuirks {
    /// Answers 61xx and 6Cxx as a T=0 card.
    pub t0: bool,
    /// The terminal transaction number goes up when MAC2 was right, not when a purchase begins: one that broke off leaves its
    /// number to the next.
    pub counts_successes_only: bool,
}

impl PsamState {
    /// A new PSAM for this terminal, with the masters of the sample cards.
    pub fn new(terminal: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = terminal;
        Self {
            atr: contactless_atr(b"PSAM"),
            serial: [0x00, 0x00, 0x31, 0x00, a, b, c, d, e, f],
            description: [0x01, 0x01, 0x00, 0x00],
            terminal,
            terminal_sequence: TerminalSequence::new(1),
            purchase_master: Masters::made_up().purchase,
            proof_master: Masters::made_up().proof,
            quirks: PsamQuirks::default(),
        }
    }
}

const KEY_VERSION: u8 = 0x01;
const TRIPLE_DES: u8 = 0x00;

/// Levels of diversification that a PSAM does at most.
const LEVELS_MAX: usize = 3;

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
    /// A purchase that waits for its MAC2.
    begun: Option<Begun>,
    /// The key that INIT_FOR_DESCRYPT made.
    proof_key: Option<CardKey>,
}

struct Begun {
    session: SessionKey,
    amount: CardAmount,
}

impl Psam {
    /// A PSAM that forgets everything with its owner.
    pub fn new(state: PsamState) -> Self {
        Self { state, file: None, line: Line::default(), directory: Directory::Master, begun: None, proof_key: None }
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
        let begun = self.begun.take();
        let in_purse = self.directory == Directory::Purse;
        match command.code() {
            0x00A4 => self.select(command),
            0x00B0 => self.read_binary(command),
            0x8070 | 0x8072 | 0x801A | 0x80FA if !in_purse => Err(Sw::CONDITIONS),
            0x8070 => self.init_for_purchase(command),
            0x8072 => self.credit_for_purchase(begun, command),
            0x801A => self.init_for_proof(command),
            0x80FA => self.crypt(command),
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
        self.proof_key = None;
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

    /// INIT_SAM_FOR_PURCHASE: random 4, counter 2, amount 4, type 1, date 4, time 3, key version 1, algorithm 1, one to three
    /// factors of 8, and the authentication code of 9 where MAC1 is to cover it.
    fn init_for_purchase(&mut self, command: &CommandApdu) -> Result<Reply, Sw> {
        if command.p1p2() != 0x0000 {
            return Err(Sw::WRONG_P1P2);
        }
        let (head, tail) = command.data.split_first_chunk::<20>().ok_or(Sw::WRONG_LENGTH)?;
        let (factors, auth_code) = factors_and_code(tail)?;
        let &[r0, r1, r2, r3, c0, c1, a0, a1, a2, a3, kind, d0, d1, d2, d3, t0, t1, t2, key_version, algorithm] = head;
        if (key_version, algorithm) != (KEY_VERSION, TRIPLE_DES) {
            return Err(Sw::NO_SUCH_KEY);
        }
        let data = TransactionData {
            amount: CardAmount::new(u32::from_be_bytes([a0, a1, a2, a3])).map_err(|_| Sw::WRONG_DATA)?,
            kind: TransactionType::new(kind),
            terminal: TerminalId::from_bytes(self.state.terminal),
            date: CardDate::from_bcd([d0, d1, d2, d3]).map_err(|_| Sw::WRONG_DATA)?,
            time: CardTime::from_bcd([t0, t1, t2]).map_err(|_| Sw::WRONG_DATA)?,
        };
        let sequence = self.state.terminal_sequence;
        if !self.state.quirks.counts_successes_only {
            self.count()?;
        }
        let random = CardRandom::from_bytes([r0, r1, r2, r3]);
        let counter = CardCounter::new(u16::from_be_bytes([c0, c1]));
        let key = self.state.purchase_master.diversify(&factors).card();
        let session = key.purchase_session_key(&random, counter, sequence);
        let mac1 = session.purchase_mac1(&data, auth_code.as_ref());
        self.begun = Some(Begun { session, amount: data.amount });
        Ok(Reply::ok([sequence.to_bytes(), *mac1.as_bytes()].concat()))
    }

    /// CREDIT_SAM_FOR_PURCHASE: is this the MAC2 of a card that really debited?
    fn credit_for_purchase(&mut self, begun: Option<Begun>, command: &CommandApdu) -> Result<Reply, Sw> {
        if command.p1p2() != 0x0000 {
            return Err(Sw::WRONG_P1P2);
        }
        let begun = begun.ok_or(Sw::CONDITIONS)?;
        let mac2 = Mac2::from_bytes(*command.exactly::<4>()?);
        if begun.session.purchase_mac2(begun.amount) != mac2 {
            return Err(Sw::WRONG_MAC);
        }
        if self.state.quirks.counts_successes_only {
            self.count()?;
        }
        Ok(Reply::ok([]))
    }

    /// INIT_FOR_DESCRYPT with the key of the proof of the card.
    fn init_for_proof(&mut self, command: &CommandApdu) -> Result<Reply, Sw> {
        if command.p1p2() != 0x0001 {
            return Err(Sw::NO_SUCH_KEY);
        }
        let (factors, None) = factors_and_code(command.data)? else { return Err(Sw::WRONG_LENGTH) };
        self.proof_key = Some(self.state.proof_master.diversify(&factors).card());
        Ok(Reply::ok([]))
    }

    /// DES CRYPT: what a genuine card would make of these eight bytes.
    fn crypt(&self, command: &CommandApdu) -> Result<Reply, Sw> {
        if command.p1p2() != 0x0000 {
            return Err(Sw::WRONG_P1P2);
        }
        let key = self.proof_key.as_ref().ok_or(Sw::CONDITIONS)?;
        let challenge = Challenge::from_bytes(*command.exactly::<8>()?);
        Ok(Reply::ok(*key.proof_response(&challenge).as_bytes()))
    }

    fn count(&mut self) -> Result<(), Sw> {
        let next = self.state.terminal_sequence.get().checked_add(1).ok_or(Sw::COUNTER_AT_END)?;
        self.alter(|state| state.terminal_sequence = TerminalSequence::new(next)).map_err(|_| Sw::WRITE_FAILED)
    }
}

/// One to three factors, then nine bytes of authentication code or nothing.
fn factors_and_code(octets: &[u8]) -> Result<(Vec<DiversificationFactor>, Option<AuthCode>), Sw> {
    let (factors, code) = match octets.len() % 8 {
        0 => (octets, None),
        1 => {
            octets.split_last_chunk::<9>().map(|(f, c)| (f, Some(AuthCode::from_bytes(*c)))).ok_or(Sw::WRONG_LENGTH)?
        }
        _ => return Err(Sw::WRONG_LENGTH),
    };
    let (chunks, _) = factors.as_chunks::<8>();
    if !(1..=LEVELS_MAX).contains(&chunks.len()) {
        return Err(Sw::WRONG_LENGTH);
    }
    Ok((chunks.iter().map(|factor| DiversificationFactor::from_bytes(*factor)).collect(), code))
}

impl Chip for Psam {
    fn atr(&self) -> Vec<u8> {
        self.state.atr.clone()
    }

    fn reset(&mut self) {
        self.line.reset();
        self.directory = Directory::Master;
        self.begun = None;
        self.proof_key = None;
    }

    fn execute(&mut self, command: &[u8]) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.line);
        let t0 = self.state.quirks.t0;
        let answer = line.answer(command, t0, |command| self.run(command).unwrap_or_else(Reply::from));
        self.line = line;
        answer
    }
}
