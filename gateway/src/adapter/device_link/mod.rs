//! The daemon's own MQTT end, which devices connect to (MQTT 3.1.1 and 5).
//!
//! It is no broker: a device publishes to the gateway and hears from the gateway. Its reason is that a PUBACK goes out only
//! when the core says so, which is after the report is durable.
//!
//! ```text
//! listener ── admission ── connection (a task each) ── LinkInput ──> core
//!                            │  wire: bytes, TLS                      │
//!                            │  session: MQTT, pure                   │
//!                            └─ mailbox <── registry <── handle <─────┘ acks, commands
//! ```
//!
//! **Invariant:** a publish of QoS 1 is acknowledged only by [`DeviceLinkHandle::ack`].
//! **Invariant:** a broken peer costs its own connection only.

mod admission;
mod bucket;
mod connection;
mod limits;
mod listener;
mod mailbox;
mod packets;
mod registry;
mod rehearsal;
mod session;
mod stats;
mod tls;
mod wire;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gateway_core::{AckCode, AckToken, CommandId, LinkId, LinkInput, SessionId};
use protocols::id::DeviceId;
use rustls::ServerConnection;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use crate::devices_file::DeviceDirectory;
use crate::troubles::Troubles;
use admission::{Admission, Most};
use connection::Connection;
use listener::{Accepted, Listeners};
use packets::LoginRefusal;
use registry::Registry;
use session::{End, Login};
use stats::{Counters, count, count_many};
use wire::Wire;

pub use listener::{BindError, DeviceLinkSettings, TlsSettings};
pub use rehearsal::Rehearsal;
pub use stats::LinkStats;
pub use tls::{CertificateError, check_certificate};

/// What all connections share.
struct Shared {
    directory: Arc<DeviceDirectory>,
    door: Arc<Admission>,
    registry: Registry,
    counters: Counters,
    last_number: AtomicU64,
}

impl Shared {
    fn next_number(&self) -> u64 {
        self.last_number.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Whether a login is let in, and as whom.
    fn judge(&self, login: &Login, now: Instant) -> Result<DeviceId, LoginRefusal> {
        let device = login.device.as_ref().ok_or(LoginRefusal::Name)?;
        self.directory.verify(device, &login.secret).map_err(|_| LoginRefusal::Secret)?;
        if let Some(refusal) = login.refusal {
            return Err(refusal);
        }
        if self.door.connect(device, now) { Ok(device.clone()) } else { Err(LoginRefusal::Rate) }
    }

    /// Tells the core of a refusal of somebody who has not logged in, as long as not too many come and there is room.
    fn report_stranger(&self, inputs: &mpsc::Sender<LinkInput>, input: LinkInput) {
        if !self.door.report(Instant::now()) || inputs.try_send(input).is_err() {
            count(&self.counters.refusals_unreported);
        }
    }
}

/// The device link, not yet running.
pub struct DeviceLink {
    listeners: Listeners,
    troubles: Troubles,
    shared: Arc<Shared>,
    inputs: mpsc::Sender<LinkInput>,
}

/// What the event loop uses; cheap to clone. No call waits.
#[derive(Clone)]
pub struct DeviceLinkHandle {
    shared: Arc<Shared>,
}

/// How the device link went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that did not end in time: their reports are not acknowledged, and the devices will send them again.
    pub cut: usize,
}

impl DeviceLink {
    /// Makes the link and binds its sockets. Inputs go to `inputs`, whose bound is the back-pressure: when it is full,
    /// connections are not read until it has room.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(
        settings: &DeviceLinkSettings,
        directory: Arc<DeviceDirectory>,
        inputs: mpsc::Sender<LinkInput>,
    ) -> Result<Self, BindError> {
        let mut this = Self::new(settings, directory, inputs, Troubles::default())?;
        this.listeners.bind(&this.troubles)?;
        Ok(this)
    }

    /// Makes the link and binds the sockets that can be bound just now; the others are tried again while it runs, and
    /// `troubles` hears of them.
    ///
    /// # Errors
    /// [`BindError`], but not [`BindError::Address`].
    pub fn bind_or_retry(
        settings: &DeviceLinkSettings,
        directory: Arc<DeviceDirectory>,
        inputs: mpsc::Sender<LinkInput>,
        troubles: Troubles,
    ) -> Result<Self, BindError> {
        let mut this = Self::new(settings, directory, inputs, troubles)?;
        // The troubles know it.
        this.listeners.bind(&this.troubles).ok();
        Ok(this)
    }

    fn new(
        settings: &DeviceLinkSettings,
        directory: Arc<DeviceDirectory>,
        inputs: mpsc::Sender<LinkInput>,
        troubles: Troubles,
    ) -> Result<Self, BindError> {
        let listeners = Listeners::new(settings)?;
        let most = Most { connections: settings.connections_max, per_address: settings.connections_per_address_max };
        let shared = Arc::new(Shared {
            directory,
            door: Arc::new(Admission::new(most, Instant::now())),
            registry: Registry::default(),
            counters: Counters::default(),
            last_number: AtomicU64::new(0),
        });
        Ok(Self { listeners, troubles, shared, inputs })
    }

    /// The handle for the event loop.
    #[must_use]
    pub fn handle(&self) -> DeviceLinkHandle {
        DeviceLinkHandle { shared: Arc::clone(&self.shared) }
    }

    /// The bound address without TLS.
    #[must_use]
    pub fn plain_address(&self) -> Option<SocketAddr> {
        self.listeners.plain_address()
    }

    /// The bound address with TLS.
    #[must_use]
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.listeners.tls_address()
    }

    /// Serves devices until `shutdown` is ready. Then it takes and reads nothing more, writes the acknowledgements that
    /// are still under way for at most a few seconds, and ends every connection.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Drained {
        let Self { mut listeners, troubles, shared, inputs } = self;
        let mut connections = JoinSet::new();
        let mut pause = limits::ACCEPT_PAUSE_MIN;
        let mut retry = Retry::first();
        tokio::pin!(shutdown);
        loop {
            let woken = tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = connections.join_next(), if !connections.is_empty() => {
                    report_panic(ended);
                    continue;
                }
                accepted = listeners.accept() => Some(accepted),
                () = sleep_until(retry.at), if retry.is_on => None,
            };
            match woken {
                None => retry = retry.next(listeners.bind(&troubles).is_err()),
                Some(Ok(accepted)) => {
                    pause = limits::ACCEPT_PAUSE_MIN;
                    if let Some(connection) = welcome(&shared, &inputs, accepted) {
                        connections.spawn(Box::new(connection).serve());
                    }
                }
                Some(Err(error)) => {
                    count(&shared.counters.accept_failures);
                    tracing::warn!(%error, "device link: no connection can be taken just now");
                    tokio::select! {
                        () = &mut shutdown => break,
                        () = sleep(pause) => {}
                    }
                    pause = pause.saturating_mul(2).min(limits::ACCEPT_PAUSE_MAX);
                }
            }
        }
        drop(listeners);
        drain(&shared, connections).await
    }
}

/// When what is not bound is tried again.
struct Retry {
    is_on: bool,
    at: tokio::time::Instant,
    pause: Duration,
}

impl Retry {
    fn first() -> Self {
        let pause = limits::BIND_PAUSE_MIN;
        Self { is_on: true, at: tokio::time::Instant::now() + pause, pause }
    }

    fn next(self, is_on: bool) -> Self {
        let pause = self.pause.saturating_mul(2).min(limits::BIND_PAUSE_MAX);
        Self { is_on, at: tokio::time::Instant::now() + pause, pause }
    }
}

/// Gives a connection its place, or closes it.
fn welcome(shared: &Arc<Shared>, inputs: &mpsc::Sender<LinkInput>, accepted: Accepted) -> Option<Connection> {
    let address = accepted.from.ip();
    let Some(place) = shared.door.enter(address) else {
        count(&shared.counters.turned_away);
        return None;
    };
    count(&shared.counters.accepted);
    // Small packets must not wait for each other.
    accepted.socket.set_nodelay(true).ok();
    rustix::net::sockopt::set_socket_keepalive(&accepted.socket, true).ok();
    let wire = match accepted.tls {
        None => Wire::plain(accepted.socket),
        Some(config) => Wire::tls(accepted.socket, ServerConnection::new(config).ok()?),
    };
    Some(Connection::new(Arc::clone(shared), inputs.clone(), wire, place, address))
}

async fn drain(shared: &Shared, mut connections: JoinSet<()>) -> Drained {
    let mailboxes = shared.registry.close();
    mailboxes.iter().for_each(|mailbox| mailbox.stop_reading());
    let finished = timeout(limits::DRAIN_TIMEOUT, until_empty(shared, &mut connections)).await.is_ok();
    let cut = if finished { 0 } else { shared.registry.len() };
    shared.registry.close().iter().for_each(|mailbox| mailbox.end(End::Closed));
    // What is left lingers so that its peer reads the end, or has not logged in and has nothing to wait for.
    let lingering = async { while connections.join_next().await.is_some() {} };
    timeout(limits::LINGER_TIMEOUT, lingering).await.ok();
    connections.shutdown().await;
    tracing::info!(connections = mailboxes.len(), cut, "device link: closed");
    Drained { cut }
}

async fn until_empty(shared: &Shared, connections: &mut JoinSet<()>) {
    while shared.registry.len() > 0 && connections.join_next().await.is_some() {}
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("device link: a connection's task ended by a panic; only that connection is gone");
    }
}

impl DeviceLinkHandle {
    /// Acknowledges a publish. Where its connection is gone, nothing happens: the device sends again.
    pub fn ack(&self, token: AckToken, code: AckCode) {
        match self.shared.registry.mailbox(token.session.number) {
            Some(mailbox) if token.session.link == LinkId::Device => mailbox.ack(token.packet, code),
            Some(_) | None => count(&self.shared.counters.acks_late),
        }
    }

    /// The same of many at once, in this order for each connection; empties `acks`. Each connection wakes once, so that its
    /// acknowledgements leave in one write.
    pub fn acks(&self, acks: &mut Vec<(AckToken, AckCode)>) {
        acks.sort_by_key(|(token, _)| token.session.number);
        for of_one in acks.chunk_by(|(one, _), (other, _)| one.session.number == other.session.number) {
            let Some((token, _)) = of_one.first() else { continue };
            match self.shared.registry.mailbox(token.session.number) {
                Some(mailbox) if token.session.link == LinkId::Device => {
                    mailbox.acks(of_one.iter().map(|(token, code)| (token.packet, *code)));
                }
                Some(_) | None => count_many(&self.shared.counters.acks_late, of_one.len()),
            }
        }
        acks.clear();
    }

    /// Sends a command on `session`, with QoS 1 or what the device subscribed with; [`LinkInput::CommandTaken`] follows when
    /// the device acknowledged it (at QoS 0: when it was written), [`LinkInput::CommandGivenUp`] when it cannot be sent.
    /// Where the connection is gone, nothing happens: the core sends again at the next [`LinkInput::Connected`].
    pub fn command(&self, session: SessionId, command: CommandId, payload: Vec<u8>) {
        match self.shared.registry.mailbox(session.number) {
            Some(mailbox) if session.link == LinkId::Device => {
                count(&self.shared.counters.commands);
                mailbox.command(command, payload);
            }
            Some(_) | None => count(&self.shared.counters.commands_late),
        }
    }

    /// Ends the connection of a device whose secret is no longer good, and forgets what was kept for it; whether it had one.
    /// To be called after the directory was changed.
    #[must_use]
    pub fn cut(&self, device: &DeviceId) -> bool {
        self.shared.registry.cut(device)
    }

    /// Ends a connection.
    pub fn close(&self, session: SessionId) {
        if let Some(mailbox) = self.shared.registry.mailbox(session.number) {
            mailbox.end(End::Closed);
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.shared.counters.snapshot(self.shared.door.connections() as u64)
    }
}
