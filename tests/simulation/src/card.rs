//! Models of citizen cards, with the purse on each, and of the kiosks' security modules.
//!
//! **Invariant:** a card remembers each debit: whether money was taken is never a matter of what anybody says of it.

use protocols::card::card_file::{CardFile, IssuerId};
use protocols::card::crypto::{Mac1, Mac2, Tac};
use protocols::card::date::{CardDate, CardTime};
use protocols::card::intent::PurchaseIntent;
use protocols::card::log_record::{LogMoment, LogRecord};
use protocols::card::psam::PsamIdentity;
use protocols::card::purse::DebitAnswer;
use protocols::card::settle::{self, NotDebitedBy};
use protocols::card::value::{
    AlgorithmId, ApplicationSerialNumber, CardAmount, CardCounter, KeyVersion, PsamSerial, TerminalId,
    TerminalSequence, TransactionType,
};

use super::limits::PURSE_FEN;

/// The terminal and its transaction by which a debit is named.
pub type DebitKey = (TerminalId, u32);

/// Money that a purse gave.
#[derive(Debug, Clone, Copy)]
pub struct Debit {
    /// Where and as which transaction.
    pub key: DebitKey,
    /// The card's counter after it.
    pub counter: u16,
    /// Fen.
    pub amount: u32,
}

/// A card.
#[derive(Debug)]
pub struct Card {
    /// What everybody may read of it.
    pub file: CardFile,
    /// Fen in the purse.
    pub balance: u32,
    /// Transactions so far.
    pub counter: u16,
    /// Each debit.
    pub debits: Vec<Debit>,
}

impl Card {
    /// The card with this number.
    #[must_use]
    pub fn new(number: u8) -> Self {
        let file = CardFile {
            issuer: IssuerId::from_bytes([0, 0, 0x31, 0, 0, 0, 0, 0]),
            application_type: 1,
            application_version: 1,
            serial_number: ApplicationSerialNumber::new([0, 0, 0x31, 0, 0, 0, 0x98, 0x76, 0x54, number % 10])
                .expect("decimal digits"),
            start: date(2020),
            expiry: date(2040),
            issuer_data: [0, 0],
        };
        Self { file, balance: PURSE_FEN, counter: 0, debits: Vec::new() }
    }

    /// What INITIALIZE and the security module agree upon; `None` where the purse holds too little.
    pub fn agree(&self, psam: &mut Psam, amount: u32) -> Option<PurchaseIntent> {
        if self.balance < amount {
            return None;
        }
        let sequence = psam.next_sequence;
        psam.next_sequence = sequence.saturating_add(1);
        Some(PurchaseIntent {
            serial_number: self.file.serial_number,
            counter: CardCounter::new(self.counter),
            old_balance: CardAmount::new(self.balance).ok()?,
            amount: CardAmount::new(amount).ok()?,
            kind: TransactionType::EP_PURCHASE,
            terminal: psam.identity.terminal,
            psam: psam.identity.serial,
            terminal_sequence: TerminalSequence::new(sequence),
            date: today(),
            time: CardTime::new(9, 30, 0).expect("a time"),
            mac1: Mac1::from_bytes([1; 4]),
            key_version: KeyVersion::new(1),
            algorithm: AlgorithmId::TRIPLE_DES,
        })
    }

    /// Takes the money, where the card is still as it was agreed.
    pub fn debit(&mut self, intent: &PurchaseIntent) -> Option<DebitAnswer> {
        if intent.counter.get() != self.counter || intent.amount.fen() > self.balance {
            return None;
        }
        self.balance = self.balance.saturating_sub(intent.amount.fen());
        self.counter = self.counter.saturating_add(1);
        let key = (intent.terminal, intent.terminal_sequence.get());
        self.debits.push(Debit { key, counter: self.counter, amount: intent.amount.fen() });
        Some(DebitAnswer { tac: Tac::from_bytes([7; 4]), mac2: Mac2::from_bytes([8; 4]) })
    }

    /// What became of a debit, as the card says.
    #[must_use]
    pub fn settle(&self, intent: &PurchaseIntent) -> settle::Outcome {
        if self.file.serial_number != intent.serial_number {
            return settle::Outcome::OtherCard(self.file);
        }
        let balance = CardAmount::new(self.balance).ok();
        if intent.counter.get() == self.counter {
            return settle::Outcome::NotDebited { by: NotDebitedBy::CounterUnchanged, balance };
        }
        let after = intent.counter.get().saturating_add(1);
        let found = self.debits.iter().find(|debit| debit.counter == after);
        match found.filter(|debit| debit.key == (intent.terminal, intent.terminal_sequence.get())) {
            Some(debit) => settle::Outcome::Debited {
                record: LogRecord {
                    counter: CardCounter::new(debit.counter),
                    overdraft: [0; 3],
                    amount: intent.amount,
                    kind: intent.kind,
                    terminal: intent.terminal,
                    moment: LogMoment::from_bytes([0; 7]),
                },
                proof: None,
                tac: Some(Tac::from_bytes([7; 4])),
                balance,
            },
            None => settle::Outcome::NotDebited { by: NotDebitedBy::CounterUsedElsewhere, balance },
        }
    }
}

/// A security module: it stays when its gateway is replaced.
#[derive(Debug)]
pub struct Psam {
    /// Which.
    pub identity: PsamIdentity,
    /// The number of its next transaction.
    pub next_sequence: u32,
}

impl Psam {
    /// The module of the gateway with this index.
    #[must_use]
    pub const fn new(index: u8) -> Self {
        Self {
            identity: PsamIdentity {
                serial: PsamSerial::from_bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, index]),
                terminal: TerminalId::from_bytes([0x31, 0, 0, 0, 0, index]),
            },
            next_sequence: 1,
        }
    }
}

/// The origin of the intent of a debit.
#[must_use]
pub fn origin_of(psam: &Psam, sequence: u32) -> String {
    let (terminal, serial) = (psam.identity.terminal.to_hex(), psam.identity.serial.to_hex());
    format!("terminal:{}/{}/{sequence}", terminal.as_str(), serial.as_str())
}

fn date(year: u16) -> CardDate {
    CardDate::new(year, 1, 1).expect("a date")
}

/// The date on all cards' clocks.
#[must_use]
pub fn today() -> CardDate {
    CardDate::new(2026, 9, 21).expect("a date")
}
