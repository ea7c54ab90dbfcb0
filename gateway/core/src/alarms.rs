//! Alarms: open ones, the last closed ones, and how far each has come.
//!
//! ```text
//! raised -> accepted -> acknowledged -> dispatched -> on_site -> resolved
//!    \__________\____________\______________\___________\______> any later step, in whatever order steps arrive
//! ```
//!
//! **Invariant:** an alarm's state is the highest step known; no input takes it back.
//! **Invariant:** only a person's `resolved` closes an alarm, but for the gateway's own about its line and its prices, which
//! end with their cause. A cancel is noted on it; a further press of the same kind
//! on an open alarm is folded into it, counted, and no longer taken back; it never lowers the urgency.
//! **Invariant:** a press that the centre does not have in time alarms staff, whatever the state of the alarm that it was
//! folded into.

use std::collections::{BTreeMap, BTreeSet};

use protocols::device::AlarmState;
use protocols::id::{ActorId, DeviceEpoch, DeviceId, Seq};
use protocols::uplink::{AlarmBody, Epoch, FoldedSeqs, Origin, Urgency, is_eta_min, is_responder};
use serde::{Deserialize, Serialize};

use crate::input::OutLane;
use crate::lateness::Undated;
use crate::limits::{
    ALARM_EPOCHS_MAX, ALARM_HISTORY_MAX, ALARM_PRESSES_MAX, CLOSED_ALARMS_MAX, DELIVERED_PRESSES_KEPT,
    REPEATS_RANGES_MAX,
};

/// What a line of an alarm's history tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmEvent {
    /// A state was reached.
    #[default]
    Step,
    /// A further press, or the gateway's own finding once more.
    Pressed,
    /// The elder took it back.
    TakenBack,
}

/// One line of an alarm's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmStep {
    /// What it tells.
    #[serde(default)]
    pub what: AlarmEvent,
    /// What was reached; of a press or a take-back the state at that time.
    pub state: AlarmState,
    /// By whom; absent for steps that no person took.
    pub by: Option<ActorId>,
    /// Civil time, RFC 3339.
    pub at: String,
    /// The cause, when it was resolved.
    pub cause: Option<String>,
    /// Who was sent, and how soon they are there.
    #[serde(flatten)]
    pub sent: Sent,
}

/// Who was sent, as a person told it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sent {
    /// Their name or office.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responder: Option<String>,
    /// In how many minutes they are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_min: Option<u16>,
}

impl Sent {
    /// What of it a step of this state tells: only somebody who is sent has a name and a time, within their bounds.
    pub(crate) fn of(self, state: AlarmState) -> Self {
        if state != AlarmState::Dispatched {
            return Self::default();
        }
        Self {
            responder: self.responder.filter(|responder| is_responder(responder)),
            eta_min: self.eta_min.filter(|minutes| is_eta_min(*minutes)),
        }
    }
}

impl AlarmStep {
    /// A step. `at`: civil time, RFC 3339.
    pub(crate) fn new(state: AlarmState, by: Option<ActorId>, at: &str, cause: Option<String>) -> Self {
        Self::line(AlarmEvent::Step, state, by, at, cause)
    }

    /// The same step, with who was sent.
    pub(crate) fn with(self, sent: Sent) -> Self {
        Self { sent: sent.of(self.state), ..self }
    }

    fn line(what: AlarmEvent, state: AlarmState, by: Option<ActorId>, at: &str, cause: Option<String>) -> Self {
        Self { what, state, by, at: at.to_owned(), cause, sent: Sent::default() }
    }
}

/// The lane on which an alarm of some urgency leaves: what can wait does not stand before what cannot.
pub(crate) const fn lane_of(urgency: Urgency) -> OutLane {
    match urgency {
        Urgency::Emergency | Urgency::Urgent | Urgency::Request => OutLane::Alarms,
        Urgency::Technical | Urgency::Test => OutLane::AlarmNotes,
    }
}

const fn first_lane() -> OutLane {
    OutLane::Alarms
}

/// An entry of a further press or finding that the centre may not have yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnItsWay {
    /// The lane on which it leaves.
    pub lane: OutLane,
    /// Its origin, by which the centre would name an alarm that it begins.
    pub origin: Origin,
    /// The presses that it tells of.
    #[serde(default)]
    pub presses: Vec<FoldedSeqs>,
    /// The first of them: what an older release kept in their place.
    #[serde(default, skip_serializing)]
    pub(crate) press: Option<(DeviceEpoch, Seq)>,
    /// The alarm that it names: that of then, which is another one where it has parted since. Absent in what an older release
    /// kept.
    #[serde(default)]
    pub about: Option<Origin>,
}

/// An alarm as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// `{device}.{epoch}.{seq}`.
    pub id: String,
    /// The origin of its `alarm.raised`.
    pub origin: Origin,
    /// The number of that entry; 0 where this journal has none, since no disk took it.
    pub n: u64,
    /// `sos`, `fall` …
    pub kind: String,
    /// How soon somebody has to act.
    pub urgency: Urgency,
    /// The device it is about.
    pub device: Option<DeviceId>,
    /// The epoch of its first press.
    pub epoch: DeviceEpoch,
    /// The newest presses of that epoch by number, ascending by arrival.
    pub seqs: Vec<Seq>,
    /// The newest presses of other epochs.
    #[serde(default)]
    pub other_epochs: BTreeMap<DeviceEpoch, Vec<Seq>>,
    /// The number of the newest press's entry; 0 where no device pressed, or no disk took it.
    #[serde(default)]
    pub press_n: u64,
    /// The lane on which that entry leaves.
    #[serde(default = "first_lane")]
    pub press_lane: OutLane,
    /// The newest entries of further presses and findings, by number, that the centre may not have yet or has not yet said
    /// the end of the alarm about.
    #[serde(default)]
    pub on_their_way: BTreeMap<u64, OnItsWay>,
    /// All presses, repeats included.
    pub presses: u64,
    /// Those of them that no entry tells of yet: they came too fast.
    #[serde(default)]
    pub unrecorded: u64,
    /// Which those are, where the device numbered them.
    #[serde(default)]
    pub unrecorded_seqs: Vec<FoldedSeqs>,
    /// The newest presses that have no entry of their own, with the fingerprint of each: no journal finds them by number.
    #[serde(default)]
    pub counted: Vec<(DeviceEpoch, Seq, u64)>,
    /// Its entry, where that went straight to the centre and is not known to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) direct: Option<String>,
    /// Civil time of recording, RFC 3339.
    pub opened_at: String,
    /// How far it has come.
    pub state: AlarmState,
    /// The elder took it back; somebody still has to look.
    pub cancelled: bool,
    /// The last state that the device acknowledged.
    pub told: Option<AlarmState>,
    /// How long before it was recorded it happened, milliseconds, where it came late and that is known.
    #[serde(default)]
    pub late_by_ms: Option<u64>,
    /// What is known of its age until a heartbeat tells it.
    #[serde(skip)]
    pub(crate) undated: Option<Undated>,
    /// Whether every press of it came while staff tried the device.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub during_test: bool,
    /// The device's own word, or what the gateway knows more of it.
    #[serde(default)]
    pub detail: Option<String>,
    /// The steps.
    pub history: Vec<AlarmStep>,
    /// The state that is durable, and so the one that people are shown.
    #[serde(skip)]
    pub shown: Option<AlarmState>,
}

impl Alarm {
    /// An alarm that was just raised. `n`: its entry's number, 0 without one; `at`: civil time, RFC 3339.
    pub(crate) fn new(origin: Origin, n: u64, body: &AlarmBody, press: Option<(DeviceEpoch, Seq)>, at: &str) -> Self {
        Self {
            id: origin.alarm_id(),
            origin,
            n,
            kind: body.kind.clone(),
            urgency: body.urgency,
            device: body.device.clone(),
            epoch: press.map_or(0, |(epoch, _)| epoch),
            seqs: press.map(|(_, seq)| seq).into_iter().collect(),
            press_n: press.map_or(0, |_| n),
            press_lane: lane_of(body.urgency),
            unrecorded: 0,
            unrecorded_seqs: Vec::new(),
            counted: Vec::new(),
            other_epochs: BTreeMap::new(),
            on_their_way: BTreeMap::new(),
            presses: 1,
            direct: None,
            opened_at: at.to_owned(),
            state: AlarmState::Raised,
            cancelled: false,
            told: None,
            late_by_ms: None,
            undated: None,
            during_test: false,
            detail: body.detail.clone(),
            history: Vec::new(),
            shown: None,
        }
    }

    /// Whether a person still has to act.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state < AlarmState::Resolved
    }

    /// Takes the alarm up to `step`; false when it was there or further already.
    pub(crate) fn advance(&mut self, step: AlarmStep) -> bool {
        if step.state <= self.state {
            return false;
        }
        self.state = step.state;
        self.note(step);
        true
    }

    /// Folds a further press in.
    pub(crate) fn fold(&mut self, press: Option<(DeviceEpoch, Seq)>, urgency: Urgency, at: &str) {
        self.presses = self.presses.saturating_add(1);
        self.urgency = self.urgency.max(urgency);
        self.cancelled = false;
        if let Some((epoch, seq)) = press {
            let seqs = self.seqs_mut(epoch);
            if seqs.len() >= ALARM_PRESSES_MAX {
                seqs.remove(0);
            }
            seqs.push(seq);
        }
        self.note(AlarmStep::line(AlarmEvent::Pressed, self.state, None, at, None));
    }

    /// Notes the entry of a further press or finding. `has`: whether the centre has an entry. The newest of those are kept,
    /// too: the centre may have ended the alarm before they came, and its word about that be under way.
    pub(crate) fn sent(&mut self, n: u64, way: OnItsWay, has: impl Fn(u64, &OnItsWay) -> bool) {
        let delivered: Vec<u64> = self.on_their_way.iter().filter(|(n, way)| has(**n, way)).map(|(n, _)| *n).collect();
        for n in delivered.iter().rev().skip(DELIVERED_PRESSES_KEPT) {
            self.on_their_way.remove(n);
        }
        self.on_their_way.insert(n, way);
        if self.on_their_way.len() > ALARM_PRESSES_MAX
            && let Some((_, oldest)) = self.on_their_way.pop_first()
            && let Some(next) = self.on_their_way.values_mut().find(|way| way.about == oldest.about)
        {
            // Entries arrive in their order: where the centre has the next one, it has this one too.
            next.presses = joined(oldest.presses, std::mem::take(&mut next.presses));
        }
    }

    /// Names the presses of entries of which an older release kept the first one only: those from it up to the next entry's
    /// first one.
    pub(crate) fn name_presses(&mut self) {
        let firsts: Vec<(u64, (DeviceEpoch, Seq))> =
            self.on_their_way.iter().filter_map(|(n, way)| Some((*n, way.press?))).collect();
        for (n, (epoch, first)) in &firsts {
            let seqs = self.presses_by_epoch().find(|(of, _)| of == epoch).map(|(_, seqs)| seqs).unwrap_or_default();
            let later = |seq: &Seq| firsts.iter().any(|(other, press)| other > n && press == &(*epoch, *seq));
            let own = seqs.iter().skip_while(|seq| *seq != first).take_while(|seq| !later(seq));
            let runs = own.map(|seq| FoldedSeqs::one(*epoch, *seq)).collect();
            if let Some(way) = self.on_their_way.get_mut(n) {
                way.press = None;
                way.presses = joined(Vec::new(), runs);
            }
        }
    }

    /// Whether the centre may not have all of its presses: some are in entries on their way, or only counted.
    pub(crate) fn has_presses_on_their_way(&self) -> bool {
        !self.on_their_way.is_empty() || self.unrecorded > 0
    }

    /// Lets go of entries on their way, with the presses that each tells of. The press that an alarm began with stays.
    pub(crate) fn part_entries(&mut self, entries: &BTreeSet<u64>) -> Parted {
        let on_their_way: BTreeMap<u64, OnItsWay> =
            entries.iter().filter_map(|n| Some((*n, self.on_their_way.remove(n)?))).collect();
        let first = self.began_with();
        let presses = self.take_presses(|press| {
            Some(press) != first
                && on_their_way.values().flat_map(|way| &way.presses).any(|run| run.has(press.0, press.1))
        });
        self.parted(presses, on_their_way)
    }

    /// Lets go of a further press of which no entry is on its way, with those of its epoch after it and all such entries, with
    /// their presses, where `rest`, else alone.
    pub(crate) fn part_press(&mut self, press: (DeviceEpoch, Seq), rest: bool) -> Parted {
        let (epoch, seq) = press;
        let first = self.began_with();
        let has = Some(press) != first && self.has_press(epoch, seq);
        let on_their_way = if has && rest { std::mem::take(&mut self.on_their_way) } else { BTreeMap::new() };
        let mut later = false;
        let presses = self.take_presses(|known| {
            let told = on_their_way.values().flat_map(|way| &way.presses).any(|run| run.has(known.0, known.1));
            later |= known == press;
            has && (known == press || rest && Some(known) != first && (told || later && known.0 == epoch))
        });
        self.parted(presses, on_their_way)
    }

    /// The press that it began with, where that is known by number.
    const fn began_with(&self) -> Option<(DeviceEpoch, Seq)> {
        match self.origin.epoch {
            Epoch::Number(epoch) => Some((epoch, self.origin.seq)),
            Epoch::Text(_) => None,
        }
    }

    /// Takes out presses, in the order in which they are kept, those of its first epoch before others.
    fn take_presses(&mut self, mut takes: impl FnMut((DeviceEpoch, Seq)) -> bool) -> Vec<(DeviceEpoch, Seq)> {
        let mut taken = Vec::new();
        let kept = std::iter::once((&self.epoch, &mut self.seqs)).chain(&mut self.other_epochs);
        for (epoch, seqs) in kept {
            seqs.retain(|seq| {
                let press = (*epoch, *seq);
                let takes = takes(press);
                if takes {
                    taken.push(press);
                }
                !takes
            });
        }
        self.other_epochs.retain(|_, seqs| !seqs.is_empty());
        taken
    }

    fn parted(&mut self, presses: Vec<(DeviceEpoch, Seq)>, on_their_way: BTreeMap<u64, OnItsWay>) -> Parted {
        let press_n = self.press_parted(&on_their_way);
        self.presses = self.presses.saturating_sub(u64::try_from(presses.len()).unwrap_or(u64::MAX));
        let (counted, kept) = std::mem::take(&mut self.counted)
            .into_iter()
            .partition(|(epoch, seq, _)| presses.contains(&(*epoch, *seq)));
        self.counted = kept;
        Parted { presses, counted, on_their_way, press_n }
    }

    /// The number of the newest press's entry among those that parted, 0 where none did; what stays has another newest one.
    fn press_parted(&mut self, parted: &BTreeMap<u64, OnItsWay>) -> u64 {
        let newest = parted.iter().rfind(|(_, way)| !way.presses.is_empty()).map_or(0, |(n, _)| *n);
        if newest > 0 && newest >= self.press_n {
            let before = self.on_their_way.iter().rfind(|(_, way)| !way.presses.is_empty());
            (self.press_n, self.press_lane) = before.map_or((self.n, lane_of(self.urgency)), |(n, way)| (*n, way.lane));
        }
        newest
    }

    /// The elder takes it back.
    pub(crate) fn take_back(&mut self, at: &str) {
        self.cancelled = true;
        let what = AlarmEvent::TakenBack;
        self.note(AlarmStep::line(what, self.state, None, at, None));
    }

    /// Counts a press that gets no entry of its own. False when no more can be named: the entry for all of them is due.
    pub(crate) fn count_unrecorded(&mut self, press: Option<(DeviceEpoch, Seq)>, fingerprint: u64) -> bool {
        self.unrecorded = self.unrecorded.saturating_add(1);
        let Some((epoch, seq)) = press else { return true };
        if self.counted.len() >= ALARM_PRESSES_MAX {
            self.counted.remove(0);
        }
        self.counted.push((epoch, seq, fingerprint));
        append(&mut self.unrecorded_seqs, FoldedSeqs::one(epoch, seq));
        self.unrecorded_seqs.len() < REPEATS_RANGES_MAX
    }

    /// Its first entry, with all that was known of the alarm by the centre's word alone.
    pub(crate) fn go_on_from(self, known: Self) -> Self {
        Self {
            n: self.n,
            kind: self.kind,
            urgency: self.urgency.max(known.urgency),
            press_n: self.press_n,
            press_lane: self.press_lane,
            opened_at: self.opened_at,
            direct: None,
            late_by_ms: self.late_by_ms,
            undated: self.undated,
            detail: self.detail,
            ..known
        }
    }

    /// Whether a press is among the newest ones of this alarm.
    pub fn has_press(&self, epoch: DeviceEpoch, seq: Seq) -> bool {
        self.presses_by_epoch().any(|(of, seqs)| of == epoch && seqs.contains(&seq))
    }

    /// Its presses, by epoch.
    pub fn presses_by_epoch(&self) -> impl Iterator<Item = (DeviceEpoch, &[Seq])> {
        let first = (!self.seqs.is_empty()).then_some((self.epoch, self.seqs.as_slice()));
        first.into_iter().chain(self.other_epochs.iter().map(|(epoch, seqs)| (*epoch, seqs.as_slice())))
    }

    pub(crate) fn seqs_mut(&mut self, epoch: DeviceEpoch) -> &mut Vec<Seq> {
        if self.seqs.is_empty() {
            self.epoch = epoch;
        }
        if epoch == self.epoch {
            return &mut self.seqs;
        }
        if self.other_epochs.len() >= ALARM_EPOCHS_MAX && !self.other_epochs.contains_key(&epoch) {
            self.other_epochs.pop_first();
        }
        self.other_epochs.entry(epoch).or_default()
    }

    /// Adds a line to the history. When it is full, the oldest press goes first: what people did is kept longer.
    fn note(&mut self, line: AlarmStep) {
        if self.history.len() >= ALARM_HISTORY_MAX {
            let oldest = self.history.iter().position(|line| line.what != AlarmEvent::Step).unwrap_or(0);
            self.history.remove(oldest);
        }
        self.history.push(line);
    }
}

/// Runs of presses behind others; the oldest are given up where they are too many.
fn joined(mut runs: Vec<FoldedSeqs>, more: Vec<FoldedSeqs>) -> Vec<FoldedSeqs> {
    more.into_iter().for_each(|run| append(&mut runs, run));
    runs.split_off(runs.len().saturating_sub(REPEATS_RANGES_MAX))
}

/// Adds a run; one that goes on from the last makes that longer.
fn append(runs: &mut Vec<FoldedSeqs>, run: FoldedSeqs) {
    match runs.last_mut() {
        Some(last) if last.epoch == run.epoch && last.to.get().checked_add(1) == Some(run.from.get()) => {
            last.to = run.to;
        }
        Some(_) | None => runs.push(run),
    }
}

/// What parted from an alarm.
#[derive(Debug)]
pub(crate) struct Parted {
    /// The presses.
    pub presses: Vec<(DeviceEpoch, Seq)>,
    /// Those of them that have no entry of their own, with the fingerprint of each.
    pub counted: Vec<(DeviceEpoch, Seq, u64)>,
    /// The entries.
    pub on_their_way: BTreeMap<u64, OnItsWay>,
    /// The number of the newest one's entry; 0 where none parted.
    pub press_n: u64,
}

type FoldKey = (Option<DeviceId>, String);

/// All alarms that the gateway remembers.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    by_id: BTreeMap<String, Alarm>,
    open: BTreeMap<FoldKey, String>,
    by_entry: BTreeMap<u64, String>,
    closed: Vec<String>,
}

impl Alarms {
    /// Puts an alarm in, new or restored.
    pub fn insert(&mut self, alarm: Alarm) {
        if alarm.is_open() {
            self.open.insert((alarm.device.clone(), alarm.kind.clone()), alarm.id.clone());
        } else {
            self.closed.push(alarm.id.clone());
        }
        if alarm.n > 0 {
            self.by_entry.insert(alarm.n, alarm.id.clone());
        }
        self.by_id.insert(alarm.id.clone(), alarm);
    }

    /// Puts the closed ones in the order of their entries, so that the oldest is forgotten first.
    pub fn sort_closed(&mut self) {
        let by_id = &self.by_id;
        self.closed.sort_by_key(|id| by_id.get(id).map(|alarm| alarm.n));
    }

    /// An alarm by its id.
    pub fn get(&self, id: &str) -> Option<&Alarm> {
        self.by_id.get(id)
    }

    /// Puts a changed alarm in the place of itself.
    pub fn replace(&mut self, alarm: Alarm) {
        if let Some(known) = self.by_id.get_mut(&alarm.id) {
            *known = alarm;
        }
    }

    /// An alarm by its id, to change it. Closing goes through [`Alarms::close`].
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Alarm> {
        self.by_id.get_mut(id)
    }

    /// The open alarm into which a press of this kind is folded.
    pub fn open_of(&self, device: Option<&DeviceId>, kind: &str) -> Option<&str> {
        self.open.get(&(device.cloned(), kind.to_owned())).map(String::as_str)
    }

    /// The open alarm of a device that one press belongs to.
    pub fn with_press(&self, device: &DeviceId, epoch: DeviceEpoch, seq: Seq) -> Option<&str> {
        self.by_id
            .values()
            .filter(|alarm| alarm.is_open() && alarm.device.as_ref() == Some(device))
            .filter(|alarm| alarm.has_press(epoch, seq))
            // A number used twice belongs to the alarm that had it first.
            .min_by_key(|alarm| alarm.n)
            .map(|alarm| alarm.id.as_str())
    }

    /// The alarm that an entry of this origin was folded into, with the entry's number.
    pub fn with_entry_on_its_way(&self, origin: &Origin) -> Option<(&str, u64)> {
        self.by_id.values().find_map(|alarm| {
            let (n, _) = alarm.on_their_way.iter().find(|(_, way)| way.origin == *origin)?;
            Some((alarm.id.as_str(), *n))
        })
    }

    /// The newest alarm of a device, open or closed, that one press was folded into.
    pub fn last_with_press(&self, device: &DeviceId, epoch: DeviceEpoch, seq: Seq) -> Option<&str> {
        self.by_id
            .values()
            .filter(|alarm| alarm.device.as_ref() == Some(device))
            .filter(|alarm| alarm.has_press(epoch, seq))
            .max_by_key(|alarm| alarm.n)
            .map(|alarm| alarm.id.as_str())
    }

    /// The presses that were only counted, with the fingerprint of each.
    pub fn counted(&self) -> BTreeMap<(DeviceId, DeviceEpoch, u64), u64> {
        self.by_id
            .values()
            .filter_map(|alarm| Some((alarm.device.as_ref()?, &alarm.counted)))
            .flat_map(|(device, counted)| {
                counted.iter().map(|(epoch, seq, body)| ((device.clone(), *epoch, seq.get()), *body))
            })
            .collect()
    }

    /// The fingerprint of a press that was only counted.
    pub fn counted_body(&self, device: &DeviceId, epoch: DeviceEpoch, seq: Seq) -> Option<u64> {
        let of_device = self.by_id.values().filter(|alarm| alarm.device.as_ref() == Some(device));
        let found = of_device.flat_map(|alarm| &alarm.counted).find(|(of, number, _)| (*of, *number) == (epoch, seq));
        found.map(|(_, _, body)| *body)
    }

    /// The alarm that an entry raised.
    pub fn of_entry(&self, n: u64) -> Option<&str> {
        self.by_entry.get(&n).map(String::as_str)
    }

    /// Notes that an alarm was resolved; gives the ids that are remembered no longer.
    pub fn close(&mut self, id: &str) -> Vec<String> {
        if self.by_id.contains_key(id) {
            self.open.retain(|_, open| open != id);
            self.closed.push(id.to_owned());
        }
        let mut forgotten = Vec::new();
        while self.closed.len() > CLOSED_ALARMS_MAX {
            let old = self.closed.remove(0);
            if let Some(alarm) = self.by_id.remove(&old) {
                self.by_entry.remove(&alarm.n);
            }
            forgotten.push(old);
        }
        forgotten
    }

    /// Alarms that this journal has no entry of.
    pub fn without_entry(&self) -> usize {
        self.by_id.values().filter(|alarm| alarm.n == 0).count()
    }

    /// Takes out an alarm that this journal has no entry of.
    pub fn take_without_entry(&mut self, id: &str) -> Option<Alarm> {
        let known = self.by_id.get(id).filter(|alarm| alarm.n == 0).cloned();
        self.forget(id);
        known
    }

    /// Forgets an alarm that this journal has no entry of.
    pub fn forget(&mut self, id: &str) {
        if self.by_id.get(id).is_some_and(|alarm| alarm.n == 0) {
            self.by_id.remove(id);
            self.open.retain(|_, open| open != id);
            self.closed.retain(|closed| closed != id);
        }
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Alarm> {
        self.by_id.values()
    }

    /// Ids of the alarms of a device that it should hear about: open ones, and closed ones whose end it has not taken.
    pub fn to_tell(&self, device: &DeviceId) -> Vec<String> {
        self.by_id
            .values()
            .filter(|alarm| alarm.device.as_ref() == Some(device) && alarm.presses_by_epoch().next().is_some())
            .filter(|alarm| alarm.is_open() || alarm.told != Some(AlarmState::Resolved))
            .map(|alarm| alarm.id.clone())
            .collect()
    }
}
