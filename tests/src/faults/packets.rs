//! MQTT packets byte by byte, right and wrong ones, and a bare connection to write them to.
//!
//! Sections are those of MQTT 3.1.1; `version` is 4 for it and 5 for MQTT 5, whose packets have empty properties here.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::site::mqtt::Login;

/// A connection on which anything can be written.
#[derive(Debug)]
pub struct Raw {
    /// The socket.
    pub socket: TcpStream,
}

impl Raw {
    /// Connects; nothing is said yet.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket })
    }

    /// Connects and logs in with a clean session.
    ///
    /// # Errors
    /// Nobody listens, or the login is refused.
    pub async fn log_in(login: &Login, version: u8, within: Duration) -> std::io::Result<Self> {
        let mut raw = Self::open(login.address).await?;
        raw.socket.write_all(&connect(version, login)).await?;
        match raw.packet(within).await {
            Some((0x20, body)) if body.get(1) == Some(&0) => Ok(raw),
            other => Err(std::io::Error::other(format!("no CONNACK of success but {other:?}"))),
        }
    }

    /// Writes; whether the peer takes it.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).await.is_ok()
    }

    /// The next packet: its first byte and what follows the length. `None`: the connection ended, or nothing came in time.
    pub async fn packet(&mut self, within: Duration) -> Option<(u8, Vec<u8>)> {
        timeout(within, self.read_packet()).await.ok()?.ok()
    }

    async fn read_packet(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let kind = self.socket.read_u8().await?;
        let (mut len, mut shift) = (0_usize, 0_u32);
        loop {
            let byte = self.socket.read_u8().await?;
            len |= usize::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; len];
        self.socket.read_exact(&mut body).await?;
        Ok((kind, body))
    }

    /// Everything until the peer closes. `None`: it does not in time.
    pub async fn rest(&mut self, within: Duration) -> Option<Vec<u8>> {
        let mut rest = Vec::new();
        // A reset after what was read is an end, too.
        timeout(within, self.socket.read_to_end(&mut rest)).await.ok().map(drop)?;
        Some(rest)
    }
}

/// A packet: its first byte, the length, the body (section 2.2).
#[must_use]
pub fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    let mut len = body.len();
    loop {
        let more = if len > 127 { 0x80 } else { 0 };
        bytes.push(u8::try_from(len & 0x7F).unwrap_or(0) | more);
        len >>= 7;
        if len == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A string with its length (section 1.5.3).
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    let mut field = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    field.extend_from_slice(bytes);
    field
}

/// CONNECT with a clean session and a minute's keep-alive (section 3.1).
#[must_use]
pub fn connect(version: u8, login: &Login) -> Vec<u8> {
    let device = login.device.as_bytes();
    Connect { version, client_id: device, user: Some(device), secret: Some(login.secret.as_bytes()), ..Connect::NOBODY }
        .bytes()
}

/// A CONNECT with all its parts, right or wrong (section 3.1).
#[derive(Debug, Clone, Copy)]
pub struct Connect<'a> {
    /// 4 for 3.1.1, 5 for MQTT 5.
    pub version: u8,
    /// Seconds.
    pub keep_alive_s: u16,
    /// The client id.
    pub client_id: &'a [u8],
    /// Topic and payload of a last will of QoS 0, where there is one.
    pub will: Option<(&'a [u8], &'a [u8])>,
    /// The user name, where there is one.
    pub user: Option<&'a [u8]>,
    /// The password, where there is one.
    pub secret: Option<&'a [u8]>,
}

impl Connect<'_> {
    /// Without any name.
    pub const NOBODY: Self =
        Self { version: 4, keep_alive_s: 60, client_id: b"", will: None, user: None, secret: None };

    /// The packet.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let given = |is: bool, flag: u8| if is { flag } else { 0 };
        let flags = 0x02
            | given(self.will.is_some(), 0x04)
            | given(self.user.is_some(), 0x80)
            | given(self.secret.is_some(), 0x40);
        let mut body = text(b"MQTT");
        body.extend([self.version, flags]);
        body.extend(self.keep_alive_s.to_be_bytes());
        let properties: &[u8] = if self.version == 5 { &[0] } else { &[] };
        body.extend_from_slice(properties);
        body.extend(text(self.client_id));
        if let Some((topic, payload)) = self.will {
            body.extend_from_slice(properties);
            body.extend(text(topic));
            body.extend(text(payload));
        }
        body.extend(self.user.into_iter().chain(self.secret).flat_map(text));
        packet(0x10, &body)
    }
}

/// PUBLISH; `flags` are the lower four bits, `id` is left out at QoS 0 (section 3.3).
#[must_use]
pub fn publish(version: u8, flags: u8, topic: &[u8], id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut body = text(topic);
    body.extend(id.iter().flat_map(|id| id.to_be_bytes()));
    if version == 5 {
        body.push(0);
    }
    body.extend_from_slice(payload);
    packet(0x30 | flags, &body)
}

/// SUBSCRIBE to one filter with QoS 1 (section 3.8).
#[must_use]
pub fn subscribe(version: u8, id: u16, filter: &str) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == 5 {
        body.push(0);
    }
    body.extend(text(filter.as_bytes()));
    body.push(1);
    packet(0x82, &body)
}

/// PUBACK of 3.1.1 with this number.
#[must_use]
pub fn puback(id: u16) -> (u8, Vec<u8>) {
    (0x40, id.to_be_bytes().to_vec())
}
