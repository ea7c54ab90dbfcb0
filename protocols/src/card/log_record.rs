//! A record of the purse's cyclic transaction log (SFI 0x18, 23 bytes), newest first.
//!
//! Terminals of all trades write here, so only what every record has is checked: its length. Date and time stay the
//! bytes that were written.

use super::octets::{octet_debug, octet_string};
use super::purse::{AnswerError, fixed};
use super::value::{CardAmount, CardCounter, TerminalId, TransactionType};

/// Date and time of a log record, `YYYYMMDDHHMMSS` where its terminal wrote it well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LogMoment([u8; 7]);

octet_string!(LogMoment, 7);
octet_debug!(LogMoment);

/// One transaction in the card's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// The counter after the transaction: S+1 where INITIALIZE answered S. Offline for purchases, online for loads.
    pub counter: CardCounter,
    /// Overdraft limit, 3 bytes, in fen.
    pub overdraft: [u8; 3],
    /// How much.
    pub amount: CardAmount,
    /// Which kind; any byte.
    pub kind: TransactionType,
    /// At which terminal.
    pub terminal: TerminalId,
    /// When, as the terminal said.
    pub moment: LogMoment,
}

impl LogRecord {
    /// Bytes of a record.
    pub const LEN: usize = 23;

    /// Reads a record.
    pub fn parse(bytes: &[u8]) -> Result<Self, AnswerError> {
        let [c0, c1, o0, o1, o2, a0, a1, a2, a3, kind, rest @ ..] = fixed::<{ Self::LEN }>(bytes)?;
        let [t0, t1, t2, t3, t4, t5, moment @ ..] = rest;
        Ok(Self {
            counter: CardCounter::new(u16::from_be_bytes([c0, c1])),
            overdraft: [o0, o1, o2],
            amount: CardAmount::from_balance([a0, a1, a2, a3]),
            kind: TransactionType::new(kind),
            terminal: TerminalId::from_bytes([t0, t1, t2, t3, t4, t5]),
            moment: LogMoment(moment),
        })
    }

    /// The record as a card stores it.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..2].copy_from_slice(&self.counter.to_bytes());
        bytes[2..5].copy_from_slice(&self.overdraft);
        bytes[5..9].copy_from_slice(&self.amount.to_bytes());
        bytes[9] = self.kind.get();
        bytes[10..16].copy_from_slice(self.terminal.as_bytes());
        bytes[16..].copy_from_slice(self.moment.as_bytes());
        bytes
    }
}
