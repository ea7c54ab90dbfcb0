//! The lock against guessing passwords: exponential, per name, kept over restarts.
//!
//! Each try is counted, and the count is durable, *before* the password is compared; a right one clears it, and so does a new
//! password. Names that nobody bears are counted like others, so that none tells by its lock whether somebody bears it; of them
//! the database holds only digests, since people write passwords there, and a bounded number.
//!
//! **Invariant:** locks run on the monotonic clock; after a restart each lock runs its full length again, so that no wall
//! clock can shorten it.

use std::collections::BTreeMap;
use std::time::Duration;

use protocols::id::ActorId;
use sha2::{Digest as _, Sha256};
use sqlx::{Row as _, SqlitePool};
use tokio::time::Instant;

use crate::limits::{LOGIN_LOCK_S_FIRST, LOGIN_LOCK_S_MAX, LOGIN_NAMES_UNKNOWN_MAX, LOGIN_TRIES_FREE};
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

/// What the digest of a name that nobody bears begins with; no operator's name does.
const UNKNOWN: char = '~';

/// Under which name a try is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name of an operator who has a password.
    #[must_use]
    pub fn known(who: &ActorId) -> Self {
        Self(who.as_str().to_owned())
    }

    /// A name that nobody bears, as it was written.
    #[must_use]
    pub fn unknown(who: &str) -> Self {
        Self(format!("{UNKNOWN}{}", hex::encode(Sha256::digest(who.trim().as_bytes()))))
    }
}

/// A try that is counted.
#[derive(Debug, PartialEq, Eq)]
pub struct Begun {
    /// Which try it is.
    tries: u32,
    /// A name that nobody bears whose count ends, so that there is room.
    forgotten: Option<String>,
}

impl Lockout {
    /// The counts of the database; locks in force begin anew at `now`.
    ///
    /// # Errors
    /// The database cannot answer.
    pub async fn load(readers: &SqlitePool, now: Instant) -> Result<Self, StoreError> {
        let mut counts = BTreeMap::new();
        for row in sqlx::query("SELECT who, tries FROM login_tries WHERE who <> ''").fetch_all(readers).await? {
            let tries = u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX);
            counts.insert(row.try_get(0)?, Count { tries, locked_until: lock_end(tries, now) });
        }
        Ok(Self { counts })
    }

    /// The whole seconds until a lock ends; none where none runs.
    #[must_use]
    pub fn left_s(&self, name: &Name, now: Instant) -> Option<u64> {
        let end = self.counts.get(&name.0)?.locked_until?;
        let left = end.checked_duration_since(now).filter(|left| !left.is_zero())?;
        Some(left.as_secs().saturating_add(1))
    }

    /// Counts a try as wrong, unless a lock runs. Gives what is to be kept.
    ///
    /// # Errors
    /// The whole seconds until the lock ends.
    pub fn begin(&mut self, name: &Name, now: Instant) -> Result<Begun, u64> {
        if let Some(left_s) = self.left_s(name, now) {
            return Err(left_s);
        }
        let forgotten = self.make_room(name);
        let count = self.counts.entry(name.0.clone()).or_insert(Count { tries: 0, locked_until: None });
        count.tries = count.tries.saturating_add(1);
        count.locked_until = lock_end(count.tries, now);
        Ok(Begun { tries: count.tries, forgotten })
    }

    /// Forgets a name that nobody bears where there are too many with this one: the one whose lock ends first.
    fn make_room(&mut self, name: &Name) -> Option<String> {
        if !name.0.starts_with(UNKNOWN) || self.counts.contains_key(&name.0) {
            return None;
        }
        let unknown = self.counts.iter().filter(|(name, _)| name.starts_with(UNKNOWN));
        let (kept, first) = unknown.fold((0_usize, None), |(kept, first), (name, count)| {
            let end = (count.locked_until, count.tries, name);
            (kept.saturating_add(1), Some(first.map_or(end, |first| end.min(first))))
        });
        let forgotten = first.filter(|_| kept >= LOGIN_NAMES_UNKNOWN_MAX).map(|(.., name)| name.clone())?;
        self.counts.remove(&forgotten);
        Some(forgotten)
    }

    /// `who` gave the right password, or got a new one.
    pub fn clear(&mut self, who: &ActorId) {
        self.counts.remove(who.as_str());
    }
}

/// Keeps a count.
///
/// # Errors
/// The database cannot do it.
pub async fn keep(tx: &mut Tx, name: &Name, begun: &Begun) -> Result<(), StoreError> {
    if let Some(forgotten) = &begun.forgotten {
        forget(tx, forgotten).await?;
    }
    sqlx::query(
        "INSERT INTO login_tries (who, tries) VALUES ($1, $2) ON CONFLICT (who) DO UPDATE SET tries = MAX(tries, excluded.tries)",
    )
    .bind(&name.0)
    .bind(i64::from(begun.tries))
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Ends the count of a name.
///
/// # Errors
/// The database cannot do it.
pub async fn forget(tx: &mut Tx, name: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM login_tries WHERE who = $1").bind(name).execute(&mut tx.conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator() -> ActorId {
        "op-night".parse().expect("a name")
    }

    fn name() -> Name {
        Name::known(&operator())
    }

    #[test]
    fn h13_each_wrong_password_after_the_free_ones_doubles_the_lock_up_to_its_limit() {
        let mut now = Instant::now();
        let mut lockout = Lockout::default();
        for _ in 0..LOGIN_TRIES_FREE {
            assert!(lockout.begin(&name(), now).is_ok());
        }
        let mut expected = LOGIN_LOCK_S_FIRST;
        for _ in 0..12 {
            let left = lockout.begin(&name(), now).expect_err("locked");
            assert!(left.abs_diff(expected) <= 1, "{left} instead of {expected}");
            now += Duration::from_secs(left);
            assert!(lockout.begin(&name(), now).is_ok());
            expected = (expected * 2).min(LOGIN_LOCK_S_MAX);
        }
    }

    #[test]
    fn h13_a_right_password_clears_the_count_and_others_are_not_locked() {
        let now = Instant::now();
        let mut lockout = Lockout::default();
        for _ in 1..LOGIN_TRIES_FREE {
            assert!(lockout.begin(&name(), now).is_ok());
        }
        lockout.clear(&operator());
        let nobody = Name::unknown("op-night");
        for _ in 0..LOGIN_TRIES_FREE {
            assert!(lockout.begin(&nobody, now).is_ok());
        }
        assert!(lockout.begin(&nobody, now).is_err());
        assert!(lockout.begin(&Name::unknown("op-nobody"), now).is_ok(), "each name has its own count");
        assert_eq!(lockout.begin(&name(), now), Ok(Begun { tries: 1, forgotten: None }));
    }

    #[test]
    fn h13_made_up_names_take_a_bounded_room_and_the_least_locked_is_forgotten() {
        let now = Instant::now();
        let mut lockout = Lockout::default();
        assert!(lockout.begin(&name(), now).is_ok());
        let locked = Name::unknown("locked");
        for _ in 0..LOGIN_TRIES_FREE {
            assert!(lockout.begin(&locked, now).is_ok());
        }
        for number in 0..2 * LOGIN_NAMES_UNKNOWN_MAX {
            let begun = lockout.begin(&Name::unknown(&number.to_string()), now).expect("it is not locked");
            assert_eq!(begun.forgotten.is_some(), number >= LOGIN_NAMES_UNKNOWN_MAX - 1, "{number}");
        }
        assert_eq!(lockout.counts.len(), LOGIN_NAMES_UNKNOWN_MAX + 1);
        assert!(lockout.begin(&locked, now).is_err(), "a lock outlasts names that are not locked");
        assert_eq!(lockout.begin(&name(), now).map(|begun| begun.tries), Ok(2));
    }
}
