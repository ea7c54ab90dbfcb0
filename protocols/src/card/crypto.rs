//! Keys and authentication codes of the purse: JR/T 0025 and CJ/T 166 over triple DES.
//!
//! The block ciphers are those of the `des` crate; here they are only chained as the specifications say. The
//! gateway itself holds no issuer key (its PSAM does): these functions serve the issuer's side at the centre, the
//! virtual card and PSAM, and tests.
//!
//! **Invariant:** keys are zeroed when dropped, and `Debug` never shows them.
//! **Invariant:** authentication codes compare in constant time, by `==` too.

use core::fmt;

use cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use des::{Des, TdesEde2};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::date::{CardDate, CardTime};
use super::octets::{self, HexError, constant_time_eq, octet_debug, octet_string};
use super::value::{CardAmount, CardCounter, TerminalId, TerminalSequence, TransactionType};

/// What a key is diversified by: usually the last 8 bytes of the application serial number. Personal data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DiversificationFactor([u8; 8]);

octet_string!(DiversificationFactor, 8);

impl fmt::Debug for DiversificationFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiversificationFactor(hidden)")
    }
}

/// Random bytes that a card draws for one purchase or load.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CardRandom([u8; 4]);

octet_string!(CardRandom, 4);
octet_debug!(CardRandom);

/// The nine bytes that some CJ/T cards want covered by MAC1 (GET MESSAGE).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuthCode([u8; 9]);

octet_string!(AuthCode, 9);
octet_debug!(AuthCode);

/// Eight random bytes that a card must transform to prove itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Challenge([u8; 8]);

octet_string!(Challenge, 8);
octet_debug!(Challenge);

/// What a genuine card makes of a [`Challenge`].
#[derive(Clone, Copy)]
pub struct ProofResponse([u8; 8]);

octet_string!(ProofResponse, 8);
octet_debug!(ProofResponse);
constant_time_eq!(ProofResponse);

/// By which a terminal (purchase) or card (load) proves itself before the purse changes.
#[derive(Clone, Copy)]
pub struct Mac1([u8; 4]);

octet_string!(Mac1, 4);
octet_debug!(Mac1);
constant_time_eq!(Mac1);

/// By which a card (purchase) or issuer (load) proves the change itself.
#[derive(Clone, Copy)]
pub struct Mac2([u8; 4]);

octet_string!(Mac2, 4);
octet_debug!(Mac2);
constant_time_eq!(Mac2);

/// Transaction authentication code, which only the issuer can verify.
#[derive(Clone, Copy)]
pub struct Tac([u8; 4]);

octet_string!(Tac, 4);
octet_debug!(Tac);
constant_time_eq!(Tac);

/// The code that protects a command in secure messaging.
#[derive(Clone, Copy)]
pub struct CommandMac([u8; 4]);

octet_string!(CommandMac, 4);
octet_debug!(CommandMac);
constant_time_eq!(CommandMac);

macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; $len]);

        impl $name {
            /// From its octets.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// From hexadecimal digits of either case.
            pub fn from_hex(text: &str) -> Result<Self, HexError> {
                let mut bytes = Zeroizing::new([0; $len]);
                octets::decode(text, bytes.as_mut())?;
                Ok(Self(*bytes))
            }

            /// The octets, for the one who must store or compare them.
            pub const fn expose(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(hidden)"))
            }
        }
    };
}

key!(
    /// An issuer's key, from which the keys of all its cards follow.
    MasterKey,
    16
);
key!(
    /// A key of one card (or of one region, where there are several levels).
    CardKey,
    16
);
key!(
    /// A key of one transaction.
    SessionKey,
    8
);
key!(
    /// The key of a card's TACs: both halves of its DTK folded into one.
    TacKey,
    8
);

impl MasterKey {
    /// The key of the card (or region) with this factor.
    pub fn diversify(&self, factor: &DiversificationFactor) -> CardKey {
        diversify(&self.0, factor)
    }
}

impl CardKey {
    /// The key one level below.
    pub fn diversify(&self, factor: &DiversificationFactor) -> CardKey {
        diversify(&self.0, factor)
    }

    /// The session key of a purchase (SESPK), from the counter as INITIALIZE FOR PURCHASE answered it.
    pub fn purchase_session_key(
        &self,
        random: &CardRandom,
        offline: CardCounter,
        terminal: TerminalSequence,
    ) -> SessionKey {
        let [_, _, low @ ..] = terminal.to_bytes();
        self.session_key(random, offline, low)
    }

    /// The session key of a load (SESLK), from the counter as INITIALIZE FOR LOAD answered it.
    pub fn load_session_key(&self, random: &CardRandom, online: CardCounter) -> SessionKey {
        self.session_key(random, online, [0x80, 0x00])
    }

    fn session_key(&self, random: &CardRandom, counter: CardCounter, tail: [u8; 2]) -> SessionKey {
        let [r0, r1, r2, r3] = random.0;
        let [c0, c1] = counter.to_bytes();
        let [t0, t1] = tail;
        SessionKey(encrypt(&self.0, [r0, r1, r2, r3, c0, c1, t0, t1]))
    }

    /// The key of this card's TACs, where this is its DTK.
    pub fn tac_key(&self) -> TacKey {
        let mut folded = [0; 8];
        let (left, right) = self.0.split_at(8);
        for ((out, a), b) in folded.iter_mut().zip(left).zip(right) {
            *out = a ^ b;
        }
        TacKey(folded)
    }

    /// What a card with this internal key answers to a challenge.
    pub fn proof_response(&self, challenge: &Challenge) -> ProofResponse {
        ProofResponse(encrypt(&self.0, challenge.0))
    }

    /// MAC of secure messaging: ISO 9797-1 algorithm 3, padding method 2, over CLA INS P1 P2 Lc and data, with the
    /// card's 4-byte challenge (followed by zeros) as initial value.
    pub fn command_mac(&self, challenge: [u8; 4], message: &[u8]) -> CommandMac {
        let [left @ .., _, _, _, _, _, _, _, _] = self.0;
        let [_, _, _, _, _, _, _, _, right @ ..] = self.0;
        let (left, right) = (Zeroizing::new(left), Zeroizing::new(right));
        let [a, b, c, d] = challenge;
        let mut mac = CbcMac::new(&left, [a, b, c, d, 0, 0, 0, 0]);
        mac.update(message);
        let mut block = mac.finish().into();
        Des::new(&(*right).into()).decrypt_block(&mut block);
        Des::new(&(*left).into()).encrypt_block(&mut block);
        CommandMac(first_four(block.into()))
    }
}

/// What MAC1 and TAC of a purchase, MAC2 and TAC of a load are computed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionData {
    /// How much.
    pub amount: CardAmount,
    /// Which kind.
    pub kind: TransactionType,
    /// At which terminal.
    pub terminal: TerminalId,
    /// On which day.
    pub date: CardDate,
    /// At which time.
    pub time: CardTime,
}

impl SessionKey {
    /// MAC1 of a purchase: amount, type, terminal, date, time; then the authentication code where the card wants it.
    pub fn purchase_mac1(&self, data: &TransactionData, auth_code: Option<&AuthCode>) -> Mac1 {
        let auth_code: &[u8] = auth_code.map_or(&[], |code| &code.0);
        Mac1(mac(
            &self.0,
            &[
                &data.amount.to_bytes(),
                &[data.kind.get()],
                data.terminal.as_bytes(),
                data.date.as_bytes(),
                data.time.as_bytes(),
                auth_code,
            ],
        ))
    }

    /// MAC2 of a purchase: the amount.
    pub fn purchase_mac2(&self, amount: CardAmount) -> Mac2 {
        Mac2(mac(&self.0, &[&amount.to_bytes()]))
    }

    /// MAC1 of a load: old balance, amount, type, terminal.
    pub fn load_mac1(
        &self,
        old_balance: CardAmount,
        amount: CardAmount,
        kind: TransactionType,
        terminal: &TerminalId,
    ) -> Mac1 {
        Mac1(mac(&self.0, &[&old_balance.to_bytes(), &amount.to_bytes(), &[kind.get()], terminal.as_bytes()]))
    }

    /// MAC2 of a load: amount, type, terminal, date, time.
    pub fn load_mac2(&self, data: &TransactionData) -> Mac2 {
        Mac2(mac(
            &self.0,
            &[
                &data.amount.to_bytes(),
                &[data.kind.get()],
                data.terminal.as_bytes(),
                data.date.as_bytes(),
                data.time.as_bytes(),
            ],
        ))
    }
}

impl TacKey {
    /// TAC of a purchase: amount, type, terminal, terminal transaction number, date, time.
    pub fn purchase_tac(&self, data: &TransactionData, terminal: TerminalSequence) -> Tac {
        Tac(mac(
            &self.0,
            &[
                &data.amount.to_bytes(),
                &[data.kind.get()],
                data.terminal.as_bytes(),
                &terminal.to_bytes(),
                data.date.as_bytes(),
                data.time.as_bytes(),
            ],
        ))
    }

    /// TAC of a load: new balance, online counter as INITIALIZE FOR LOAD answered it, amount, type, terminal, date,
    /// time.
    pub fn load_tac(&self, new_balance: CardAmount, online: CardCounter, data: &TransactionData) -> Tac {
        Tac(mac(
            &self.0,
            &[
                &new_balance.to_bytes(),
                &online.to_bytes(),
                &data.amount.to_bytes(),
                &[data.kind.get()],
                data.terminal.as_bytes(),
                data.date.as_bytes(),
                data.time.as_bytes(),
            ],
        ))
    }
}

/// Left half: the factor encrypted; right half: its complement encrypted.
fn diversify(key: &[u8; 16], factor: &DiversificationFactor) -> CardKey {
    let mut derived = CardKey([0; 16]);
    let (left, right) = derived.0.split_at_mut(8);
    left.copy_from_slice(&encrypt(key, factor.0));
    right.copy_from_slice(&encrypt(key, factor.0.map(|byte| !byte)));
    derived
}

fn encrypt(key: &[u8; 16], block: [u8; 8]) -> [u8; 8] {
    let mut block = block.into();
    TdesEde2::new(&(*key).into()).encrypt_block(&mut block);
    block.into()
}

/// ISO 9797-1 algorithm 1 with padding method 2 and single DES, cut to four bytes.
fn mac(key: &[u8; 8], parts: &[&[u8]]) -> [u8; 4] {
    let mut mac = CbcMac::new(key, [0; 8]);
    for part in parts {
        mac.update(part);
    }
    first_four(mac.finish())
}

fn first_four(block: [u8; 8]) -> [u8; 4] {
    let [a, b, c, d, ..] = block;
    [a, b, c, d]
}

/// CBC-MAC over DES, fed in pieces.
struct CbcMac {
    cipher: Des,
    state: [u8; 8],
    /// Bytes of the open block that are already in, 0 to 7.
    filled: usize,
}

impl CbcMac {
    fn new(key: &[u8; 8], initial: [u8; 8]) -> Self {
        Self { cipher: Des::new(&(*key).into()), state: initial, filled: 0 }
    }

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push(*byte);
        }
    }

    fn push(&mut self, byte: u8) {
        self.state[self.filled] ^= byte;
        self.filled += 1;
        if self.filled == self.state.len() {
            self.close_block();
        }
    }

    fn close_block(&mut self) {
        let mut block = self.state.into();
        self.cipher.encrypt_block(&mut block);
        self.state = block.into();
        self.filled = 0;
    }

    /// Padding method 2: 80, then zeros to the end of the block, a whole block where the data ended with one.
    fn finish(mut self) -> [u8; 8] {
        self.push(0x80);
        if self.filled != 0 {
            self.close_block();
        }
        self.state
    }
}
