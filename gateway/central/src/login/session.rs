//! Sessions of people who logged in: a bearer token that ends when it is not used, and after a day in any case.
//!
//! **Invariant:** a session's token is 32 random bytes and is kept only as its SHA-256.

use protocols::id::ActorId;
use sqlx::{Row as _, SqlitePool};

use crate::identity::Token;
use crate::limits::{SESSION_IDLE_MS, SESSION_MS_MAX, SESSIONS_PER_OPERATOR_MAX};
use crate::login::lockout;
use crate::store::{Now, StoreError, Tx};

/// A session that is open.
#[derive(Debug)]
pub struct Session {
    /// Whose it is.
    pub actor: ActorId,
    /// When it was used last, Unix milliseconds, to some minutes.
    pub seen_ms: i64,
}

/// Opens a session for whoever gave the password with this hash; the count of wrong passwords ends, and so do sessions that
/// were not used, or are too many. False, and nothing is opened, where the password has changed since it was compared.
///
/// # Errors
/// The database cannot do it.
pub async fn open(tx: &mut Tx, actor: &ActorId, hash: &str, token: &Token) -> Result<bool, StoreError> {
    let same: Option<i64> = sqlx::query_scalar("SELECT 1 FROM actors WHERE id = $1 AND password = $2")
        .bind(actor.as_str())
        .bind(hash)
        .fetch_optional(&mut tx.conn)
        .await?;
    if same.is_none() {
        return Ok(false);
    }
    lockout::forget(tx, actor.as_str()).await?;
    sqlx::query("DELETE FROM sessions WHERE seen_ms < $1 OR opened_ms < $2")
        .bind(tx.now.ms.saturating_sub(SESSION_IDLE_MS))
        .bind(tx.now.ms.saturating_sub(SESSION_MS_MAX))
        .execute(&mut tx.conn)
        .await?;
    sqlx::query(
        "DELETE FROM sessions WHERE token_hash IN
         (SELECT token_hash FROM sessions WHERE actor = $1 ORDER BY opened_ms DESC LIMIT -1 OFFSET $2)",
    )
    .bind(actor.as_str())
    .bind(SESSIONS_PER_OPERATOR_MAX.saturating_sub(1))
    .execute(&mut tx.conn)
    .await?;
    sqlx::query("INSERT INTO sessions (token_hash, actor, opened_ms, seen_ms) VALUES ($1, $2, $3, $3)")
        .bind(token.digest())
        .bind(actor.as_str())
        .bind(tx.now.ms)
        .execute(&mut tx.conn)
        .await?;
    Ok(true)
}

/// The open session with this token.
///
/// # Errors
/// The database cannot answer.
pub async fn find(readers: &SqlitePool, token: &Token) -> Result<Option<Session>, StoreError> {
    let now_ms = Now::read().ms;
    let row =
        sqlx::query("SELECT actor, seen_ms FROM sessions WHERE token_hash = $1 AND seen_ms >= $2 AND opened_ms >= $3")
            .bind(token.digest())
            .bind(now_ms.saturating_sub(SESSION_IDLE_MS))
            .bind(now_ms.saturating_sub(SESSION_MS_MAX))
            .fetch_optional(readers)
            .await?;
    row.map(|row| {
        let actor = row.try_get::<String, _>(0)?.parse().map_err(|_| StoreError::Row { table: "sessions" })?;
        Ok(Session { actor, seen_ms: row.try_get(1)? })
    })
    .transpose()
}

/// Notes that a session was used.
///
/// # Errors
/// The database cannot do it.
pub async fn touch(tx: &mut Tx, token: &Token) -> Result<(), StoreError> {
    sqlx::query("UPDATE sessions SET seen_ms = $2 WHERE token_hash = $1")
        .bind(token.digest())
        .bind(tx.now.ms)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// Ends a session.
///
/// # Errors
/// The database cannot do it.
pub async fn end(tx: &mut Tx, token: &Token) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sessions WHERE token_hash = $1").bind(token.digest()).execute(&mut tx.conn).await?;
    Ok(())
}
