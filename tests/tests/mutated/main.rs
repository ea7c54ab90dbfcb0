//! Two million byte strings made wrong, against everything that reads what others wrote: packets of devices, payloads, what the
//! centre answers, what gateways and browsers send, what cards and PSAMs answer. `LONG=1` tries ten times as many, `SEED=…` others.
//!
//! Each string gives an error or a value: nothing panics, nothing takes memory that the string did not bring, and a value that is
//! taken can be written again and is read as the same.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the figures, and the string that failed")]

mod card;
mod centre;
mod device;
mod gateway;
mod packets;

use std::fmt::Debug;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tests::faults::mutation::Mutator;
use tests::site::dice::SEED_VARIABLE;
use tests::site::long_run;

/// Memory that a run may take beyond what it began with: originals, strings under way, and what the runtime keeps.
const GROWTH_KIB_MAX: u64 = 64 * 1024;

/// Says which string it was, where a test fails.
struct Culprit<'a>(&'a [u8]);

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the string: {}\nas text: {}", hex::encode(self.0), String::from_utf8_lossy(self.0));
        }
    }
}

/// Tries so many strings; `read` says whether one was taken.
fn try_all(what: &str, count: u64, originals: &[&[u8]], mut read: impl FnMut(&[u8], &mut Mutator) -> bool) {
    for original in originals {
        let mut unused = Mutator::new(0, vec![original.to_vec()]);
        assert!(read(original, &mut unused), "an original is taken: {}", String::from_utf8_lossy(original));
    }
    let seed = std::env::var(SEED_VARIABLE).map_or(20_261_124, |seed| seed.parse().unwrap());
    let count = if long_run::is_long() { count * 10 } else { count };
    let mut mutator = Mutator::new(seed, originals.iter().map(|original| original.to_vec()).collect());
    let (begun, before, mut taken) = (Instant::now(), peak_kib(), 0_u64);
    for _ in 0..count {
        let bytes = mutator.draw();
        let _culprit = Culprit(&bytes);
        taken += u64::from(read(&bytes, &mut mutator));
    }
    let grown = peak_kib().saturating_sub(before);
    println!("{what}: {count} strings in {:?}, {taken} taken, {grown} KiB more; SEED={seed}", begun.elapsed());
    assert!(taken > 0 && taken < count, "{what}: {taken} of {count} taken: the mutations miss their mark");
    assert!(grown < GROWTH_KIB_MAX, "{what}: {grown} KiB");
    let figures = format!("{count} strings, {taken} of them still right and taken, 0 panics");
    println!("{}", long_run::figures(&format!("wrong bytes, {what}"), &figures, begun.elapsed()));
}

/// Whether the bytes are one of these; then it is written and read again.
fn reads<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return false };
    let written = serde_json::to_vec(&value).unwrap();
    assert_eq!(serde_json::from_slice::<T>(&written).unwrap(), value);
    true
}

/// The most memory that this process has had, KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
