//! An entry that the centre did not take is given back to its lane by staff.
//!
//! **Invariant:** that an entry is out of quarantine, and who wanted it, is one transaction: a power cut leaves it in quarantine or
//! waiting in its lane, never neither.
//! **Invariant:** a wish that was carried out before is a success and records nothing.

use protocols::id::ActorId;
use protocols::uplink::{EntrySentAgainBody, kind};

use crate::core::{Core, Quarantined, Storage};
use crate::effect::{DeskAnswer, Effect, Refusal};
use crate::input::{OutLane, ReplyToken};
use crate::journal::{Draft, Identity};
use crate::outbox::ENTRY_DAMAGED;
use crate::time::Now;

impl Core {
    /// Staff want an entry in quarantine to be offered to the centre again.
    pub(crate) fn send_again(&mut self, reply: ReplyToken, n: u64, by: ActorId, now: &Now) {
        let answer = match self.try_send_again(n, by, now) {
            Ok(waiting) => DeskAnswer::SentAgain { n, waiting },
            Err(refusal) => DeskAnswer::Refused(refusal),
        };
        self.emit_durable(Effect::Reply { token: reply, answer });
    }

    fn try_send_again(&mut self, n: u64, by: ActorId, now: &Now) -> Result<bool, Refusal> {
        if self.config.storage == Storage::Dead {
            return Err(Refusal::StorageDown);
        }
        let Some(Quarantined { lane, reason, .. }) = self.quarantine.get(&n).cloned() else {
            if n == 0 || n > self.journal.committed_n() {
                return Err(Refusal::EntryUnknown);
            }
            return Ok(self.lanes.iter().any(|lane| lane.record.again.contains(&n)));
        };
        if reason.as_deref() == Some(ENTRY_DAMAGED) {
            return Err(Refusal::EntryDamaged);
        }
        let body = EntrySentAgainBody { n, by, reason };
        self.journal.record(
            Draft {
                identity: Identity::Own,
                kind: kind::ENTRY_SENT_AGAIN,
                about: None,
                body: &body,
                fingerprint: 0,
                lane: OutLane::Rest,
                private: None,
            },
            now,
        );
        self.quarantine.remove(&n);
        self.journal.delete(format!("quarantine/{n:020}"));
        if let Some(found) = self.lanes.iter_mut().find(|found| found.lane == lane) {
            found.give_back(n);
        }
        self.save_lane(lane);
        Ok(true)
    }
}
