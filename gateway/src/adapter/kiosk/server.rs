//! Binds the address, accepts connections and serves them; bounded in number and time, and ended in order.
//!
//! **Invariant:** an address that is taken is tried again until it is free; nothing else waits for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::app::App;
use super::limits::{
    ACCEPT_PAUSE_MS, BIND_PAUSE_MS_MAX, BIND_PAUSE_MS_MIN, CLOSE_WAIT_MS, CONNECTIONS_MAX, HEAD_LEN_MAX, HEAD_WAIT_MS,
};
use super::routes::router;
use crate::troubles::{Part, Troubles};

/// The server of the local interface.
#[derive(Debug)]
pub struct Server {
    listener: Option<TcpListener>,
    app: Arc<App>,
    troubles: Troubles,
    connections_max: usize,
}

/// How the end of the server went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every request was answered.
    InOrder,
    /// Some were still open after `CLOSE_WAIT_MS` and were cut.
    Cut,
}

impl Server {
    pub(super) const fn new(app: Arc<App>, troubles: Troubles) -> Self {
        Self { listener: None, app, troubles, connections_max: CONNECTIONS_MAX }
    }

    /// No more connections at a time than this, nor than [`CONNECTIONS_MAX`].
    pub fn at_most(&mut self, connections: usize) {
        self.connections_max = CONNECTIONS_MAX.min(connections);
    }

    /// Binds the address, where that is not done yet; whether it is now. Why not is told to the troubles.
    pub async fn bind(&mut self) -> bool {
        if self.listener.is_some() {
            return true;
        }
        let address = self.app.local();
        let bound = TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        match bound {
            Ok((local, listener)) => {
                self.app.listens_at(local);
                self.listener = Some(listener);
                self.troubles.end(Part::Kiosk);
                true
            }
            Err(error) => {
                self.troubles.begin(Part::Kiosk, &format!("{address} cannot be bound: {error}"));
                false
            }
        }
    }

    /// Binds the address, with pauses that grow.
    async fn bound(&mut self) {
        let mut pause = Duration::from_millis(BIND_PAUSE_MS_MIN);
        while !self.bind().await {
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(Duration::from_millis(BIND_PAUSE_MS_MAX));
        }
    }

    /// Binds the address and serves until `shutdown` is done, then lets open requests end.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) -> Ended {
        let router = router(&self.app);
        let graceful = GracefulShutdown::new();
        let permits = Arc::new(Semaphore::new(self.connections_max));
        tokio::pin!(shutdown);
        tokio::select! {
            () = self.bound() => {}
            () = &mut shutdown => return Ended::InOrder,
        }
        let Some(listener) = self.listener else { return Ended::InOrder };
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &permits) => accepted,
                () = &mut shutdown => break,
            };
            if let Some((stream, peer, permit)) = accepted {
                tokio::spawn(serve(stream, peer, permit, router.clone(), graceful.watcher()));
            }
        }
        drop(listener);
        self.app.closing.send_replace(true);
        match tokio::time::timeout(Duration::from_millis(CLOSE_WAIT_MS), graceful.shutdown()).await {
            Ok(()) => Ended::InOrder,
            Err(_) => Ended::Cut,
        }
    }
}

/// The next connection, once there is room; none when the system had no handle for it.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(error) => {
            metrics::counter!("kiosk_accept_failures_total").increment(1);
            tracing::warn!(kind = ?error.kind(), "a connection to the local interface could not be accepted");
            tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            None
        }
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
    router: axum::Router,
    watcher: Watcher,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(kind = ?error.kind(), "no nodelay");
    }
    let service = TowerToHyperService::new(router.layer(Extension(ConnectInfo(peer))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HEAD_WAIT_MS))
        .max_buf_size(HEAD_LEN_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%peer, timeout = error.is_timeout(), parse = error.is_parse(), "connection ended");
    }
    drop(permit);
}
