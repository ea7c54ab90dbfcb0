//! Alarms whose state record is damaged, from the entries of the journal: so that a press that is in the journal is shown again.
//!
//! ```text
//! damaged keys ──> Rebuild <── entries about alarms, ascending
//!                     └──> state values ──> restore: saved anew, and the centre's orders about alarms are heard once more
//! ```
//!
//! **Invariant:** an alarm is rebuilt as open unless an entry says that a person closed it; what only the centre knows of it
//! is learned from its orders afterwards.
//! **Invariant:** an order that is heard once more takes up no alarm that this gateway has forgotten.

use std::collections::BTreeMap;

use protocols::device::AlarmState;
use protocols::id::{DeviceEpoch, Seq};
use protocols::uplink::{
    AlarmBody, AlarmDatedBody, AlarmStepBody, Entry, Epoch, FoldedSeqs, Lane, Order, Origin, OwnAlarm, OwnAlarmBody,
    Source, Urgency, kind,
};

use crate::alarms::{Alarm, AlarmStep, OnItsWay, Sent, lane_of};
use crate::core::Core;
use crate::input::OutLane;
use crate::limits::{ALARM_PRESSES_MAX, ALARMS_WITHOUT_ENTRY_MAX, DELIVERED_PRESSES_KEPT};
use crate::raising::own_alarm;

/// The kinds of entries that tell of alarms.
pub const ALARM_KINDS: [&str; 5] =
    [kind::ALARM_RAISED, kind::ALARM_REPEATED, kind::ALARM_CANCELLED, kind::ALARM_DATED, kind::ALARM_STATE];

const PREFIX: &str = "alarm/";

/// Alarms that are being rebuilt.
#[derive(Debug)]
pub struct Rebuild {
    /// By id; absent until the entry that began it was seen.
    alarms: BTreeMap<String, Option<Alarm>>,
}

impl Rebuild {
    /// Begins with the keys of damaged state records. Only those of alarms can be rebuilt.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let ids = keys.into_iter().filter_map(|key| key.strip_prefix(PREFIX));
        Self { alarms: ids.map(|id| (id.to_owned(), None)).collect() }
    }

    /// Whether there is nothing to rebuild.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alarms.is_empty()
    }

    /// Takes the next entry of one of [`ALARM_KINDS`]; `n`: its number.
    pub fn take(&mut self, n: u64, text: &str) {
        let Ok(entry) = serde_json::from_str::<Entry>(text) else { return };
        if matches!(entry.kind.as_str(), kind::ALARM_RAISED | kind::ALARM_REPEATED)
            && let Some(slot @ None) = self.alarms.get_mut(&entry.origin.alarm_id())
        {
            *slot = begun(n, &entry);
            return;
        }
        let about = entry.about.as_ref().map(Origin::alarm_id);
        let Some(Some(alarm)) = about.and_then(|id| self.alarms.get_mut(&id)) else { return };
        match entry.kind.as_str() {
            kind::ALARM_REPEATED => repeated(alarm, n, &entry),
            kind::ALARM_CANCELLED => alarm.take_back(&entry.recorded_at),
            kind::ALARM_DATED => {
                alarm.late_by_ms = entry.body_as::<AlarmDatedBody>().ok().map(|dated| dated.age_ms);
            }
            kind::ALARM_STATE => {
                if let Ok(AlarmStepBody { state, by, cause, responder, eta_min }) = entry.body_as() {
                    let step = AlarmStep::new(state, Some(by), &entry.recorded_at, cause);
                    alarm.advance(step.with(Sent { responder, eta_min }));
                }
            }
            _ => {}
        }
    }

    /// The state records, key and value. A device's alarm of which no entry tells is taken up as one that only the centre
    /// knows. `at`: civil time, RFC 3339.
    #[must_use]
    pub fn finish(self, at: &str) -> Vec<(String, String)> {
        let mut without_entry = 0;
        let mut records = Vec::new();
        for (id, alarm) in self.alarms {
            let alarm = alarm.or_else(|| {
                without_entry += 1;
                (without_entry <= ALARMS_WITHOUT_ENTRY_MAX).then(|| without_an_entry(&id, at)).flatten()
            });
            if let Some(alarm) = alarm {
                let value = serde_json::to_string(&alarm).expect("an alarm is a plain struct, which always serialises");
                records.push((format!("{PREFIX}{id}"), value));
            }
        }
        records
    }
}

fn begun(n: u64, entry: &Entry) -> Option<Alarm> {
    let body: OwnAlarmBody = entry.body_as().ok()?;
    let press = press_of(&entry.origin).or_else(|| body.report.as_ref().and_then(press_of));
    let mut alarm = Alarm::new(entry.origin.clone(), n, &body.alarm, press, &entry.recorded_at);
    if entry.kind == kind::ALARM_REPEATED && lane_of(alarm.urgency) == OutLane::Alarms {
        // It left behind the alarm that it parted from.
        alarm.press_lane = OutLane::AlarmNotes;
    }
    Some(alarm)
}

fn press_of(origin: &Origin) -> Option<(DeviceEpoch, Seq)> {
    match (&origin.source, &origin.epoch) {
        (Source::Device(_), Epoch::Number(epoch)) => Some((*epoch, origin.seq)),
        (Source::Device(_) | Source::Terminal(_) | Source::Gateway(_) | Source::Centre(_), _) => None,
    }
}

fn repeated(alarm: &mut Alarm, n: u64, entry: &Entry) {
    let Ok(body) = entry.body_as::<OwnAlarmBody>() else { return };
    let more_urgent = body.alarm.urgency > alarm.urgency;
    let lane = if more_urgent { lane_of(body.alarm.urgency) } else { OutLane::AlarmNotes };
    let press = press_of(&entry.origin);
    let named: Vec<(DeviceEpoch, Seq)> = body
        .folded_seqs
        .iter()
        .flat_map(|range| {
            let first = range.to.get().saturating_sub(ALARM_PRESSES_MAX as u64).max(range.from.get());
            (first..=range.to.get()).filter_map(|seq| Some((range.epoch, Seq::new(seq)?)))
        })
        .collect();
    let presses: Vec<FoldedSeqs> = match press {
        Some((epoch, seq)) => vec![FoldedSeqs::one(epoch, seq)],
        None => body.folded_seqs,
    };
    let count = body.folded.unwrap_or(1);
    let before = alarm.presses;
    match press {
        Some(_) => alarm.fold(press, body.alarm.urgency, &entry.recorded_at),
        None if named.is_empty() => alarm.fold(None, body.alarm.urgency, &entry.recorded_at),
        None => named.into_iter().for_each(|press| alarm.fold(Some(press), body.alarm.urgency, &entry.recorded_at)),
    }
    alarm.presses = before.saturating_add(count);
    if !presses.is_empty() {
        (alarm.press_n, alarm.press_lane) = (n, lane);
    }
    let way = OnItsWay { lane, origin: entry.origin.clone(), presses, press: None, about: entry.about.clone() };
    alarm.sent(n, way, |_, _| false);
}

/// The alarm of an id `{device}.{epoch}.{seq}`.
fn without_an_entry(id: &str, at: &str) -> Option<Alarm> {
    let mut parts = id.rsplitn(3, '.');
    let (seq, epoch, device) = (parts.next()?, parts.next()?, parts.next()?);
    let (seq, epoch) = (Seq::new(seq.parse().ok()?)?, epoch.parse::<DeviceEpoch>().ok()?);
    let device = device.parse().ok()?;
    let body = AlarmBody {
        urgency: Urgency::Urgent,
        detail: Some("its record was damaged".to_owned()),
        ..own_alarm(OwnAlarm::Unknown, Some(&device))
    };
    let origin = Origin { source: Source::Device(device), epoch: Epoch::Number(epoch), seq };
    Some(Alarm::new(origin, 0, &body, Some((epoch, seq)), at))
}

impl Core {
    /// Saves what was rebuilt, and hears the centre's orders about alarms once more: what it said of them is in no entry.
    pub(crate) fn take_up_rebuilt(&mut self, keys: &[String]) {
        let ids: Vec<String> = keys.iter().filter_map(|key| key.strip_prefix(PREFIX)).map(str::to_owned).collect();
        for id in &ids {
            let Some(mut alarm) = self.alarms.get(id).cloned() else { continue };
            let delivered: Vec<u64> =
                alarm.on_their_way.iter().filter(|(n, way)| self.has_centre(**n, way.lane)).map(|(n, _)| *n).collect();
            for n in delivered.iter().rev().skip(DELIVERED_PRESSES_KEPT) {
                alarm.on_their_way.remove(n);
            }
            let lane = if alarm.press_n == alarm.n { alarm.press_lane } else { lane_of(alarm.urgency) };
            let at_centre = alarm.n == 0 || self.has_centre(alarm.n, lane);
            if at_centre && alarm.state == AlarmState::Raised {
                alarm.state = AlarmState::Accepted;
            }
            alarm.shown = Some(alarm.state);
            self.save_alarm(&alarm);
            self.alarms.replace(alarm);
        }
        if let (false, Some(orders)) =
            (ids.is_empty(), self.orders.iter_mut().find(|orders| orders.lane == Lane::Alarms))
        {
            self.heard_before = std::mem::replace(&mut orders.record.after, 0);
        }
    }

    /// Whether an order was heard before an alarm was rebuilt, and is about none that is known here.
    pub(crate) fn is_heard_in_vain(&self, lane: Lane, order: &Order) -> bool {
        lane == Lane::Alarms && order.k <= self.heard_before && self.is_about_unknown_alarm(order)
    }
}
