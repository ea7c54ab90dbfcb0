//! Commands to the purse application of a card, and their answers (JR/T 0025, CJ/T 166).
//!
//! Answers are the data of a response whose status word was 9000; each has one length, and any other is refused.

use serde::{Deserialize, Serialize};

use super::apdu::{Command, ExpectedLength, Header};
use super::crypto::{AuthCode, CardRandom, Mac1, Mac2, Tac};
use super::date::{CardDate, CardTime};
use super::limits::LOG_RECORDS_MAX;
use super::octets::{octet_debug, octet_string};
use super::profile::Aid;
use super::value::{AlgorithmId, CardAmount, CardCounter, KeyVersion, TerminalId, TerminalSequence, TransactionType};

/// An answer whose data has not the one length it can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer has {expected} bytes of data, found {found}")]
pub struct AnswerError {
    /// Bytes that the answer has.
    pub expected: usize,
    /// Bytes found.
    pub found: usize,
}

/// The data of an answer that has `N` bytes.
pub(super) fn fixed<const N: usize>(data: &[u8]) -> Result<[u8; N], AnswerError> {
    data.try_into().map_err(|_| AnswerError { expected: N, found: data.len() })
}

/// Which of a card's two balances is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purse {
    /// Electronic deposit (电子存折), which wants a PIN on most cards.
    Ed,
    /// Electronic purse (电子钱包).
    Ep,
}

impl Purse {
    /// P2 of the purse commands.
    pub const fn parameter(self) -> u8 {
        match self {
            Self::Ed => 0x01,
            Self::Ep => 0x02,
        }
    }

    /// Type of a purchase from it.
    pub const fn purchase_type(self) -> TransactionType {
        match self {
            Self::Ed => TransactionType::ED_PURCHASE,
            Self::Ep => TransactionType::EP_PURCHASE,
        }
    }

    /// Type of a load into it.
    pub const fn load_type(self) -> TransactionType {
        match self {
            Self::Ed => TransactionType::ED_LOAD,
            Self::Ep => TransactionType::EP_LOAD,
        }
    }
}

/// SELECT by DF name: `00 A4 04 00 Lc name 00`.
pub fn select(aid: &Aid) -> Command {
    Command::from_parts([0x00, 0xA4, 0x04, 0x00], &[aid.as_bytes()], Some(ExpectedLength::ALL))
}

/// READ BINARY of file 0x15: `00 B0 95 00 1E`. Its answer is a [`super::card_file::CardFile`].
pub fn read_card_file() -> Command {
    Command::without_data(Header::new([0x00, 0xB0, 0x95, 0x00]), Some(ExpectedLength::from_le(0x1E)))
}

/// GET BALANCE: `80 5C 00 0X 04`. Its answer is read by [`parse_balance`].
pub fn get_balance(purse: Purse) -> Command {
    let header = Header::new([0x80, 0x5C, 0x00, purse.parameter()]);
    Command::without_data(header, Some(ExpectedLength::from_le(0x04)))
}

/// GET MESSAGE: `80 CA 00 00 09`, the authentication code of CJ/T cards. Its answer is read by [`parse_auth_code`].
pub fn get_auth_code() -> Command {
    Command::without_data(Header::new([0x80, 0xCA, 0x00, 0x00]), Some(ExpectedLength::from_le(0x09)))
}

/// INITIALIZE FOR PURCHASE: `80 50 01 0X 0B keyIdx amount terminal 0F`. Changes nothing on the card.
pub fn init_for_purchase(purse: Purse, key_index: u8, amount: CardAmount, terminal: &TerminalId) -> Command {
    Command::from_parts(
        [0x80, 0x50, 0x01, purse.parameter()],
        &[&[key_index], &amount.to_bytes(), terminal.as_bytes()],
        Some(ExpectedLength::from_le(0x0F)),
    )
}

/// DEBIT FOR PURCHASE: `80 54 01 00 0F terminalSeq date time MAC1 08`. Its answer is a [`DebitAnswer`].
pub fn debit_for_purchase(sequence: TerminalSequence, date: CardDate, time: CardTime, mac1: &Mac1) -> Command {
    Command::from_parts(
        [0x80, 0x54, 0x01, 0x00],
        &[&sequence.to_bytes(), date.as_bytes(), time.as_bytes(), mac1.as_bytes()],
        Some(ExpectedLength::from_le(0x08)),
    )
}

/// INITIALIZE FOR LOAD: `80 50 00 0X 0B keyIdx amount terminal 10`. Its answer is an [`InitLoadAnswer`].
pub fn init_for_load(purse: Purse, key_index: u8, amount: CardAmount, terminal: &TerminalId) -> Command {
    Command::from_parts(
        [0x80, 0x50, 0x00, purse.parameter()],
        &[&[key_index], &amount.to_bytes(), terminal.as_bytes()],
        Some(ExpectedLength::from_le(0x10)),
    )
}

/// CREDIT FOR LOAD: `80 52 00 00 0B date time MAC2 04`. Its answer is read by [`parse_load_tac`].
pub fn credit_for_load(date: CardDate, time: CardTime, mac2: &Mac2) -> Command {
    Command::from_parts(
        [0x80, 0x52, 0x00, 0x00],
        &[date.as_bytes(), time.as_bytes(), mac2.as_bytes()],
        Some(ExpectedLength::from_le(0x04)),
    )
}

/// GET TRANSACTION PROVE: `80 5A 00 type 02 counter 08`, with the counter after the transaction (S+1).
pub fn transaction_prove(kind: TransactionType, counter: CardCounter) -> Command {
    Command::from_parts(
        [0x80, 0x5A, 0x00, kind.get()],
        &[&counter.to_bytes()],
        Some(ExpectedLength::from_le(TransactionProof::LEN as u8)),
    )
}

/// READ RECORD of the transaction log: `00 B2 n C4 17`. Its answer is a [`super::log_record::LogRecord`].
pub fn read_log_record(index: LogIndex) -> Command {
    Command::without_data(Header::new([0x00, 0xB2, index.0, 0xC4]), Some(ExpectedLength::from_le(0x17)))
}

/// Place in the transaction log: 1 is the newest record, 10 the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogIndex(u8);

impl LogIndex {
    /// The newest record.
    pub const NEWEST: Self = Self(1);

    /// The place, 1 to [`LOG_RECORDS_MAX`].
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The next older record, where the log can have one.
    pub const fn older(self) -> Option<Self> {
        if self.0 < LOG_RECORDS_MAX { Some(Self(self.0 + 1)) } else { None }
    }
}

/// Answer of GET BALANCE: 4 bytes, their top bit masked.
pub fn parse_balance(data: &[u8]) -> Result<CardAmount, AnswerError> {
    fixed(data).map(CardAmount::from_balance)
}

/// Answer of GET MESSAGE: 9 bytes.
pub fn parse_auth_code(data: &[u8]) -> Result<AuthCode, AnswerError> {
    fixed(data).map(AuthCode::from_bytes)
}

/// Answer of CREDIT FOR LOAD: 4 bytes.
pub fn parse_load_tac(data: &[u8]) -> Result<Tac, AnswerError> {
    fixed(data).map(Tac::from_bytes)
}

/// Answer of INITIALIZE FOR PURCHASE, 15 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitPurchaseAnswer {
    /// Bytes 0..4, their top bit masked.
    pub balance: CardAmount,
    /// Bytes 4..6: S, the offline counter before the purchase.
    pub counter: CardCounter,
    /// Bytes 6..9: overdraft limit in fen.
    pub overdraft: [u8; 3],
    /// Byte 9.
    pub key_version: KeyVersion,
    /// Byte 10.
    pub algorithm: AlgorithmId,
    /// Bytes 11..15.
    pub random: CardRandom,
}

impl InitPurchaseAnswer {
    /// Bytes of the answer.
    pub const LEN: usize = 15;

    /// Reads the answer.
    pub fn parse(data: &[u8]) -> Result<Self, AnswerError> {
        let [b0, b1, b2, b3, c0, c1, o0, o1, o2, key, algorithm, random @ ..] = fixed::<{ Self::LEN }>(data)?;
        Ok(Self {
            balance: CardAmount::from_balance([b0, b1, b2, b3]),
            counter: CardCounter::new(u16::from_be_bytes([c0, c1])),
            overdraft: [o0, o1, o2],
            key_version: KeyVersion::new(key),
            algorithm: AlgorithmId::new(algorithm),
            random: CardRandom::from_bytes(random),
        })
    }

    /// The answer as a card sends it.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let [b0, b1, b2, b3] = self.balance.to_bytes();
        let [c0, c1] = self.counter.to_bytes();
        let [o0, o1, o2] = self.overdraft;
        let [r0, r1, r2, r3] = *self.random.as_bytes();
        [b0, b1, b2, b3, c0, c1, o0, o1, o2, self.key_version.get(), self.algorithm.get(), r0, r1, r2, r3]
    }
}

/// Answer of INITIALIZE FOR LOAD, 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitLoadAnswer {
    /// Bytes 0..4, their top bit masked.
    pub balance: CardAmount,
    /// Bytes 4..6: the online counter before the load.
    pub counter: CardCounter,
    /// Byte 6.
    pub key_version: KeyVersion,
    /// Byte 7.
    pub algorithm: AlgorithmId,
    /// Bytes 8..12.
    pub random: CardRandom,
    /// Bytes 12..16.
    pub mac1: Mac1,
}

impl InitLoadAnswer {
    /// Bytes of the answer.
    pub const LEN: usize = 16;

    /// Reads the answer.
    pub fn parse(data: &[u8]) -> Result<Self, AnswerError> {
        let [b0, b1, b2, b3, c0, c1, key, algorithm, r0, r1, r2, r3, mac1 @ ..] = fixed::<{ Self::LEN }>(data)?;
        Ok(Self {
            balance: CardAmount::from_balance([b0, b1, b2, b3]),
            counter: CardCounter::new(u16::from_be_bytes([c0, c1])),
            key_version: KeyVersion::new(key),
            algorithm: AlgorithmId::new(algorithm),
            random: CardRandom::from_bytes([r0, r1, r2, r3]),
            mac1: Mac1::from_bytes(mac1),
        })
    }

    /// The answer as a card sends it.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let [b0, b1, b2, b3] = self.balance.to_bytes();
        let [c0, c1] = self.counter.to_bytes();
        let [r0, r1, r2, r3] = *self.random.as_bytes();
        let [m0, m1, m2, m3] = *self.mac1.as_bytes();
        [b0, b1, b2, b3, c0, c1, self.key_version.get(), self.algorithm.get(), r0, r1, r2, r3, m0, m1, m2, m3]
    }
}

/// Answer of DEBIT FOR PURCHASE, 8 bytes: TAC, then MAC2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebitAnswer {
    /// Bytes 0..4: for the issuer.
    pub tac: Tac,
    /// Bytes 4..8: for the PSAM.
    pub mac2: Mac2,
}

impl DebitAnswer {
    /// Bytes of the answer.
    pub const LEN: usize = 8;

    /// Reads the answer.
    pub fn parse(data: &[u8]) -> Result<Self, AnswerError> {
        let [t0, t1, t2, t3, mac2 @ ..] = fixed::<{ Self::LEN }>(data)?;
        Ok(Self { tac: Tac::from_bytes([t0, t1, t2, t3]), mac2: Mac2::from_bytes(mac2) })
    }

    /// The answer as a card sends it.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let [t0, t1, t2, t3] = *self.tac.as_bytes();
        let [m0, m1, m2, m3] = *self.mac2.as_bytes();
        [t0, t1, t2, t3, m0, m1, m2, m3]
    }
}

/// Answer of GET TRANSACTION PROVE: 8 bytes, kept as they came because issuers order MAC and TAC differently.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TransactionProof([u8; 8]);

octet_string!(TransactionProof, 8);
octet_debug!(TransactionProof);

/// Where the TAC lies in a [`TransactionProof`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofLayout {
    /// MAC in bytes 0..4, TAC in 4..8 (JR/T 0025).
    MacThenTac,
    /// TAC in bytes 0..4, MAC in 4..8 (some vendors).
    TacThenMac,
}

impl TransactionProof {
    /// Reads the answer.
    pub fn parse(data: &[u8]) -> Result<Self, AnswerError> {
        fixed(data).map(Self)
    }

    /// The TAC in it.
    pub const fn tac(&self, layout: ProofLayout) -> Tac {
        let [a0, a1, a2, a3, b0, b1, b2, b3] = self.0;
        match layout {
            ProofLayout::MacThenTac => Tac::from_bytes([b0, b1, b2, b3]),
            ProofLayout::TacThenMac => Tac::from_bytes([a0, a1, a2, a3]),
        }
    }
}
