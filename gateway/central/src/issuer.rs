//! The reference card issuer: verifies the proof of a card and the TAC of a debit with master keys from a file.
//!
//! A city's issuer keeps its keys in a security module of its own; there this adapter is replaced by one that asks it.
//!
//! **Invariant:** without keys nothing is called genuine and nothing is called forged.

use std::path::Path;

use protocols::card::crypto::{Challenge, MasterKey, ProofResponse, Tac, TransactionData};
use protocols::card::date::{CardDate, CardTime};
use protocols::card::value::{ApplicationSerialNumber, CardAmount, TerminalId, TerminalSequence, TransactionType};
use protocols::unit::Points;
use protocols::uplink::{CardProof, PurseIntent, PurseProof};
use serde::Deserialize;
use zeroize::Zeroizing;

/// The algorithm of a purse that is verified: triple DES. Others stay pending; they are not guessed.
const TRIPLE_DES: u8 = 0;

/// Why the issuer's keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("cannot read the issuer's keys from {path}")]
    Read {
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its text is not `dik = "…"`, `dtk = "…"`. What it holds is not repeated.
    #[error("{path}: expected `dik` and `dtk`, each 32 hexadecimal digits in quotes")]
    Form {
        /// Where.
        path: std::path::PathBuf,
    },
}

/// What the issuer says of a debit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The TAC proves it.
    Valid,
    /// The TAC is not that of this debit.
    Invalid,
    /// It cannot be told: no keys, no TAC, or an algorithm that is not verified.
    Pending,
}

impl Verdict {
    /// The word that is stored and shown.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Pending => "pending",
        }
    }

    /// The verdict of a stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Valid, Self::Invalid, Self::Pending].into_iter().find(|verdict| verdict.word() == word)
    }
}

/// What the issuer says of a card's proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardVerdict {
    /// The card holds its key.
    Genuine,
    /// It does not.
    NotGenuine,
    /// It cannot be told without keys.
    Pending,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    dik: String,
    dtk: String,
}

/// The issuer's master keys, where there are any.
#[derive(Debug, Default)]
pub struct Issuer {
    keys: Option<Keys>,
}

#[derive(Debug)]
struct Keys {
    dik: MasterKey,
    dtk: MasterKey,
}

impl Issuer {
    /// An issuer that cannot tell.
    #[must_use]
    pub const fn without_keys() -> Self {
        Self { keys: None }
    }

    /// An issuer with the master keys of a TOML file: `dik` (internal authentication) and `dtk` (TAC).
    ///
    /// # Errors
    /// The file cannot be read or has another form.
    pub fn from_file(path: &Path) -> Result<Self, KeysError> {
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|source| KeysError::Read { path: path.to_owned(), source })?;
        let form = || KeysError::Form { path: path.to_owned() };
        let file: KeyFile = toml::from_str(&text).map_err(|_| form())?;
        let key = |text: &str| MasterKey::from_hex(text).map_err(|_| form());
        let (dik, dtk) = (Zeroizing::new(file.dik), Zeroizing::new(file.dtk));
        Ok(Self { keys: Some(Keys { dik: key(&dik)?, dtk: key(&dtk)? }) })
    }

    /// Whether it can tell anything.
    #[must_use]
    pub const fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether a card proved itself.
    #[must_use]
    pub fn card_verdict(&self, card: &ApplicationSerialNumber, proof: &CardProof) -> CardVerdict {
        let Some(keys) = &self.keys else { return CardVerdict::Pending };
        let (Ok(challenge), Ok(response)) = (
            octets(&proof.challenge).map(Challenge::from_bytes),
            octets(&proof.response).map(ProofResponse::from_bytes),
        ) else {
            return CardVerdict::NotGenuine;
        };
        if keys.dik.diversify(&card.factor()).proof_response(&challenge) == response {
            CardVerdict::Genuine
        } else {
            CardVerdict::NotGenuine
        }
    }

    /// Whether a debit is proved.
    #[must_use]
    pub fn debit_verdict(
        &self,
        card: &ApplicationSerialNumber,
        amount: Points,
        intent: &PurseIntent,
        proof: &PurseProof,
    ) -> Verdict {
        let Some(keys) = &self.keys else { return Verdict::Pending };
        if intent.algorithm != TRIPLE_DES {
            return Verdict::Pending;
        }
        let Some(data) = transaction(amount, intent) else { return Verdict::Invalid };
        let expected = keys
            .dtk
            .diversify(&card.factor())
            .tac_key()
            .purchase_tac(&data, TerminalSequence::new(intent.terminal_seq));
        if let Some(tac) = &proof.tac {
            return match octets(tac).map(Tac::from_bytes) {
                Ok(tac) if tac == expected => Verdict::Valid,
                Ok(_) | Err(_) => Verdict::Invalid,
            };
        }
        // GET TRANSACTION PROVE: sources disagree on which half is the TAC; either half proves, neither disproves.
        let halves = proof.transaction_proof.as_deref().and_then(|text| octets::<8>(text).ok());
        match halves {
            Some([a, b, c, d, e, f, g, h])
                if Tac::from_bytes([a, b, c, d]) == expected || Tac::from_bytes([e, f, g, h]) == expected =>
            {
                Verdict::Valid
            }
            Some(_) | None => Verdict::Pending,
        }
    }
}

fn transaction(amount: Points, intent: &PurseIntent) -> Option<TransactionData> {
    Some(TransactionData {
        amount: CardAmount::new(u32::try_from(amount.fen()).ok()?).ok()?,
        kind: TransactionType::new(intent.transaction_type),
        terminal: TerminalId::from_bytes(octets(&intent.terminal).ok()?),
        date: CardDate::from_bcd(octets(&intent.date).ok()?).ok()?,
        time: CardTime::from_bcd(octets(&intent.time).ok()?).ok()?,
    })
}

fn octets<const N: usize>(text: &str) -> Result<[u8; N], hex::FromHexError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes)?;
    Ok(bytes)
}

/// The serial number of a card from its 20 digits.
#[must_use]
pub fn serial_number(text: &str) -> Option<ApplicationSerialNumber> {
    ApplicationSerialNumber::new(octets(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer() -> Issuer {
        let key = |text| MasterKey::from_hex(text).expect("a key");
        Issuer {
            keys: Some(Keys {
                dik: key("303132333435363738393A3B3C3D3E3F"),
                dtk: key("202122232425262728292A2B2C2D2E2F"),
            }),
        }
    }

    fn card() -> ApplicationSerialNumber {
        serial_number("00003100000012345678").expect("a serial number")
    }

    fn intent() -> PurseIntent {
        PurseIntent {
            counter: 7,
            old_balance: 5_000,
            transaction_type: 6,
            terminal: "310000000042".into(),
            psam: "00003100000000000042".into(),
            terminal_seq: 0x2A,
            date: "20261123".into(),
            time: "093000".into(),
            mac1: "7518df38".into(),
            key_version: 1,
            algorithm: 0,
        }
    }

    fn proof(tac: Option<&str>, transaction_proof: Option<&str>) -> PurseProof {
        PurseProof {
            tac: tac.map(Into::into),
            mac2: None,
            transaction_proof: transaction_proof.map(Into::into),
            log_record: None,
            new_balance: None,
        }
    }

    #[test]
    fn a_genuine_card_is_told_from_a_copy() {
        let proof = |response: &str| CardProof { challenge: "1122334455667788".into(), response: response.into() };
        assert_eq!(issuer().card_verdict(&card(), &proof("9c2b4dd8c4fec173")), CardVerdict::Genuine);
        assert_eq!(issuer().card_verdict(&card(), &proof("9c2b4dd8c4fec174")), CardVerdict::NotGenuine);
        assert_eq!(issuer().card_verdict(&card(), &proof("９")), CardVerdict::NotGenuine);
        assert_eq!(Issuer::without_keys().card_verdict(&card(), &proof("00")), CardVerdict::Pending);
    }

    #[test]
    fn the_tac_of_the_published_debit_is_valid_and_any_other_is_not() {
        let amount = |fen| Points::from_fen(fen).expect("an amount");
        let verdict = |fen, proof| issuer().debit_verdict(&card(), amount(fen), &intent(), &proof);
        assert_eq!(verdict(1_000, proof(Some("5f169176"), None)), Verdict::Valid);
        assert_eq!(verdict(1_001, proof(Some("5f169176"), None)), Verdict::Invalid);
        assert_eq!(verdict(1_000, proof(Some("5f1691"), None)), Verdict::Invalid);
        assert_eq!(verdict(1_000, proof(None, None)), Verdict::Pending);
        assert_eq!(verdict(1_000, proof(None, Some("bf4eac965f169176"))), Verdict::Valid);
        assert_eq!(verdict(1_000, proof(None, Some("bf4eac9600000000"))), Verdict::Pending);
        let unknown = PurseIntent { algorithm: 4, ..intent() };
        let sm4 = issuer().debit_verdict(&card(), amount(1_000), &unknown, &proof(Some("5f169176"), None));
        assert_eq!(sm4, Verdict::Pending);
    }
}
