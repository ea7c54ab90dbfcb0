//! Checks that the ledger holds what it promises; run at every start and in tests.

use sqlx::{Row as _, SqliteConnection};

use crate::store::StoreError;

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The postings of a transaction do not add up to zero.
    #[error("transaction {id} adds up to {sum} fen, not to zero")]
    Unbalanced {
        /// Its row.
        id: i64,
        /// Their sum.
        sum: i64,
    },
    /// A transaction without postings.
    #[error("transaction {id} has no postings")]
    Empty {
        /// Its row.
        id: i64,
    },
    /// Points of a person, spendable or set aside, are below nothing.
    #[error("{count} accounts of people are below nothing")]
    Negative {
        /// How many.
        count: i64,
    },
    /// What is set aside is not the sum of the open holds.
    #[error("{count} people have another sum set aside than their open holds")]
    Held {
        /// How many.
        count: i64,
    },
}

/// Everything that does not hold; empty is well.
///
/// # Errors
/// The database cannot answer.
pub async fn run(conn: &mut SqliteConnection) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    let unbalanced = sqlx::query("SELECT txn, SUM(amount) FROM postings GROUP BY txn HAVING SUM(amount) <> 0 LIMIT 10")
        .fetch_all(&mut *conn)
        .await?;
    for row in unbalanced {
        findings.push(Finding::Unbalanced { id: row.try_get(0)?, sum: row.try_get(1)? });
    }
    let empty: Vec<i64> = sqlx::query_scalar(
        "SELECT t.id FROM transactions t WHERE NOT EXISTS (SELECT 1 FROM postings p WHERE p.txn = t.id) LIMIT 10",
    )
    .fetch_all(&mut *conn)
    .await?;
    findings.extend(empty.into_iter().map(|id| Finding::Empty { id }));
    let negative: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM (SELECT account FROM postings WHERE account LIKE 'elder:%' OR account LIKE 'held:%'
         GROUP BY account HAVING SUM(amount) < 0) AS below",
    )
    .fetch_one(&mut *conn)
    .await?;
    if negative > 0 {
        findings.push(Finding::Negative { count: negative });
    }
    let held: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM people p
         WHERE (SELECT COALESCE(SUM(amount), 0) FROM postings WHERE account = 'held:' || p.ref)
            <> (SELECT COALESCE(SUM(amount), 0) FROM holds WHERE person = p.ref AND state = 'held')",
    )
    .fetch_one(&mut *conn)
    .await?;
    if held > 0 {
        findings.push(Finding::Held { count: held });
    }
    Ok(findings)
}
