//! How long presses took to the centre: those during which something was broken, and those during which nothing was.

use std::collections::BTreeMap;
use std::time::Duration;

use super::troubles::Diary;
use crate::site::load::ReportKey;
use crate::site::records::{Record, report_key};

/// Times from a press to the centre's record of it, ascending.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Of all presses that became entries of their own.
    pub all: Vec<Duration>,
    /// Of those between whose press and arrival nothing was broken.
    pub quiet: Vec<Duration>,
}

/// From when people pressed, and what the centre has.
#[must_use]
pub fn arrivals(entries: &[Record], pressed_ms: &BTreeMap<ReportKey, i64>, diary: &Diary) -> Arrivals {
    let mut arrivals = Arrivals::default();
    for entry in entries {
        let Some(pressed) = report_key(&entry.origin).and_then(|key| pressed_ms.get(&key).copied()) else { continue };
        let took = Duration::from_millis(u64::try_from(entry.received_ms.saturating_sub(pressed)).unwrap_or(0));
        arrivals.all.push(took);
        if diary.is_quiet(pressed, entry.received_ms) {
            arrivals.quiet.push(took);
        }
    }
    arrivals.all.sort_unstable();
    arrivals.quiet.sort_unstable();
    arrivals
}

/// The time within which so many in a thousand came, of ascending ones.
#[must_use]
pub fn within(times: &[Duration], per_mille: usize) -> Duration {
    let at = times.len().saturating_mul(per_mille).div_ceil(1_000).saturating_sub(1);
    times.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_while_nothing_was_broken_counts_as_quiet() {
        let record = |seq: u64, received_ms| Record {
            id: 0,
            origin: format!("device:load-0001/1/{seq}"),
            kind: "alarm.raised".to_owned(),
            about: None,
            received_ms,
            bytes: String::new(),
        };
        let key = |seq| ("load-0001".to_owned(), 1, seq);
        let pressed = BTreeMap::from([(key(1), 100), (key(2), 200)]);
        let diary = Diary { spans: vec![(220, 300)], ..Diary::default() };
        let found = arrivals(&[record(1, 150), record(2, 350), record(3, 400)], &pressed, &diary);
        let ms = Duration::from_millis;
        assert_eq!((found.all, found.quiet), (vec![ms(50), ms(150)], vec![ms(50)]));
    }

    #[test]
    fn the_time_for_so_many_in_a_thousand_is_that_of_the_last_of_them() {
        let times: Vec<Duration> = (1..=100).map(Duration::from_secs).collect();
        assert_eq!((within(&times, 500).as_secs(), within(&times, 990).as_secs()), (50, 99));
        assert_eq!(within(&[], 990), Duration::ZERO);
    }
}
