//! The lock against guessing PINs (FAULTS.md H13): exponential, per staff number, kept over restarts.
//!
//! Each try is counted, and the count is on disk, *before* the PIN is compared; a right PIN clears it. So neither a
//! power cut between the two nor a restart gives a guesser anything. All names that nobody bears share one count.
//!
//! **Invariant:** locks run on the monotonic clock; after a restart each lock runs its full length again, so that no
//! wall clock can shorten it.
//! **Invariant:** a file that cannot be read counts as "all free tries used"; one that cannot be written leaves the
//! count in memory in force.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocols::id::ActorId;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::limits::{CREDENTIALS_LEN_MAX, PIN_LOCK_S_FIRST, PIN_LOCK_S_MAX, PIN_TRIES_FREE};

/// The file in the state directory.
const FILE: &str = "pin-tries.json";

#[derive(Debug, Serialize, Deserialize)]
struct FileForm {
    v: u8,
    tries: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    tries: u32,
    locked_until: Option<Instant>,
}

/// Counts wrong PINs.
#[derive(Debug)]
pub struct Lockout {
    path: PathBuf,
    counts: BTreeMap<String, Count>,
    /// What a name without a count starts with: 0, or all free tries where the file was unreadable.
    start: u32,
}

/// How long `tries` wrong PINs lock.
const fn lock_s(tries: u32) -> u64 {
    if tries < PIN_TRIES_FREE {
        return 0;
    }
    let doublings = tries - PIN_TRIES_FREE;
    if doublings >= 16 {
        return PIN_LOCK_S_MAX;
    }
    let seconds = PIN_LOCK_S_FIRST << doublings;
    if seconds > PIN_LOCK_S_MAX { PIN_LOCK_S_MAX } else { seconds }
}

impl Lockout {
    /// The counts kept in `state_dir`; locks in force begin anew at `now`.
    #[must_use]
    pub fn open(state_dir: &Path, now: Instant) -> Self {
        let path = state_dir.join(FILE);
        let mut lockout = Self { path, counts: BTreeMap::new(), start: 0 };
        match read(&lockout.path) {
            Ok(tries) => {
                for (who, tries) in tries {
                    lockout.counts.insert(who, Count { tries, locked_until: lock_end(tries, now) });
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "the count of wrong PINs cannot be read; it starts at its limit");
                lockout.start = PIN_TRIES_FREE - 1;
            }
        }
        lockout
    }

    /// Counts a try of `who` (none: a name that nobody bears) as wrong, unless a lock runs.
    ///
    /// # Errors
    /// The whole seconds until the lock ends.
    pub fn begin(&mut self, who: Option<&ActorId>, now: Instant) -> Result<(), u64> {
        let start = self.start;
        let count = self.counts.entry(key(who)).or_insert(Count { tries: start, locked_until: None });
        if let Some(left) = count.locked_until.and_then(|end| end.checked_duration_since(now))
            && !left.is_zero()
        {
            return Err(left.as_secs() + 1);
        }
        count.tries = count.tries.saturating_add(1);
        count.locked_until = lock_end(count.tries, now);
        self.save();
        Ok(())
    }

    /// The PIN of `who` was right.
    pub fn right(&mut self, who: &ActorId) {
        self.counts.remove(&key(Some(who)));
        if self.start > 0 {
            self.counts.insert(key(Some(who)), Count { tries: 0, locked_until: None });
        }
        self.save();
    }

    fn save(&self) {
        let tries = self.counts.iter().map(|(who, count)| (who.clone(), count.tries)).collect();
        if let Err(error) = write(&self.path, &FileForm { v: 1, tries }) {
            metrics::counter!("kiosk_pin_tries_unsaved").increment(1);
            tracing::warn!(kind = ?error.kind(), "the count of wrong PINs cannot be saved; it holds until the restart");
        }
    }
}

fn key(who: Option<&ActorId>) -> String {
    who.map(|who| who.as_str().to_owned()).unwrap_or_default()
}

fn lock_end(tries: u32, now: Instant) -> Option<Instant> {
    match lock_s(tries) {
        0 => None,
        seconds => now.checked_add(Duration::from_secs(seconds)),
    }
}

fn read(path: &Path) -> std::io::Result<BTreeMap<String, u32>> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(CREDENTIALS_LEN_MAX).read_to_string(&mut text)?;
    let form: FileForm = serde_json::from_str(&text)?;
    if form.v == 1 { Ok(form.tries) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Replaces the file as a whole: a power cut leaves the old or the new one.
fn write(path: &Path, form: &FileForm) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = std::fs::File::create(&fresh)?;
    file.write_all(&serde_json::to_vec(form)?)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    match path.parent() {
        Some(dir) => std::fs::File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("kiosk-lockout-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a temporary directory");
            Self(path)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    fn nurse() -> ActorId {
        "n1024".parse().expect("a name")
    }

    #[test]
    fn h13_each_wrong_pin_after_the_free_ones_doubles_the_lock_up_to_its_limit() {
        let dir = Dir::new("doubles");
        let mut now = Instant::now();
        let mut lockout = Lockout::open(&dir.0, now);
        for _ in 0..PIN_TRIES_FREE {
            assert_eq!(lockout.begin(Some(&nurse()), now), Ok(()));
        }
        let mut expected = PIN_LOCK_S_FIRST;
        for _ in 0..12 {
            let left = lockout.begin(Some(&nurse()), now).expect_err("locked");
            assert!(left.abs_diff(expected) <= 1, "{left} instead of {expected}");
            now += Duration::from_secs(left);
            assert_eq!(lockout.begin(Some(&nurse()), now), Ok(()));
            expected = (expected * 2).min(PIN_LOCK_S_MAX);
        }
    }

    #[test]
    fn h13_a_lock_is_in_force_again_after_a_restart() {
        let dir = Dir::new("restart");
        let now = Instant::now();
        let mut lockout = Lockout::open(&dir.0, now);
        for _ in 0..PIN_TRIES_FREE {
            assert_eq!(lockout.begin(Some(&nurse()), now), Ok(()));
        }
        drop(lockout);
        let mut lockout = Lockout::open(&dir.0, now);
        assert!(lockout.begin(Some(&nurse()), now).is_err());
        let later = now + Duration::from_secs(PIN_LOCK_S_FIRST + 1);
        assert_eq!(lockout.begin(Some(&nurse()), later), Ok(()));
    }

    #[test]
    fn h13_a_right_pin_clears_the_count_and_others_are_not_locked() {
        let dir = Dir::new("clears");
        let now = Instant::now();
        let mut lockout = Lockout::open(&dir.0, now);
        for _ in 1..PIN_TRIES_FREE {
            assert_eq!(lockout.begin(Some(&nurse()), now), Ok(()));
        }
        lockout.right(&nurse());
        for _ in 0..PIN_TRIES_FREE {
            assert_eq!(lockout.begin(None, now), Ok(()));
        }
        assert!(lockout.begin(None, now).is_err(), "names that nobody bears share one count");
        assert_eq!(lockout.begin(Some(&nurse()), now), Ok(()));
    }

    #[test]
    fn h13_a_count_that_was_tampered_with_leaves_no_free_tries() {
        let dir = Dir::new("tampered");
        std::fs::write(dir.0.join(FILE), "{").expect("a file");
        let now = Instant::now();
        let mut lockout = Lockout::open(&dir.0, now);
        assert_eq!(lockout.begin(Some(&nurse()), now), Ok(()));
        assert!(lockout.begin(Some(&nurse()), now).is_err());
    }

    #[test]
    fn h13_a_disk_that_takes_nothing_leaves_the_lock_in_force() {
        let now = Instant::now();
        let mut lockout = Lockout::open(Path::new("/nonexistent"), now);
        for _ in 0..PIN_TRIES_FREE {
            assert_eq!(lockout.begin(Some(&nurse()), now), Ok(()));
        }
        assert!(lockout.begin(Some(&nurse()), now).is_err());
    }
}
