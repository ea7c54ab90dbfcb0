//! How quickly alarms were answered: counts and percentiles over some days. Pure: no database, no clock.
//!
//! A time runs from when an alarm was raised to a step, both as [`crate::steps`] keeps them. Percentiles are by nearest rank: the
//! smallest time within which that part of the alarms had the step.
//!
//! **Invariant:** test alarms are counted apart and are in no time; what has no alarms has no percentile, never 0.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::limits::FIGURE_CAUSES_MAX;

/// An alarm, as far as figures need it. Times are Unix milliseconds.
#[derive(Debug, Clone, Default)]
pub struct Answered {
    /// `emergency` …
    pub urgency: String,
    /// Whether a person still has to act.
    pub is_open: bool,
    /// When it came here.
    pub received_ms: i64,
    /// When it was raised.
    pub raised_ms: i64,
    /// When somebody saw it, when somebody was sent, was there, and when it ended.
    pub steps_ms: [Option<i64>; 4],
    /// Why it ended.
    pub cause: Option<String>,
}

/// Percentiles of one step's times, seconds; none where nothing was measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Spread {
    /// How many were measured.
    pub n: usize,
    /// Half of them were quicker.
    pub p50_s: Option<f64>,
    /// Nine in ten.
    pub p90_s: Option<f64>,
    /// 39 in 40.
    pub p97_5_s: Option<f64>,
    /// 99 in 100.
    pub p99_s: Option<f64>,
}

/// The times of each step from when the alarm was raised.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Times {
    /// Somebody saw it.
    pub acknowledged: Spread,
    /// Somebody was sent.
    pub dispatched: Spread,
    /// Somebody was there.
    pub on_site: Spread,
    /// It ended.
    pub resolved: Spread,
}

/// Alarms of one urgency.
#[derive(Debug, Serialize)]
pub struct OfUrgency {
    /// Which.
    pub urgency: &'static str,
    /// How many.
    pub alarms: usize,
    /// How many of them are open still.
    pub open: usize,
    /// Their times; none of tests.
    pub times: Option<Times>,
}

/// Alarms that ended with one cause.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OfCause {
    /// Which; none for the rest.
    pub cause: Option<String>,
    /// How many.
    pub alarms: usize,
}

/// Alarms of one hour or day.
#[derive(Debug, Serialize)]
pub struct Bucket {
    /// Its first millisecond, Unix.
    #[serde(skip)]
    pub from_ms: i64,
    /// The same, RFC 3339.
    pub from: String,
    /// How many, without tests.
    pub alarms: usize,
    /// Test alarms.
    pub tests: usize,
    /// How quickly somebody saw them.
    pub acknowledged: Spread,
}

/// The urgencies, most urgent first.
const URGENCIES: [&str; 5] = ["emergency", "urgent", "request", "technical", "test"];

const TEST: &str = "test";
const TECHNICAL: &str = "technical";

/// Counts and times by urgency.
#[must_use]
pub fn by_urgency(alarms: &[Answered]) -> Vec<OfUrgency> {
    URGENCIES
        .into_iter()
        .map(|urgency| {
            let of: Vec<&Answered> = alarms.iter().filter(|alarm| alarm.urgency == urgency).collect();
            OfUrgency {
                urgency,
                alarms: of.len(),
                open: of.iter().filter(|alarm| alarm.is_open).count(),
                times: (urgency != TEST).then(|| times(&of)),
            }
        })
        .collect()
}

/// The times of alarms for which a person waits: neither technical ones nor tests.
#[must_use]
pub fn of_people(alarms: &[Answered]) -> Times {
    let of: Vec<&Answered> =
        alarms.iter().filter(|alarm| alarm.urgency != TEST && alarm.urgency != TECHNICAL).collect();
    times(&of)
}

fn times(alarms: &[&Answered]) -> Times {
    let step = |which: usize| spread(alarms.iter().filter_map(|alarm| duration_ms(alarm, which)).collect());
    Times { acknowledged: step(0), dispatched: step(1), on_site: step(2), resolved: step(3) }
}

fn duration_ms(alarm: &Answered, which: usize) -> Option<i64> {
    let at_ms = alarm.steps_ms.get(which).copied().flatten()?;
    Some(at_ms.saturating_sub(alarm.raised_ms).max(0))
}

fn spread(mut durations_ms: Vec<i64>) -> Spread {
    durations_ms.sort_unstable();
    let n = durations_ms.len();
    let percentile = |per_mille: usize| {
        let rank = n.saturating_mul(per_mille).div_ceil(1_000);
        durations_ms.get(rank.checked_sub(1)?).map(|ms| *ms as f64 / 1_000.0)
    };
    Spread { n, p50_s: percentile(500), p90_s: percentile(900), p97_5_s: percentile(975), p99_s: percentile(990) }
}

/// The causes with which alarms ended, tests left out, the most frequent first; what is beyond [`FIGURE_CAUSES_MAX`] is one line.
#[must_use]
pub fn by_cause(alarms: &[Answered]) -> Vec<OfCause> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for cause in alarms.iter().filter(|alarm| alarm.urgency != TEST).filter_map(|alarm| alarm.cause.as_deref()) {
        let count = counts.entry(cause).or_default();
        *count = count.saturating_add(1);
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, alarms)| std::cmp::Reverse(*alarms));
    let rest: usize = counts.iter().skip(FIGURE_CAUSES_MAX).map(|(_, alarms)| alarms).sum();
    let named = counts.into_iter().take(FIGURE_CAUSES_MAX);
    let mut causes: Vec<OfCause> =
        named.map(|(cause, alarms)| OfCause { cause: Some(cause.to_owned()), alarms }).collect();
    if rest > 0 {
        causes.push(OfCause { cause: None, alarms: rest });
    }
    causes
}

/// Sorts alarms into hours or days, whose first milliseconds are given, ascending.
#[must_use]
pub fn buckets(alarms: &[Answered], starts: Vec<(i64, String)>) -> Vec<Bucket> {
    let mut sorted: Vec<Vec<&Answered>> = vec![Vec::new(); starts.len()];
    for alarm in alarms {
        let behind = starts.partition_point(|(from_ms, _)| *from_ms <= alarm.received_ms);
        if let Some(bucket) = behind.checked_sub(1).and_then(|at| sorted.get_mut(at)) {
            bucket.push(alarm);
        }
    }
    starts
        .into_iter()
        .zip(sorted)
        .map(|((from_ms, from), alarms)| {
            let tests = alarms.iter().filter(|alarm| alarm.urgency == TEST).count();
            let waited: Vec<i64> = alarms
                .iter()
                .filter(|alarm| alarm.urgency != TEST && alarm.urgency != TECHNICAL)
                .filter_map(|alarm| duration_ms(alarm, 0))
                .collect();
            let count = alarms.len().saturating_sub(tests);
            Bucket { from_ms, from, alarms: count, tests, acknowledged: spread(waited) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen_after(urgency: &str, received_ms: i64, after_ms: i64) -> Answered {
        let steps_ms = [Some(received_ms.saturating_add(after_ms)), None, None, None];
        Answered { urgency: urgency.to_owned(), received_ms, raised_ms: received_ms, steps_ms, ..Answered::default() }
    }

    #[test]
    fn percentiles_are_by_nearest_rank_and_nothing_has_none() {
        let hundred: Vec<Answered> = (1..=100).map(|s| seen_after("emergency", 0, s * 1_000)).collect();
        let times = of_people(&hundred);
        let seen = &times.acknowledged;
        assert_eq!((seen.n, seen.p50_s, seen.p90_s), (100, Some(50.0), Some(90.0)));
        assert_eq!((seen.p97_5_s, seen.p99_s), (Some(98.0), Some(99.0)));
        assert_eq!(times.dispatched, Spread::default());
        assert_eq!(spread(vec![400]).p99_s, Some(0.4));
    }

    #[test]
    fn tests_are_counted_apart_and_in_no_time() {
        let alarms = [seen_after("test", 5, 1_000), seen_after("urgent", 5, 2_000), seen_after("technical", 5, 9_000)];
        assert_eq!(of_people(&alarms).acknowledged.n, 1);
        let by_urgency = by_urgency(&alarms);
        let test = by_urgency.iter().find(|of| of.urgency == "test").expect("a line of its own");
        assert_eq!((test.alarms, &test.times), (1, &None));
        let buckets = buckets(&alarms, vec![(0, "first".to_owned()), (6, "second".to_owned())]);
        assert_eq!((buckets[0].alarms, buckets[0].tests, buckets[0].acknowledged.p50_s), (2, 1, Some(2.0)));
        assert_eq!((buckets[1].alarms, buckets[1].acknowledged.p50_s), (0, None));
    }

    #[test]
    fn causes_are_counted_most_frequent_first_and_the_rest_is_one_line() {
        let mut alarms: Vec<Answered> = Vec::new();
        for cause in 0..FIGURE_CAUSES_MAX + 2 {
            for _ in 0..=usize::from(cause == 3) {
                alarms.push(Answered { cause: Some(format!("cause {cause:02}")), ..seen_after("urgent", 0, 0) });
            }
        }
        let causes = by_cause(&alarms);
        assert_eq!(causes.first(), Some(&OfCause { cause: Some("cause 03".to_owned()), alarms: 2 }));
        assert_eq!(causes.last(), Some(&OfCause { cause: None, alarms: 2 }));
    }
}
