//! A connection of one device to the gateway's MQTT end, over the client library that devices in the field use too.
//!
//! The client library tells acknowledgements by packet numbers only; here they carry the caller's own tag.
//!
//! **Invariant:** a tag is reported as acknowledged only for a PUBACK that came in on this connection.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet, QoS};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::error::SiteError;
use super::limits;

/// Who connects, where to.
#[derive(Debug, Clone)]
pub struct Login {
    /// The device's id, also client id and user name.
    pub device: String,
    /// Its secret.
    pub secret: String,
    /// The gateway's MQTT end without TLS.
    pub address: SocketAddr,
}

/// What is heard on a connection.
#[derive(Debug)]
pub enum Heard {
    /// The publish with this tag was acknowledged.
    Acknowledged {
        /// The tag.
        tag: u64,
        /// When.
        at: Instant,
    },
    /// A message on the device's command topic.
    Command {
        /// The payload.
        payload: Vec<u8>,
        /// When.
        at: Instant,
    },
    /// The connection is gone.
    Closed {
        /// Why.
        why: String,
    },
}

/// A connection that stands, or has just been closed.
#[derive(Debug)]
pub struct Connection {
    client: AsyncClient,
    device: String,
    tags: Arc<Mutex<VecDeque<u64>>>,
    heard: UnboundedReceiver<Heard>,
    poller: JoinHandle<()>,
}

impl Connection {
    /// Connects and subscribes to the device's commands.
    ///
    /// # Errors
    /// [`SiteError::Device`]: nobody listens, the login is refused, or no answer came in time.
    pub async fn open(login: &Login) -> Result<Self, SiteError> {
        let (client, mut events) = client(login);
        let failed = |why: String| SiteError::Device { device: login.device.clone(), why };
        let ready = tokio::time::timeout(limits::ACKNOWLEDGED, greet(&client, &mut events, &login.device)).await;
        ready.map_err(|_| failed("no answer to CONNECT or SUBSCRIBE".to_owned()))?.map_err(failed)?;
        let tags = Arc::new(Mutex::new(VecDeque::new()));
        let (tell, heard) = unbounded_channel();
        let poller = tokio::spawn(poll(events, Arc::clone(&tags), tell));
        Ok(Self { client, device: login.device.clone(), tags, heard, poller })
    }

    /// Publishes with QoS 1 to the device's own event topic; [`Heard::Acknowledged`] with this tag follows.
    ///
    /// # Errors
    /// The connection is gone, or its queue is full.
    pub fn report(&self, tag: u64, payload: Vec<u8>) -> Result<(), SiteError> {
        self.publish(&format!("care/v1/{}/event", self.device), Some(tag), false, payload)
    }

    /// Publishes to any topic, with QoS 1 when there is a tag, else with QoS 0.
    ///
    /// # Errors
    /// The connection is gone, or its queue is full.
    pub fn publish(&self, topic: &str, tag: Option<u64>, retained: bool, payload: Vec<u8>) -> Result<(), SiteError> {
        // The lock keeps the tags in the order in which the client takes the publishes.
        let mut tags = lock(&self.tags);
        let qos = if tag.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        let taken = self.client.try_publish(topic, qos, retained, payload);
        taken.map_err(|error| SiteError::Device { device: self.device.clone(), why: error.to_string() })?;
        tags.extend(tag);
        Ok(())
    }

    /// What is heard next. After [`Heard::Closed`] there is nothing more.
    pub async fn hear(&mut self) -> Heard {
        self.heard.recv().await.unwrap_or_else(|| Heard::Closed { why: "closed before".to_owned() })
    }

    /// The same, at most this long.
    pub async fn hear_within(&mut self, within: Duration) -> Option<Heard> {
        tokio::time::timeout(within, self.hear()).await.ok()
    }

    /// Whether the connection is gone; what was heard before can still be heard.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.poller.is_finished()
    }

    /// The device's id.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.poller.abort();
    }
}

fn client(login: &Login) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(&login.device, login.address.ip().to_string(), login.address.port());
    options.set_credentials(&login.device, &login.secret).set_keep_alive(Duration::from_secs(60));
    options.set_inflight(u16::try_from(limits::WINDOW_MAX).unwrap_or(u16::MAX));
    let (client, mut events) = AsyncClient::new(options, limits::CLIENT_QUEUE);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    (client, events)
}

async fn greet(client: &AsyncClient, events: &mut EventLoop, device: &str) -> Result<(), String> {
    loop {
        match events.poll().await.map_err(|error| error.to_string())? {
            Event::Incoming(Packet::ConnAck(_)) => {
                let filter = format!("care/v1/{device}/command");
                client.try_subscribe(filter, QoS::AtLeastOnce).map_err(|error| error.to_string())?;
            }
            Event::Incoming(Packet::SubAck(_)) => return Ok(()),
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
    }
}

async fn poll(mut events: EventLoop, tags: Arc<Mutex<VecDeque<u64>>>, tell: UnboundedSender<Heard>) {
    let mut under_way: BTreeMap<u16, u64> = BTreeMap::new();
    loop {
        let heard = match events.poll().await {
            // Number 0: QoS 0, which has no tag.
            Ok(Event::Outgoing(Outgoing::Publish(number))) if number != 0 => {
                if let Some(tag) = lock(&tags).pop_front() {
                    under_way.insert(number, tag);
                }
                continue;
            }
            Ok(Event::Incoming(Packet::PubAck(ack))) => match under_way.remove(&ack.pkid) {
                Some(tag) => Heard::Acknowledged { tag, at: Instant::now() },
                None => continue,
            },
            Ok(Event::Incoming(Packet::Publish(command))) => {
                Heard::Command { payload: command.payload.to_vec(), at: Instant::now() }
            }
            Ok(Event::Incoming(_) | Event::Outgoing(_)) => continue,
            Err(error) => {
                // Whoever held the other end may have gone first.
                drop(tell.send(Heard::Closed { why: error.to_string() }));
                return;
            }
        };
        if tell.send(heard).is_err() {
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
