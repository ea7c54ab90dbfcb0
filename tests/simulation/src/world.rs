//! The world around the gateways: networks, disks, buttons, people and what breaks, under virtual time and one seed.
//!
//! **Invariant:** everything that is left to chance is drawn from one source of choices, so a seed repeats a run.
//! **Invariant:** after the last fault everything works, so that what is still missing at rest is lost.

use std::collections::{BTreeMap, BTreeSet};

use gateway_core::{Input, LinkInput, OutLane, UplinkInput};
use protocols::id::DeviceId;
use protocols::uplink::kind;

use super::button::{Button, Report};
use super::centre::Centre;
use super::event::{Event, Queue};
use super::gateway::{Gateway, token};
use super::limits::{
    BUTTONS, CALM_MS, COMMIT_MS, DEAD_MS, DEAD_OF, EVENTS_MAX, FAULT_MS, FAULTY_MS, FIRST_WITHIN_MS, GATEWAYS,
    HEARTBEAT_MS, LATENCY_MS, PERSON_MS, PRESS_MS, RECONNECT_MS, REST_MS, SILENCE_SLACK_MS, SILENT_AFTER_MS,
    SLOW_COMMIT_MS, SLOW_COMMIT_OF, WATCH_MS,
};
use super::mutant::Mutant;
use super::promise::{Findings, acknowledged, chain, converged, first, once, paid, silence};
use super::till::Tills;
use crate::dice::Dice;

/// What one run came to.
#[derive(Debug)]
pub struct Run {
    /// Broken promises.
    pub findings: Vec<String>,
    /// What there was to lose.
    pub figures: Figures,
}

/// What happened in a run.
#[derive(Debug, Default, Clone, Copy)]
pub struct Figures {
    /// Events.
    pub events: u64,
    /// Reports that a button was told to forget.
    pub acknowledged: u64,
    /// Processes that died.
    pub deaths: u64,
    /// Starts on a disk that took nothing.
    pub dead_disks: u64,
    /// Requests to the centre of which no answer came.
    pub unanswered: u64,
    /// Alarms at the centre.
    pub alarms: u64,
    /// Devices that were provisioned anew.
    pub provisioned: u64,
    /// Gateways that began with an empty disk in the place of another.
    pub replaced: u64,
    /// Wall clocks that jumped.
    pub jumps: u64,
    /// Disks that were nearly full.
    pub full_disks: u64,
    /// Silences that had to be noticed.
    pub silences: u64,
    /// Debits of purses.
    pub debits: u64,
    /// Sales that were in doubt.
    pub doubts: u64,
    /// Times that points were set aside.
    pub holds: u64,
}

impl Figures {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            events: self.events.saturating_add(other.events),
            acknowledged: self.acknowledged.saturating_add(other.acknowledged),
            deaths: self.deaths.saturating_add(other.deaths),
            dead_disks: self.dead_disks.saturating_add(other.dead_disks),
            unanswered: self.unanswered.saturating_add(other.unanswered),
            alarms: self.alarms.saturating_add(other.alarms),
            provisioned: self.provisioned.saturating_add(other.provisioned),
            replaced: self.replaced.saturating_add(other.replaced),
            jumps: self.jumps.saturating_add(other.jumps),
            full_disks: self.full_disks.saturating_add(other.full_disks),
            silences: self.silences.saturating_add(other.silences),
            debits: self.debits.saturating_add(other.debits),
            doubts: self.doubts.saturating_add(other.doubts),
            holds: self.holds.saturating_add(other.holds),
        }
    }
}

/// A report on its way: button, epoch, number.
pub(super) type Published = (usize, u32, u64);

/// The world.
#[derive(Debug)]
pub struct World {
    pub(super) now: u64,
    pub(super) dice: Dice,
    pub(super) queue: Queue,
    pub(super) gateways: Vec<Gateway>,
    pub(super) buttons: Vec<Button>,
    pub(super) centre: Centre,
    pub(super) mutant: Option<Mutant>,
    pub(super) findings: Findings,
    pub(super) figures: Figures,
    /// Until when each gateway's line to the centre takes nothing.
    pub(super) cut_until: Vec<u64>,
    /// Requests without an answer, with the entries they carry.
    pub(super) requests: BTreeMap<u64, Vec<u64>>,
    pub(super) next_request: u64,
    pub(super) published: BTreeMap<(u64, u16), Published>,
    pub(super) next_session: u64,
    /// When each gateway's process last heard each device.
    pub(super) heard: BTreeMap<(usize, DeviceId), u64>,
    /// How long each gateway's journal was then, whichever process that was, as far as the journal has gone on since: a process that
    /// ended before has heard nothing.
    pub(super) heard_at_n: BTreeMap<(usize, DeviceId), usize>,
    /// The same, where it has not gone on yet.
    pub(super) heard_since: BTreeMap<(usize, DeviceId), usize>,
    /// Devices whose silence an open alarm of a gateway has told since that gateway last heard them.
    pub(super) missed: BTreeSet<(usize, DeviceId)>,
    /// When each gateway's process started.
    pub(super) started: BTreeMap<usize, u64>,
    /// Alarms that a gateway sent straight to the centre, by id.
    pub(super) direct: BTreeSet<(usize, String)>,
    /// Reports that went with a gateway's disk before the centre had them.
    pub(super) gone: BTreeSet<String>,
    /// Gateways that were replaced, by index.
    pub(super) renewed: BTreeSet<usize>,
    /// Kiosks and cards.
    pub(super) tills: Tills,
    /// Journals so far.
    pub(super) journals: u64,
}

/// Runs the history of a seed, with a broken gateway where a mutant is given.
#[must_use]
pub fn run(seed: u64, mutant: Option<Mutant>) -> Run {
    let mut world = World::new(seed, mutant);
    while let Some((at, event)) = world.queue.take() {
        if at > FAULTY_MS.saturating_add(REST_MS) {
            break;
        }
        world.figures.events = world.figures.events.saturating_add(1);
        if world.figures.events > EVENTS_MAX {
            world.findings.note("work has an end", "too many events");
            break;
        }
        world.now = at;
        world.handle(event);
    }
    world.at_rest();
    Run { findings: world.findings.0, figures: world.figures }
}

impl World {
    fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut dice = Dice::new(seed);
        let count = |range: std::ops::Range<u64>, dice: &mut Dice| {
            range.start.saturating_add(dice.below(range.end.saturating_sub(range.start)))
        };
        let (gateways, buttons) = (count(GATEWAYS, &mut dice), count(BUTTONS, &mut dice));
        let names: Vec<DeviceId> =
            (0..buttons).map(|number| format!("btn-{number:04}").parse().expect("a name")).collect();
        let at_home = |index: u64| -> Vec<DeviceId> {
            let of_gateway = (0_u64..).zip(&names).filter(|(number, _)| number.checked_rem(gateways) == Some(index));
            of_gateway.map(|(_, name)| name.clone()).collect()
        };
        let boxes: Vec<Gateway> = (0..gateways).map(|index| Gateway::new(index, &at_home(index))).collect();
        let mut world = Self {
            now: 0,
            dice,
            queue: Queue::default(),
            cut_until: vec![0; boxes.len()],
            gateways: boxes,
            buttons: names.into_iter().map(Button::new).collect(),
            centre: Centre::default(),
            mutant,
            findings: Findings::default(),
            figures: Figures::default(),
            requests: BTreeMap::new(),
            next_request: 1,
            published: BTreeMap::new(),
            next_session: 1,
            heard: BTreeMap::new(),
            heard_at_n: BTreeMap::new(),
            heard_since: BTreeMap::new(),
            missed: BTreeSet::new(),
            started: BTreeMap::new(),
            direct: BTreeSet::new(),
            gone: BTreeSet::new(),
            renewed: BTreeSet::new(),
            tills: Tills::new(gateways),
            journals: gateways,
        };
        for gateway in 0..world.gateways.len() {
            world.queue.plan(0, Event::Start { gateway });
        }
        for button in 0..world.buttons.len() {
            world.plan_in(RECONNECT_MS, Event::Connect { button });
            world.plan_in(PRESS_MS, Event::Use { button });
            world.plan_in(HEARTBEAT_MS, Event::Heartbeat { button });
            world.plan_in(CALM_MS, Event::Use { button });
        }
        world.plan_customers();
        world.queue.plan(WATCH_MS, Event::Watch);
        world.plan_in(PERSON_MS, Event::Person);
        world.plan_in(FAULT_MS, Event::Fault);
        world
    }

    pub(super) fn draw(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start.saturating_add(self.dice.below(range.end.saturating_sub(range.start)))
    }

    /// True once in `of` times, as long as things break.
    pub(super) fn breaks(&mut self, of: u64) -> bool {
        let drawn = self.dice.below(of) == 0;
        drawn && self.now < FAULTY_MS
    }

    pub(super) fn plan_in(&mut self, range: std::ops::Range<u64>, event: Event) {
        let after = self.draw(range);
        self.queue.plan(self.now.saturating_add(after), event);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Input { gateway, life, input } => {
                if self.lives(gateway, life) {
                    self.input(gateway, *input, &[]);
                }
            }
            Event::Commit { gateway, life } => {
                if self.lives(gateway, life) {
                    self.commit(gateway);
                }
            }
            Event::Wake { gateway, life } => {
                if self.lives(gateway, life) {
                    self.wake(gateway);
                }
            }
            Event::AtCentre { gateway, life, request, number } => self.at_centre(gateway, life, request, number),
            Event::Answered { gateway, life, number, input } => self.answered(gateway, life, number, *input),
            Event::Acknowledged { button, session, packet } => self.puback(button, session, packet),
            Event::Command { button, session, command, payload } => self.command(button, session, command, &payload),
            Event::Use { button } => self.use_button(button),
            Event::Connect { button } => self.connect(button),
            Event::Person => self.person(),
            Event::Fault => self.fault(),
            Event::Customer => self.customer(),
            Event::Lay { gateway, card, stays } => self.lay(gateway, card, stays),
            Event::Take { gateway, visit } => self.take_away(gateway, visit),
            Event::Dialogue { gateway, life, dialogue, turn } => self.dialogue_goes_on(gateway, life, dialogue, turn),
            Event::Heartbeat { button } => self.heartbeat(button),
            Event::Watch => self.watch(),
            Event::Due { gateway, life, origin, kind } => first::due(self, (gateway, life), origin, kind),
            Event::Start { gateway } => self.start(gateway),
            Event::DiskBack { gateway, life } => {
                if self.lives(gateway, life) {
                    self.kill(gateway);
                }
            }
        }
    }

    pub(super) fn lives(&self, gateway: usize, life: u64) -> bool {
        self.gateways.get(gateway).is_some_and(|found| found.life == life && found.process.is_some())
    }

    fn start(&mut self, gateway: usize) {
        let now = self.now;
        let is_dead = self.breaks(DEAD_OF);
        let Some(found) = self.gateways.get_mut(gateway) else { return };
        let patient = self.mutant == Some(Mutant::MissesNoDevice);
        if let Err(error) = found.start(now, is_dead, patient) {
            self.findings.note("state restores", &error.to_string());
            return;
        }
        let life = found.life;
        if is_dead {
            self.figures.dead_disks = self.figures.dead_disks.saturating_add(1);
            self.plan_in(DEAD_MS, Event::DiskBack { gateway, life });
        }
        self.heard.retain(|(of, _), _| *of != gateway);
        self.heard_since.retain(|(of, _), _| *of != gateway);
        self.started.insert(gateway, now);
        self.drain(gateway);
        self.tell_reader(gateway);
    }

    fn commit(&mut self, gateway: usize) {
        if self.breaks(150) {
            return self.kill(gateway);
        }
        let Some(found) = self.gateways.get_mut(gateway) else { return };
        let Some(mut group) = found.process.as_mut().and_then(|process| process.group.take()) else { return };
        if let Some(mutant) = self.mutant {
            mutant.break_group(&mut group);
        }
        let id = group.id;
        let life = found.life;
        if self.now >= CALM_MS.start && self.now < CALM_MS.end {
            for row in group.rows.iter().filter(|row| row.lane == OutLane::Alarms && row.kind == kind::ALARM_RAISED) {
                let origin = format!("{}/{}/{}", row.source, row.epoch, row.seq);
                let due = Event::Due { gateway, life, origin, kind: row.kind.clone() };
                self.queue.plan(self.now.saturating_add(FIRST_WITHIN_MS), due);
            }
        }
        found.disk.take(group);
        for (of, rows) in self.heard_since.extract_if(.., |(by, _), _| *by == gateway) {
            self.missed.remove(&of);
            self.heard_at_n.insert(of, rows);
        }
        self.input(gateway, Input::Store(gateway_core::StoreInput::Committed { group: id }), &[]);
    }

    fn wake(&mut self, gateway: usize) {
        let now = self.now;
        let Some(process) = self.gateways.get_mut(gateway).and_then(|found| found.process.as_mut()) else { return };
        if process.wake_at.is_some_and(|at| at <= now) {
            process.wake_at = None;
        }
        if process.wants_waking().is_some_and(|at| at <= now) {
            return self.input(gateway, Input::Timer, &[]);
        }
        self.plan_wake(gateway);
    }

    pub(super) fn plan_wake(&mut self, gateway: usize) {
        let Some(found) = self.gateways.get_mut(gateway) else { return };
        let life = found.life;
        let Some(process) = found.process.as_mut() else { return };
        let Some(at) = process.wants_waking().map(|at| at.max(self.now)) else { return };
        if process.wake_at.is_none_or(|planned| planned > at) {
            process.wake_at = Some(at);
            self.queue.plan(at, Event::Wake { gateway, life });
        }
    }

    /// Gives an input to a running core and carries out what comes of it.
    pub(super) fn input(&mut self, gateway: usize, mut input: Input, sent: &[u64]) {
        let now = self.now;
        if let Some(mutant) = self.mutant {
            mutant.break_input(&mut input, sent);
            if let Some(effect) = mutant.acts(&input) {
                self.carry_out(gateway, effect);
            }
        }
        if let Input::Link(
            LinkInput::Connected { device, .. } | LinkInput::Event { device, .. } | LinkInput::Status { device, .. },
        ) = &input
        {
            let rows = self.gateways.get(gateway).map_or(0, |found| found.disk.rows.len());
            self.heard.insert((gateway, device.clone()), now);
            self.heard_since.insert((gateway, device.clone()), rows);
        }
        let Some(found) = self.gateways.get_mut(gateway) else { return };
        let wall = found.wall;
        let Some(process) = found.process.as_mut() else { return };
        process.core.handle(input, &process.now(now, wall));
        self.drain(gateway);
    }

    fn drain(&mut self, gateway: usize) {
        while let Some(effect) = self
            .gateways
            .get_mut(gateway)
            .and_then(|found| found.process.as_mut())
            .and_then(|process| process.core.poll_effect())
        {
            self.carry_out(gateway, effect);
        }
        self.plan_wake(gateway);
    }

    pub(super) fn some_gateway(&mut self) -> usize {
        usize::try_from(self.dice.below(self.gateways.len() as u64)).unwrap_or(0)
    }

    /// Plans the end of a commit.
    pub(super) fn plan_commit(&mut self, gateway: usize) {
        let life = self.gateways.get(gateway).map_or(0, |found| found.life);
        let takes = if self.breaks(SLOW_COMMIT_OF) { SLOW_COMMIT_MS } else { COMMIT_MS };
        self.plan_in(takes, Event::Commit { gateway, life });
    }

    fn puback(&mut self, button: usize, session: u64, packet: u16) {
        let Some(found) = self.buttons.get_mut(button) else { return };
        if found.connection.is_some_and(|connection| connection.session == session)
            && found.acknowledged(packet).is_some()
        {
            self.figures.acknowledged = self.figures.acknowledged.saturating_add(1);
        }
    }

    fn answered(&mut self, gateway: usize, life: u64, number: u64, input: UplinkInput) {
        let Some(sent) = self.requests.remove(&number) else { return };
        if let UplinkInput::Uploaded { result: Err(_), .. } = &input {
            self.figures.unanswered = self.figures.unanswered.saturating_add(1);
        }
        if self.lives(gateway, life) {
            self.input(gateway, Input::Uplink(input), &sent);
        }
    }

    /// Looks whether each gateway misses the devices that it should miss.
    fn watch(&mut self) {
        let limit = SILENT_AFTER_MS.saturating_add(SILENCE_SLACK_MS);
        for (index, gateway) in self.gateways.iter().enumerate() {
            let started = self.started.get(&index).copied().unwrap_or(self.now);
            // What waits behind a slow commit is not on record yet.
            let rests = gateway.process.as_ref().is_some_and(|process| process.group.is_none());
            if !rests || gateway.is_dead || self.now.saturating_sub(started) < limit {
                continue;
            }
            for device in gateway.devices() {
                let heard = self.heard.get(&(index, device.clone())).copied().unwrap_or(started);
                let silent_ms = self.now.saturating_sub(heard);
                if silent_ms >= SILENT_AFTER_MS && silence::is_open(&gateway.disk, device.as_str()) {
                    // Somebody may end it before the next look.
                    self.missed.insert((index, device.clone()));
                }
                if silent_ms < limit {
                    continue;
                }
                self.figures.silences = self.figures.silences.saturating_add(1);
                if !self.missed.contains(&(index, device.clone())) {
                    let rows = self.heard_at_n.get(&(index, device.clone())).copied().unwrap_or(0);
                    silence::now((index, &gateway.disk), device.as_str(), rows, &mut self.findings);
                }
            }
        }
        self.queue.plan(self.now.saturating_add(WATCH_MS), Event::Watch);
    }

    fn at_rest(&mut self) {
        self.figures.alarms = self.centre.alarms.len() as u64;
        let findings = &mut self.findings;
        acknowledged::at_rest(&self.buttons, &self.centre, &self.gone, findings);
        self.figures.debits = self.tills.cards.iter().map(|card| card.debits.len() as u64).sum();
        let in_doubt =
            self.centre.facts.iter().filter(|((_, kind), body)| kind == kind::SALE_OUTCOME && body.contains("unknown"));
        self.figures.doubts = in_doubt.count() as u64;
        self.figures.holds = self.centre.ledger.holds.len() as u64;
        let (cards, psams) = (&self.tills.cards, &self.tills.psams);
        paid::at_rest((cards, psams), &self.centre.ledger, (&self.gone, &self.renewed), findings);
        for (index, gateway) in self.gateways.iter().enumerate() {
            chain::at_rest(index, &gateway.disk, findings);
            once::at_rest(index, &gateway.disk, findings);
            converged::at_rest(index, &gateway.disk, &self.centre, findings);
        }
    }

    /// Publishes what a button keeps, as far as it is not on its way on this connection.
    pub(super) fn publish(&mut self, button: usize, report: &Report) {
        let arrives = self.now.saturating_add(self.draw(LATENCY_MS));
        let Some(found) = self.buttons.get_mut(button) else { return };
        let Some(connection) = found.connection.as_mut() else { return };
        let at = arrives.max(connection.arrives_from);
        connection.arrives_from = at;
        let (gateway, session) = (connection.gateway, connection.session);
        let packet = found.packet((report.epoch, report.seq));
        self.published.insert((session, packet), (button, report.epoch, report.seq));
        let input = Input::Link(LinkInput::Event {
            device: found.id.clone(),
            ack: Some(token(session, packet)),
            payload: report.payload.as_bytes().to_vec(),
            retained: false,
        });
        let life = self.gateways.get(gateway).map_or(0, |found| found.life);
        self.queue.plan(at, Event::Input { gateway, life, input: Box::new(input) });
    }
}
