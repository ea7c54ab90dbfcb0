//! Transactions and balances.
//!
//! **Invariant:** [`post`] is the only way in; it checks that the postings add up to zero, with checked arithmetic.

use std::fmt;

use protocols::id::ProviderId;
use protocols::unit::Points;
use sqlx::SqliteConnection;

use crate::limits::FEN_MAX;
use crate::store::{StoreError, Tx, insert_rows};

/// An account of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// Points that a person can spend.
    Elder(String),
    /// Points of a person that are set aside.
    Held(String),
    /// What a provider is owed.
    Provider(ProviderId),
    /// Purse debits of a provider whose proof is not valid.
    Suspense(ProviderId),
    /// The city, which grants.
    CityFund,
    /// The card issuer, who owes what purses paid.
    PurseFloat,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elder(person) => write!(f, "elder:{person}"),
            Self::Held(person) => write!(f, "held:{person}"),
            Self::Provider(provider) => write!(f, "provider:{provider}"),
            Self::Suspense(provider) => write!(f, "suspense:{provider}"),
            Self::CityFund => f.write_str("city_fund"),
            Self::PurseFloat => f.write_str("purse_float"),
        }
    }
}

/// What a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Points given by the city.
    Grant,
    /// Points set aside for a sale.
    Hold,
    /// A hold becomes a payment.
    Post,
    /// A hold is given back.
    Void,
    /// A purse paid.
    Purse,
    /// The proof of a purse debit became valid.
    Proof,
    /// Points of a posted sale go back to the person.
    Refund,
}

impl Kind {
    /// The word that is stored.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Hold => "hold",
            Self::Post => "post",
            Self::Void => "void",
            Self::Purse => "purse",
            Self::Proof => "proof",
            Self::Refund => "refund",
        }
    }
}

/// Why postings were not written.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// They do not add up to zero, or name an account twice.
    #[error("the postings of a transaction do not add up to zero")]
    Unbalanced,
    /// A sum would leave the range of exact integers.
    #[error("an amount would leave the range of exact integers")]
    Overflow,
    /// The database cannot do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for PostError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(StoreError::Database(error))
    }
}

/// A posting: the account and the change in fen.
pub type Posting = (Account, i64);

/// Fen of an amount, as the ledger computes.
#[must_use]
pub fn fen(amount: Points) -> i64 {
    i64::try_from(amount.fen()).unwrap_or(FEN_MAX)
}

/// The other side of an amount. Amounts are far from the end of the range, see [`FEN_MAX`]; there it stops.
#[must_use]
pub const fn minus(fen: i64) -> i64 {
    fen.saturating_neg()
}

/// Checks that postings are a transaction.
///
/// # Errors
/// They are not.
pub fn check(postings: &[Posting]) -> Result<(), PostError> {
    let mut accounts: Vec<&Account> = postings.iter().map(|(account, _)| account).collect();
    accounts.sort();
    accounts.dedup();
    if accounts.len() != postings.len() || postings.len() < 2 {
        return Err(PostError::Unbalanced);
    }
    let sum =
        postings.iter().try_fold(0_i64, |sum, (_, amount)| sum.checked_add(*amount)).ok_or(PostError::Overflow)?;
    if sum != 0 {
        return Err(PostError::Unbalanced);
    }
    if postings.iter().any(|(_, amount)| amount.checked_abs().is_none_or(|amount| amount > FEN_MAX)) {
        return Err(PostError::Overflow);
    }
    Ok(())
}

/// Writes a transaction, once: false where this cause had this effect before.
///
/// # Errors
/// The postings are no transaction, or the database cannot do it.
pub async fn post(
    tx: &mut Tx,
    kind: Kind,
    subject: &str,
    actor: &str,
    postings: &[Posting],
) -> Result<bool, PostError> {
    check(postings)?;
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO transactions (kind, subject, actor, day, at_ms) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (kind, subject) DO NOTHING RETURNING id",
    )
    .bind(kind.word())
    .bind(subject)
    .bind(actor)
    .bind(&tx.now.day)
    .bind(tx.now.ms)
    .fetch_optional(&mut tx.conn)
    .await?;
    let Some(id) = id else { return Ok(false) };
    insert_rows(&mut tx.conn, "INSERT INTO postings (txn, account, amount)", "", postings, |row, (account, amount)| {
        row.push_bind(id).push_bind(account.to_string()).push_bind(*amount);
    })
    .await?;
    Ok(true)
}

/// The balance of an account, fen.
///
/// # Errors
/// The database cannot answer.
pub async fn balance(conn: &mut SqliteConnection, account: &Account) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT COALESCE(SUM(amount), 0) FROM postings WHERE account = $1")
        .bind(account.to_string())
        .fetch_one(conn)
        .await?)
}

/// Points from fen that the ledger says; nothing where they are negative, which [`super::audit`] reports.
#[must_use]
pub fn points(fen: i64) -> Points {
    u64::try_from(fen).ok().and_then(Points::from_fen).unwrap_or(Points::ZERO)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn g3_postings_that_would_wrap_are_refused() {
        let max = i64::MAX;
        let wrapping = [(Account::CityFund, max), (Account::PurseFloat, max), (Account::Elder("a".into()), 2)];
        assert!(matches!(check(&wrapping), Err(PostError::Overflow)));
        let large = [(Account::CityFund, -FEN_MAX - 1), (Account::PurseFloat, FEN_MAX + 1)];
        assert!(matches!(check(&large), Err(PostError::Overflow)));
        let smallest = [(Account::CityFund, i64::MIN), (Account::PurseFloat, max), (Account::Elder("a".into()), 1)];
        assert!(matches!(check(&smallest), Err(PostError::Overflow)));
    }

    proptest! {
        #[test]
        fn only_postings_that_add_up_to_zero_are_a_transaction(amounts in prop::collection::vec(-1000_i64..1000, 1..6)) {
            let postings: Vec<Posting> = amounts
                .iter()
                .enumerate()
                .map(|(at, amount)| (Account::Elder(at.to_string()), *amount))
                .collect();
            let balanced = amounts.iter().sum::<i64>() == 0 && amounts.len() > 1;
            prop_assert_eq!(check(&postings).is_ok(), balanced);
        }
    }
}
