//! The world around the core: hands each effect to the adapter that carries it out, and looks after time, space and
//! the watchdog.
//!
//! **Invariant:** nothing here waits; what needs time is a task of its own, and comes back as an input.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use gateway_core::{AckCode, AckToken, Core, Effect, Input, LinkId, LookUpFailed, NewestReports, Now, StoreInput};
use metrics::{counter, gauge};
use tokio::sync::mpsc;

use crate::adapter::broker::{BrokerHandle, BrokerStats};
use crate::adapter::card_reader::CardReaderHandle;
use crate::adapter::device_link::{DeviceLinkHandle, LinkStats};
use crate::adapter::kiosk::Kiosk;
use crate::adapter::kiosk::view::Query;
use crate::adapter::store::{Reader, Space, StoreEvent, Writer};
use crate::adapter::uplink::{Refused, UplinkHandle};
use crate::answers::Answers;
use crate::devices_watch::Listed;
use crate::event_loop::Outside;
use crate::limits::{FIGURES, SPACE_LOOK};
use crate::time_source::TimeSource;
use crate::troubles::Troubles;

/// Handles of every adapter. Those that a site does not have are absent.
pub struct Daemon {
    /// The daemon's own MQTT end.
    pub link: DeviceLinkHandle,
    /// An existing broker.
    pub broker: Option<BrokerHandle>,
    /// The card readers.
    pub readers: Option<CardReaderHandle>,
    /// The journal's writer; absent where no disk takes a commit.
    pub writer: Option<Writer>,
    /// The journal's reading side.
    pub journal: Option<Reader>,
    /// The room on the disk.
    pub space: Option<Space>,
    /// Where the journal's answers go.
    pub store_events: mpsc::Sender<StoreEvent>,
    /// The way to the centre.
    pub uplink: UplinkHandle,
    /// The local interface.
    pub kiosk: Kiosk,
    /// The answers to its questions.
    pub answers: Answers,
    /// The time.
    pub time: TimeSource,
    /// What does not work just now.
    pub troubles: Troubles,
    /// New versions of the devices file.
    pub listed: mpsc::Receiver<Listed>,
    /// What is collected within a turn.
    pub collected: Collected,
    /// When things were last looked after.
    pub looked: Looked,
}

/// What is collected within a turn of the event loop.
#[derive(Debug, Default)]
pub struct Collected {
    /// What comes back at once.
    returned: VecDeque<Input>,
    /// Acknowledgements for the device link, whose connections each wake once for all of theirs.
    acks: Vec<(AckToken, AckCode)>,
}

/// When things were last looked after.
#[derive(Debug)]
pub struct Looked {
    space: Option<Instant>,
    figures: Option<Instant>,
    watchdog: Option<Instant>,
    watchdog_every: Option<Duration>,
    was_low: bool,
}

impl Looked {
    /// Nothing yet. The service manager's watchdog, where there is one, is fed at half its time.
    #[must_use]
    pub fn new() -> Self {
        Self {
            space: None,
            figures: None,
            watchdog: None,
            watchdog_every: sd_notify::watchdog_enabled().map(|limit| limit / 2),
            was_low: false,
        }
    }
}

impl Default for Looked {
    fn default() -> Self {
        Self::new()
    }
}

fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let now = Instant::now();
    if last.is_some_and(|last| now.duration_since(last) < every) {
        return false;
    }
    *last = Some(now);
    true
}

impl Daemon {
    fn acknowledge(&mut self, token: AckToken, code: AckCode) {
        match (token.session.link, &self.broker) {
            (LinkId::Device, _) => self.collected.acks.push((token, code)),
            (LinkId::Broker, Some(broker)) => broker.ack(token, code),
            (LinkId::Broker, None) => {}
        }
    }

    fn or_return(&mut self, taken: Result<(), Refused>) {
        if let Err(answer) = taken {
            self.collected.returned.push_back(Input::Uplink(*answer));
        }
    }

    fn look_up(&self, effect: LookUp) {
        let Some(journal) = self.journal.clone() else { return };
        let events = self.store_events.clone();
        tokio::spawn(async move {
            let input = effect.ask(&journal).await;
            // Nobody listens only when the daemon is ending.
            let _ending = events.send(StoreEvent::Input(input)).await;
        });
    }

    fn tell_readers(&self, word: impl FnOnce(&CardReaderHandle)) {
        if let Some(readers) = &self.readers {
            word(readers);
        }
    }

    fn look_at_space(&mut self) {
        if !is_due(&mut self.looked.space, SPACE_LOOK) {
            return;
        }
        let Some(space) = &self.space else { return };
        let low = space.is_low();
        if !low && let Err(error) = space.keep_reserve() {
            tracing::warn!(%error, "the disk's reserve could not be kept");
        }
        if std::mem::replace(&mut self.looked.was_low, low) != low {
            self.collected.returned.push_back(Input::Store(StoreInput::SpaceLow(low)));
        }
    }

    /// Passes on which parts began or ended to work, and which devices there are.
    fn look_at_troubles(&mut self) {
        while let Ok(listed) = self.listed.try_recv() {
            self.collected.returned.push_back(Input::DevicesListed(listed));
        }
        for news in self.troubles.take_news() {
            self.collected.returned.push_back(Input::Trouble { kind: news.kind, detail: news.detail });
        }
        if let Some(line) = self.troubles.take_line()
            && let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Status(&line)])
        {
            tracing::warn!(%error, "the service manager could not be told what does not work");
        }
    }

    fn feed_watchdog(&mut self) {
        let Some(every) = self.looked.watchdog_every else { return };
        if is_due(&mut self.looked.watchdog, every)
            && let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Watchdog])
        {
            tracing::warn!(%error, "the service manager's watchdog could not be fed");
        }
    }
}

/// A question to the journal.
enum LookUp {
    Origin { ticket: gateway_core::Ticket, source: String, epoch: String, seq: u64 },
    Reports { ticket: gateway_core::Ticket, source: String, limit: usize },
}

impl LookUp {
    /// Asks. A journal that cannot be read is not one that has nothing.
    async fn ask(self, journal: &Reader) -> StoreInput {
        match self {
            Self::Origin { ticket, source, epoch, seq } => {
                let found = journal.find_origin(&source, &epoch, seq).await;
                StoreInput::OriginFound { ticket, body: or_failed(found) }
            }
            Self::Reports { ticket, source, limit } => {
                let found = or_failed(journal.recent_reports(&source, limit).await);
                let found = found.map(|found| found.map(|(epoch, recent)| NewestReports { epoch, recent }));
                StoreInput::ReportsLoaded { ticket, found }
            }
        }
    }
}

fn or_failed<T>(found: Result<T, crate::adapter::store::StoreFailure>) -> Result<T, LookUpFailed> {
    found.map_err(|failure| {
        tracing::error!(%failure, "the journal could not be asked; reports that are no alarms stay with their devices");
        LookUpFailed
    })
}

impl Outside for Daemon {
    fn now(&mut self) -> Now {
        self.time.now()
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Commit(group) => {
                if let Some(writer) = &self.writer
                    && writer.submit(group).is_err()
                {
                    tracing::error!("the journal's writer has ended");
                }
            }
            Effect::FindOrigin { ticket, source, epoch, seq } => {
                self.look_up(LookUp::Origin { ticket, source, epoch, seq });
            }
            Effect::LoadReports { ticket, device, limit } => {
                self.look_up(LookUp::Reports { ticket, source: format!("device:{device}"), limit });
            }
            Effect::Ack { token, code } => self.acknowledge(token, code),
            Effect::Command { device: _, session, command, payload } => match (session.link, &self.broker) {
                (LinkId::Device, _) => {
                    // A device hears that its press is durable before it hears how far the alarm has come.
                    self.hand_over();
                    self.link.command(session, command, payload);
                }
                (LinkId::Broker, Some(broker)) => broker.command(session, command, payload),
                (LinkId::Broker, None) => {}
            },
            Effect::Close { session } => match session.link {
                LinkId::Device => {
                    self.hand_over();
                    self.link.close(session);
                }
                // The connection is the broker's own; the device's reports stay welcome.
                LinkId::Broker => {}
            },
            Effect::Upload { lane, after, except, max } => {
                let taken = self.uplink.upload(lane, after, except, max);
                self.or_return(taken);
            }
            Effect::UploadDirect { ticket, entry } => {
                let taken = self.uplink.upload_direct(ticket, entry);
                self.or_return(taken);
            }
            Effect::Hold { sale, request } => {
                let taken = self.uplink.hold(sale, request);
                self.or_return(taken);
            }
            Effect::AskBalance { look, request } => {
                let taken = self.uplink.balance(look, request);
                self.or_return(taken);
            }
            Effect::PollOrders { lane, stream, after, wait } => {
                let taken = self.uplink.poll_orders(lane, stream, after, wait);
                self.or_return(taken);
            }
            Effect::Reply { token, answer } => self.kiosk.reply(token, answer),
            Effect::RunDialogue { reader, dialogue, order } => {
                if let Some(readers) = &self.readers
                    && let Err(answer) = readers.run(&reader, dialogue, order)
                {
                    self.collected.returned.push_back(Input::Card(*answer));
                }
            }
            Effect::CardVerdict { dialogue, verdict } => {
                self.tell_readers(|readers| readers.verdict(dialogue, verdict))
            }
            Effect::Proceed { dialogue } => self.tell_readers(|readers| readers.proceed(dialogue)),
            Effect::Notify(notice) => self.kiosk.notify(notice),
            Effect::Count { name, label } => counter!(name, "reason" => label).increment(1),
        }
    }

    fn hand_over(&mut self) {
        if !self.collected.acks.is_empty() {
            self.link.acks(&mut self.collected.acks);
        }
    }

    fn answer(&mut self, core: &Core, query: Query, now: &Now) {
        self.answers.answer(core, query, now);
    }

    fn look_around(&mut self, core: &Core) -> Option<Input> {
        self.look_at_space();
        self.look_at_troubles();
        self.feed_watchdog();
        if is_due(&mut self.looked.figures, FIGURES) {
            show_figures(core);
            show_links(&self.link.stats(), self.broker.as_ref().map(BrokerHandle::stats).as_ref());
        }
        self.collected.returned.pop_front()
    }
}

/// The adapters count by themselves; here their counters go to the monitoring, under their own names.
fn show_links(link: &LinkStats, broker: Option<&BrokerStats>) {
    gauge!("device_link_connections").set(link.connections as f64);
    for (name, value) in link.counters() {
        counter!(format!("device_link_{name}")).absolute(value);
    }
    for (name, value) in broker.iter().flat_map(|stats| stats.counters()) {
        counter!(format!("broker_{name}")).absolute(value);
    }
}

fn show_figures(core: &Core) {
    let seen = core.status();
    gauge!("journal_entries").set(seen.head as f64);
    gauge!("uplink_online").set(if seen.online { 1.0 } else { 0.0 });
    gauge!("alarms_open").set(seen.open_alarms as f64);
    gauge!("devices_silent").set(seen.devices_silent as f64);
    gauge!("entries_in_quarantine").set(seen.quarantined as f64);
    gauge!("sales_unknown").set(seen.sales_unknown as f64);
    for lane in seen.lanes {
        gauge!("entries_waiting", "lane" => lane.lane.name()).set(lane.waiting as f64);
    }
}

#[cfg(test)]
#[path = "outside_tests.rs"]
mod tests;
