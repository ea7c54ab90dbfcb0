//! Looks through the whole journal once a day, so that a byte that flips on the disk is found while the centre and people can
//! still do something about it, and not when the entry is needed.
//!
//! What it finds is shown and raises a technical alarm. The gateway goes on: an old entry that is damaged harms no new one.
//!
//! **Invariant:** it works in slices and rests at least [`limits::REST_FACTOR`] times as long as a slice took, so that it
//! never takes more than a small part of one processor and no read holds the write-ahead log.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use metrics::gauge;
use protocols::unit::UnixMs;

use crate::adapter::store::{DamagedRow, Reader, StoreFailure};
use crate::troubles::{Part, Troubles};

/// Bounds and intervals of the scrub, each with its reason.
pub mod limits {
    use std::time::Duration;

    /// From the start to the first pass: the start itself verified the chain, and has other things to do.
    pub const FIRST_AFTER: Duration = Duration::from_secs(15 * 60);
    /// From the end of a pass to the next: daily, so that damage is found while the centre still has its copy.
    pub const EVERY: Duration = Duration::from_secs(24 * 3_600);
    /// Entries, or state records, in one slice: one pack, half a megabyte, some milliseconds.
    pub const SLICE_ROWS: u64 = 1_000;
    /// The shortest rest between two slices.
    pub const REST_MIN: Duration = Duration::from_millis(20);
    /// How many times as long as a slice took the rest after it is: at most a fifth of one processor.
    pub const REST_FACTOR: u32 = 4;
    /// Damaged entries after which a pass ends: more say nothing new.
    pub const DAMAGED_MAX: u64 = 100;
}

/// How often, and how gently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From the start to the first pass.
    pub first_after: Duration,
    /// From the end of a pass to the next.
    pub every: Duration,
    /// Entries in one slice.
    pub slice_rows: u64,
    /// The shortest rest between two slices.
    pub rest_min: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_after: limits::FIRST_AFTER,
            every: limits::EVERY,
            slice_rows: limits::SLICE_ROWS,
            rest_min: limits::REST_MIN,
        }
    }
}

/// What the last whole pass found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// When it ended, by the wall clock.
    pub ended_at: UnixMs,
    /// Entries that it looked at.
    pub entries: u64,
    /// Those that are damaged, counted up to [`limits::DAMAGED_MAX`].
    pub damaged: u64,
    /// The first of them.
    pub first_damaged: Option<u64>,
    /// State records whose sums do not fit, counted up to [`limits::DAMAGED_MAX`].
    pub state_damaged: u64,
}

/// What is wrong, for people.
#[derive(Debug, Default)]
struct Found {
    entry: Option<DamagedRow>,
    /// The key of the first state record.
    state: Option<String>,
}

/// Where the last pass is told; cheap to clone, all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Scrubbed {
    last: Arc<Mutex<Option<Pass>>>,
}

impl Scrubbed {
    /// The last whole pass since the start.
    #[must_use]
    pub fn last(&self) -> Option<Pass> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pass>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Scrubs until `stop` is ready.
pub async fn run(reader: Reader, pace: Pace, seen: Scrubbed, troubles: Troubles, stop: impl Future<Output = ()>) {
    let work = async {
        tokio::time::sleep(pace.first_after).await;
        loop {
            match pass(&reader, pace).await {
                Ok((pass, found)) => tell(&seen, &troubles, pass, &found),
                Err(failure) => troubles.begin(Part::JournalRows, &format!("the journal cannot be read: {failure}")),
            }
            tokio::time::sleep(pace.every).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = stop => {}
    }
}

fn tell(seen: &Scrubbed, troubles: &Troubles, pass: Pass, found: &Found) {
    gauge!("journal_scrub_entries").set(pass.entries as f64);
    gauge!("journal_scrub_damaged").set(pass.damaged as f64);
    gauge!("journal_scrub_state_damaged").set(pass.state_damaged as f64);
    gauge!("journal_scrub_ended_seconds").set(pass.ended_at.0 as f64 / 1_000.0);
    match (found.entry, &found.state) {
        (Some(first), _) => troubles.begin(
            Part::JournalRows,
            &format!(
                "{first} ({} damaged in all); look with `gateway journal verify`, compare with the centre's copy, and have the \
                 disk checked. The next start will not use this journal: begin a new one with `gateway journal init \
                 --replace` when sales can pause",
                pass.damaged
            ),
        ),
        (None, Some(key)) => troubles.begin(
            Part::JournalRows,
            &format!(
                "the state record {key} does not fit its sum ({} damaged in all); have the disk checked. The gateway goes on \
                 with what it has in memory; the next start leaves these records out",
                pass.state_damaged
            ),
        ),
        (None, None) => troubles.end(Part::JournalRows),
    }
    *seen.lock() = Some(pass);
    let (damaged, state_damaged) = (pass.damaged, pass.state_damaged);
    tracing::info!(entries = pass.entries, damaged, state_damaged, "the journal was looked through");
}

/// Looks at every entry that is there when it begins, and at the state.
async fn pass(reader: &Reader, pace: Pace) -> Result<(Pass, Found), StoreFailure> {
    let (mut next, last) = reader.bounds().await?;
    let (mut entries, mut damaged, mut first) = (0_u64, 0_u64, None);
    while next <= last && damaged < limits::DAMAGED_MAX {
        let to = next.saturating_add(pace.slice_rows.saturating_sub(1)).min(last);
        let began = Instant::now();
        let found = reader.scrub(next, to).await?;
        let reached = found.map_or(to, |bad| bad.n.clamp(next, to));
        entries = entries.saturating_add(reached.saturating_sub(next).saturating_add(1));
        if let Some(bad) = found {
            tracing::error!(n = bad.n, fault = bad.fault.word(), "an entry of the journal is damaged");
            damaged = damaged.saturating_add(1);
            first = first.or(found);
        }
        next = reached.saturating_add(1);
        tokio::time::sleep(began.elapsed().saturating_mul(limits::REST_FACTOR).max(pace.rest_min)).await;
    }
    let (state_damaged, state) = state_pass(reader, pace).await?;
    let ended_at = UnixMs(Timestamp::now().as_millisecond());
    let first_damaged = first.map(|bad| bad.n);
    Ok((Pass { ended_at, entries, damaged, first_damaged, state_damaged }, Found { entry: first, state }))
}

/// Looks at every state record; how many are damaged, and the key of the first.
async fn state_pass(reader: &Reader, pace: Pace) -> Result<(u64, Option<String>), StoreFailure> {
    let (mut after, mut damaged, mut first) = (String::new(), 0_u64, None);
    while damaged < limits::DAMAGED_MAX {
        let began = Instant::now();
        let scrubbed = reader.scrub_state(&after, pace.slice_rows).await?;
        for key in scrubbed.damaged {
            tracing::error!(key, "a state record of the journal is damaged");
            damaged = damaged.saturating_add(1);
            first.get_or_insert(key);
        }
        let Some(last) = scrubbed.last else { break };
        after = last;
        tokio::time::sleep(began.elapsed().saturating_mul(limits::REST_FACTOR).max(pace.rest_min)).await;
    }
    Ok((damaged, first))
}
