//! A model of the centre, written from the contract: facts by identity and kind, alarms whose state is the highest step known, and orders
//! to each gateway that told of an alarm.
//!
//! **Invariant:** what was answered as accepted is never forgotten; the centre of the model does not crash.

use std::collections::{BTreeMap, BTreeSet};

use protocols::device::AlarmState;
use protocols::id::{ActorId, Seq};
use protocols::uplink::{
    AlarmStateOrder, AlarmStepBody, ENDED_PRESSES_MAX, Entry, FoldedSeqs, Order, OrderPage, Origin, Outcome,
    OwnAlarmBody, Results, UploadResult, Urgency, kind, order_kind,
};
use serde_json::value::RawValue;

use super::ledger::Ledger;

/// An alarm as the centre knows it.
#[derive(Debug)]
pub struct CentreAlarm {
    /// The fact that raised it.
    pub origin: Origin,
    /// The highest step known.
    pub state: AlarmState,
    /// `sos`, `fall` …
    pub kind: String,
    /// How soon somebody has to act.
    pub urgency: Urgency,
    /// Gateways that told of it, by index.
    pub gateways: BTreeSet<usize>,
    /// The elder took it back after its last press.
    pub taken_back: bool,
    /// Further presses on it: which gateway told of each, by which entry.
    pub presses: Vec<(usize, Origin)>,
    /// The ended alarm that its first press was about.
    pub follows: Option<Origin>,
}

/// Presses that were told by number.
#[derive(Debug)]
pub struct Folded {
    /// Whose.
    pub device: String,
    /// Which.
    pub run: FoldedSeqs,
    /// The alarm that has them, by the origin that raised it.
    pub alarm: String,
}

impl Folded {
    /// Whether a press is among them.
    #[must_use]
    pub fn has(&self, device: &str, epoch: u32, seq: u64) -> bool {
        self.device == device && Seq::new(seq).is_some_and(|seq| self.run.has(epoch, seq))
    }
}

/// The centre.
#[derive(Debug, Default)]
pub struct Centre {
    /// Each fact's body by origin and kind.
    pub facts: BTreeMap<(String, String), String>,
    /// Alarms by the origin of the fact that raised each.
    pub alarms: BTreeMap<String, CentreAlarm>,
    /// Presses that were told by number and not by a fact of their own.
    pub folded: Vec<Folded>,
    /// Money.
    pub ledger: Ledger,
    /// Facts about an alarm that the centre does not know yet.
    early: Vec<(usize, Entry)>,
    orders: BTreeMap<usize, Vec<Order>>,
}

impl Centre {
    /// The highest step of an alarm that is there, although the alarm itself is not yet.
    #[must_use]
    pub fn early_step(&self, alarm: &str) -> Option<AlarmState> {
        let about = |entry: &Entry| entry.about.as_ref().is_some_and(|about| about.alarm_id() == alarm);
        let steps = self.early.iter().filter(|(_, entry)| entry.kind == kind::ALARM_STATE && about(entry));
        steps.filter_map(|(_, entry)| entry.body_as::<AlarmStepBody>().ok()).map(|step| step.state).max()
    }

    /// Whether a fact of this origin is there, whatever its kind.
    #[must_use]
    pub fn has(&self, origin: &str) -> bool {
        let first = self.facts.range((origin.to_owned(), String::new())..).next();
        first.is_some_and(|((of, _), _)| of == origin)
    }

    /// Takes entries of a gateway and answers each.
    pub fn take(&mut self, gateway: usize, entries: &[(u64, String)]) -> Results {
        let results = entries
            .iter()
            .map(|(n, bytes)| match serde_json::from_str::<Entry>(bytes) {
                Ok(entry) => UploadResult { n: Some(*n), outcome: self.take_one(gateway, entry), reason: None },
                Err(_) => UploadResult { n: Some(*n), outcome: Outcome::Refused, reason: Some("form".to_owned()) },
            })
            .collect();
        Results { v: 1, results, head: None }
    }

    /// Takes an entry that no disk took.
    pub fn take_direct(&mut self, gateway: usize, bytes: &str) -> UploadResult {
        match serde_json::from_str::<Entry>(bytes) {
            Ok(entry) => UploadResult { n: None, outcome: self.take_one(gateway, entry), reason: None },
            Err(_) => UploadResult { n: None, outcome: Outcome::Refused, reason: Some("form".to_owned()) },
        }
    }

    fn take_one(&mut self, gateway: usize, entry: Entry) -> Outcome {
        let key = (entry.origin.to_string(), entry.kind.clone());
        let outcome = match self.facts.get(&key) {
            Some(body) if body == entry.body.get() => Outcome::Duplicate,
            Some(_) => return Outcome::Conflict,
            None => {
                self.facts.insert(key, entry.body.get().to_owned());
                Outcome::Accepted
            }
        };
        self.apply(gateway, entry, outcome == Outcome::Accepted);
        outcome
    }

    fn apply(&mut self, gateway: usize, entry: Entry, is_new: bool) {
        match entry.kind.as_str() {
            kind::ALARM_RAISED => {
                self.raise(gateway, entry.origin.clone(), None, &entry);
                if !is_new {
                    self.tell_again(gateway, &entry.origin.to_string());
                }
            }
            kind::ALARM_REPEATED | kind::ALARM_CANCELLED | kind::ALARM_STATE => {
                self.apply_about(gateway, entry, is_new)
            }
            _ if is_new => self.ledger.take(&entry),
            _ => {}
        }
    }

    fn raise(&mut self, gateway: usize, origin: Origin, follows: Option<Origin>, entry: &Entry) {
        let Ok(OwnAlarmBody { alarm: body, .. }) = entry.body_as() else { return };
        let id = origin.to_string();
        let alarm = self.alarms.entry(id.clone()).or_insert_with(|| CentreAlarm {
            origin,
            state: AlarmState::Accepted,
            kind: body.kind,
            urgency: body.urgency,
            gateways: BTreeSet::new(),
            taken_back: false,
            presses: Vec::new(),
            follows: follows.clone(),
        });
        let state = alarm.state;
        let is_news = state > AlarmState::Accepted || follows.is_some();
        if alarm.gateways.insert(gateway) && is_news {
            self.order(gateway, &id, state);
        }
        for (gateway, entry) in std::mem::take(&mut self.early) {
            self.apply_about(gateway, entry, true);
        }
    }

    /// A gateway tells of an alarm that was here, or of a press in it: it may not have known the alarm when it was told of a
    /// step, or another gateway may have told of the press.
    fn tell_again(&mut self, gateway: usize, id: &str) {
        let Some(alarm) = self.alarms.get_mut(id) else { return };
        alarm.gateways.insert(gateway);
        let state = alarm.state;
        if state > AlarmState::Accepted || alarm.follows.is_some() {
            self.order(gateway, id, state);
        }
    }

    fn apply_about(&mut self, gateway: usize, entry: Entry, is_new: bool) {
        let Some(about) = entry.about.clone() else { return };
        let id = about.to_string();
        if entry.kind == kind::ALARM_REPEATED && !self.alarms.contains_key(&id) {
            // It overtook the press that it goes on from.
            self.raise(gateway, about.clone(), None, &entry);
        }
        if !self.alarms.contains_key(&id) {
            return self.early.push((gateway, entry));
        }
        if !is_new {
            if entry.kind == kind::ALARM_REPEATED {
                self.repeat_again(gateway, &about, &entry);
            }
            return;
        }
        match entry.kind.as_str() {
            kind::ALARM_REPEATED => self.repeat(gateway, &about, &entry),
            kind::ALARM_CANCELLED => {
                if let Some(alarm) = self.alarms.get_mut(&id) {
                    alarm.taken_back = true;
                }
            }
            _ => {
                if let Ok(step) = entry.body_as::<AlarmStepBody>() {
                    self.step(&id, step.state);
                }
            }
        }
    }

    /// A further press that is here: whoever tells of it hears how far its alarm is, and the one that it may be itself. Where it
    /// was counted into another alarm than that which it is about here, it is counted into this one, too.
    fn repeat_again(&mut self, gateway: usize, about: &Origin, entry: &Entry) {
        let press = &entry.origin;
        let has = |alarm: &&CentreAlarm| {
            let began = alarm.origin == *press && alarm.follows.as_ref() == Some(about);
            let is_of = alarm.origin == *press || alarm.origin == *about || alarm.follows.as_ref() == Some(about);
            began || (is_of && alarm.presses.iter().any(|(_, of)| of == press))
        };
        let Some(id) = self.alarms.values().find(has).map(|alarm| alarm.origin.to_string()) else {
            return self.repeat(gateway, about, entry);
        };
        let own = press.to_string();
        self.tell_again(gateway, &id);
        if own != id && self.alarms.contains_key(&own) {
            self.tell_again(gateway, &own);
        }
    }

    /// A further press: on an alarm that has ended it begins a new one, or goes on from the one that another press of its
    /// gateway began.
    fn repeat(&mut self, gateway: usize, about: &Origin, entry: &Entry) {
        let id = about.to_string();
        let is_open = |alarm: &CentreAlarm| alarm.state < AlarmState::Resolved;
        let open = match self.alarms.get(&id) {
            Some(alarm) if is_open(alarm) => Some(id),
            _ => self
                .alarms
                .iter()
                .find(|(_, alarm)| {
                    alarm.follows.as_ref() == Some(about) && is_open(alarm) && alarm.gateways.contains(&gateway)
                })
                .map(|(follower, _)| follower.clone()),
        };
        if let Ok(body) = entry.body_as::<OwnAlarmBody>() {
            let alarm = open.clone().unwrap_or_else(|| entry.origin.to_string());
            let device = body.alarm.device.as_ref().map(ToString::to_string).unwrap_or_default();
            let folded = |run: FoldedSeqs| Folded { device: device.clone(), run, alarm: alarm.clone() };
            self.folded.extend(body.folded_seqs.into_iter().map(folded));
        }
        match open.and_then(|open| self.alarms.get_mut(&open)) {
            Some(alarm) => {
                alarm.taken_back = false;
                alarm.presses.push((gateway, entry.origin.clone()));
                let id = alarm.origin.to_string();
                if !alarm.gateways.contains(&gateway) {
                    self.tell_again(gateway, &id);
                }
                // Another gateway made an alarm of the press: this one has a part in that, too.
                let own = entry.origin.to_string();
                if own != id && self.alarms.contains_key(&own) {
                    self.tell_again(gateway, &own);
                }
            }
            None => self.raise(gateway, entry.origin.clone(), Some(about.clone()), entry),
        }
    }

    /// A person takes an alarm further; every gateway that told of it hears of it, also that where the person did it.
    pub fn step(&mut self, id: &str, state: AlarmState) {
        let Some(alarm) = self.alarms.get_mut(id) else { return };
        if state <= alarm.state {
            return;
        }
        alarm.state = state;
        for gateway in alarm.gateways.clone() {
            self.order(gateway, id, state);
        }
    }

    fn order(&mut self, gateway: usize, id: &str, state: AlarmState) {
        let Some(alarm) = self.alarms.get(id) else { return };
        let body = AlarmStateOrder {
            alarm: alarm.origin.clone(),
            state,
            by: operator(),
            at: "2026-11-24T09:30:00+08:00".to_owned(),
            cause: (state == AlarmState::Resolved).then(|| "helped".to_owned()),
            follows: alarm.follows.clone(),
            kind: Some(alarm.kind.clone()),
            urgency: Some(alarm.urgency),
            responder: (state == AlarmState::Dispatched).then(|| "duty".to_owned()),
            eta_min: (state == AlarmState::Dispatched).then_some(10),
            presses: match state {
                AlarmState::Resolved => {
                    let (own, others): (Vec<_>, Vec<_>) =
                        alarm.presses.iter().rev().partition(|(of, _)| *of == gateway);
                    own.into_iter().chain(others).map(|(_, entry)| entry.clone()).take(ENDED_PRESSES_MAX).collect()
                }
                AlarmState::Raised
                | AlarmState::Accepted
                | AlarmState::Acknowledged
                | AlarmState::Dispatched
                | AlarmState::OnSite => Vec::new(),
            },
        };
        let body = serde_json::to_string(&body).and_then(RawValue::from_string).expect("an order is JSON");
        let orders = self.orders.entry(gateway).or_default();
        let k = u64::try_from(orders.len()).unwrap_or(u64::MAX).saturating_add(1);
        orders.push(Order { k, kind: order_kind::ALARM_STATE.to_owned(), body });
    }

    /// The orders about alarms after `after`; all of them where the gateway knows another stream.
    #[must_use]
    pub fn page(&self, gateway: usize, stream: &str, after: u64) -> OrderPage {
        let own = format!("stream-{gateway}");
        let after = if stream == own { after } else { 0 };
        let orders = self.orders.get(&gateway).map(Vec::as_slice).unwrap_or_default();
        let orders = orders.iter().filter(|order| order.k > after).cloned().collect();
        OrderPage { v: 1, stream: own, orders }
    }
}

/// Who acts at the centre.
fn operator() -> ActorId {
    "operator-1".parse().expect("a name of an actor")
}
