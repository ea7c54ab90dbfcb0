//! Presses that part from the alarm they were folded into, since the centre has resolved that one without them.
//!
//! The centre may resolve an alarm while a further press on it is on its way there. It makes an alarm of its own of that
//! press, named by the press. The gateway does the same, so that the press stays open here too, and its device is told
//! how far *its* alarm has come, not that the old one has ended.
//!
//! **Invariant:** a press that the centre may not have when it resolves the alarm is never told as resolved by that.
//! **Invariant:** a press belongs to one alarm.

use std::collections::BTreeSet;

use protocols::device::AlarmState;
use protocols::id::{DeviceEpoch, Seq};
use protocols::uplink::{AlarmBody, AlarmStateOrder, Epoch, Order, Origin, Source, order_kind};

use crate::alarms::{Alarm, Parted};
use crate::core::{Core, Held};
use crate::input::OutLane;
use crate::time::Now;

impl Core {
    /// Whether an order is about an alarm that is not known here: it is carried out before the others of its page, since it
    /// may take its press out of an alarm that another one resolves.
    pub(crate) fn is_about_unknown_alarm(&self, order: &Order) -> bool {
        order.kind == order_kind::ALARM_STATE
            && serde_json::from_str::<AlarmStateOrder>(order.body.get())
                .is_ok_and(|order| self.alarms.get(&order.alarm.alarm_id()).is_none())
    }

    /// The centre speaks of a press as of an alarm: it parts from the alarm it was folded into, with those after it where the
    /// centre has ended that one without them, alone where it only is an alarm beside the others. False where it was in none.
    pub(crate) fn part_named_press(&mut self, order: &AlarmStateOrder, now: &Now) -> bool {
        if let Some((of, n)) = self.alarms.with_entry_on_its_way(&order.alarm) {
            let of = of.to_owned();
            // What was only counted since goes with it.
            self.tell_unrecorded(&of, now);
            let Some(old) = self.alarms.get(&of) else { return false };
            let about = old.on_their_way.get(&n).and_then(|way| way.about.as_ref());
            // Of an alarm that another gateway's press began, those behind it are where this one counted them.
            let with_rest = order.follows.as_ref().is_some_and(|follows| follows == about.unwrap_or(&old.origin));
            let rest = old.on_their_way.iter().filter(|(_, way)| with_rest && way.about.as_ref() == about);
            let entries: BTreeSet<u64> = rest.map(|(n, _)| *n).filter(|later| *later > n).chain([n]).collect();
            // Where it is an alarm beside the others the centre has it, whatever became of this entry.
            return self.part_from_entries(&of, &entries, !with_rest, now);
        }
        let (Source::Device(device), Epoch::Number(epoch)) = (&order.alarm.source, &order.alarm.epoch) else {
            return false;
        };
        let Some(of) = self.alarms.last_with_press(device, *epoch, order.alarm.seq).map(str::to_owned) else {
            return false;
        };
        self.tell_unrecorded(&of, now);
        let Some(old) = self.alarms.get_mut(&of) else { return false };
        // Its own entry is at the centre, those behind it may not be.
        let with_rest = order.follows.as_ref() == Some(&old.origin);
        let parted = old.part_press((*epoch, order.alarm.seq), with_rest);
        if parted.presses.is_empty() {
            return false;
        }
        self.begin_parted(&of, order.alarm.clone(), (0, true), parted, now);
        true
    }

    /// The centre resolves an alarm: what it had not of it then parts, as one alarm for each that those entries name. `ended`:
    /// the entries that it had. Whether it has one now says nothing: it may have come since.
    pub(crate) fn part_presses_on_their_way(&mut self, id: &str, ended: &[Origin], now: &Now) {
        let Some(alarm) = self.alarms.get(id).filter(|alarm| alarm.is_open()) else { return };
        let mut parting: Vec<(Option<Origin>, BTreeSet<u64>)> = Vec::new();
        for (n, way) in alarm.on_their_way.iter().filter(|(_, way)| !ended.contains(&way.origin)) {
            match parting.iter_mut().find(|(about, _)| *about == way.about) {
                Some((_, entries)) => drop(entries.insert(*n)),
                None => parting.push((way.about.clone(), BTreeSet::from([*n]))),
            }
        }
        for (_, entries) in parting {
            self.part_from_entries(id, &entries, false, now);
        }
    }

    /// Whether the centre has an entry of a lane.
    pub(crate) fn has_centre(&self, n: u64, lane: OutLane) -> bool {
        self.lanes.iter().any(|found| found.lane == lane && found.record.has(n))
    }

    /// Lets entries part from an alarm, as the one that the first of them is named by. `at_centre`: the centre has that one in
    /// any case.
    fn part_from_entries(&mut self, of: &str, entries: &BTreeSet<u64>, at_centre: bool, now: &Now) -> bool {
        let Some(n) = entries.first().copied() else { return false };
        let Some(old) = self.alarms.get_mut(of) else { return false };
        let Some(way) = old.on_their_way.get(&n).cloned() else { return false };
        let parted = old.part_entries(entries);
        let at_centre = at_centre || self.has_centre(n, way.lane);
        self.begin_parted(of, way.origin, (n, at_centre), parted, now);
        true
    }

    /// Begins the alarm of what parted. `n`: the number of its first entry, with whether the centre has it: that will not
    /// be told as accepted again.
    fn begin_parted(&mut self, of: &str, origin: Origin, (n, at_centre): (u64, bool), parted: Parted, now: &Now) {
        let Some(old) = self.alarms.get(of).cloned() else { return };
        let body = AlarmBody {
            kind: old.kind.clone(),
            urgency: old.urgency,
            device: old.device.clone(),
            boot: None,
            up_ms: None,
            at: None,
            battery_mv: None,
            rssi_dbm: None,
            detail: old.detail.clone(),
        };
        let first = first_of(&origin, &parted.presses);
        let mut new = Alarm::new(origin, n, &body, first, &now.civil);
        new.presses = u64::try_from(parted.presses.len().max(1)).unwrap_or(u64::MAX);
        for (epoch, seq) in parted.presses.into_iter().filter(|press| Some(*press) != first) {
            new.seqs_mut(epoch).push(seq);
        }
        new.counted = parted.counted;
        (new.press_n, new.press_lane) = (parted.press_n, old.press_lane);
        new.on_their_way = parted.on_their_way;
        // Its own first entry is no further press on it.
        new.on_their_way.remove(&n);
        new.state = if at_centre { AlarmState::Accepted } else { AlarmState::Raised };
        let (id, state) = (new.id.clone(), new.state);
        self.save_alarm(&old);
        self.save_alarm(&new);
        self.alarms.insert(new);
        self.watch_press(&id, false, now);
        self.after_durable(Held::ShowAlarm { alarm: id.clone(), state });
        self.tell_alarm(&id);
    }
}

/// The press that an alarm begins with: its own, where its entry is about one, else the first of those that the entry tells of.
fn first_of(origin: &Origin, presses: &[(DeviceEpoch, Seq)]) -> Option<(DeviceEpoch, Seq)> {
    let own = |(epoch, seq): &&(DeviceEpoch, Seq)| origin.epoch == Epoch::Number(*epoch) && origin.seq == *seq;
    presses.iter().find(own).or(presses.first()).copied()
}
