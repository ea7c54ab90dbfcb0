//! What breaks: processes, disks, lines, clocks, batteries, and whole gateways.
//!
//! **Invariant:** what only a disk had that was taken away is noted: it is the one thing that may be missing.

use gateway_core::{Input, LinkInput, StoreInput};
use protocols::uplink::Clock;

use super::event::Event;
use super::gateway::{Wall, session_id};
use super::limits::{AWAY_MS, DEAD_MS, DOWN_MS, FAULT_MS, FAULTY_MS, JUMPS_MS, LATENCY_MS, RECONNECT_MS};
use super::world::World;

impl World {
    /// A process dies. Whether a group under way reached the disk, nobody knows.
    pub(super) fn kill(&mut self, gateway: usize) {
        let applied = self.dice.below(2) == 0;
        let Some(found) = self.gateways.get_mut(gateway) else { return };
        let Some(mut process) = found.process.take() else { return };
        self.dialogues_die(gateway);
        let Some(found) = self.gateways.get_mut(gateway) else { return };
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
        let input = Input::Link(LinkInput::Disconnected { device, session: session_id(connection.session) });
        self.queue.plan(noticed, Event::Input { gateway: connection.gateway, life, input: Box::new(input) });
        self.plan_in(RECONNECT_MS, Event::Connect { button });
    }

    pub(super) fn fault(&mut self) {
        if self.now >= FAULTY_MS {
            return;
        }
        match self.dice.below(13) {
            0 | 1 => {
                let gateway = self.some_gateway();
                self.kill(gateway);
            }
            2 | 3 => {
                let gateway = self.some_gateway();
                let until = self.now.saturating_add(self.draw(FAULT_MS)).min(FAULTY_MS);
                if let Some(cut) = self.cut_until.get_mut(gateway) {
                    *cut = until;
                }
            }
            4..=7 => {
                let button = self.some_button();
                self.cut(button);
            }
            8 => {
                let button = self.some_button();
                let until = self.now.saturating_add(self.draw(AWAY_MS));
                if let Some(found) = self.buttons.get_mut(button) {
                    found.away_until = until;
                }
                self.cut(button);
            }
            9 => self.jump(),
            10 => {
                let button = self.some_button();
                if let Some(found) = self.buttons.get_mut(button) {
                    found.provision();
                    self.figures.provisioned = self.figures.provisioned.saturating_add(1);
                }
            }
            11 => self.fill(),
            _ if self.dice.below(4) == 0 => {
                let gateway = self.some_gateway();
                self.replace(gateway);
            }
            _ => {}
        }
        self.plan_in(FAULT_MS, Event::Fault);
    }

    /// A gateway's wall clock jumps, and is trusted or not from then on.
    fn jump(&mut self) {
        let gateway = self.some_gateway();
        let by = self.dice.pick(&JUMPS_MS).copied().unwrap_or(0);
        let clock = if self.dice.below(2) == 0 { Clock::Trusted } else { Clock::Untrusted };
        if let Some(found) = self.gateways.get_mut(gateway) {
            found.wall = Wall { ahead_ms: by, clock };
            self.figures.jumps = self.figures.jumps.saturating_add(1);
        }
    }

    /// A gateway's disk is nearly full for a while, if its process lives so long.
    fn fill(&mut self) {
        let gateway = self.some_gateway();
        let life = self.gateways.get(gateway).map_or(0, |found| found.life);
        let low = |low| Box::new(Input::Store(StoreInput::SpaceLow(low)));
        self.queue.plan(self.now, Event::Input { gateway, life, input: low(true) });
        self.plan_in(DEAD_MS, Event::Input { gateway, life, input: low(false) });
        self.figures.full_disks = self.figures.full_disks.saturating_add(1);
    }

    /// A gateway is taken away with its disk; another one of its name begins with an empty one.
    fn replace(&mut self, gateway: usize) {
        self.kill(gateway);
        self.journals = self.journals.saturating_add(1);
        let journal = format!("journal-{}", self.journals);
        let Some(found) = self.gateways.get_mut(gateway) else { return };
        let old = found.disk.replace(&journal);
        self.heard_at_n.retain(|(of, _), _| *of != gateway);
        let reported = old.rows.iter().map(|row| format!("{}/{}/{}", row.source, row.epoch, row.seq));
        let counted = old.alarms().flat_map(|alarm| {
            let device = alarm.device.as_ref().map(ToString::to_string).unwrap_or_default();
            let presses = alarm.counted.into_iter();
            presses.map(move |(epoch, seq, _)| format!("device:{device}/{epoch}/{}", seq.get())).collect::<Vec<_>>()
        });
        self.gone.extend(reported.chain(counted).filter(|origin| !self.centre.has(origin)));
        self.renewed.insert(gateway);
        self.figures.replaced = self.figures.replaced.saturating_add(1);
    }

    fn some_button(&mut self) -> usize {
        usize::try_from(self.dice.below(self.buttons.len() as u64)).unwrap_or(0)
    }
}
