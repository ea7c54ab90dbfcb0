//! An existing MQTT broker, beside the device link: the same reports, through `rumqttc` (MQTT 3.1.1).
//!
//! The session at the broker is persistent and acknowledgements are manual: a publish of QoS 1 is acknowledged to the
//! broker when the core says so, so that the broker delivers again what was not durable yet. What the *device* was
//! acknowledged is the broker's affair: it does so from memory, which is why the device link is the better way in.
//!
//! A new client is made for each connection. Nothing is carried over from the one before: what was not acknowledged comes
//! again from the broker, and commands that were on their way are sent again by the core, which hears that its sessions
//! ended. So neither a stale acknowledgement nor a stuck packet identifier can survive a reconnect.
//!
//! [`LinkInput::CommandTaken`] means here that the broker has the command. Whether the device gets it while it is away is
//! up to its own session at the broker, which has to be persistent.
//!
//! **Invariant:** a publish of QoS 1 is acknowledged only by [`BrokerHandle::ack`].
//! **Invariant:** only the topics of assigned devices are subscribed, each by its name.

mod limits;
mod mailbox;
mod market;
mod probe;
mod relay;
mod settings;
mod stats;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{AckCode, AckToken, CommandId, LinkId, LinkInput, SessionId};
use protocols::id::DeviceId;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet, PubAck, Publish, QoS,
    SubscribeFilter, SubscribeReasonCode,
};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::troubles::{Part, Troubles};

use mailbox::{Assignment, Mailbox};
use probe::{Look, Probe};
use relay::{Change, Delivered, Relay, Taken};
use stats::Counters;

pub use market::{MarketDevice, MarketError, MarketRule};
pub use settings::{BrokerSettings, BrokerSettingsError};
pub use stats::BrokerStats;

/// The adapter, not yet running.
pub struct Broker {
    options: MqttOptions,
    relay: Relay,
    probe: Option<Probe>,
    /// A probe is to be sent.
    probe_due: bool,
    inputs: mpsc::Sender<LinkInput>,
    pending: VecDeque<LinkInput>,
    acks: VecDeque<u16>,
    shared: Arc<Shared>,
    troubles: Troubles,
}

#[derive(Default)]
struct Shared {
    mailbox: Mailbox,
    counters: Counters,
}

/// What the event loop uses; cheap to clone. No call waits.
#[derive(Clone)]
pub struct BrokerHandle {
    shared: Arc<Shared>,
}

/// Why a connection ended.
enum Ended {
    Shutdown,
    CoreGone,
    CommandsPiledUp,
    Lost(ConnectionError),
}

enum Woken {
    Event(Result<Event, ConnectionError>),
    Mail,
    Room,
    Probe,
    CoreGone,
    Shutdown,
    Deadline,
}

impl Broker {
    /// Checks the settings; nothing is connected yet. `devices` are those that are assigned to this gateway.
    ///
    /// # Errors
    /// [`BrokerSettingsError`].
    pub fn new(
        settings: &BrokerSettings,
        devices: impl IntoIterator<Item = DeviceId>,
        inputs: mpsc::Sender<LinkInput>,
    ) -> Result<Self, BrokerSettingsError> {
        let devices = devices.into_iter().collect();
        Ok(Self {
            options: settings::client_options(settings, &devices)?,
            relay: Relay::new(devices, &settings.market),
            probe: probe(settings),
            probe_due: false,
            inputs,
            pending: VecDeque::new(),
            acks: VecDeque::new(),
            shared: Arc::default(),
            troubles: Troubles::default(),
        })
    }

    /// The handle for the event loop.
    #[must_use]
    pub fn handle(&self) -> BrokerHandle {
        BrokerHandle { shared: Arc::clone(&self.shared) }
    }

    /// Stays connected until `shutdown` is ready, and tells `troubles` while it is not for long; then it takes nothing more,
    /// passes on the acknowledgements that are still under way for at most a few seconds, and says goodbye.
    pub async fn run(mut self, troubles: Troubles, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut failures = 0_u32;
        let mut without_since = Instant::now();
        self.troubles = troubles;
        loop {
            let (client, mut events) = AsyncClient::new(self.options.clone(), limits::REQUESTS_MAX);
            let mut network = events.network_options();
            network.set_connection_timeout(limits::CONNECT_TIMEOUT_S).set_tcp_nodelay(true);
            events.set_network_options(network);
            let before = Counters::get(&self.shared.counters.connects);
            let ended = self.converse(&client, &mut events, shutdown.as_mut()).await;
            let was_connected = Counters::get(&self.shared.counters.connects) != before;
            if was_connected {
                (failures, without_since) = (0, Instant::now());
            } else {
                failures = failures.saturating_add(1);
            }
            match ended {
                // The core hears nothing more of its sessions: it is on its way out itself.
                Ended::Shutdown | Ended::CoreGone => return,
                Ended::CommandsPiledUp => tracing::error!("broker: commands pile up unacknowledged; connecting anew"),
                Ended::Lost(error) if failures <= 1 => tracing::warn!(%error, "broker: not connected"),
                Ended::Lost(error) => tracing::debug!(%error, failures, "broker: still not connected"),
            }
            if without_since.elapsed() >= limits::TOLD_AFTER {
                self.troubles.begin(Part::Broker, &format!("{} is not reached", self.address()));
            }
            if self.tell_closed().await.is_err() {
                return;
            }
            let pause = pause(failures);
            tokio::select! {
                () = shutdown.as_mut() => return,
                () = sleep(pause) => {}
            }
        }
    }

    /// One connection, from its start to its end.
    async fn converse(
        &mut self,
        client: &AsyncClient,
        events: &mut EventLoop,
        mut shutdown: Pin<&mut impl Future<Output = ()>>,
    ) -> Ended {
        let mut deadline = None;
        loop {
            let event = {
                let mut polled = pin!(events.poll());
                loop {
                    if self.feed(client).is_err() {
                        return Ended::CommandsPiledUp;
                    }
                    if deadline.is_some() && self.relay.unacked() == 0 && self.acks.is_empty() {
                        break None;
                    }
                    match self.woken(polled.as_mut(), shutdown.as_mut(), deadline).await {
                        Woken::Event(event) => break Some(event),
                        Woken::Mail => {}
                        Woken::Room => self.hand_over(),
                        Woken::Probe => self.look_at_probe(),
                        Woken::CoreGone => return Ended::CoreGone,
                        Woken::Shutdown => deadline = Some(Instant::now() + limits::DRAIN_TIMEOUT),
                        Woken::Deadline => break None,
                    }
                }
            };
            match event {
                None => {
                    goodbye(client, events).await;
                    return Ended::Shutdown;
                }
                Some(Err(_)) if deadline.is_some() => return Ended::Shutdown,
                Some(Err(error)) => return Ended::Lost(error),
                Some(Ok(event)) => self.event(client, &event, deadline.is_some()),
            }
        }
    }

    /// Waits for whatever comes first. The client is not polled while too many inputs wait for room, and a poll that has
    /// begun is never given up, since that could lose what it was about to write.
    async fn woken(
        &self,
        polled: Pin<&mut impl Future<Output = Result<Event, ConnectionError>>>,
        shutdown: Pin<&mut impl Future<Output = ()>>,
        deadline: Option<Instant>,
    ) -> Woken {
        let may_poll = self.may_poll();
        // No connection, no probe: that nobody answers is told otherwise.
        let probe_at = self.probe.as_ref().filter(|_| self.relay.is_open() && deadline.is_none()).map(Probe::look_at);
        tokio::select! {
            event = polled, if may_poll => Woken::Event(event),
            () = self.shared.mailbox.filled() => Woken::Mail,
            permit = self.inputs.reserve(), if !self.pending.is_empty() => match permit {
                Ok(_) => Woken::Room,
                Err(_) => Woken::CoreGone,
            },
            () = sleep_until(probe_at.unwrap_or_else(Instant::now)), if probe_at.is_some() => Woken::Probe,
            () = shutdown, if deadline.is_none() => Woken::Shutdown,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => Woken::Deadline,
        }
    }

    fn may_poll(&self) -> bool {
        self.pending.len() < limits::INPUTS_WAITING_MAX
    }

    fn look_at_probe(&mut self) {
        let (may_poll, now, address) = (self.may_poll(), Instant::now(), self.address());
        let Some(probe) = &mut self.probe else { return };
        if !may_poll {
            return probe.postpone(now);
        }
        match probe.look(now) {
            Look::Wait => {}
            Look::Send => self.probe_due = true,
            Look::Missed => {
                let topic = probe.topic();
                let detail = format!(
                    "{address}: a message to {topic} did not come back; look at the broker's disk and its rules"
                );
                Counters::add(&self.shared.counters.probes_missed, 1);
                self.troubles.begin(Part::BrokerDelivery, &detail);
            }
        }
    }

    /// Publishes a probe that is due, where there is room for it.
    fn send_probe(&mut self, client: &AsyncClient) -> Result<(), relay::TooMany> {
        let Some(probe) = self.probe.as_mut().filter(|_| std::mem::take(&mut self.probe_due)) else { return Ok(()) };
        let now = Instant::now();
        if !self.relay.next_probe() {
            probe.postpone(now);
            return Ok(());
        }
        let payload = probe.send(now);
        client.try_publish(probe.topic(), QoS::AtLeastOnce, false, payload).map_err(|_| relay::TooMany)
    }

    /// Takes a message that came on the probes' topic; false for any other.
    fn takes_probe(&mut self, publish: &Publish) -> bool {
        let Some(probe) = self.probe.as_mut() else { return false };
        if publish.topic != probe.topic() {
            if publish.qos != QoS::AtMostOnce && !publish.retain {
                probe.report_came(Instant::now());
            }
            return false;
        }
        if publish.qos != QoS::AtMostOnce {
            self.acks.push_back(publish.pkid);
        }
        if probe.came(&publish.payload, Instant::now()) {
            self.troubles.end(Part::BrokerDelivery);
        }
        true
    }

    /// Passes to the client what the core has for it, as long as the client has room.
    fn feed(&mut self, client: &AsyncClient) -> Result<(), relay::TooMany> {
        let mail = self.shared.mailbox.take();
        for token in mail.acks {
            match self.relay.ack(token) {
                Some(packet) => self.acks.push_back(packet),
                None => Counters::add(&self.shared.counters.acks_late, 1),
            }
        }
        for assignment in mail.assignments {
            match assignment {
                Assignment::Withdraw(device) => self.pending.extend(self.relay.withdraw(&device)),
                Assignment::Assign(device) => {
                    if !self.relay.assign(&device) {
                        Counters::add(&self.shared.counters.subscriptions_refused, 1);
                        tracing::error!(%device, "broker: too many devices are assigned; this one cannot be heard");
                    }
                }
            }
        }
        for (session, command, payload) in mail.commands {
            if !self.relay.command(session, command, payload)? {
                Counters::add(&self.shared.counters.commands_late, 1);
            }
        }
        while let Some(packet) = self.acks.front() {
            let mut publish = Publish::new("", QoS::AtLeastOnce, Vec::new());
            publish.pkid = *packet;
            if client.try_ack(&publish).is_err() {
                return Ok(());
            }
            self.acks.pop_front();
            Counters::add(&self.shared.counters.acks, 1);
        }
        while let Some(change) = self.relay.next_change() {
            // There is room for each packet, as for commands; and a new connection begins with all filters.
            let told = match change {
                Change::Listen(filters) => client.try_subscribe_many(at_least_once(filters)),
                Change::Leave(filter) => client.try_unsubscribe(filter),
            };
            if told.is_err() {
                return Err(relay::TooMany);
            }
        }
        while let Some((topic, payload)) = self.relay.next_command() {
            // There is room: commands in flight are far fewer than the client's places.
            if client.try_publish(topic, QoS::AtLeastOnce, false, payload).is_err() {
                return Err(relay::TooMany);
            }
            Counters::add(&self.shared.counters.commands, 1);
        }
        self.send_probe(client)
    }

    fn event(&mut self, client: &AsyncClient, event: &Event, closing: bool) {
        match event {
            Event::Incoming(Packet::ConnAck(connack)) => self.connected(client, connack.session_present),
            Event::Incoming(Packet::Publish(publish)) if !closing && !self.takes_probe(publish) => {
                Counters::add(&self.shared.counters.publishes, 1);
                let packet = if publish.qos == QoS::AtMostOnce { None } else { Some(publish.pkid) };
                let inputs = self.relay.delivered(Delivered {
                    topic: &publish.topic,
                    packet,
                    retained: publish.retain,
                    payload: &publish.payload,
                });
                self.pending.extend(inputs);
                self.hand_over();
            }
            Event::Incoming(Packet::PubAck(PubAck { pkid })) => {
                match self.relay.taken(*pkid) {
                    Some(Taken::Command(input)) => self.pending.push_back(input),
                    Some(Taken::Probe) => self.probe.iter_mut().for_each(Probe::acknowledged),
                    None => {}
                }
                self.hand_over();
            }
            Event::Incoming(Packet::SubAck(suback)) => {
                let refused = suback.return_codes.iter().filter(|code| **code == SubscribeReasonCode::Failure).count();
                if refused > 0 {
                    Counters::add(&self.shared.counters.subscriptions_refused, refused as u64);
                    tracing::error!(refused, "broker: subscriptions refused; these devices cannot be heard");
                }
            }
            Event::Outgoing(Outgoing::Publish(packet)) => self.relay.sent(*packet),
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
    }

    fn connected(&mut self, client: &AsyncClient, session_present: bool) {
        Counters::add(&self.shared.counters.connects, 1);
        if !session_present {
            Counters::add(&self.shared.counters.sessions_fresh, 1);
        }
        tracing::info!(session_present, "broker: connected");
        self.troubles.end(Part::Broker);
        let own = self.probe.as_ref().map(|probe| probe.topic().to_owned());
        self.probe_due = false;
        if let Some(probe) = &mut self.probe
            && probe.connected(Instant::now())
        {
            let topic = probe.topic();
            let detail =
                format!("the broker ends the connection at a message to {topic}; allow it, or set probe_every_s = 0");
            self.troubles.begin(Part::BrokerDelivery, &detail);
        }
        for filters in self.relay.opened(own) {
            // The request channel is empty at this point and holds more than a gateway's devices need.
            if client.try_subscribe_many(at_least_once(filters)).is_err() {
                Counters::add(&self.shared.counters.subscriptions_refused, 1);
                tracing::error!("broker: too many devices are assigned; some cannot be heard");
            }
        }
    }

    fn address(&self) -> String {
        let (host, port) = self.options.broker_address();
        format!("{host}:{port}")
    }

    /// Hands over what the core has room for.
    fn hand_over(&mut self) {
        while let Some(input) = self.pending.pop_front() {
            if let Err(TrySendError::Full(input) | TrySendError::Closed(input)) = self.inputs.try_send(input) {
                self.pending.push_front(input);
                return;
            }
        }
    }

    /// Tells the core that the sessions ended, after everything that came on them.
    async fn tell_closed(&mut self) -> Result<(), mpsc::error::SendError<LinkInput>> {
        self.acks.clear();
        let disconnected = self.relay.closed();
        for input in self.pending.drain(..).chain(disconnected) {
            self.inputs.send(input).await?;
        }
        Ok(())
    }
}

/// A probe whose start's number cannot be drawn would be taken for another's in the worst case, which says nothing.
fn probe(settings: &BrokerSettings) -> Option<Probe> {
    let every = Duration::from_secs(u64::from(settings.probe_every_s));
    (!every.is_zero()).then(|| Probe::new(&settings.client_id, every, getrandom::u64().unwrap_or(0)))
}

fn at_least_once(filters: Vec<String>) -> impl Iterator<Item = SubscribeFilter> {
    filters.into_iter().map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce))
}

async fn goodbye(client: &AsyncClient, events: &mut EventLoop) {
    if client.try_disconnect().is_err() {
        return;
    }
    let said = async { while !matches!(events.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {} };
    timeout(limits::GOODBYE_TIMEOUT, said).await.ok();
}

/// Doubles with each failure, and is drawn between half and all of it, so that gateways do not come back in step.
fn pause(failures: u32) -> Duration {
    let most = limits::RECONNECT_MS_MIN.saturating_mul(1 << failures.min(16)).min(limits::RECONNECT_MS_MAX);
    let half = most / 2;
    // Without randomness the pause is the longest.
    let drawn = getrandom::u64().map_or(half, |random| random % half.saturating_add(1));
    Duration::from_millis(half.saturating_add(drawn))
}

impl BrokerHandle {
    /// Listens to a device that is assigned to this gateway now, too.
    pub fn assign(&self, device: DeviceId) {
        self.shared.mailbox.assignment(Assignment::Assign(device));
    }

    /// Does not listen to a device any more: what still comes of it is refused.
    pub fn withdraw(&self, device: DeviceId) {
        self.shared.mailbox.assignment(Assignment::Withdraw(device));
    }

    /// Acknowledges a publish to the broker; MQTT 3.1.1 knows no reason. Where the connection it came on is gone, nothing
    /// happens: the broker delivers again.
    pub fn ack(&self, token: AckToken, _code: AckCode) {
        if token.session.link == LinkId::Broker {
            self.shared.mailbox.ack(token);
        }
    }

    /// Publishes a command with QoS 1 for the device of `session`; [`LinkInput::CommandTaken`] follows when the broker has
    /// it. Where the session is gone, nothing happens: the core sends again at the next [`LinkInput::Connected`].
    pub fn command(&self, session: SessionId, command: CommandId, payload: Vec<u8>) {
        if session.link == LinkId::Broker && !self.shared.mailbox.command(session, command, payload) {
            Counters::add(&self.shared.counters.commands_late, 1);
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn stats(&self) -> BrokerStats {
        self.shared.counters.snapshot()
    }
}
