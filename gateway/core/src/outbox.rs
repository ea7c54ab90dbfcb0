//! What still has to reach the centre, by lane.
//!
//! The outbox holds no entries, only a cursor for each lane: everything up to it is done. What is done above the cursor
//! is kept by number until the gap closes. Entries are read from the journal when they are sent.
//!
//! **Invariant:** an entry is done only when its own number came back as accepted or duplicate, or when it is quarantined.

use std::collections::BTreeSet;

use protocols::uplink::{Outcome, UploadResult};
use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::effect::Effect;
use crate::input::OutLane;
use crate::limits::{DONE_AHEAD_MAX, RETRY_MS_MAX, RETRY_MS_MAX_ALARMS, UPLOAD_ENTRIES_MAX};

/// One lane, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaneRecord {
    /// Every entry of the lane up to here is done.
    pub cursor: u64,
    /// Done above the cursor.
    pub done: BTreeSet<u64>,
    /// Entries of the lane that are not done.
    pub waiting: u64,
}

impl LaneRecord {
    /// Whether an entry of the lane is at the centre, or in quarantine.
    pub fn has(&self, n: u64) -> bool {
        n <= self.cursor || self.done.contains(&n)
    }
}

/// One lane.
#[derive(Debug)]
pub(crate) struct OutboxLane {
    pub lane: OutLane,
    pub record: LaneRecord,
    under_way: bool,
    pub backoff: Backoff,
}

/// What came of one upload.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Numbers the centre has.
    pub delivered: Vec<u64>,
    /// Numbers the centre will never take.
    pub quarantined: Vec<UploadResult>,
}

impl Progress {
    /// Whether anything moved.
    pub fn any(&self) -> bool {
        !self.delivered.is_empty() || !self.quarantined.is_empty()
    }
}

impl OutboxLane {
    pub fn new(lane: OutLane, record: LaneRecord, seed: u64) -> Self {
        let ms_max = match lane {
            OutLane::Alarms | OutLane::AlarmNotes => RETRY_MS_MAX_ALARMS,
            OutLane::Sales | OutLane::Rest => RETRY_MS_MAX,
        };
        Self { lane, record, under_way: false, backoff: Backoff::new(ms_max, seed) }
    }

    /// The upload to make now, if there is something to send and none is under way.
    pub fn start(&mut self) -> Option<Effect> {
        if self.under_way || self.record.waiting == 0 {
            return None;
        }
        self.under_way = true;
        // At the bound only the gap goes out: nothing more is done above it until it closes.
        let room = DONE_AHEAD_MAX.saturating_sub(self.record.done.len()).max(1);
        Some(Effect::Upload {
            lane: self.lane,
            after: self.record.cursor,
            except: self.record.done.iter().copied().collect(),
            max: UPLOAD_ENTRIES_MAX.min(room),
        })
    }

    /// The upload under way ended without a usable answer.
    pub const fn failed(&mut self) {
        self.under_way = false;
    }

    /// The centre answered: only numbers that were sent and that it names count.
    pub fn answered(&mut self, sent: &[u64], results: Vec<UploadResult>) -> Progress {
        self.under_way = false;
        let mut open: BTreeSet<u64> = sent.iter().copied().collect();
        let mut progress = Progress::default();
        for result in results {
            let Some(n) = result.n else { continue };
            if !open.remove(&n) {
                continue;
            }
            match result.outcome {
                Outcome::Accepted | Outcome::Duplicate => progress.delivered.push(n),
                Outcome::Conflict | Outcome::Refused => progress.quarantined.push(result),
            }
            self.record.done.insert(n);
            self.record.waiting = self.record.waiting.saturating_sub(1);
        }
        let reach = match (open.first(), sent.last()) {
            (Some(gap), _) => gap.saturating_sub(1),
            (None, Some(last)) => *last,
            (None, None) => self.record.cursor,
        };
        self.record.cursor = self.record.cursor.max(reach);
        let cursor = self.record.cursor;
        self.record.done.retain(|n| *n > cursor);
        progress
    }

    /// An entry that will never be sent counts as done.
    pub fn set_aside(&mut self, n: u64) {
        if n > self.record.cursor && self.record.done.insert(n) {
            self.record.waiting = self.record.waiting.saturating_sub(1);
        }
    }

    /// The journal had nothing to send although the count said so.
    pub const fn nothing_to_send(&mut self) {
        self.under_way = false;
        self.record.waiting = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(waiting: u64) -> OutboxLane {
        OutboxLane::new(OutLane::Rest, LaneRecord { waiting, ..LaneRecord::default() }, 1)
    }

    fn result(n: u64, outcome: Outcome) -> UploadResult {
        UploadResult { n: Some(n), outcome, reason: None }
    }

    #[test]
    fn one_upload_at_a_time_and_none_without_entries() {
        let mut lane = lane(1);
        assert!(lane.start().is_some());
        assert!(lane.start().is_none());
        lane.failed();
        assert!(lane.start().is_some());
        lane.answered(&[3], vec![result(3, Outcome::Accepted)]);
        assert!(lane.start().is_none());
    }

    #[test]
    fn c5_only_numbers_that_were_sent_and_named_count() {
        let mut lane = lane(3);
        lane.start();
        let progress = lane.answered(&[2, 5, 9], vec![result(5, Outcome::Accepted), result(77, Outcome::Accepted)]);
        assert_eq!(progress.delivered, [5]);
        assert_eq!((lane.record.cursor, lane.record.waiting), (1, 2));
        assert_eq!(lane.record.done.iter().copied().collect::<Vec<_>>(), [5]);
        lane.start();
        lane.answered(&[2, 9], vec![result(9, Outcome::Duplicate), result(2, Outcome::Accepted)]);
        assert_eq!(lane.record, LaneRecord { cursor: 9, done: BTreeSet::new(), waiting: 0 });
    }

    #[test]
    fn an_entry_that_the_centre_never_names_bounds_what_is_done_ahead_of_it() {
        let mut lane = lane(20_000);
        let (mut next, mut rounds) = (2, 0);
        while let Some(Effect::Upload { except, max, .. }) = lane.start() {
            assert!(except.len() <= DONE_AHEAD_MAX, "{}", except.len());
            let mut sent = vec![1];
            sent.extend((next..).take(max - 1));
            next = sent.last().map_or(next, |last| next.max(last + 1));
            lane.answered(&sent, sent.iter().filter(|n| **n != 1).map(|n| result(*n, Outcome::Accepted)).collect());
            rounds += 1;
            if rounds == 40 {
                break;
            }
        }
        assert!(lane.record.done.len() <= DONE_AHEAD_MAX, "{}", lane.record.done.len());
        let cursor = next - 1;
        lane.answered(&[1], vec![result(1, Outcome::Accepted)]);
        assert!(lane.start().is_some());
        lane.answered(&[next], vec![result(next, Outcome::Accepted)]);
        assert!(lane.record.cursor > cursor && lane.record.done.is_empty());
    }

    #[test]
    fn c8_a_refused_entry_goes_to_quarantine_and_the_rest_flows_on() {
        let mut lane = lane(2);
        lane.start();
        let progress = lane.answered(&[1, 2], vec![result(1, Outcome::Refused), result(2, Outcome::Accepted)]);
        assert_eq!(progress.delivered, [2]);
        assert_eq!(progress.quarantined.len(), 1);
        assert_eq!(lane.record.cursor, 2);
    }
}
