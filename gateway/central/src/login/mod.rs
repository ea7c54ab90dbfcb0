//! Operators log in with a name and a password, and have a session from then on.
//!
//! * [`password`]: Argon2id hashes. [`lockout`]: the count of wrong ones. [`session`]: bearer tokens that end by themselves.
//!
//! **Invariant:** a try is counted durably before its password is compared, and takes as long for a name that nobody bears.
//! **Invariant:** no password, token or hash is ever in a log, an error text or a `Debug` output.

pub mod lockout;
pub mod password;
pub mod session;

use std::sync::Arc;

use protocols::id::ActorId;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::app::Centre;
use crate::identity::Token;
use crate::login::lockout::Name;
use crate::store::{Priority, StoreError};

/// What became of a try to log in.
#[derive(Debug)]
pub enum LoginAnswer {
    /// It was right; the session's token.
    Opened(Token),
    /// Name or password is wrong.
    Wrong,
    /// Too many were wrong: the whole seconds until the next try.
    Locked(u64),
    /// Too many passwords are being compared.
    Busy,
}

/// Logs a person in.
///
/// # Errors
/// The database cannot do it; nothing was compared then.
pub async fn log_in(app: &Arc<Centre>, who: &str, password: Zeroizing<String>) -> Result<LoginAnswer, StoreError> {
    let known = match who.trim().parse::<ActorId>() {
        Ok(id) => password::of(&app.store.readers, &id).await?.map(|hash| (id, hash)),
        Err(_) => None,
    };
    let (id, hash) = known.map_or((None, None), |(id, hash)| (Some(id), Some(hash)));
    let name = id.as_ref().map_or_else(|| Name::unknown(who), Name::known);
    // A name that is locked takes no place from those who may try.
    if let Some(left_s) = app.lockout().left_s(&name, Instant::now()) {
        return Ok(LoginAnswer::Locked(left_s));
    }
    let Ok(permit) = Arc::clone(&app.password_checks).try_acquire_owned() else { return Ok(LoginAnswer::Busy) };
    let begun = match app.lockout().begin(&name, Instant::now()) {
        Ok(begun) => begun,
        Err(left_s) => return Ok(LoginAnswer::Locked(left_s)),
    };
    app.store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { lockout::keep(tx, &name, &begun).await }))
        .await?;
    let given = hash.clone();
    let compared = tokio::task::spawn_blocking(move || {
        let _held_while_comparing = permit;
        password::is_right(given.as_deref(), &password)
    });
    let right = compared.await.map_err(|_| StoreError::Ended)?;
    let Some((id, hash)) = id.zip(hash).filter(|_| right) else { return Ok(LoginAnswer::Wrong) };
    let token = Token::draw().map_err(|_| StoreError::Busy)?;
    let (actor, kept) = (id.clone(), token.clone());
    let is_open = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { session::open(tx, &actor, &hash, &kept).await }))
        .await?;
    if !is_open {
        return Ok(LoginAnswer::Wrong);
    }
    app.lockout().clear(&id);
    Ok(LoginAnswer::Opened(token))
}
