//! Grants: points that the city gives.
//!
//! **Invariant:** a grant counts once by its key; the same key with another amount or account is a conflict.

use protocols::unit::Points;

use super::book::{self, Account, Kind, PostError};
use crate::limits::FEN_MAX;
use crate::store::{StoreError, Tx};

/// What became of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantAnswer {
    /// The points are in the account.
    Granted,
    /// They were given before, under this key.
    Duplicate,
    /// The key was used for another grant.
    Conflict,
    /// No such account.
    NoAccount,
    /// Nothing, or more than an account can hold.
    Amount,
}

/// Gives points to a person.
///
/// # Errors
/// The database cannot do it.
pub async fn give(tx: &mut Tx, person: &str, amount: Points, key: &str, by: &str) -> Result<GrantAnswer, StoreError> {
    if amount == Points::ZERO {
        return Ok(GrantAnswer::Amount);
    }
    let known: Option<String> =
        sqlx::query_scalar("SELECT ref FROM people WHERE ref = $1").bind(person).fetch_optional(&mut tx.conn).await?;
    if known.is_none() {
        return Ok(GrantAnswer::NoAccount);
    }
    let account = Account::Elder(person.to_owned());
    let given: Option<(String, i64)> = sqlx::query_as(
        "SELECT p.account, p.amount FROM transactions t JOIN postings p ON p.txn = t.id
         WHERE t.kind = $1 AND t.subject = $2 AND p.amount > 0",
    )
    .bind(Kind::Grant.word())
    .bind(key)
    .fetch_optional(&mut tx.conn)
    .await?;
    if let Some((to, fen)) = given {
        let same = to == account.to_string() && fen == book::fen(amount);
        return Ok(if same { GrantAnswer::Duplicate } else { GrantAnswer::Conflict });
    }
    let held = book::balance(&mut tx.conn, &Account::Held(person.to_owned())).await?;
    let after = book::balance(&mut tx.conn, &account)
        .await?
        .checked_add(held)
        .and_then(|balance| balance.checked_add(book::fen(amount)));
    if after.is_none_or(|after| after > FEN_MAX) {
        return Ok(GrantAnswer::Amount);
    }
    let postings = [(Account::CityFund, book::minus(book::fen(amount))), (account, book::fen(amount))];
    match book::post(tx, Kind::Grant, key, by, &postings).await {
        Ok(true) => Ok(GrantAnswer::Granted),
        Ok(false) => Ok(GrantAnswer::Duplicate),
        Err(PostError::Store(error)) => Err(error),
        Err(PostError::Unbalanced | PostError::Overflow) => Ok(GrantAnswer::Amount),
    }
}
