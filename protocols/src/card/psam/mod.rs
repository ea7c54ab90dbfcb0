//! Commands to a PSAM, the security module of a terminal, and their answers.

mod identify;

pub use identify::{Identify, PsamIdentity, Step};

use super::apdu::{Command, ExpectedLength, Header};
use super::crypto::{AuthCode, CardRandom, Challenge, DiversificationFactor, Mac1, Mac2, ProofResponse};
use super::date::{CardDate, CardTime};
use super::limits::DIVERSIFICATION_LEVELS_MAX;
use super::profile::Template;
use super::purse::{AnswerError, fixed};
use super::value::{
    AlgorithmId, CardAmount, CardCounter, KeyVersion, PsamSerial, TerminalId, TerminalSequence, TransactionType,
};

/// The factors of one card, outermost level first as the profile orders them.
pub type FactorList = heapless::Vec<DiversificationFactor, DIVERSIFICATION_LEVELS_MAX>;

/// For an answer whose data say nothing.
pub(super) fn accept_any(_data: &[u8]) -> Result<(), core::convert::Infallible> {
    Ok(())
}

/// SELECT of the master file: `00 A4 00 00 02 3F 00`.
pub fn select_master_file() -> Command {
    select_file([0x3F, 0x00])
}

/// SELECT by file identifier: `00 A4 00 00 02 id`.
pub fn select_file(id: [u8; 2]) -> Command {
    Command::from_parts([0x00, 0xA4, 0x00, 0x00], &[&id], None)
}

/// READ BINARY of the PSAM's file 0x15: `00 B0 95 00 0E`. Its answer is a [`PsamFile`].
pub fn read_psam_file() -> Command {
    Command::without_data(Header::new([0x00, 0xB0, 0x95, 0x00]), Some(ExpectedLength::from_le(PsamFile::LEN as u8)))
}

/// READ BINARY of the PSAM's file 0x16: `00 B0 96 00 06`. Its answer is read by [`parse_terminal_id`].
pub fn read_terminal_id() -> Command {
    Command::without_data(Header::new([0x00, 0xB0, 0x96, 0x00]), Some(ExpectedLength::from_le(TerminalId::LEN as u8)))
}

/// What a PSAM needs to compute MAC1 of a purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseInit {
    /// The card's random bytes.
    pub random: CardRandom,
    /// The card's offline counter before the purchase.
    pub counter: CardCounter,
    /// How much.
    pub amount: CardAmount,
    /// Which kind.
    pub kind: TransactionType,
    /// On which day.
    pub date: CardDate,
    /// At which time.
    pub time: CardTime,
    /// The card's key version.
    pub key_version: KeyVersion,
    /// The card's algorithm.
    pub algorithm: AlgorithmId,
    /// One to three factors.
    pub factors: FactorList,
    /// The authentication code that MAC1 is to cover, appended to the factors.
    pub auth_code: Option<AuthCode>,
}

impl PurchaseInit {
    /// INIT_SAM_FOR_PURCHASE: `80 70 00 00 Lc …`, Lc = 14 + 8 per level (+ 09). Its answer is an [`InitAnswer`].
    /// Without Le, since a PSAM speaks T=0, which sends case 4 commands so.
    pub fn command(&self) -> Command {
        let head: [&[u8]; 8] = [
            self.random.as_bytes(),
            &self.counter.to_bytes(),
            &self.amount.to_bytes(),
            &[self.kind.get()],
            self.date.as_bytes(),
            self.time.as_bytes(),
            &[self.key_version.get()],
            &[self.algorithm.get()],
        ];
        let mut parts = heapless::Vec::<&[u8], { 8 + DIVERSIFICATION_LEVELS_MAX + 1 }>::from_iter(head);
        parts.extend(self.factors.iter().map(|factor| factor.as_bytes().as_slice()));
        parts.extend(self.auth_code.iter().map(|code| code.as_bytes().as_slice()));
        Command::from_parts([0x80, 0x70, 0x00, 0x00], &parts, None)
    }
}

/// CREDIT_SAM_FOR_PURCHASE: `80 72 00 00 04 MAC2`. 9000 when MAC2 is right, 9302 when not.
pub fn credit_for_purchase(mac2: &Mac2) -> Command {
    Command::from_parts([0x80, 0x72, 0x00, 0x00], &[mac2.as_bytes()], None)
}

/// INIT_FOR_DESCRYPT as the profile has it: the diversified key for the calculation that follows.
pub fn init_for_proof(template: &Template, factors: &FactorList) -> Command {
    let parts = heapless::Vec::<&[u8], DIVERSIFICATION_LEVELS_MAX>::from_iter(
        factors.iter().map(|factor| factor.as_bytes().as_slice()),
    );
    template.command(&parts)
}

/// DES CRYPT as the profile has it: the challenge transformed. Its answer is read by [`parse_proof_response`].
pub fn crypt_for_proof(template: &Template, challenge: &Challenge) -> Command {
    template.command(&[challenge.as_bytes()])
}

/// The PSAM's file 0x15, 14 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PsamFile {
    /// Bytes 0..10.
    pub serial: PsamSerial,
    /// Byte 10.
    pub version: u8,
    /// Byte 11: which kind of key card it is.
    pub key_card_type: u8,
    /// Bytes 12..14: the issuer's own.
    pub issuer_data: [u8; 2],
}

impl PsamFile {
    /// Bytes of the file.
    pub const LEN: usize = 14;

    /// Reads the file.
    pub fn parse(data: &[u8]) -> Result<Self, AnswerError> {
        let [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, version, key_card_type, issuer_data @ ..] =
            fixed::<{ Self::LEN }>(data)?;
        let serial = PsamSerial::from_bytes([s0, s1, s2, s3, s4, s5, s6, s7, s8, s9]);
        Ok(Self { serial, version, key_card_type, issuer_data })
    }

    /// The file as a PSAM stores it.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..10].copy_from_slice(self.serial.as_bytes());
        bytes[10] = self.version;
        bytes[11] = self.key_card_type;
        bytes[12..].copy_from_slice(&self.issuer_data);
        bytes
    }
}

/// Answer of reading file 0x16: 6 bytes.
pub fn parse_terminal_id(data: &[u8]) -> Result<TerminalId, AnswerError> {
    fixed(data).map(TerminalId::from_bytes)
}

/// Answer of DES CRYPT over a challenge, and of a card's INTERNAL AUTHENTICATE: 8 bytes.
pub fn parse_proof_response(data: &[u8]) -> Result<ProofResponse, AnswerError> {
    fixed(data).map(ProofResponse::from_bytes)
}

/// Answer of INIT_SAM_FOR_PURCHASE, 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitAnswer {
    /// Bytes 0..4: the terminal transaction number of this purchase.
    pub sequence: TerminalSequence,
    /// Bytes 4..8.
    pub mac1: Mac1,
}

impl InitAnswer {
    /// Bytes of the answer.
    pub const LEN: usize = 8;

    /// Reads the answer.
    pub fn parse(data: &[u8]) -> Result<Self, AnswerError> {
        let [s0, s1, s2, s3, mac1 @ ..] = fixed::<{ Self::LEN }>(data)?;
        let sequence = TerminalSequence::new(u32::from_be_bytes([s0, s1, s2, s3]));
        Ok(Self { sequence, mac1: Mac1::from_bytes(mac1) })
    }

    /// The answer as a PSAM sends it.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let [s0, s1, s2, s3] = self.sequence.to_bytes();
        let [m0, m1, m2, m3] = *self.mac1.as_bytes();
        [s0, s1, s2, s3, m0, m1, m2, m3]
    }
}
