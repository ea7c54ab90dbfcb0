//! What a citizen card remembers without power, and the habits of its kind.

use protocols::card::crypto::DiversificationFactor;
use protocols::card::value::{CardAmount, CardCounter, TransactionType};
use serde::{Deserialize, Serialize};

use super::keys::{CardKeys, Masters};

/// Everything that a card remembers. Amounts are in fen, octets in hexadecimal, dates in BCD (YYYYMMDD).
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardState {
    /// Answer to reset.
    #[serde(with = "hex::serde")]
    pub atr: Vec<u8>,
    /// Bytes 0 to 7 of file 0x15; 2 to 3 are the city (3100: Hangzhou).
    #[serde(with = "hex::serde")]
    pub issuer: [u8; 8],
    /// Byte 8 of file 0x15.
    pub application_type: u8,
    /// Byte 9 of file 0x15.
    pub application_version: u8,
    /// Bytes 10 to 19 of file 0x15; the last 8 diversify the keys.
    #[serde(with = "hex::serde")]
    pub serial: [u8; 10],
    /// Bytes 20 to 23 of file 0x15.
    #[serde(with = "hex::serde")]
    pub valid_from: [u8; 4],
    /// Bytes 24 to 27 of file 0x15.
    #[serde(with = "hex::serde")]
    pub valid_until: [u8; 4],
    /// Bytes 28 to 29 of file 0x15.
    #[serde(with = "hex::serde")]
    pub issuer_data: [u8; 2],
    /// File 0x16: type, staff flag, name (GBK), identity number, its type. Made up, and nobody's business.
    #[serde(with = "hex::serde")]
    pub holder: Vec<u8>,
    /// The card's keys.
    pub keys: CardKeys,
    /// The electronic purse (EP).
    pub balance_fen: CardAmount,
    /// The electronic deposit (ED), with counters of its own; most citizen cards have none.
    pub deposit: Option<Account>,
    /// What the next INITIALIZE FOR PURCHASE answers.
    pub offline_counter: CardCounter,
    /// What the next INITIALIZE FOR LOAD answers.
    pub online_counter: CardCounter,
    /// Transaction records, newest first.
    pub log: Vec<LogRecord>,
    /// What GET TRANSACTION PROVE gives for the last purchase.
    pub last_purchase: Option<LastTransaction>,
    /// What GET TRANSACTION PROVE gives for the last load.
    pub last_load: Option<LastTransaction>,
    /// The application is blocked.
    pub blocked: bool,
    /// Habits.
    pub quirks: Quirks,
}

/// A record of file 0x18: counter 2, overdraft 3, amount 4, type 1, terminal 6, date 4, time 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogRecord(#[serde(with = "hex::serde")] pub [u8; 23]);

/// The proof of a transaction that is kept for a terminal that did not hear the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastTransaction {
    /// Its type.
    pub kind: TransactionType,
    /// The counter after it.
    pub counter: CardCounter,
    /// MAC2.
    #[serde(with = "hex::serde")]
    pub mac: [u8; 4],
    /// TAC.
    #[serde(with = "hex::serde")]
    pub tac: [u8; 4],
}

/// A balance with its counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// What it holds.
    pub balance_fen: CardAmount,
    /// What the next INITIALIZE FOR PURCHASE answers.
    pub offline_counter: CardCounter,
    /// What the next INITIALIZE FOR LOAD answers.
    pub online_counter: CardCounter,
}

/// One of the two balances of a purse application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purse {
    /// Electronic deposit.
    Ed,
    /// Electronic purse.
    Ep,
}

impl Purse {
    /// Type byte of a purchase.
    pub fn purchase_type(self) -> TransactionType {
        match self {
            Self::Ed => TransactionType::ED_PURCHASE,
            Self::Ep => TransactionType::EP_PURCHASE,
        }
    }

    /// Type byte of a load.
    pub fn load_type(self) -> TransactionType {
        match self {
            Self::Ed => TransactionType::ED_LOAD,
            Self::Ep => TransactionType::EP_LOAD,
        }
    }
}

/// Habits that differ from issuer to issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// Answers 61xx and 6Cxx as a T=0 card.
    pub t0: bool,
    /// The top bit of each balance is set.
    pub junk_top_bit: bool,
    /// INITIALIZE refuses an amount of nothing (6A80).
    pub refuses_zero: bool,
    /// GET MESSAGE gives this code, and MAC1 of a purchase must cover it (CJ/T).
    #[serde(with = "optional_hex")]
    pub auth_code: Option<[u8; 9]>,
    /// Random bytes for every transaction, to replay a published vector; otherwise the system's.
    #[serde(with = "optional_hex")]
    pub fixed_random: Option<[u8; 4]>,
}

impl CardState {
    /// A new card, valid from 2020 to 2040, with an empty purse; given are the last 8 bytes of its serial number, by which its
    /// keys are diversified from [`Masters::made_up`].
    pub fn new(serial: [u8; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = serial;
        Self {
            atr: contactless_atr(b"CITIZEN"),
            issuer: [0x05, 0x71, 0x31, 0x00, 0, 0, 0, 0],
            application_type: 0x01,
            application_version: 0x01,
            serial: [0, 0, a, b, c, d, e, f, g, h],
            valid_from: [0x20, 0x20, 0x01, 0x01],
            valid_until: [0x20, 0x40, 0x12, 0x31],
            issuer_data: [0, 0],
            holder: sample_holder(),
            keys: Masters::made_up().diversify(&[DiversificationFactor::from_bytes(serial)]),
            balance_fen: CardAmount::ZERO,
            deposit: None,
            offline_counter: CardCounter::new(1),
            online_counter: CardCounter::new(1),
            log: Vec::new(),
            last_purchase: None,
            last_load: None,
            blocked: false,
            quirks: Quirks::default(),
        }
    }

    /// File 0x15, which is also tag 9F0C of the answer to SELECT.
    pub fn public_file(&self) -> [u8; 30] {
        let parts: [&[u8]; 7] = [
            &self.issuer,
            &[self.application_type, self.application_version],
            &self.serial,
            &self.valid_from,
            &self.valid_until,
            &self.issuer_data,
            &[],
        ];
        let mut file = [0; 30];
        for (to, from) in file.iter_mut().zip(parts.concat()) {
            *to = from;
        }
        file
    }

    /// A balance with its counters, if the card has that purse.
    pub fn account(&self, purse: Purse) -> Option<Account> {
        match purse {
            Purse::Ed => self.deposit,
            Purse::Ep => Some(Account {
                balance_fen: self.balance_fen,
                offline_counter: self.offline_counter,
                online_counter: self.online_counter,
            }),
        }
    }

    pub(super) fn set_account(&mut self, purse: Purse, account: Account) {
        match purse {
            Purse::Ed => self.deposit = Some(account),
            Purse::Ep => {
                self.balance_fen = account.balance_fen;
                self.offline_counter = account.offline_counter;
                self.online_counter = account.online_counter;
            }
        }
    }

    /// A balance as the card says it.
    pub(super) fn balance_bytes(&self, balance: CardAmount) -> [u8; 4] {
        let [first, rest @ ..] = balance.to_bytes();
        let junk = if self.quirks.junk_top_bit { 0x80 } else { 0x00 };
        let [a, b, c] = rest;
        [first | junk, a, b, c]
    }
}

/// The ATR that PC/SC makes for a contactless card with these historical bytes (PC/SC part 3, 3.1.3.2.3.1): at most 15.
pub fn contactless_atr(historical: &[u8]) -> Vec<u8> {
    let count = u8::try_from(historical.len().min(15)).unwrap_or(15);
    let mut atr = vec![0x3B, 0x80 | count, 0x80, 0x01];
    atr.extend(historical.iter().take(15));
    let check = atr.iter().skip(1).fold(0, |check, byte| check ^ byte);
    atr.push(check);
    atr
}

/// A made-up person: 测试老人 ("test elder") with an identity number whose day does not exist.
fn sample_holder() -> Vec<u8> {
    let mut file = vec![0x00, 0x00];
    file.extend([0xB2, 0xE2, 0xCA, 0xD4, 0xC0, 0xCF, 0xC8, 0xCB]);
    file.resize(22, 0);
    file.extend(b"3301009999999900");
    file.push(0x00);
    file
}

mod optional_hex {
    use hex::FromHex;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer, T: AsRef<[u8]>>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(octets) => to.serialize_some(&hex::encode(octets)),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: FromHex<Error = hex::FromHexError>>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|t| T::from_hex(t).map_err(D::Error::custom)).transpose()
    }
}
