//! Version numbers of what is ordered from gateways.
//!
//! A gateway takes only a greater version. So that a new database is not behind what gateways already have, a version
//! is the second of its making, or one more than the last where that is greater.

use crate::store::{Now, StoreError, Tx};

/// The version after `last`; `None` when it leaves the range.
#[must_use]
pub fn after(last: i64, now: &Now) -> Option<u32> {
    u32::try_from(last.checked_add(1)?.max(now.ms / 1_000)).ok()
}

/// Moves the version that is kept under `name` on, and gives it back.
///
/// # Errors
/// The database cannot do it.
pub async fn advance(tx: &mut Tx, name: &'static str) -> Result<u32, StoreError> {
    let damaged = || StoreError::Row { table: "facts" };
    let last: String =
        sqlx::query_scalar("SELECT value FROM facts WHERE name = $1").bind(name).fetch_one(&mut tx.conn).await?;
    let next = after(last.parse().map_err(|_| damaged())?, &tx.now).ok_or_else(damaged)?;
    sqlx::query("UPDATE facts SET value = $2 WHERE name = $1")
        .bind(name)
        .bind(next.to_string())
        .execute(&mut tx.conn)
        .await?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_grows_even_when_the_clock_goes_back() {
        let now = Now::at(jiff::Timestamp::from_second(1_800_000_000).expect("a time"));
        assert_eq!(after(0, &now), Some(1_800_000_000));
        assert_eq!(after(1_800_000_000, &now), Some(1_800_000_001));
        assert_eq!(after(i64::from(u32::MAX), &now), None);
    }
}
