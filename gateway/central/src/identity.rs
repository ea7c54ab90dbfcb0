//! Who calls: gateways and people, each by a bearer token of their own; a person also by that of a session (see [`crate::login`]).
//!
//! **Invariant:** a token is 32 random bytes and is kept only as its SHA-256; it is compared by looking that up.
//! **Invariant:** a gateway reaches only what carries its own name.

use protocols::id::{ActorId, GatewayId};
use sha2::{Digest as _, Sha256};
use sqlx::{Row as _, SqlitePool};
use zeroize::Zeroizing;

use crate::store::StoreError;

/// A bearer token, to be shown once to the one it is for.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Draws a new one.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut())?;
        Ok(Self(Zeroizing::new(hex::encode(bytes.as_ref()))))
    }

    /// One that was drawn before.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// The text, for the one it is for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> Vec<u8> {
        digest(&self.0)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(hidden)")
    }
}

fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// The gateway whose token this is.
///
/// # Errors
/// The database cannot answer.
pub async fn gateway(readers: &SqlitePool, token: &str) -> Result<Option<GatewayId>, StoreError> {
    let row = sqlx::query("SELECT id FROM gateways WHERE token_hash = $1")
        .bind(digest(token))
        .fetch_optional(readers)
        .await?;
    row.map(|row| row.try_get::<String, _>(0)?.parse::<GatewayId>().map_err(|_| StoreError::Row { table: "gateways" }))
        .transpose()
}

/// The person whose token this is.
///
/// # Errors
/// The database cannot answer.
pub async fn actor(readers: &SqlitePool, token: &Token) -> Result<Option<ActorId>, StoreError> {
    let row =
        sqlx::query("SELECT id FROM actors WHERE token_hash = $1").bind(token.digest()).fetch_optional(readers).await?;
    row.map(|row| row.try_get::<String, _>(0)?.parse::<ActorId>().map_err(|_| StoreError::Row { table: "actors" }))
        .transpose()
}
