//! What buttons and people do of themselves.

use gateway_core::{DeskInput, Input, LinkInput, ReplyToken, Sent};
use protocols::device::AlarmState;

use super::button::Connection;
use super::event::Event;
use super::gateway::session_id;
use super::limits::{CALM_MS, FAULTY_MS, FLOOD, HEARTBEAT_MS, LATENCY_MS, PERSON_MS, PRESS_MS, RECONNECT_MS};
use super::world::World;

/// How far people take an alarm.
const STEPS: [AlarmState; 4] =
    [AlarmState::Acknowledged, AlarmState::Dispatched, AlarmState::OnSite, AlarmState::Resolved];

impl World {
    pub(super) fn use_button(&mut self, button: usize) {
        let is_calm = CALM_MS.contains(&self.now);
        if self.now >= FAULTY_MS && !is_calm {
            return;
        }
        let chosen = self.dice.below(10);
        let Some(found) = self.buttons.get_mut(button) else { return };
        let before = found.next_seq.saturating_sub(1);
        let report = match chosen {
            0 if before > 0 => found.report("cancel", Some(before)),
            1 => found.report("test", None),
            2 => found.report("fall", None),
            3 => found.report("low_battery", None),
            _ => found.report("sos", None),
        };
        self.publish(button, &report);
        if is_calm {
            return self.flood(button);
        }
        // A frightened person presses in a hurry, now and then.
        let pause = if self.dice.below(4) == 0 { PRESS_MS.start..PRESS_MS.start.saturating_add(200) } else { PRESS_MS };
        self.plan_in(pause, Event::Use { button });
    }

    pub(super) fn connect(&mut self, button: usize) {
        let away = self.dice.below(4) == 0;
        let other = self.some_gateway();
        let gateway = if away { other } else { button.checked_rem(self.gateways.len()).unwrap_or(0) };
        let is_away = self.buttons.get(button).is_some_and(|found| found.away_until > self.now);
        let runs = self.gateways.get(gateway).filter(|found| found.process.is_some() && !is_away);
        let Some(life) = runs.map(|found| found.life) else {
            return self.plan_in(RECONNECT_MS, Event::Connect { button });
        };
        let session = self.next_session;
        self.next_session = session.saturating_add(1);
        let arrives = self.now.saturating_add(self.draw(LATENCY_MS));
        let Some(found) = self.buttons.get_mut(button).filter(|found| found.connection.is_none()) else { return };
        found.connection = Some(Connection { gateway, session, arrives_from: arrives });
        found.packets.clear();
        let (device, waiting) = (found.id.clone(), found.waiting.clone());
        let input = Box::new(Input::Link(LinkInput::Connected { device, session: session_id(session) }));
        self.queue.plan(arrives, Event::Input { gateway, life, input });
        for report in waiting {
            self.publish(button, &report);
        }
    }

    /// The device of a button reports a test, many times: nothing of it may be in the way of an alarm.
    fn flood(&mut self, button: usize) {
        for _ in 0..FLOOD {
            let Some(found) = self.buttons.get_mut(button) else { return };
            let report = found.report("test", None);
            self.publish(button, &report);
        }
    }

    /// A button says that it is there.
    pub(super) fn heartbeat(&mut self, button: usize) {
        let Some(found) = self.buttons.get(button) else { return };
        let (device, epoch) = (found.id.clone(), found.epoch);
        if let Some(connection) = found.connection {
            let life = self.gateways.get(connection.gateway).map_or(0, |gateway| gateway.life);
            let payload = format!(r#"{{"v":1,"epoch":{epoch},"boot":1,"up_ms":{}}}"#, self.now).into_bytes();
            let input = Input::Link(LinkInput::Status { device, ack: None, payload, retained: false });
            let at = connection.arrives_from.max(self.now).saturating_add(self.draw(LATENCY_MS));
            self.queue.plan(at, Event::Input { gateway: connection.gateway, life, input: Box::new(input) });
        }
        self.plan_in(HEARTBEAT_MS, Event::Heartbeat { button });
    }

    pub(super) fn person(&mut self) {
        if self.now >= FAULTY_MS {
            return;
        }
        let state = self.dice.pick(&STEPS).copied().unwrap_or(AlarmState::Resolved);
        if self.dice.below(2) == 0 {
            let open: Vec<String> = self
                .centre
                .alarms
                .iter()
                .filter(|(_, alarm)| alarm.state < AlarmState::Resolved)
                .map(|(id, _)| id.clone())
                .collect();
            if let Some(id) = self.dice.pick(&open) {
                self.centre.step(id, state);
            }
        } else {
            self.nurse(state);
        }
        self.plan_in(PERSON_MS, Event::Person);
    }

    fn nurse(&mut self, state: AlarmState) {
        let gateway = self.some_gateway();
        let Some(process) = self.gateways.get(gateway).and_then(|found| found.process.as_ref()) else { return };
        let open: Vec<String> = process.core.alarms(false).into_iter().map(|alarm| alarm.id).collect();
        let Some(alarm) = self.dice.pick(&open).cloned() else { return };
        let input = Input::Desk(DeskInput::StepAlarm {
            reply: ReplyToken(self.now),
            alarm,
            state,
            by: "nurse-1".parse().expect("a name of an actor"),
            cause: (state == AlarmState::Resolved).then(|| "helped".to_owned()),
            sent: Sent { responder: Some("duty".to_owned()), eta_min: Some(10) },
        });
        self.input(gateway, input, &[]);
    }
}
