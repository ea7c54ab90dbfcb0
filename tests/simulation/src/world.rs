//! The world around the gateways: networks, disks, buttons, people and what breaks, under virtual time and one seed.
//!
//! **Invariant:** everything that is left to chance is drawn from one source of choices, so a seed repeats a run.
//! **Invariant:** after the last fault everything works, so that what is still missing at rest is lost.

use std::collections::BTreeMap;

use gateway_core::{Input, UplinkInput};
use protocols::id::DeviceId;

use super::button::Button;
use super::centre::Centre;
use super::event::{Event, Queue};
use super::gateway::{Gateway, session_id, token};
use super::limits::{
    BUTTONS, COMMIT_MS, DEAD_MS, DEAD_OF, DOWN_MS, EVENTS_MAX, FAULT_MS, FAULTY_MS, GATEWAYS, LATENCY_MS, PERSON_MS,
    PRESS_MS, RECONNECT_MS, REST_MS,
};
use super::mutant::Mutant;
use super::promise::{Findings, acknowledged, chain, converged, once};
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
        let gateways: Vec<Gateway> =
            (0..gateways).map(|index| Gateway::new(usize::try_from(index).unwrap_or(0), &names)).collect();
        let mut world = Self {
            now: 0,
            dice,
            queue: Queue::default(),
            cut_until: vec![0; gateways.len()],
            gateways,
            buttons: names.into_iter().map(Button::new).collect(),
            centre: Centre::default(),
            mutant,
            findings: Findings::default(),
            figures: Figures::default(),
            requests: BTreeMap::new(),
            next_request: 1,
            published: BTreeMap::new(),
            next_session: 1,
        };
        for gateway in 0..world.gateways.len() {
            world.queue.plan(0, Event::Start { gateway });
        }
        for button in 0..world.buttons.len() {
            world.plan_in(RECONNECT_MS, Event::Connect { button });
            world.plan_in(PRESS_MS, Event::Use { button });
        }
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
        if let Err(error) = found.start(now, is_dead) {
            self.findings.note("state restores", &error.to_string());
            return;
        }
        let life = found.life;
        if is_dead {
            self.figures.dead_disks = self.figures.dead_disks.saturating_add(1);
            self.plan_in(DEAD_MS, Event::DiskBack { gateway, life });
        }
        self.drain(gateway);
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
        found.disk.take(group);
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
        let Some(process) = self.gateways.get_mut(gateway).and_then(|found| found.process.as_mut()) else { return };
        process.core.handle(input, &process.now(now));
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

    /// A process dies. Whether a group under way reached the disk, nobody knows.
    pub(super) fn kill(&mut self, gateway: usize) {
        let applied = self.dice.below(2) == 0;
        let Some(found) = self.gateways.get_mut(gateway) else { return };
        let Some(mut process) = found.process.take() else { return };
        self.figures.deaths = self.figures.deaths.saturating_add(1);
        if let Some(mut group) = process.group.take().filter(|_| applied) {
            if let Some(mutant) = self.mutant {
                mutant.break_group(&mut group);
            }
            found.disk.take(group);
        }
        for button in 0..self.buttons.len() {
            if self.buttons.get(button).and_then(|found| found.connection).is_some_and(|to| to.gateway == gateway) {
                self.cut(button);
            }
        }
        self.plan_in(DOWN_MS, Event::Start { gateway });
    }

    /// A button's connection ends, for both ends at different times.
    pub(super) fn cut(&mut self, button: usize) {
        let Some(found) = self.buttons.get_mut(button) else { return };
        let Some(connection) = found.connection.take() else { return };
        let device = found.id.clone();
        let life = self.gateways.get(connection.gateway).map_or(0, |gateway| gateway.life);
        let noticed = connection.arrives_from.max(self.now).saturating_add(self.draw(LATENCY_MS));
        let input =
            Input::Link(gateway_core::LinkInput::Disconnected { device, session: session_id(connection.session) });
        self.queue.plan(noticed, Event::Input { gateway: connection.gateway, life, input: Box::new(input) });
        self.plan_in(RECONNECT_MS, Event::Connect { button });
    }

    fn fault(&mut self) {
        if self.now >= FAULTY_MS {
            return;
        }
        match self.dice.below(4) {
            0 => {
                let gateway = self.some_gateway();
                self.kill(gateway);
            }
            1 => {
                let gateway = self.some_gateway();
                let until = self.now.saturating_add(self.draw(FAULT_MS)).min(FAULTY_MS);
                if let Some(cut) = self.cut_until.get_mut(gateway) {
                    *cut = until;
                }
            }
            2 | 3 => {
                let button = usize::try_from(self.dice.below(self.buttons.len() as u64)).unwrap_or(0);
                self.cut(button);
            }
            _ => {}
        }
        self.plan_in(FAULT_MS, Event::Fault);
    }

    pub(super) fn some_gateway(&mut self) -> usize {
        usize::try_from(self.dice.below(self.gateways.len() as u64)).unwrap_or(0)
    }

    /// Plans the end of a commit.
    pub(super) fn plan_commit(&mut self, gateway: usize) {
        let life = self.gateways.get(gateway).map_or(0, |found| found.life);
        self.plan_in(COMMIT_MS, Event::Commit { gateway, life });
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

    fn at_rest(&mut self) {
        self.figures.alarms = self.centre.alarms.len() as u64;
        let findings = &mut self.findings;
        acknowledged::at_rest(&self.buttons, &self.centre, findings);
        for (index, gateway) in self.gateways.iter().enumerate() {
            chain::at_rest(index, &gateway.disk, findings);
            once::at_rest(index, &gateway.disk, findings);
            converged::at_rest(index, &gateway.disk, &self.centre, findings);
        }
    }

    /// Publishes what a button keeps, as far as it is not on its way on this connection.
    pub(super) fn publish(&mut self, button: usize, seq: u64, payload: &str) {
        let arrives = self.now.saturating_add(self.draw(LATENCY_MS));
        let Some(found) = self.buttons.get_mut(button) else { return };
        let Some(connection) = found.connection.as_mut() else { return };
        let at = arrives.max(connection.arrives_from);
        connection.arrives_from = at;
        let (gateway, session) = (connection.gateway, connection.session);
        let packet = found.packet(seq);
        self.published.insert((session, packet), (button, found.epoch, seq));
        let input = Input::Link(gateway_core::LinkInput::Event {
            device: found.id.clone(),
            ack: Some(token(session, packet)),
            payload: payload.as_bytes().to_vec(),
            retained: false,
        });
        let life = self.gateways.get(gateway).map_or(0, |found| found.life);
        self.queue.plan(at, Event::Input { gateway, life, input: Box::new(input) });
    }
}
