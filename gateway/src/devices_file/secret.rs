//! A device's secret and what the gateway keeps of it.
//!
//! Format of a hash: `v1$<salt>$<mac>`, salt 16 bytes and mac 32 bytes in lower-case hex;
//! mac = HMAC-SHA256(key = salt, message = the secret as it is sent in CONNECT).
//!
//! A password that a person thought up needs a slow hash, since it can be guessed. This secret is never thought up: the
//! tool draws 160 random bits, which no amount of hashing hardware can search, so a slow hash would protect nothing and
//! would hand a stranger a way to keep the gateway busy: each CONNECT would cost it a tenth of a second.
//!
//! **Invariant:** comparing takes the same time wherever the first difference lies.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of randomness in a secret: 160 bits.
const SECRET_LEN: usize = 20;
const SALT_LEN: usize = 16;
const MAC_LEN: usize = 32;
const VERSION: &str = "v1";

/// A device's secret as text: 40 hex digits. Not shown by `Debug`, wiped when dropped.
pub struct Secret(Zeroizing<String>);

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

impl Secret {
    /// Draws a secret.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn draw() -> Result<Self, NoRandomness> {
        let mut bytes = Zeroizing::new([0_u8; SECRET_LEN]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| NoRandomness)?;
        Ok(Self(Zeroizing::new(hex::encode(bytes.as_slice()))))
    }

    /// The secret, to be shown once or put into a device.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a secret is checked against. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash {
    salt: [u8; SALT_LEN],
    mac: [u8; MAC_LEN],
}

/// Why a text is no secret hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretHashError {
    /// Not three parts, or of another version.
    #[error("must be v1$<salt>$<hmac>, as written by `gateway device add`")]
    Shape,
    /// A part is no hex of the right length.
    #[error("salt must be 32 and hmac 64 hex digits, as written by `gateway device add`")]
    Hex,
}

impl SecretHash {
    /// Hashes `secret` with a fresh salt.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn of(secret: &Secret) -> Result<Self, NoRandomness> {
        let mut salt = [0_u8; SALT_LEN];
        getrandom::fill(&mut salt).map_err(|_| NoRandomness)?;
        Ok(Self::with_salt(salt, secret.reveal().as_bytes()))
    }

    /// Hashes `secret` with `salt`.
    pub(super) fn with_salt(salt: [u8; SALT_LEN], secret: &[u8]) -> Self {
        let mac = keyed(&salt, secret).finalize().into_bytes().into();
        Self { salt, mac }
    }

    /// Whether `candidate` is the secret; in constant time.
    #[must_use]
    pub fn matches(&self, candidate: &[u8]) -> bool {
        keyed(&self.salt, candidate).verify_slice(&self.mac).is_ok()
    }
}

fn keyed(salt: &[u8; SALT_LEN], message: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).expect("HMAC takes a key of any length (RFC 2104)");
    mac.update(message);
    mac
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}${}${}", hex::encode(self.salt), hex::encode(self.mac))
    }
}

impl FromStr for SecretHash {
    type Err = SecretHashError;
    fn from_str(text: &str) -> Result<Self, SecretHashError> {
        let mut parts = text.split('$');
        let (Some(VERSION), Some(salt_hex), Some(mac_hex), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SecretHashError::Shape);
        };
        let (mut salt, mut mac) = ([0_u8; SALT_LEN], [0_u8; MAC_LEN]);
        hex::decode_to_slice(salt_hex, &mut salt).map_err(|_| SecretHashError::Hex)?;
        hex::decode_to_slice(mac_hex, &mut mac).map_err(|_| SecretHashError::Hex)?;
        Ok(Self { salt, mac })
    }
}
