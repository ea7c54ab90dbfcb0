//! The lock against guessing passwords: exponential, per name, kept over restarts.
//!
//! Each try is counted, and the count is durable, *before* the password is compared; a right one clears it. All names that
//! nobody bears share one count.
//!
//! **Invariant:** locks run on the monotonic clock; after a restart each lock runs its full length again, so that no wall
//! clock can shorten it.

use std::collections::BTreeMap;
use std::time::Duration;

use protocols::id::ActorId;
use sqlx::{Row as _, SqlitePool};
use tokio::time::Instant;

use crate::limits::{LOGIN_LOCK_S_FIRST, LOGIN_LOCK_S_MAX, LOGIN_TRIES_FREE};
use crate::store::{StoreError, Tx};

#[derive(Debug, Clone, Copy)]
struct Count {
    tries: u32,
    locked_until: Option<Instant>,
}

/// Counts wrong passwords.
#[derive(Debug, Default)]
pub struct Lockout {
    counts: BTreeMap<String, Count>,
}

/// How long `tries` wrong passwords lock.
const fn lock_s(tries: u32) -> u64 {
    if tries < LOGIN_TRIES_FREE {
        return 0;
    }
    let doublings = tries - LOGIN_TRIES_FREE;
    if doublings >= 16 {
        return LOGIN_LOCK_S_MAX;
    }
    let seconds = LOGIN_LOCK_S_FIRST << doublings;
    if seconds > LOGIN_LOCK_S_MAX { LOGIN_LOCK_S_MAX } else { seconds }
}

fn lock_end(tries: u32, now: Instant) -> Option<Instant> {
    match lock_s(tries) {
        0 => None,
        seconds => now.checked_add(Duration::from_secs(seconds)),
    }
}

/// Under which name a try is counted.
#[must_use]
pub fn key(who: Option<&ActorId>) -> String {
    who.map(|who| who.as_str().to_owned()).unwrap_or_default()
}

impl Lockout {
    /// The counts of the database; locks in force begin anew at `now`.
    ///
    /// # Errors
    /// The database cannot answer.
    pub async fn load(readers: &SqlitePool, now: Instant) -> Result<Self, StoreError> {
        let mut counts = BTreeMap::new();
        for row in sqlx::query("SELECT who, tries FROM login_tries").fetch_all(readers).await? {
            let tries = u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX);
            counts.insert(row.try_get(0)?, Count { tries, locked_until: lock_end(tries, now) });
        }
        Ok(Self { counts })
    }

    /// Counts a try of `who` (none: a name that nobody bears) as wrong, unless a lock runs. Gives the count, to be kept.
    ///
    /// # Errors
    /// The whole seconds until the lock ends.
    pub fn begin(&mut self, who: Option<&ActorId>, now: Instant) -> Result<u32, u64> {
        let count = self.counts.entry(key(who)).or_insert(Count { tries: 0, locked_until: None });
        if let Some(left) = count.locked_until.and_then(|end| end.checked_duration_since(now))
            && !left.is_zero()
        {
            return Err(left.as_secs().saturating_add(1));
        }
        count.tries = count.tries.saturating_add(1);
        count.locked_until = lock_end(count.tries, now);
        Ok(count.tries)
    }

    /// The password of `who` was right.
    pub fn right(&mut self, who: &ActorId) {
        self.counts.remove(&key(Some(who)));
    }
}

/// Keeps a count.
///
/// # Errors
/// The database cannot do it.
pub async fn keep(tx: &mut Tx, key: &str, tries: u32) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO login_tries (who, tries) VALUES ($1, $2) ON CONFLICT (who) DO UPDATE SET tries = MAX(tries, excluded.tries)",
    )
    .bind(key)
    .bind(i64::from(tries))
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator() -> ActorId {
        "op-night".parse().expect("a name")
    }

    #[test]
    fn h13_each_wrong_password_after_the_free_ones_doubles_the_lock_up_to_its_limit() {
        let mut now = Instant::now();
        let mut lockout = Lockout::default();
        for _ in 0..LOGIN_TRIES_FREE {
            assert!(lockout.begin(Some(&operator()), now).is_ok());
        }
        let mut expected = LOGIN_LOCK_S_FIRST;
        for _ in 0..12 {
            let left = lockout.begin(Some(&operator()), now).expect_err("locked");
            assert!(left.abs_diff(expected) <= 1, "{left} instead of {expected}");
            now += Duration::from_secs(left);
            assert!(lockout.begin(Some(&operator()), now).is_ok());
            expected = (expected * 2).min(LOGIN_LOCK_S_MAX);
        }
    }

    #[test]
    fn h13_a_right_password_clears_the_count_and_others_are_not_locked() {
        let now = Instant::now();
        let mut lockout = Lockout::default();
        for _ in 1..LOGIN_TRIES_FREE {
            assert!(lockout.begin(Some(&operator()), now).is_ok());
        }
        lockout.right(&operator());
        for _ in 0..LOGIN_TRIES_FREE {
            assert!(lockout.begin(None, now).is_ok());
        }
        assert!(lockout.begin(None, now).is_err(), "names that nobody bears share one count");
        assert_eq!(lockout.begin(Some(&operator()), now), Ok(1));
    }
}
