//! Where connections come in: TLS with or without client certificates, or plain TCP on loopback.
//!
//! **Invariant:** a handshake that hangs holds up nobody: each has a deadline and its own task, and their number is
//! bounded, as is that of open connections; a connection on which nothing moves for long is closed.
//! **Invariant:** who stands at the other end by its certificate is read once, from the certificate that the handshake
//! verified.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::extensions::GeneralName;

use crate::config::TlsConfig;
use crate::limits;

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read, or holds no such thing.
    #[error("{path} holds no usable PEM")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The certificates of the clients' authority cannot be used.
    #[error("{path} holds no usable authority for client certificates")]
    ClientCa {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not fit.
    #[error("the certificate and the key cannot be used together")]
    Pair(#[from] rustls::Error),
}

/// Who is at the other end of a connection, by the connection alone.
#[derive(Debug, Clone)]
pub enum Peer {
    /// Nobody known: plain, or TLS without a certificate of the client.
    Unnamed,
    /// The one whose verified certificate bears these names: common names of its subject, and DNS names.
    Named(Arc<[String]>),
}

impl Peer {
    fn of(stream: &TlsStream<TcpStream>) -> Self {
        let certificates = stream.get_ref().1.peer_certificates();
        certificates.and_then(<[_]>::first).map_or(Self::Unnamed, |certificate| Self::Named(names(certificate).into()))
    }

    /// Whether the connection may speak for this name.
    #[must_use]
    pub fn may_be(&self, name: &str) -> bool {
        match self {
            Self::Unnamed => true,
            Self::Named(names) => names.iter().any(|own| own == name),
        }
    }
}

/// The names in a certificate; none where it cannot be read.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else { return Vec::new() };
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative.iter().flat_map(|extension| &extension.value.general_names);
    let dns = alternative.filter_map(|name| if let GeneralName::DNSName(name) = name { Some(*name) } else { None });
    common.chain(dns).map(str::to_owned).collect()
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        stream.io().peer.clone()
    }
}

/// A connection, with or without TLS; it gives back its place when it ends.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    peer: Peer,
    idle: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: Stream, place: OwnedSemaphorePermit) -> Self {
        let peer = match &stream {
            Stream::Plain(_) => Peer::Unnamed,
            Stream::Tls(stream) => Peer::of(stream),
        };
        Self { stream, peer, idle: Box::pin(tokio::time::sleep(limits::IDLE_TIME)), _place: place }
    }
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Accepts connections for axum.
#[derive(Debug)]
pub struct Listener {
    ready: mpsc::Receiver<(Connection, SocketAddr)>,
    address: SocketAddr,
}

impl Listener {
    /// Starts to accept. The accepting task ends when the listener is dropped.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn start(tcp: TcpListener, address: SocketAddr, tls: Option<&TlsConfig>) -> Result<Self, TlsError> {
        let acceptor =
            tls.map(|tls| Ok::<_, TlsError>(TlsAcceptor::from(Arc::new(server_config(tls)?)))).transpose()?;
        let (sender, ready) = mpsc::channel(limits::HANDSHAKES_MAX);
        tokio::spawn(accept(tcp, acceptor, sender));
        Ok(Self { ready, address })
    }
}

async fn accept(tcp: TcpListener, acceptor: Option<TlsAcceptor>, sender: mpsc::Sender<(Connection, SocketAddr)>) {
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    let handshakes = Arc::new(Semaphore::new(limits::HANDSHAKES_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = tcp.accept() => accepted,
            () = sender.closed() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly: what is open goes on, and new ones wait.
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        stream.set_nodelay(true).ok();
        let Some(acceptor) = acceptor.clone() else {
            let connection = Connection::new(Stream::Plain(stream), place);
            if sender.send((connection, peer)).await.is_err() {
                return;
            }
            continue;
        };
        let Ok(turn) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let sender = sender.clone();
        tokio::spawn(async move {
            let shaken = tokio::time::timeout(limits::HANDSHAKE_TIME, acceptor.accept(stream)).await;
            drop(turn);
            match shaken {
                Ok(Ok(stream)) => {
                    let connection = Connection::new(Stream::Tls(Box::new(stream)), place);
                    sender.send((connection, peer)).await.ok();
                }
                Ok(Err(_)) => metrics::counter!("central_handshakes_failed_total", "why" => "refused").increment(1),
                Err(_) => metrics::counter!("central_handshakes_failed_total", "why" => "late").increment(1),
            }
        });
    }
}

/// Reads certificate, key and authority as the listener will, and forgets them.
///
/// # Errors
/// They cannot be used.
pub fn check(tls: &TlsConfig) -> Result<(), TlsError> {
    server_config(tls).map(drop)
}

fn server_config(tls: &TlsConfig) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let unusable = || TlsError::ClientCa { path: path.clone() };
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|_| unusable())?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|_| unusable())?)
        }
    };
    let key =
        PrivateKeyDer::from_pem_file(&tls.key).map_err(|source| TlsError::Pem { path: tls.key.clone(), source })?;
    Ok(builder.with_single_cert(certificates(&tls.certificate)?, key)?)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { path: path.to_owned(), source };
    let found: Vec<_> = CertificateDer::pem_file_iter(path).map_err(pem)?.collect::<Result<_, _>>().map_err(pem)?;
    if found.is_empty() { Err(pem(rustls::pki_types::pem::Error::NoItemsFound)) } else { Ok(found) }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The accepting task ended, which it does only at the end of the process.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Bytes moved: the connection lives on. Nothing moved for too long: it ends.
fn watch<T>(idle: &mut Pin<Box<Sleep>>, cx: &mut Context<'_>, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    if moved.is_ready() {
        idle.as_mut().reset(Instant::now() + limits::IDLE_TIME);
        return moved;
    }
    match idle.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        Poll::Pending => Poll::Pending,
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let moved = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        };
        watch(&mut this.idle, cx, moved)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let moved = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        };
        watch(&mut this.idle, cx, moved)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
