//! Settings of the device link, and the sockets that it listens on.
//!
//! **Invariant:** what is bound without TLS is a loopback address.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::limits;
use super::tls::{CertificateError, server_config};
use crate::troubles::{Part, Troubles};

/// Where devices connect to, and how many may.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceLinkSettings {
    /// Address without TLS; loopback only. Port 0 takes a free one.
    pub plain: Option<SocketAddr>,
    /// Address with TLS, customarily port 8883.
    pub tls: Option<TlsSettings>,
    /// The most connections in all.
    pub connections_max: usize,
    /// The most connections from one address.
    pub connections_per_address_max: usize,
}

impl Default for DeviceLinkSettings {
    fn default() -> Self {
        Self {
            plain: None,
            tls: None,
            connections_max: limits::CONNECTIONS_MAX_DEFAULT,
            connections_per_address_max: limits::CONNECTIONS_PER_ADDRESS_MAX_DEFAULT,
        }
    }
}

/// The listener with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// Its address.
    pub address: SocketAddr,
    /// The server's certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM; for the owner only.
    pub key: PathBuf,
}

/// Why the device link was not bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Neither address is set.
    #[error("device_link: set plain (loopback) or tls, otherwise no device can connect")]
    Nowhere,
    /// A limit of 0 lets nobody in.
    #[error("device_link: connections_max and connections_per_address_max must be at least 1")]
    NoConnections,
    /// The plain address is reachable from outside.
    #[error("device_link: plain: {0} is not a loopback address; without TLS devices connect over loopback only")]
    NotLoopback(SocketAddr),
    /// The address cannot be bound.
    #[error("device_link: {address} cannot be bound: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Certificate or key.
    #[error("device_link: tls: {0}")]
    Certificate(#[from] CertificateError),
}

/// An address with its socket, once that is bound.
struct Listener {
    address: SocketAddr,
    part: Part,
    socket: Option<TcpListener>,
}

/// The sockets, as far as they are bound.
pub(super) struct Listeners {
    plain: Option<Listener>,
    tls: Option<(Listener, Arc<ServerConfig>)>,
}

/// A connection that was taken.
pub(super) struct Accepted {
    pub socket: TcpStream,
    pub from: SocketAddr,
    pub tls: Option<Arc<ServerConfig>>,
}

impl Listeners {
    /// Checks the settings and reads certificate and key; nothing is bound yet.
    pub fn new(settings: &DeviceLinkSettings) -> Result<Self, BindError> {
        if settings.plain.is_none() && settings.tls.is_none() {
            return Err(BindError::Nowhere);
        }
        if settings.connections_max == 0 || settings.connections_per_address_max == 0 {
            return Err(BindError::NoConnections);
        }
        if let Some(address) = settings.plain.filter(|address| !address.ip().is_loopback()) {
            return Err(BindError::NotLoopback(address));
        }
        let config = settings.tls.as_ref().map(|tls| server_config(&tls.certificate, &tls.key)).transpose()?;
        let listener = |address, part| Listener { address, part, socket: None };
        let plain = settings.plain.map(|address| listener(address, Part::DeviceLinkPlain));
        let tls = settings.tls.as_ref().map(|tls| listener(tls.address, Part::DeviceLinkTls));
        Ok(Self { plain, tls: tls.zip(config) })
    }

    /// Binds what is not bound yet, each for itself; the first that could not be bound is the error. The troubles hear of
    /// each.
    pub fn bind(&mut self, troubles: &Troubles) -> Result<(), BindError> {
        let plain = self.plain.as_mut().map_or(Ok(()), |listener| listener.bind(troubles));
        let tls = self.tls.as_mut().map_or(Ok(()), |(listener, _)| listener.bind(troubles));
        plain.and(tls)
    }

    pub fn plain_address(&self) -> Option<SocketAddr> {
        self.plain.as_ref().and_then(Listener::local_addr)
    }

    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls.as_ref().and_then(|(listener, _)| listener.local_addr())
    }

    /// The next connection of either.
    pub async fn accept(&self) -> std::io::Result<Accepted> {
        let plain = accept(self.plain.as_ref());
        let tls = accept(self.tls.as_ref().map(|(listener, _)| listener));
        tokio::select! {
            taken = plain => taken.map(|(socket, from)| Accepted { socket, from, tls: None }),
            taken = tls => taken.map(|(socket, from)| {
                Accepted { socket, from, tls: self.tls.as_ref().map(|(_, config)| Arc::clone(config)) }
            }),
        }
    }
}

impl Listener {
    fn bind(&mut self, troubles: &Troubles) -> Result<(), BindError> {
        if self.socket.is_some() {
            return Ok(());
        }
        match listen(self.address) {
            Ok(socket) => {
                self.socket = Some(socket);
                troubles.end(self.part);
                Ok(())
            }
            Err(source) => {
                troubles.begin(self.part, &format!("{} cannot be bound: {source}", self.address));
                Err(BindError::Address { address: self.address, source })
            }
        }
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.as_ref()?.local_addr().ok()
    }
}

async fn accept(listener: Option<&Listener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener.and_then(|listener| listener.socket.as_ref()) {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(limits::BACKLOG)
}
