//! The intent of a purchase: what is recorded before a card is debited, and by which its outcome is found later.

#![warn(clippy::arithmetic_side_effects)]

use serde::{Deserialize, Serialize};

use super::crypto::{Mac1, TransactionData};
use super::date::{CardDate, CardTime};
use super::log_record::LogRecord;
use super::value::{
    AlgorithmId, ApplicationSerialNumber, CardAmount, CardCounter, KeyVersion, PsamSerial, TerminalId,
    TerminalSequence, TransactionType,
};

/// What must be durable before a card is debited: enough to find out later what became of it, anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchaseIntent {
    /// Which card. Personal data.
    pub serial_number: ApplicationSerialNumber,
    /// S, the card's offline counter before the debit.
    pub counter: CardCounter,
    /// The balance before the debit.
    pub old_balance: CardAmount,
    /// How much.
    pub amount: CardAmount,
    /// Which kind.
    pub kind: TransactionType,
    /// At which terminal.
    pub terminal: TerminalId,
    /// By which PSAM.
    pub psam: PsamSerial,
    /// The terminal transaction number.
    pub terminal_sequence: TerminalSequence,
    /// On which day.
    pub date: CardDate,
    /// At which time.
    pub time: CardTime,
    /// The terminal's authentication code.
    pub mac1: Mac1,
    /// Version of the card's purchase key.
    pub key_version: KeyVersion,
    /// The card's algorithm.
    pub algorithm: AlgorithmId,
}

impl PurchaseIntent {
    /// The counter that a debit leaves behind, S+1, under which the card files log record and proof.
    /// None only in an intent that this module did not make: a used-up counter refuses the purchase.
    pub const fn counter_after(&self) -> Option<CardCounter> {
        self.counter.next()
    }

    /// The balance that a debit leaves behind.
    pub fn new_balance(&self) -> Option<CardAmount> {
        self.old_balance.checked_sub(self.amount)
    }

    /// What the TAC is computed over, together with the terminal transaction number.
    pub const fn transaction(&self) -> TransactionData {
        TransactionData {
            amount: self.amount,
            kind: self.kind,
            terminal: self.terminal,
            date: self.date,
            time: self.time,
        }
    }

    /// Whether this log record is the debit of this intent: counter, amount, type, terminal, date and time.
    pub fn is_recorded_by(&self, record: &LogRecord) -> bool {
        Some(record.counter) == self.counter_after()
            && record.amount == self.amount
            && record.kind == self.kind
            && self.is_place_and_time_of(record)
    }

    /// Whether this log record was written by this terminal at this intent's date and time.
    pub fn is_place_and_time_of(&self, record: &LogRecord) -> bool {
        let (date, time) = record.moment.as_bytes().split_at(CardDate::LEN);
        record.terminal == self.terminal && date == self.date.as_bytes() && time == self.time.as_bytes()
    }
}
