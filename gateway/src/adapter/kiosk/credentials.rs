//! Who may act: staff with a PIN, programs with a bearer token. Both lie as hashes in one file.
//!
//! ```toml
//! # staff number = Argon2id hash of the PIN, as `gateway staff pin` prints it
//! staff.n1024 = "$argon2id$v=19$m=19456,t=2,p=1$…$…"
//! # name = SHA-256 of the token, hex, as `gateway staff token` prints it
//! tokens.monitoring = "9f86d081884c7d65…"
//! ```
//!
//! **Invariant:** neither a PIN, a token nor a hash is ever in a log, an error text or a `Debug` output.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use protocols::id::ActorId;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::limits::{CREDENTIALS_LEN_MAX, PIN_LEN_MAX, PIN_LEN_MIN};

/// Bytes of a token and of its hash.
const TOKEN_LEN: usize = 32;

/// Why a credentials file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// It cannot be read.
    #[error("the file cannot be read ({0}); check its path and owner")]
    Unreadable(#[source] std::io::Error),
    /// Others than its owner may read or write it.
    #[error("others than the owner may read or write the file; set its mode to 0600")]
    Exposed,
    /// It is longer than any real one.
    #[error("the file is longer than {CREDENTIALS_LEN_MAX} bytes")]
    TooLong,
    /// It is not the TOML that is wanted; line and column as numbers from 1. The text itself stays out of the error.
    #[error(
        "line {line}, column {column}: not a line as `gateway staff pin NAME` or `gateway staff token NAME` prints it, or a name that stands twice"
    )]
    Form {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// The hash of a staff member's PIN is none.
    #[error("staff.{0}: not an Argon2id hash")]
    PinHash(ActorId),
    /// The hash of a token is none.
    #[error("tokens.{0}: not a SHA-256 as 64 hex digits")]
    TokenHash(ActorId),
}

/// Why a PIN cannot be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Not [`PIN_LEN_MIN`] to [`PIN_LEN_MAX`] digits.
    #[error("a PIN has {PIN_LEN_MIN} to {PIN_LEN_MAX} digits")]
    Form,
    /// One digit only, or digits in a row.
    #[error("this PIN is the first that anybody would try")]
    Weak,
    /// The system gives no random numbers, or too little memory.
    #[error("the PIN cannot be hashed on this machine just now")]
    System,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    staff: BTreeMap<ActorKey, String>,
    #[serde(default)]
    tokens: BTreeMap<ActorKey, String>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ActorKey(ActorId);

impl<'de> Deserialize<'de> for ActorKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ActorId::deserialize(deserializer).map(Self)
    }
}

/// Who may act.
#[derive(Clone, Default)]
pub struct Credentials {
    staff: BTreeMap<ActorId, PasswordHash>,
    tokens: Vec<(ActorId, [u8; TOKEN_LEN])>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} staff, {} tokens)", self.staff.len(), self.tokens.len())
    }
}

impl Credentials {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, others may read it, or it is not as the module describes.
    pub fn load(path: &Path) -> Result<Self, CredentialsError> {
        let file = File::open(path).map_err(CredentialsError::Unreadable)?;
        let mode = file.metadata().map_err(CredentialsError::Unreadable)?.mode();
        if mode & 0o077 != 0 {
            return Err(CredentialsError::Exposed);
        }
        let mut text = Zeroizing::new(String::new());
        file.take(CREDENTIALS_LEN_MAX + 1).read_to_string(&mut text).map_err(CredentialsError::Unreadable)?;
        if text.len() as u64 > CREDENTIALS_LEN_MAX {
            return Err(CredentialsError::TooLong);
        }
        Self::parse(&text)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// When it is not as the module describes.
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        let form: FileForm = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            CredentialsError::Form { line, column }
        })?;
        let mut known = Self::default();
        for (ActorKey(who), hash) in form.staff {
            match PasswordHash::new(&hash) {
                Ok(hash) if hash.algorithm.as_str() == "argon2id" && hash.hash.is_some() => {
                    known.staff.insert(who, hash);
                }
                Ok(_) | Err(_) => return Err(CredentialsError::PinHash(who)),
            }
        }
        for (ActorKey(who), hash) in form.tokens {
            let mut bytes = [0; TOKEN_LEN];
            if hex::decode_to_slice(hash.as_bytes(), &mut bytes).is_err() {
                return Err(CredentialsError::TokenHash(who));
            }
            known.tokens.push((who, bytes));
        }
        Ok(known)
    }

    /// Whether nobody at all may act.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.staff.is_empty() && self.tokens.is_empty()
    }

    /// Whether there is such a staff member.
    #[must_use]
    pub fn knows(&self, who: &ActorId) -> bool {
        self.staff.contains_key(who)
    }

    /// Whether `pin` is that of `who`. Takes as long for an unknown name, and blocks for some tens of milliseconds.
    #[must_use]
    pub fn pin_is_right(&self, who: &ActorId, pin: &str) -> bool {
        match self.staff.get(who) {
            Some(hash) => Argon2::default().verify_password(pin.as_bytes(), hash).is_ok(),
            None => {
                let work = Argon2::default().hash_password_with_salt(pin.as_bytes(), &[0; 16]);
                drop(work);
                false
            }
        }
    }

    /// Whose token it is. Compares with every token in constant time.
    #[must_use]
    pub fn token_owner(&self, token: &str) -> Option<&ActorId> {
        let hash: [u8; TOKEN_LEN] = Sha256::digest(token.as_bytes()).into();
        let mut found = u64::MAX;
        for (index, (_, known)) in (0_u64..).zip(&self.tokens) {
            let same: Choice = known.ct_eq(&hash);
            found = u64::conditional_select(&found, &index, same);
        }
        usize::try_from(found).ok().and_then(|index| self.tokens.get(index)).map(|(who, _)| who)
    }
}

/// The hash of a PIN for the file.
///
/// # Errors
/// When the PIN has not the right length, is a weak one, or the system fails.
pub fn hash_pin(pin: &str) -> Result<String, PinError> {
    let digits = pin.as_bytes();
    if !(PIN_LEN_MIN..=PIN_LEN_MAX).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(PinError::Form);
    }
    let step = |by: i16| digits.windows(2).all(|pair| matches!(pair, [a, b] if i16::from(*b) - i16::from(*a) == by));
    if step(0) || step(1) || step(-1) {
        return Err(PinError::Weak);
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| PinError::System)?;
    let hash = Argon2::default().hash_password_with_salt(pin.as_bytes(), &salt).map_err(|_| PinError::System)?;
    Ok(hash.to_string())
}

/// A fresh token for a program, and its hash for the file.
///
/// # Errors
/// When the system gives no random numbers.
pub fn new_token() -> Result<(Zeroizing<String>, String), getrandom::Error> {
    let mut bytes = Zeroizing::new([0; TOKEN_LEN]);
    getrandom::fill(bytes.as_mut())?;
    let token = Zeroizing::new(hex::encode(bytes.as_ref()));
    let hash = hex::encode(Sha256::digest(token.as_bytes()));
    Ok((token, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> ActorId {
        name.parse().expect("the samples are names")
    }

    #[test]
    fn a_hashed_pin_opens_only_for_its_owner_and_its_digits() {
        let hash = hash_pin("480215").expect("a fair PIN");
        let known = Credentials::parse(&format!("[staff]\nn1024 = \"{hash}\"\n")).expect("a whole file");
        assert!(known.pin_is_right(&who("n1024"), "480215"));
        assert!(!known.pin_is_right(&who("n1024"), "480216"));
        assert!(!known.pin_is_right(&who("n1025"), "480215"));
        assert!(!format!("{known:?}").contains("argon2"));
    }

    #[test]
    fn a_token_names_its_owner_and_another_names_nobody() {
        let (first, first_hash) = new_token().expect("random numbers");
        let (second, second_hash) = new_token().expect("random numbers");
        let text = format!("[tokens]\na = \"{first_hash}\"\nb = \"{second_hash}\"\n");
        let known = Credentials::parse(&text).expect("a whole file");
        assert_eq!(known.token_owner(&first), Some(&who("a")));
        assert_eq!(known.token_owner(&second), Some(&who("b")));
        assert_eq!(known.token_owner(&first_hash), None);
        assert_eq!(known.token_owner(""), None);
    }

    #[test]
    fn lines_of_several_people_stand_below_each_other_and_no_name_twice() {
        let pin = |name: &str, pin: &str| format!("staff.{name} = \"{}\"\n", hash_pin(pin).expect("a fair PIN"));
        let (token, hash) = new_token().expect("random numbers");
        let file = format!("{}tokens.robot = \"{hash}\"\n{}", pin("n1", "480215"), pin("n2", "739164"));
        let known = Credentials::parse(&file).expect("a whole file");
        assert!(known.pin_is_right(&who("n1"), "480215") && known.pin_is_right(&who("n2"), "739164"));
        assert_eq!(known.token_owner(&token), Some(&who("robot")));
        let twice = Credentials::parse(&format!("{file}{}", pin("n1", "480215")));
        assert!(matches!(twice, Err(CredentialsError::Form { line: 4, .. })), "{twice:?}");
    }

    #[test]
    fn weak_or_malformed_pins_are_refused() {
        for weak in ["000000", "123456", "654321", "111111111111"] {
            assert_eq!(hash_pin(weak), Err(PinError::Weak), "{weak}");
        }
        for wrong in ["", "12345", "1234567890123", "48o215", "４８０２１５"] {
            assert_eq!(hash_pin(wrong), Err(PinError::Form), "{wrong}");
        }
    }

    #[test]
    fn a_file_with_a_mistake_is_refused_with_its_place_and_without_its_text() {
        let wrong = Credentials::parse("[staff]\nn1 = \"480215\"\n");
        assert!(matches!(wrong, Err(CredentialsError::PinHash(_))));
        let wrong = Credentials::parse("[tokens]\nm = \"secret\"\n");
        assert!(matches!(wrong, Err(CredentialsError::TokenHash(_))));
        let Err(error) = Credentials::parse("[staff]\n\n[pins]\nx = \"secret\"\n") else {
            panic!("an unknown table is refused");
        };
        assert!(matches!(error, CredentialsError::Form { line: 3, .. }), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("secret"));
    }

    #[test]
    fn e7_a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("kiosk-credentials-{}", std::process::id()));
        std::fs::write(&path, "[tokens]\n").expect("a temporary file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("a mode");
        assert!(matches!(Credentials::load(&path), Err(CredentialsError::Exposed)));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        assert!(Credentials::load(&path).is_ok_and(|known| known.is_empty()));
        std::fs::remove_file(&path).expect("the file is there");
    }
}
