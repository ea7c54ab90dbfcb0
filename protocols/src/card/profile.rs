//! Application profiles: how the cards of one issuer differ from another's, as data that configuration holds.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::apdu::{Command, ExpectedLength, Header};
use super::card_file::CardFile;
use super::crypto::{Challenge, DiversificationFactor};
use super::limits::{AID_BYTES_MAX, DIVERSIFICATION_LEVELS_MAX};
use super::octets::{self, Hex, HexError};
use super::psam::FactorList;
use super::purse::{ProofLayout, Purse};

/// Everything that a dialogue must know about an issuer's cards and PSAMs. Keys that a configuration leaves out keep
/// the value of [`Profile::city_union`]; a key that is not listed here is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// DF name of the purse application.
    pub aid: Aid,
    /// Which balance is used: `ed` (transaction type 05) or `ep` (06).
    pub purse: Purse,
    /// Index of the purchase key on the card.
    pub key_index: u8,
    /// File identifier of the purse DF on the PSAM.
    pub psam_df: FileId,
    /// Diversification factors in the order in which the PSAM wants them.
    pub factors: Factors,
    /// Whether MAC1 covers the authentication code of CJ/T cards, which is then read by GET MESSAGE.
    pub auth_code: bool,
    /// Commands of the proof of the card.
    pub proof: ProofCommands,
    /// Where the TAC lies in a transaction proof.
    pub transaction_proof: ProofLayout,
}

impl Profile {
    /// City Union cards (住建部, CJ/T 166), electronic purse, one level of diversification, no authentication code.
    /// The commands of the proof of the card are this project's own, since issuers' are not public.
    pub fn city_union() -> Self {
        Self {
            aid: Aid::CITY_UNION,
            purse: Purse::Ep,
            key_index: 0x01,
            psam_df: FileId::from_bytes([0x10, 0x01]),
            factors: Factors::serial_number(),
            auth_code: false,
            proof: ProofCommands::default(),
            transaction_proof: ProofLayout::MacThenTac,
        }
    }

    /// The factors of this card.
    pub fn factors_of(&self, card: &CardFile) -> FactorList {
        self.factors.0.iter().map(|factor| factor.of(card)).collect()
    }

    /// INTERNAL AUTHENTICATE over a challenge.
    pub fn internal_authenticate(&self, challenge: &Challenge) -> Command {
        self.proof.card.command(&[challenge.as_bytes()])
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::city_union()
    }
}

/// Why octets are no DF name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a DF name has 1 to 16 bytes")]
pub struct AidError;

/// A DF name (AID), 1 to 16 bytes. Text form: hexadecimal, either case.
#[derive(Clone, PartialEq, Eq)]
pub struct Aid(heapless::Vec<u8, AID_BYTES_MAX>);

impl Aid {
    /// `A0 00 00 00 03 86 98 07 01`.
    pub const CITY_UNION: Self =
        Self(heapless::Vec::from_array([0xA0, 0x00, 0x00, 0x00, 0x03, 0x86, 0x98, 0x07, 0x01]));

    /// From its bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, AidError> {
        match heapless::Vec::from_slice(bytes) {
            Ok(name) if !name.is_empty() => Ok(Self(name)),
            Ok(_) | Err(_) => Err(AidError),
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aid({})", Hex(&self.0))
    }
}

impl Serialize for Aid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_hex::<{ 2 * AID_BYTES_MAX }, S>(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Aid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Aid;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("1 to 16 bytes as hexadecimal")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Aid, E> {
                let mut name = heapless::Vec::<u8, AID_BYTES_MAX>::new();
                name.resize_default(text.len().div_ceil(2)).map_err(|_| E::custom(AidError))?;
                octets::decode(text, &mut name).map_err(E::custom)?;
                Aid::new(&name).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

/// Fixed octets in configuration: hexadecimal of either case.
macro_rules! configured_octets {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Wraps the octets.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The octets.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        octets::octet_debug!($name);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serialize_hex::<{ 2 * $len }, S>(&self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(HexVisitor::<$len>).map(Self)
            }
        }
    };
}

configured_octets!(
    /// A file identifier on a PSAM.
    FileId,
    2
);
configured_octets!(
    /// The four bytes of a command's header.
    HeaderBytes,
    4
);
configured_octets!(
    /// A diversification factor that is the same for all cards of the issuer.
    FixedFactor,
    8
);

struct HexVisitor<const N: usize>;

impl<const N: usize> de::Visitor<'_> for HexVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes as hexadecimal")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
        let mut bytes = [0; N];
        octets::decode(text, &mut bytes).map_err(|error: HexError| E::custom(error))?;
        Ok(bytes)
    }
}

fn serialize_hex<const DIGITS: usize, S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    use fmt::Write as _;
    let mut text = heapless::String::<DIGITS>::new();
    write!(text, "{}", Hex(bytes)).expect("the string has room for two digits per octet");
    serializer.serialize_str(&text)
}

/// Where one diversification factor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// The last 8 bytes of the application serial number.
    SerialNumber,
    /// The 8 bytes of the issuer in file 0x15.
    Issuer,
    /// The first 4 bytes of the issuer in file 0x15, twice.
    IssuerRegionTwice,
    /// 8 bytes from the configuration.
    Fixed(FixedFactor),
}

impl Factor {
    fn of(&self, card: &CardFile) -> DiversificationFactor {
        let [r0, r1, r2, r3, ..] = *card.issuer.as_bytes();
        match self {
            Self::SerialNumber => card.serial_number.factor(),
            Self::Issuer => DiversificationFactor::from_bytes(*card.issuer.as_bytes()),
            Self::IssuerRegionTwice => DiversificationFactor::from_bytes([r0, r1, r2, r3, r0, r1, r2, r3]),
            Self::Fixed(factor) => DiversificationFactor::from_bytes(factor.0),
        }
    }
}

/// No factor at all: a PSAM's key has at least one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at least one diversification factor is needed")]
pub struct NoFactor;

/// One to three diversification factors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "heapless::Vec<Factor, DIVERSIFICATION_LEVELS_MAX>")]
#[serde(into = "heapless::Vec<Factor, DIVERSIFICATION_LEVELS_MAX>")]
pub struct Factors(heapless::Vec<Factor, DIVERSIFICATION_LEVELS_MAX>);

impl Factors {
    /// The serial number alone.
    pub const fn serial_number() -> Self {
        Self(heapless::Vec::from_array([Factor::SerialNumber]))
    }
}

impl TryFrom<heapless::Vec<Factor, DIVERSIFICATION_LEVELS_MAX>> for Factors {
    type Error = NoFactor;

    fn try_from(factors: heapless::Vec<Factor, DIVERSIFICATION_LEVELS_MAX>) -> Result<Self, NoFactor> {
        if factors.is_empty() { Err(NoFactor) } else { Ok(Self(factors)) }
    }
}

impl From<Factors> for heapless::Vec<Factor, DIVERSIFICATION_LEVELS_MAX> {
    fn from(factors: Factors) -> Self {
        factors.0
    }
}

/// The fixed part of a command whose bytes differ between issuers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Class, instruction, parameters.
    pub header: HeaderBytes,
    /// Le, where the command is sent with one (0 means 256).
    #[serde(default)]
    pub le: Option<u8>,
}

impl Template {
    /// A template without Le.
    pub const fn new(header: [u8; 4]) -> Self {
        Self { header: HeaderBytes(header), le: None }
    }

    pub(crate) fn command(&self, parts: &[&[u8]]) -> Command {
        Command::from_parts(self.header.0, parts, self.le.map(ExpectedLength::from_le))
    }

    /// Its header.
    pub const fn header(&self) -> Header {
        Header::new(self.header.0)
    }
}

/// Commands of the proof of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProofCommands {
    /// To the card, with the challenge: INTERNAL AUTHENTICATE.
    pub card: Template,
    /// To the PSAM, with the factors: INIT_FOR_DESCRYPT.
    pub psam_init: Template,
    /// To the PSAM, with the challenge: DES CRYPT.
    pub psam_crypt: Template,
}

impl Default for ProofCommands {
    fn default() -> Self {
        Self {
            card: Template::new([0x00, 0x88, 0x00, 0x00]),
            psam_init: Template::new([0x80, 0x1A, 0x00, 0x01]),
            psam_crypt: Template::new([0x80, 0xFA, 0x00, 0x00]),
        }
    }
}
