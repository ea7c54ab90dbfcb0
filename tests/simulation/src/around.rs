//! What a core's effects do in the simulated world.

use gateway_core::{
    CommandId, DeskAnswer, Direct, Effect, Input, LinkInput, LookUpFailed, Notice, OutLane, StoreInput, UplinkFailure,
    UplinkInput,
};
use protocols::device::{AlarmState, Command};
use protocols::id::DeviceId;
use protocols::uplink::{Entry, Lane, OrderPage, Results};

use super::event::{Event, Request};
use super::limits::{DEADLINE_MS, LATE_MS, LATENCY_MS, LOOK_UP_FAILS_OF, LOOK_UP_MS, POLL_MS};
use super::mutant::{MUTANT_PAUSE_MS, Mutant};
use super::promise::{acknowledged, paid, private, shown};
use super::world::World;

impl World {
    pub(super) fn carry_out(&mut self, gateway: usize, effect: Effect) {
        let Some(found) = self.gateways.get_mut(gateway) else { return };
        let life = found.life;
        match effect {
            Effect::Commit(group) => {
                if let Some(process) = found.process.as_mut() {
                    process.group = Some(group);
                }
                self.plan_commit(gateway);
            }
            Effect::FindOrigin { ticket, source, epoch, seq } => {
                let body = Ok(found.disk.find(&source, &epoch, seq));
                let body = if self.breaks(LOOK_UP_FAILS_OF) { Err(LookUpFailed) } else { body };
                let input = Box::new(Input::Store(StoreInput::OriginFound { ticket, body }));
                self.plan_in(LOOK_UP_MS, Event::Input { gateway, life, input });
            }
            Effect::LoadReports { ticket, device, limit } => {
                let found = Ok(found.disk.newest_reports(&device, limit));
                let found = if self.breaks(LOOK_UP_FAILS_OF) { Err(LookUpFailed) } else { found };
                let input = Box::new(Input::Store(StoreInput::ReportsLoaded { ticket, found }));
                self.plan_in(LOOK_UP_MS, Event::Input { gateway, life, input });
            }
            Effect::Ack { token, .. } => self.acknowledge(gateway, token.session.number, token.packet),
            Effect::Command { device, session, command, payload } => {
                self.tell(gateway, &device, (session.number, command), payload);
            }
            Effect::Upload { lane, after, except, max } => {
                let entries = found.disk.waiting(lane, after, &except, max);
                self.upload(gateway, lane, after, entries);
            }
            Effect::PollOrders { lane, stream, after, .. } => {
                self.request(gateway, Request::Orders { lane, stream, after });
            }
            Effect::Hold { sale, request } => {
                paid::hold_goes_out(&found.disk, &request, &mut self.findings);
                self.request(gateway, Request::Hold { sale, request });
            }
            Effect::RunDialogue { dialogue, order, .. } => self.run_dialogue(gateway, dialogue, order),
            Effect::CardVerdict { dialogue, verdict } => self.card_verdict(gateway, dialogue, verdict),
            Effect::Proceed { dialogue } => self.proceed(gateway, dialogue),
            Effect::Notify(Notice::Sale { sale }) | Effect::Reply { answer: DeskAnswer::Sale(sale), .. } => {
                paid::to_people(&found.disk, &sale, &mut self.findings);
            }
            Effect::UploadDirect { ticket, entry } => {
                if let Ok(entry) = serde_json::from_str::<Entry>(&entry) {
                    self.direct.insert((gateway, entry.origin.alarm_id()));
                }
                self.request(gateway, Request::Direct { ticket, entry });
            }
            Effect::Reply { answer: DeskAnswer::Alarm { id: alarm, state }, .. }
            | Effect::Notify(Notice::Alarm { alarm, state }) => {
                // What goes straight to the centre people see before anybody else has it; what people did counts all the same.
                let is_direct = found.is_dead || self.direct.contains(&(gateway, alarm.clone()));
                if !is_direct || state > AlarmState::Accepted {
                    shown::to_people(&found.disk, &self.centre, &alarm, state, &mut self.findings);
                }
            }
            Effect::Notify(
                Notice::Reader { .. } | Notice::Card { .. } | Notice::Device { .. } | Notice::Uplink { .. },
            )
            | Effect::Reply { answer: DeskAnswer::Refused(_) | DeskAnswer::Card(_) | DeskAnswer::SentAgain { .. } | DeskAnswer::Test(_), .. }
            // Nobody looks at a card in these runs.
            | Effect::AskBalance { .. }
            | Effect::Count { .. }
            // No device is taken away in these runs.
            | Effect::Close { .. } => {}
        }
    }

    /// A command for a device, on one of its connections.
    fn tell(&mut self, gateway: usize, device: &DeviceId, (session, command): (u64, CommandId), mut payload: Vec<u8>) {
        if let Some(mutant) = self.mutant {
            mutant.break_command(&mut payload);
        }
        let Some(found) = self.gateways.get(gateway) else { return };
        if let Ok(Command { alarm: Some(told), .. }) = serde_json::from_slice::<Command>(&payload) {
            let seqs: Vec<u64> = told.seqs.iter().map(|seq| seq.get()).collect();
            let presses = (told.epoch, seqs.as_slice());
            shown::to_device(&found.disk, &self.centre, device.as_str(), presses, told.state, &mut self.findings);
        }
        if let Some(button) = self.buttons.iter().position(|button| button.id == *device) {
            self.plan_in(LATENCY_MS, Event::Command { button, session, command, payload });
        }
    }

    fn upload(&mut self, gateway: usize, lane: OutLane, after: u64, mut entries: Vec<(u64, String)>) {
        for (n, bytes) in &mut entries {
            let row = self.gateways.get(gateway).and_then(|found| found.disk.rows.iter().find(|row| row.n == *n));
            if let (Some(mutant), Some(row)) = (self.mutant, row) {
                mutant.break_entry(row, bytes);
            }
            private::leaves(&self.tills.cards, bytes, &mut self.findings);
        }
        let waits = lane == OutLane::Alarms && self.mutant == Some(Mutant::SendsAlarmsLast) && !entries.is_empty();
        if !waits || self.dice.below(3) == 0 {
            return self.request(gateway, Request::Upload { lane, after, entries });
        }
        let life = self.gateways.get(gateway).map_or(0, |found| found.life);
        let sent = entries.iter().map(|(n, _)| *n).collect();
        let result = Err(UplinkFailure::Busy { retry_after_ms: Some(MUTANT_PAUSE_MS) });
        let input = Input::Uplink(UplinkInput::Uploaded { lane, after, sent, result });
        self.plan_in(LOOK_UP_MS, Event::Input { gateway, life, input: Box::new(input) });
    }

    fn acknowledge(&mut self, gateway: usize, session: u64, packet: u16) {
        let Some((button, epoch, seq)) = self.published.get(&(session, packet)).copied() else { return };
        let Some(device) = self.buttons.get(button).map(|button| button.id.clone()) else { return };
        if let Some(found) = self.gateways.get(gateway) {
            acknowledged::now(&found.disk, &self.centre, device.as_str(), epoch, seq, &mut self.findings);
        }
        self.plan_in(LATENCY_MS, Event::Acknowledged { button, session, packet });
    }

    fn request(&mut self, gateway: usize, request: Request) {
        let number = self.next_request;
        self.next_request = number.saturating_add(1);
        let life = self.gateways.get(gateway).map_or(0, |found| found.life);
        let (sent, failed, deadline) = match &request {
            Request::Upload { lane, after, entries } => {
                let (lane, after) = (*lane, *after);
                if entries.is_empty() {
                    let result = Ok(Results { v: 1, results: Vec::new(), head: None });
                    let input = UplinkInput::Uploaded { lane, after, sent: Vec::new(), result };
                    let input = Box::new(Input::Uplink(input));
                    return self.plan_in(LOOK_UP_MS, Event::Input { gateway, life, input });
                }
                let result = Err(UplinkFailure::Unreachable);
                let failed = UplinkInput::Uploaded { lane, after, sent: Vec::new(), result };
                (entries.iter().map(|(n, _)| *n).collect(), failed, DEADLINE_MS)
            }
            Request::Direct { ticket, .. } => {
                let result = Err(UplinkFailure::Unreachable);
                (Vec::new(), UplinkInput::Direct(Direct { ticket: *ticket, result }), DEADLINE_MS)
            }
            Request::Hold { sale, .. } => {
                let failed = UplinkInput::HoldAnswered { sale: sale.clone(), result: Err(UplinkFailure::Unreachable) };
                (Vec::new(), failed, DEADLINE_MS)
            }
            Request::Orders { lane, .. } => {
                let failed = UplinkInput::Orders { lane: *lane, result: Err(UplinkFailure::Unreachable) };
                (Vec::new(), failed, DEADLINE_MS.saturating_add(POLL_MS))
            }
        };
        self.requests.insert(number, sent);
        let deadline = self.now.saturating_add(deadline);
        self.queue.plan(deadline, Event::Answered { gateway, life, number, input: Box::new(failed) });
        if self.is_cut(gateway) || self.breaks(12) {
            return;
        }
        if self.breaks(12) {
            // Twice, the second time maybe long after the process that sent it has died.
            let late = if self.breaks(3) { LATE_MS } else { LATENCY_MS };
            self.plan_in(late, Event::AtCentre { gateway, life, request: request.clone(), number });
        }
        self.plan_in(LATENCY_MS, Event::AtCentre { gateway, life, request, number });
    }

    fn is_cut(&self, gateway: usize) -> bool {
        self.cut_until.get(gateway).is_some_and(|until| *until > self.now)
    }

    pub(super) fn at_centre(&mut self, gateway: usize, life: u64, request: Request, number: u64) {
        let (input, waits) = match request {
            Request::Upload { lane, after, entries } => {
                let results = self.centre.take(gateway, &entries);
                let sent = entries.into_iter().map(|(n, _)| n).collect();
                (UplinkInput::Uploaded { lane, after, sent, result: Ok(results) }, false)
            }
            Request::Direct { ticket, entry } => {
                let result = self.centre.take_direct(gateway, &entry);
                (UplinkInput::Direct(Direct { ticket, result: Ok(result) }), false)
            }
            Request::Hold { sale, request } => {
                let answer = self.centre.ledger.hold(&request);
                (UplinkInput::HoldAnswered { sale, result: Ok(answer) }, false)
            }
            Request::Orders { lane: Lane::Alarms, stream, after } => {
                let page = self.centre.page(gateway, &stream, after);
                let waits = page.orders.is_empty();
                (UplinkInput::Orders { lane: Lane::Alarms, result: Ok(page) }, waits)
            }
            Request::Orders { lane: Lane::Other, .. } => {
                let page = OrderPage { v: 1, stream: format!("stream-{gateway}"), orders: Vec::new() };
                (UplinkInput::Orders { lane: Lane::Other, result: Ok(page) }, true)
            }
        };
        if self.is_cut(gateway) || self.breaks(12) {
            return;
        }
        let wait = if waits { POLL_MS } else { 0 };
        let at = self.now.saturating_add(wait).saturating_add(self.draw(LATENCY_MS));
        self.queue.plan(at, Event::Answered { gateway, life, number, input: Box::new(input) });
    }

    pub(super) fn command(&mut self, button: usize, session: u64, command: CommandId, payload: &[u8]) {
        let Some(found) = self.buttons.get_mut(button) else { return };
        let Some(connection) = found.connection.filter(|connection| connection.session == session) else { return };
        let device = found.id.clone();
        let gateway = connection.gateway;
        if let Ok(Command { alarm: Some(told), .. }) = serde_json::from_slice::<Command>(payload) {
            let seqs: Vec<u64> = told.seqs.iter().map(|seq| seq.get()).collect();
            for seq in &seqs {
                let highest = found.told.entry((told.epoch, *seq)).or_insert(told.state);
                *highest = (*highest).max(told.state);
            }
        }
        let life = self.gateways.get(gateway).map_or(0, |found| found.life);
        let input = Box::new(Input::Link(LinkInput::CommandTaken { device, command }));
        self.plan_in(LATENCY_MS, Event::Input { gateway, life, input });
    }
}
