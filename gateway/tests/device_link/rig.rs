//! A running device link, a stand-in for the core, and a client that writes raw MQTT packets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway::adapter::device_link::{DeviceLink, DeviceLinkHandle, DeviceLinkSettings, Drained};
use gateway::devices_file::{Device, DeviceDirectory, Secret, SecretHash};
use gateway_core::{AckCode, AckToken, LinkInput, LinkRefusal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Anything that a test waits for comes within this, or the test fails.
pub const DEADLINE: Duration = Duration::from_secs(15);

pub struct Rig {
    pub address: SocketAddr,
    pub handle: DeviceLinkHandle,
    pub inputs: mpsc::Receiver<LinkInput>,
    secrets: Vec<(String, Secret)>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Drained>,
}

impl Rig {
    /// A link with the devices `a`, `b` and `btn-0001`, whose intake takes `room` inputs.
    pub fn start(room: usize) -> Self {
        Self::with(room, DeviceLinkSettings::default())
    }

    pub fn with(room: usize, settings: DeviceLinkSettings) -> Self {
        let (devices, secrets) = devices(&["a", "b", "btn-0001"]);
        let directory = Arc::new(DeviceDirectory::new(devices));
        let (sender, inputs) = mpsc::channel(room);
        let settings = DeviceLinkSettings { plain: Some("127.0.0.1:0".parse().unwrap()), ..settings };
        let link = DeviceLink::bind(&settings, directory, sender).unwrap();
        let (address, handle) = (link.plain_address().unwrap(), link.handle());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(link.run(async { stopped.await.unwrap_or(()) }));
        Self { address, handle, inputs, secrets, stop: Some(stop), task }
    }

    pub fn secret(&self, device: &str) -> String {
        self.secrets.iter().find(|(id, _)| id == device).unwrap().1.reveal().to_owned()
    }

    /// The next input, within the deadline.
    pub async fn input(&mut self) -> LinkInput {
        timeout(DEADLINE, self.inputs.recv()).await.expect("an input comes in time").expect("the link runs")
    }

    /// The next event's device, acknowledgement and payload.
    pub async fn event(&mut self) -> (String, Option<AckToken>, Vec<u8>) {
        match self.input().await {
            LinkInput::Event { device, ack, payload, .. } => (device.as_str().to_owned(), ack, payload),
            other => panic!("an event was expected, {other:?} came"),
        }
    }

    /// The reason of the refusal that comes next, and whose it is.
    pub async fn refusal(&mut self) -> (Option<String>, LinkRefusal) {
        match self.input().await {
            LinkInput::Refused { device, reason, .. } => (device.map(|id| id.as_str().to_owned()), reason),
            other => panic!("a refusal was expected, {other:?} came"),
        }
    }

    /// A client that has logged in.
    pub async fn client(&self, version: u8, device: &str) -> Raw {
        let mut raw = Raw::open(self.address).await;
        raw.send(&connect(version, device, device, self.secret(device).as_bytes(), 60)).await;
        let (kind, body) = raw.packet().await;
        assert_eq!((kind, body[1]), (0x20, 0), "logged in");
        raw
    }

    pub async fn stop(mut self) -> Drained {
        self.stop.take().unwrap().send(()).unwrap();
        timeout(DEADLINE, self.task).await.expect("the link ends in time").expect("without a panic")
    }
}

/// Devices with fresh secrets.
pub fn devices(ids: &[&str]) -> (Vec<Device>, Vec<(String, Secret)>) {
    let mut devices = Vec::new();
    let mut secrets = Vec::new();
    for id in ids {
        let secret = Secret::draw().unwrap();
        devices.push(Device {
            id: id.parse().unwrap(),
            epoch: None,
            secret_hash: SecretHash::of(&secret).unwrap(),
            silent_after_s: 10_800,
            kind: None,
            place: None,
        });
        secrets.push(((*id).to_owned(), secret));
    }
    (devices, secrets)
}

/// A stand-in for the core and its journal: takes what waits, "commits" it for a while, then acknowledges all of it.
pub fn commit_in_groups(
    mut inputs: mpsc::Receiver<LinkInput>,
    handle: DeviceLinkHandle,
    commit: Duration,
) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let (mut durable, mut group) = (0, Vec::new());
        while inputs.recv_many(&mut group, 2_000).await > 0 {
            tokio::time::sleep(commit).await;
            for input in group.drain(..) {
                if let LinkInput::Event { ack, .. } | LinkInput::Status { ack, .. } = input {
                    durable += 1;
                    ack.iter().for_each(|token| handle.ack(*token, AckCode::Success));
                }
            }
        }
        durable
    })
}

/// A peer that writes what it is told to, MQTT or not.
pub struct Raw {
    pub socket: TcpStream,
}

impl Raw {
    pub async fn open(address: SocketAddr) -> Self {
        Self { socket: TcpStream::connect(address).await.unwrap() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// The next packet: its first byte and what follows the length.
    pub async fn packet(&mut self) -> (u8, Vec<u8>) {
        timeout(DEADLINE, self.try_packet()).await.expect("a packet comes in time").expect("the connection stands")
    }

    async fn try_packet(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let kind = self.socket.read_u8().await?;
        let (mut len, mut shift) = (0_usize, 0);
        loop {
            let byte = self.socket.read_u8().await?;
            len |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; len];
        self.socket.read_exact(&mut body).await?;
        Ok((kind, body))
    }

    /// Everything until the peer closes.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset after what was read is an end, too.
        timeout(DEADLINE, self.socket.read_to_end(&mut rest)).await.expect("the connection ends in time").ok();
        rest
    }

    /// Whether nothing comes for a while.
    pub async fn is_quiet(&mut self, while_: Duration) -> bool {
        let mut byte = [0];
        timeout(while_, self.socket.peek(&mut byte)).await.is_err()
    }
}

/// A packet: its first byte, the length, the body.
pub fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    let mut len = body.len();
    loop {
        let more = if len > 127 { 0x80 } else { 0 };
        bytes.push(u8::try_from(len % 128).unwrap() | more);
        len /= 128;
        if len == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let mut field = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    field.extend_from_slice(bytes);
    field
}

/// CONNECT with a clean session; `version` 4 is 3.1.1.
pub fn connect(version: u8, client_id: &str, user: &str, secret: &[u8], keep_alive_s: u16) -> Vec<u8> {
    connect_with(version, 0b1100_0010, client_id.as_bytes(), &[], user.as_bytes(), secret, keep_alive_s)
}

/// CONNECT with all its parts; `will` is topic and payload as they stand in the packet.
pub fn connect_with(
    version: u8,
    flags: u8,
    client_id: &[u8],
    will: &[u8],
    user: &[u8],
    secret: &[u8],
    keep_alive_s: u16,
) -> Vec<u8> {
    let mut body = text(b"MQTT");
    body.extend([version, flags]);
    body.extend(keep_alive_s.to_be_bytes());
    if version == 5 {
        body.push(0);
    }
    body.extend(text(client_id));
    body.extend_from_slice(will);
    body.extend(text(user));
    body.extend(text(secret));
    packet(0x10, &body)
}

/// A last will, as it stands in CONNECT of 3.1.1.
pub fn will(topic: &str, payload: &[u8]) -> Vec<u8> {
    [text(topic.as_bytes()), text(payload)].concat()
}

/// PUBLISH; `flags` are the lower four bits, `id` is left out at QoS 0.
pub fn publish(version: u8, flags: u8, topic: &[u8], id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut body = text(topic);
    id.iter().for_each(|id| body.extend(id.to_be_bytes()));
    if version == 5 {
        body.push(0);
    }
    body.extend_from_slice(payload);
    packet(0x30 | flags, &body)
}

/// SUBSCRIBE to one filter.
pub fn subscribe(version: u8, id: u16, filter: &str, qos: u8) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == 5 {
        body.push(0);
    }
    body.extend(text(filter.as_bytes()));
    body.push(qos);
    packet(0x82, &body)
}

/// PUBACK without a reason.
pub fn puback(id: u16) -> Vec<u8> {
    packet(0x40, &id.to_be_bytes())
}
