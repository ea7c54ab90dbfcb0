//! Figures of the last day, by the hour: alarms, devices that fell silent, and how fast presses were safe here and at the centre.
//!
//! Each hour is kept by itself, about once a minute, with what is written anyway; a restart forgets no more. Latencies lie in
//! buckets, eight exact ones and then four for each doubling, so that an hour has a bound whatever happens in it.
//!
//! **Invariant:** an hour in which the daemon did not run is absent, never zero.
//! **Invariant:** while the clock cannot be trusted, no hour is dropped because of what it says.
//! **Invariant:** nothing waits for these figures, and none is ever the reason of a commit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocols::uplink::{Clock, Urgency};
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::intake::is_press;
use crate::limits::{FIGURES_HOURS, FIGURES_HOURS_UNTRUSTED_MAX, FIGURES_KEPT_EVERY_MS, FIGURES_PRESSES_MAX};
use crate::time::{Mono, Now};

const HOUR_MS: u64 = 3_600_000;

/// How values spread: counts by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    counts: BTreeMap<u8, u32>,
    max: u64,
}

impl Spread {
    fn add(&mut self, value: u64) {
        let count = self.counts.entry(bucket(value)).or_insert(0);
        *count = count.saturating_add(1);
        self.max = self.max.max(value);
    }

    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.values().map(|count| u64::from(*count)).sum()
    }

    /// The greatest; `None` without values.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (!self.counts.is_empty()).then_some(self.max)
    }

    /// The value that so many of a hundred do not exceed, up to a quarter too high; `None` without values.
    #[must_use]
    pub fn percentile(&self, of_hundred: u64) -> Option<u64> {
        let rank = self.count().saturating_mul(of_hundred).div_ceil(100).max(1);
        let mut seen = 0_u64;
        self.counts.iter().find_map(|(bucket, count)| {
            seen = seen.saturating_add(u64::from(*count));
            (seen >= rank).then(|| upper_edge(*bucket).min(self.max))
        })
    }
}

/// Buckets with one value each.
const EXACT: u64 = 8;

fn bucket(value: u64) -> u8 {
    if value < EXACT {
        return u8::try_from(value).unwrap_or(0);
    }
    let octave = value.ilog2();
    let quarter = (value >> octave.saturating_sub(2)) & 3;
    let index = u64::from(octave.saturating_sub(3)).saturating_mul(4).saturating_add(quarter).saturating_add(EXACT);
    u8::try_from(index).unwrap_or(u8::MAX)
}

fn upper_edge(bucket: u8) -> u64 {
    let Some(above) = u64::from(bucket).checked_sub(EXACT) else { return u64::from(bucket) };
    let (octave, quarter) = (above / 4 + 3, above % 4);
    let shift = u32::try_from(octave.saturating_sub(2)).unwrap_or(u32::MAX);
    quarter.saturating_add(5).checked_shl(shift).map_or(u64::MAX, |edge| edge.saturating_sub(1))
}

/// What happened in one hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// Milliseconds of it in which the daemon ran.
    pub ran_ms: u64,
    /// Alarms that began, by urgency.
    pub alarms: BTreeMap<Urgency, u32>,
    /// Devices that fell silent.
    pub silent: u32,
    /// From the arrival of a press until it was durable, milliseconds.
    pub durable: Spread,
    /// From the arrival of a press until the centre had it, milliseconds.
    pub accepted: Spread,
}

/// The figures, and the presses that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    hours: BTreeMap<i64, Hour>,
    changed: BTreeSet<i64>,
    /// Hours that are to be forgotten where they are kept.
    forgotten: BTreeSet<i64>,
    seen: Option<Mono>,
    kept: Mono,
    hour: i64,
    recorded: VecDeque<(u64, Mono)>,
    on_their_way: BTreeMap<u64, Mono>,
}

impl Figures {
    /// What was kept of an hour.
    pub fn restore(&mut self, hour: i64, kept: Hour) {
        self.hours.insert(hour, kept);
    }

    /// Time has passed.
    pub fn see(&mut self, now: &Now) {
        let ran_ms = now.mono.0.saturating_sub(self.seen.replace(now.mono).unwrap_or(now.mono).0);
        let hour = now.wall.0.div_euclid(HOUR_MS.cast_signed());
        if hour != self.hour || self.hours.is_empty() {
            self.hour = hour;
            self.drop_old(now.clock);
        }
        let current = self.now();
        current.ran_ms = current.ran_ms.saturating_add(ran_ms).min(HOUR_MS);
    }

    /// Drops what is not of the last day. A clock that is not trusted does not know which day that is: by its word nothing goes,
    /// beyond what is too much.
    fn drop_old(&mut self, clock: Clock) {
        let old: Vec<i64> = match clock {
            Clock::Trusted => {
                let oldest = self.hour.saturating_sub(FIGURES_HOURS.saturating_sub(1));
                self.hours.keys().copied().filter(|kept| *kept < oldest || *kept > self.hour).collect()
            }
            Clock::Untrusted => {
                let too_many = self.hours.len().saturating_add(1).saturating_sub(FIGURES_HOURS_UNTRUSTED_MAX);
                self.hours.keys().copied().filter(|kept| *kept != self.hour).take(too_many).collect()
            }
        };
        for old in old {
            self.hours.remove(&old);
            self.changed.remove(&old);
            self.forgotten.insert(old);
        }
    }

    /// The hour under way, to be changed.
    fn now(&mut self) -> &mut Hour {
        self.forgotten.remove(&self.hour);
        self.changed.insert(self.hour);
        self.hours.entry(self.hour).or_default()
    }

    /// An alarm began.
    pub fn alarm(&mut self, urgency: Urgency) {
        let count = self.now().alarms.entry(urgency).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// A device fell silent.
    pub fn silent(&mut self) {
        let hour = self.now();
        hour.silent = hour.silent.saturating_add(1);
    }

    /// A press was recorded with the entry `n`.
    pub fn recorded(&mut self, n: u64, urgency: Urgency, now: Mono) {
        if is_press(urgency) && self.recorded.len() < FIGURES_PRESSES_MAX {
            self.recorded.push_back((n, now));
        }
    }

    /// Everything up to the entry `head` is durable.
    pub fn durable(&mut self, head: u64, now: Mono) {
        while let Some((n, came)) = self.recorded.pop_front_if(|(n, _)| *n <= head) {
            self.now().durable.add(now.0.saturating_sub(came.0));
            self.on_their_way.insert(n, came);
            if self.on_their_way.len() > FIGURES_PRESSES_MAX {
                self.on_their_way.pop_first();
            }
        }
    }

    /// The centre has an entry.
    pub fn delivered(&mut self, n: u64, now: Mono) {
        if let Some(came) = self.on_their_way.remove(&n) {
            self.now().accepted.add(now.0.saturating_sub(came.0));
        }
    }
}

fn hour_key(hour: i64) -> String {
    format!("figures/{hour}")
}

impl Core {
    /// Keeps what has changed, with a group that is written anyway.
    pub(crate) fn keep_figures(&mut self) {
        let Some(seen) = self.figures.seen else { return };
        if seen < self.figures.kept.after_ms(FIGURES_KEPT_EVERY_MS) {
            return;
        }
        self.figures.kept = seen;
        for hour in std::mem::take(&mut self.figures.changed) {
            if let Some(kept) = self.figures.hours.get(&hour) {
                self.journal.put(hour_key(hour), kept);
            }
        }
        for hour in std::mem::take(&mut self.figures.forgotten) {
            self.journal.delete(hour_key(hour));
        }
    }

    /// The last hours, the oldest first: each with its beginning in Unix milliseconds; `None` where nothing is known of it.
    #[must_use]
    pub fn figures(&self, now: &Now) -> Vec<(i64, Option<Hour>)> {
        let hour_ms = HOUR_MS.cast_signed();
        let last = now.wall.0.div_euclid(hour_ms);
        let first = last.saturating_sub(FIGURES_HOURS.saturating_sub(1));
        (first..=last).map(|hour| (hour.saturating_mul(hour_ms), self.figures.hours.get(&hour).cloned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use protocols::unit::UnixMs;

    use super::*;

    #[test]
    fn a_bucket_holds_no_value_above_its_edge_and_none_a_quarter_below() {
        for value in (0..5_000).chain([65_535, 65_536, 3_600_000, u64::MAX / 2]) {
            let edge = upper_edge(bucket(value));
            assert!(edge >= value && edge <= value.saturating_add(value / 4), "{value} up to {edge}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut spread = Spread::default();
        assert_eq!((spread.percentile(50), spread.max()), (None, None));
        for value in 1..=100 {
            spread.add(value);
        }
        let p50 = spread.percentile(50).expect("values");
        assert!((50..=62).contains(&p50), "{p50}");
        assert_eq!((spread.percentile(99), spread.max(), spread.count()), (Some(100), Some(100), 100));
    }

    fn at_hour(hour: i64, clock: Clock) -> Now {
        let wall = UnixMs(hour.saturating_mul(HOUR_MS.cast_signed()));
        Now { mono: Mono(0), wall, civil: "2026-11-24T09:00:00+08:00".into(), clock }
    }

    #[test]
    fn a_clock_that_starts_wrong_drops_nothing_and_what_it_counted_goes_once_the_time_is_known() {
        let mut figures = Figures::default();
        figures.restore(500_000, Hour { silent: 3, ..Hour::default() });
        for wrong in [10, 11, 600_000] {
            figures.see(&at_hour(wrong, Clock::Untrusted));
        }
        assert_eq!(
            (figures.hours.get(&500_000).map(|hour| hour.silent), &figures.forgotten),
            (Some(3), &BTreeSet::new())
        );
        figures.see(&at_hour(500_001, Clock::Trusted));
        assert_eq!(figures.hours.keys().copied().collect::<Vec<_>>(), [500_000, 500_001]);
        assert_eq!(figures.forgotten, BTreeSet::from([10, 11, 600_000]));
    }

    #[test]
    fn a_clock_that_is_never_trusted_keeps_a_bounded_number_of_hours_and_the_last_day_among_them() {
        let mut figures = Figures::default();
        (0..1_000).for_each(|hour| figures.see(&at_hour(hour, Clock::Untrusted)));
        let day = 1_000_i64.saturating_sub(FIGURES_HOURS);
        assert!((day..1_000).all(|hour| figures.hours.contains_key(&hour)));
        assert!(figures.hours.len() <= FIGURES_HOURS_UNTRUSTED_MAX, "{}", figures.hours.len());
    }

    #[test]
    fn an_hour_that_is_used_again_is_not_forgotten() {
        let mut figures = Figures::default();
        figures.see(&at_hour(100, Clock::Trusted));
        figures.see(&at_hour(50, Clock::Trusted));
        assert!(figures.forgotten.contains(&100));
        figures.see(&at_hour(100, Clock::Trusted));
        assert!(figures.changed.contains(&100) && !figures.forgotten.contains(&100));
    }
}
