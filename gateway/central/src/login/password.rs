//! Passwords, as Argon2id hashes.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use protocols::id::ActorId;
use sqlx::SqlitePool;

use crate::enrolment;
use crate::identity::Token;
use crate::limits::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use crate::login::lockout;
use crate::store::{StoreError, Tx};

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is too short, too long, or one character over and over.
    #[error(
        "a password has at least {PASSWORD_CHARS_MIN} characters, not all the same, and at most {PASSWORD_BYTES_MAX} bytes"
    )]
    Form,
    /// The system gives no random numbers, or too little memory.
    #[error("the password cannot be hashed on this machine just now")]
    System,
}

/// The hash of a password. Blocks for some tens of milliseconds.
///
/// # Errors
/// It is not fit to be one, or the system fails.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let first = password.chars().next();
    let varied = password.chars().any(|character| Some(character) != first);
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX || !varied {
        return Err(PasswordError::Form);
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| PasswordError::System)?;
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    Ok(hash.map_err(|_| PasswordError::System)?.to_string())
}

/// Whether a password is the one of a hash. Takes as long without a hash, and blocks for some tens of milliseconds.
#[must_use]
pub fn is_right(hash: Option<&str>, password: &str) -> bool {
    match hash.and_then(|hash| PasswordHash::new(hash).ok()) {
        Some(hash) => Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(),
        None => {
            let work = Argon2::default().hash_password_with_salt(password.as_bytes(), &[0; 16]);
            drop(work);
            false
        }
    }
}

/// The hash of an operator's password; none where there is no such operator, or one who has only a token.
///
/// # Errors
/// The database cannot answer.
pub async fn of(readers: &SqlitePool, who: &ActorId) -> Result<Option<String>, StoreError> {
    let found: Option<Option<String>> = sqlx::query_scalar("SELECT password FROM actors WHERE id = $1")
        .bind(who.as_str())
        .fetch_optional(readers)
        .await?;
    Ok(found.flatten())
}

/// Gives an operator a password, by its hash. Sessions that were open end, and so does the count of wrong
/// passwords; one who is not known becomes an operator, with a
/// token that nobody has.
///
/// # Errors
/// The database cannot do it, or the operating system gives no randomness.
pub async fn set(tx: &mut Tx, who: &ActorId, hash: &str) -> Result<(), StoreError> {
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM actors WHERE id = $1")
        .bind(who.as_str())
        .fetch_optional(&mut tx.conn)
        .await?;
    if known.is_none() {
        enrolment::operator(tx, who, &Token::draw().map_err(|_| StoreError::Busy)?).await?;
    }
    sqlx::query("UPDATE actors SET password = $2 WHERE id = $1")
        .bind(who.as_str())
        .bind(hash)
        .execute(&mut tx.conn)
        .await?;
    sqlx::query("DELETE FROM sessions WHERE actor = $1").bind(who.as_str()).execute(&mut tx.conn).await?;
    lockout::forget(tx, who.as_str()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_opens_only_with_its_own_characters() {
        let hash = hash("夜班-made-up-1").expect("a fair password");
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(is_right(Some(&hash), "夜班-made-up-1"));
        assert!(!is_right(Some(&hash), "夜班-made-up-2"));
        assert!(!is_right(None, "夜班-made-up-1"));
        assert!(!is_right(Some("no hash"), "夜班-made-up-1"));
    }

    #[test]
    fn what_is_too_short_too_long_or_one_character_is_no_password() {
        let long = "ab".repeat(PASSWORD_BYTES_MAX);
        for wrong in ["", "short", "aaaaaaaaaaaaaaaa", long.as_str()] {
            assert_eq!(hash(wrong), Err(PasswordError::Form), "{wrong}");
        }
    }
}
