//! What still has to reach the centre, by lane.
//!
//! The outbox holds no entries, only a cursor for each lane: everything up to it is done. What is done above the cursor
//! is kept by number until the gap closes. Entries are read from the journal when they are sent.
//!
//! An upload that is refused as a whole is halved until single entries; one that is refused alone stands aside while the
//! others go. When another one gets through, so that the way is good, it goes to quarantine; an alarm does not, it is tried
//! again for as long as it waits.
//!
//! The lane of alarms has several uploads under way: one that was recorded since the last of them began goes out at once,
//! by an upload that begins where that one ended, so that it never waits for an exchange that stalls.
//!
//! An entry in quarantine can be given back by staff. It is sent alone when nothing else of its lane waits, and what the centre
//! says of it then stands; for the cursor it stays done all along.
//!
//! **Invariant:** the cursor moves only by an upload that began at or below it, since only that has sent every entry in
//! between.
//! **Invariant:** no refused entry stops its lane, and a way that refuses everything puts nothing in quarantine.
//! **Invariant:** an entry is done only when its own number came back as accepted or duplicate, or when it is quarantined.

use std::collections::BTreeSet;

use protocols::uplink::{Outcome, UploadResult};
use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::effect::Effect;
use crate::input::OutLane;
use crate::limits::{
    ALARM_UPLOADS_MAX, DONE_AHEAD_MAX, REFUSED_IN_A_ROW_MAX, REFUSED_KEPT_MAX, RETRY_MS_MAX, RETRY_MS_MAX_ALARMS,
    UPLOAD_ENTRIES_MAX,
};

/// Why an entry is in quarantine that something on the way did not take.
pub(crate) const UPLOAD_REFUSED_WHOLE: &str = "refused_whole";
/// Why an entry is in quarantine that does not fit its hash: it is never sent.
pub(crate) const ENTRY_DAMAGED: &str = "damaged";
/// Why an entry is in quarantine that the journal no longer has.
const ENTRY_GONE: &str = "gone";

/// One lane, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaneRecord {
    /// Every entry of the lane up to here is done.
    pub cursor: u64,
    /// Done above the cursor.
    pub done: BTreeSet<u64>,
    /// Entries of the lane that are not done, those of `again` among them.
    pub waiting: u64,
    /// Entries that were in quarantine and are sent again because staff want it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub again: BTreeSet<u64>,
}

impl LaneRecord {
    /// Whether an entry of the lane is at the centre, or in quarantine.
    pub fn has(&self, n: u64) -> bool {
        (n <= self.cursor || self.done.contains(&n)) && !self.again.contains(&n)
    }
}

/// One lane.
#[derive(Debug)]
pub(crate) struct OutboxLane {
    pub lane: OutLane,
    pub record: LaneRecord,
    under_way: Vec<UnderWay>,
    /// How far uploads beside a stalled one have come.
    beside_up_to: u64,
    /// The journal's head when entries of the lane last became durable.
    pub newest: u64,
    pub backoff: Backoff,
    /// Whether the centre itself asked for the pause under way.
    pub asked_to_wait: bool,
    /// Entries in the next upload.
    batch: usize,
    /// Entries that were refused alone.
    aside: BTreeSet<u64>,
    /// How many of them in a row, with nothing taken in between.
    in_a_row: u32,
    /// The one of them that was tried again last; whether another try is due.
    retried: u64,
    retry_due: bool,
    pub aside_backoff: Backoff,
}

/// An upload under way.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    /// It has entries above this only.
    after: u64,
    /// Entries above this it need not have: they were recorded since it began.
    up_to: u64,
    /// It has this entry only, sent again.
    again: Option<u64>,
}

/// What an upload that was refused as a whole calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusedWhole {
    /// Go on at once, with less or with the next.
    GoOn,
    /// Pause: the way to the centre takes nothing.
    WayAtFault,
    /// It was this entry, sent again: back to quarantine with it.
    BackToQuarantine(u64),
}

/// What came of one upload.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Numbers the centre has.
    pub delivered: Vec<u64>,
    /// Numbers the centre will never take.
    pub quarantined: Vec<UploadResult>,
    /// The first number of those that stand aside although the way is good.
    pub refused_alone: Option<u64>,
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
        Self {
            lane,
            record,
            under_way: Vec::new(),
            beside_up_to: 0,
            newest: 0,
            backoff: Backoff::new(ms_max, seed),
            asked_to_wait: false,
            batch: UPLOAD_ENTRIES_MAX,
            aside: BTreeSet::new(),
            in_a_row: 0,
            retried: 0,
            retry_due: false,
            aside_backoff: Backoff::new(RETRY_MS_MAX, seed.wrapping_add(64)),
        }
    }

    /// The upload to make now, if there is something to send that none under way has.
    pub fn start(&mut self) -> Option<Effect> {
        if self.record.waiting == 0 {
            return None;
        }
        if !self.under_way.is_empty() {
            return self.start_beside();
        }
        if self.record.waiting <= self.aside.len().saturating_add(self.record.again.len()) as u64 {
            return self.start_again().or_else(|| self.start_aside());
        }
        // At the bound only the gap goes out: nothing more is done above it until it closes.
        let room = DONE_AHEAD_MAX.saturating_sub(self.record.done.len()).max(1);
        Some(self.upload(self.record.cursor, self.batch.min(room)))
    }

    /// What was recorded since the uploads under way began, on its own.
    fn start_beside(&mut self) -> Option<Effect> {
        let uploads_max = match self.lane {
            OutLane::Alarms => ALARM_UPLOADS_MAX,
            OutLane::AlarmNotes | OutLane::Sales | OutLane::Rest => 1,
        };
        let up_to = self.under_way.iter().map(|upload| upload.up_to).max()?.max(self.beside_up_to);
        let has_room = self.under_way.len() < uploads_max && self.record.done.len() < DONE_AHEAD_MAX;
        (has_room && self.newest > up_to).then(|| self.upload(up_to, self.batch))
    }

    fn upload(&mut self, after: u64, max: usize) -> Effect {
        self.under_way.push(UnderWay { after, up_to: self.newest.max(after), again: None });
        let except = self.record.done.union(&self.aside).copied().filter(|n| *n > after).collect();
        Effect::Upload { lane: self.lane, after, except, max }
    }

    /// The upload from `after` on is over.
    fn over(&mut self, after: u64) -> Option<UnderWay> {
        let upload = self.under_way.iter().find(|upload| upload.after == after).copied();
        self.under_way.retain(|upload| upload.after != after);
        upload
    }

    /// Gives an entry that is in quarantine back; false where it was given back before.
    pub fn give_back(&mut self, n: u64) -> bool {
        let new = self.record.again.insert(n);
        if new {
            self.record.waiting = self.record.waiting.saturating_add(1);
        }
        new
    }

    /// An entry that was given back is dealt with; false where it was none.
    fn end_again(&mut self, n: u64) -> bool {
        let was = self.record.again.remove(&n);
        if was {
            self.record.waiting = self.record.waiting.saturating_sub(1);
        }
        was
    }

    /// Sends the first entry that was given back.
    fn start_again(&mut self) -> Option<Effect> {
        let n = self.record.again.first().copied()?;
        let after = n.saturating_sub(1);
        self.under_way.push(UnderWay { after, up_to: self.newest.max(after), again: Some(n) });
        Some(Effect::Upload { lane: self.lane, after, except: Vec::new(), max: 1 })
    }

    /// Tries one entry that stands aside again, each in its turn.
    fn start_aside(&mut self) -> Option<Effect> {
        if !std::mem::take(&mut self.retry_due) {
            return None;
        }
        let next = self.aside.range(self.retried.saturating_add(1)..).next().or_else(|| self.aside.first());
        let n = *next?;
        self.retried = n;
        let after = n.saturating_sub(1);
        self.under_way.push(UnderWay { after, up_to: self.newest.max(after), again: None });
        Some(Effect::Upload { lane: self.lane, after, except: Vec::new(), max: 1 })
    }

    /// Whether entries stand aside.
    pub fn has_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    /// The time for another try of them has come.
    pub const fn retry_aside(&mut self) {
        self.retry_due = true;
    }

    /// The upload from `after` on ended without a usable answer.
    pub fn failed(&mut self, after: u64) {
        self.over(after);
    }

    /// The upload from `after` on was refused as a whole.
    pub fn refused_whole(&mut self, after: u64, sent: &[u64]) -> RefusedWhole {
        let upload = self.over(after);
        if let Some(n) = upload.and_then(|upload| upload.again) {
            return if self.end_again(n) { RefusedWhole::BackToQuarantine(n) } else { RefusedWhole::GoOn };
        }
        let n = match sent {
            [n] => *n,
            [] => return RefusedWhole::WayAtFault,
            [_, ..] => {
                self.batch = (sent.len() / 2).max(1);
                return RefusedWhole::GoOn;
            }
        };
        self.batch = 1;
        if self.aside.contains(&n) {
            return RefusedWhole::GoOn;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row > REFUSED_IN_A_ROW_MAX || self.aside.len() >= REFUSED_KEPT_MAX {
            self.in_a_row = 0;
            self.aside.clear();
            return RefusedWhole::WayAtFault;
        }
        self.aside.insert(n);
        RefusedWhole::GoOn
    }

    /// The centre answered the upload from `after` on: only numbers that were sent and that it names count.
    pub fn answered(&mut self, after: u64, sent: &[u64], results: Vec<UploadResult>) -> Progress {
        let upload = self.over(after);
        self.beside_up_to = self.beside_up_to.max(sent.last().copied().unwrap_or(0));
        let mut open: BTreeSet<u64> = sent.iter().copied().collect();
        let mut progress = Progress::default();
        let mut way_is_good = false;
        for result in results {
            let Some(n) = result.n else { continue };
            if !open.remove(&n) {
                continue;
            }
            way_is_good |= !self.aside.remove(&n);
            self.end_again(n);
            match result.outcome {
                Outcome::Accepted | Outcome::Duplicate => progress.delivered.push(n),
                Outcome::Conflict | Outcome::Refused => progress.quarantined.push(result),
            }
            // Two uploads may have the same entry, where the second began before the first was read.
            if n > self.record.cursor && self.record.done.insert(n) {
                self.record.waiting = self.record.waiting.saturating_sub(1);
            }
        }
        if after <= self.record.cursor {
            self.move_cursor(&open, sent);
        }
        if let Some(n) = upload.and_then(|upload| upload.again).filter(|n| !sent.contains(n)) {
            progress.quarantined.extend(self.gone(n));
        }
        if way_is_good {
            self.in_a_row = 0;
            self.batch = self.batch.saturating_mul(2).min(UPLOAD_ENTRIES_MAX);
            self.judge_aside(&mut progress);
        }
        progress
    }

    fn move_cursor(&mut self, open: &BTreeSet<u64>, sent: &[u64]) {
        let gap = open.first().into_iter().chain(self.aside.first()).min();
        let reach = match (gap, sent.last()) {
            (Some(gap), Some(last)) => gap.saturating_sub(1).min(*last),
            (None, Some(last)) => *last,
            (_, None) => self.record.cursor,
        };
        self.record.cursor = self.record.cursor.max(reach);
        let cursor = self.record.cursor;
        self.record.done.retain(|n| *n > cursor);
    }

    /// Others get through, so what stands aside is itself at fault. Alarms go on being tried, up to the bound of what may
    /// be done ahead of them.
    fn judge_aside(&mut self, progress: &mut Progress) {
        progress.refused_alone = self.aside.first().copied();
        let goes_on = match self.lane {
            OutLane::Alarms | OutLane::AlarmNotes => self.record.done.len() < DONE_AHEAD_MAX,
            OutLane::Sales | OutLane::Rest => false,
        };
        if goes_on {
            return;
        }
        for n in std::mem::take(&mut self.aside) {
            let reason = Some(UPLOAD_REFUSED_WHOLE.to_owned());
            progress.quarantined.push(UploadResult { n: Some(n), outcome: Outcome::Refused, reason });
            self.record.done.insert(n);
            self.record.waiting = self.record.waiting.saturating_sub(1);
        }
    }

    /// The journal no longer has an entry that was given back.
    fn gone(&mut self, n: u64) -> Option<UploadResult> {
        let reason = Some(ENTRY_GONE.to_owned());
        self.end_again(n).then_some(UploadResult { n: Some(n), outcome: Outcome::Refused, reason })
    }

    /// An entry that will never be sent counts as done.
    pub fn leave_out(&mut self, n: u64) {
        self.aside.remove(&n);
        self.end_again(n);
        if n > self.record.cursor && self.record.done.insert(n) {
            self.record.waiting = self.record.waiting.saturating_sub(1);
        }
    }

    /// The journal had nothing to send although the count said so. Gives an entry that was given back and is not there.
    pub fn nothing_to_send(&mut self, after: u64) -> Option<UploadResult> {
        let upload = self.over(after);
        if let Some(n) = upload.and_then(|upload| upload.again) {
            return self.gone(n);
        }
        self.beside_up_to = self.beside_up_to.max(upload.map_or(0, |upload| upload.up_to));
        if after <= self.record.cursor && self.under_way.is_empty() {
            self.record.waiting = self.aside.len().saturating_add(self.record.again.len()) as u64;
        } else if after == self.retried.saturating_sub(1) {
            self.aside.remove(&self.retried);
        }
        None
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
        lane.failed(0);
        assert!(lane.start().is_some());
        lane.answered(0, &[3], vec![result(3, Outcome::Accepted)]);
        assert!(lane.start().is_none());
    }

    #[test]
    fn c5_only_numbers_that_were_sent_and_named_count() {
        let mut lane = lane(3);
        lane.start();
        let progress = lane.answered(0, &[2, 5, 9], vec![result(5, Outcome::Accepted), result(77, Outcome::Accepted)]);
        assert_eq!(progress.delivered, [5]);
        assert_eq!((lane.record.cursor, lane.record.waiting), (1, 2));
        assert_eq!(lane.record.done.iter().copied().collect::<Vec<_>>(), [5]);
        lane.start();
        lane.answered(1, &[2, 9], vec![result(9, Outcome::Duplicate), result(2, Outcome::Accepted)]);
        assert_eq!(lane.record, LaneRecord { cursor: 9, ..LaneRecord::default() });
    }

    #[test]
    fn an_entry_that_the_centre_never_names_bounds_what_is_done_ahead_of_it() {
        let mut lane = lane(20_000);
        let (mut next, mut rounds) = (2, 0);
        while let Some(Effect::Upload { after, except, max, .. }) = lane.start() {
            assert!(except.len() <= DONE_AHEAD_MAX, "{}", except.len());
            let mut sent = vec![1];
            sent.extend((next..).take(max - 1));
            next = sent.last().map_or(next, |last| next.max(last + 1));
            lane.answered(
                after,
                &sent,
                sent.iter().filter(|n| **n != 1).map(|n| result(*n, Outcome::Accepted)).collect(),
            );
            rounds += 1;
            if rounds == 40 {
                break;
            }
        }
        assert!(lane.record.done.len() <= DONE_AHEAD_MAX, "{}", lane.record.done.len());
        let cursor = next - 1;
        lane.answered(0, &[1], vec![result(1, Outcome::Accepted)]);
        assert!(lane.start().is_some());
        lane.answered(lane.record.cursor, &[next], vec![result(next, Outcome::Accepted)]);
        assert!(lane.record.cursor > cursor && lane.record.done.is_empty());
    }

    #[test]
    fn c8_a_refused_entry_goes_to_quarantine_and_the_rest_flows_on() {
        let mut lane = lane(2);
        lane.start();
        let progress = lane.answered(0, &[1, 2], vec![result(1, Outcome::Refused), result(2, Outcome::Accepted)]);
        assert_eq!(progress.delivered, [2]);
        assert_eq!(progress.quarantined.len(), 1);
        assert_eq!(lane.record.cursor, 2);
    }

    fn after_of(effect: Option<Effect>) -> Option<u64> {
        let effect = effect?;
        let Effect::Upload { after, .. } = effect else { panic!("an upload, not {effect:?}") };
        Some(after)
    }

    #[test]
    fn an_upload_that_began_above_the_cursor_leaves_what_is_below_it_waiting() {
        let mut lane = OutboxLane::new(OutLane::Alarms, LaneRecord { waiting: 1, ..LaneRecord::default() }, 1);
        lane.newest = 5;
        assert_eq!(after_of(lane.start()), Some(0));
        assert_eq!(after_of(lane.start()), None, "nothing new");
        (lane.newest, lane.record.waiting) = (9, 2);
        assert_eq!(after_of(lane.start()), Some(5));
        lane.answered(5, &[9], vec![result(9, Outcome::Accepted)]);
        assert_eq!((lane.record.cursor, lane.record.waiting), (0, 1));
        lane.failed(0);
        assert_eq!(after_of(lane.start()), Some(0));
        lane.answered(0, &[4], vec![result(4, Outcome::Accepted)]);
        assert_eq!((lane.record.cursor, lane.record.waiting), (4, 0));
        assert!(lane.record.has(9));
    }
}
