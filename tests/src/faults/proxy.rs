//! A TCP proxy with the faults of lines: a slow, stalled, cut, trickling, noisy or half-open one, a narrow one, none at all.
//!
//! ```text
//!   client ──> [ up ] ──> target            each direction is a pump of its own;
//!   client <── [ down ] <── target          the fault that counts is the one at the moment of each chunk
//! ```
//!
//! **Invariant:** a connection that lost bytes to a fault never passes any again, also after the fault is over: no line does.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::limits::{BANDWIDTH_STEP, CHUNK_LEN};
use crate::site::dice::Dice;

/// What the line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It passes everything on.
    None,
    /// Each chunk arrives so much later.
    Delay(Duration),
    /// It takes what the client says, and nothing ever comes back.
    Stall,
    /// After so many bytes in this direction, counted from the moment of the fault or of the connection, both ends are cut.
    Cut {
        /// The direction that is counted.
        toward: Toward,
        /// Bytes that still pass.
        after: u64,
    },
    /// Answers come byte by byte, with this pause before each.
    Trickle(Duration),
    /// In place of answers comes noise of the same length.
    Garbage,
    /// The peer has vanished without a word: nothing is read or written, and both sockets stay open.
    HalfOpen,
    /// So many bytes a second in each direction.
    Bandwidth(u64),
    /// Whoever connects is cut at once, and what stands is cut.
    Gone,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// From the client: requests.
    Target,
    /// To the client: answers.
    Client,
}

/// The proxy; it ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    fault: Fault,
    /// How often the far end has vanished from those that were connected.
    vanished: u64,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    swallowed: AtomicU64,
}

impl Proxy {
    /// A proxy that passes everything on to this address.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start(target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let line = watch::Sender::new(Line { fault: Fault::None, vanished: 0 });
        let counts = Arc::<Counts>::default();
        let task = tokio::spawn(accept(listener, target, line.clone(), Arc::clone(&counts)));
        Ok(Self { address, line, counts, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same for HTTP.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Switches the line over, also for connections that stand.
    pub fn set(&self, fault: Fault) {
        self.line.send_modify(|line| line.fault = fault);
    }

    /// The peer vanishes from every connection that stands, without a word; whoever connects anew finds it well.
    pub fn vanish(&self) {
        self.line.send_modify(|line| line.vanished = line.vanished.saturating_add(1));
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Bytes that a stalled line has taken so far.
    #[must_use]
    pub fn swallowed(&self) -> u64 {
        self.counts.swallowed.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, line: watch::Sender<Line>, counts: Arc<Counts>) {
    // The connections end with this task.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let number = counts.connections.fetch_add(1, Ordering::Relaxed);
        while connections.try_join_next().is_some() {}
        connections.spawn(serve(client, target, line.subscribe(), Arc::clone(&counts), number));
    }
}

async fn serve(client: TcpStream, target: SocketAddr, line: watch::Receiver<Line>, counts: Arc<Counts>, number: u64) {
    let Line { fault, vanished } = *line.borrow();
    if fault == Fault::Gone {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let lost = Arc::new(AtomicBool::new(false));
    let pump = |from, to, toward| Pump {
        from,
        to,
        toward,
        line: line.clone(),
        vanished,
        lost: Arc::clone(&lost),
        counts: Arc::clone(&counts),
        dice: Dice::new(number),
    };
    let (up, down) = (pump(from_client, to_server, Toward::Target), pump(from_server, to_client, Toward::Client));
    let (mut up, mut down) = (pin!(up.run()), pin!(down.run()));
    // A half that has ended properly leaves the other one running; else both sockets are closed with this task.
    tokio::select! {
        ended = &mut up => if ended { down.await; },
        ended = &mut down => if ended { up.await; },
    }
}

struct Pump {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    toward: Toward,
    line: watch::Receiver<Line>,
    /// How often the far end had vanished when this connection began.
    vanished: u64,
    /// Whether either direction has lost bytes.
    lost: Arc<AtomicBool>,
    counts: Arc<Counts>,
    dice: Dice,
}

impl Pump {
    /// True: this direction ended by itself. False: both are to be cut.
    async fn run(mut self) -> bool {
        let mut buffer = vec![0; CHUNK_LEN];
        let mut passed = 0;
        loop {
            let Line { fault, vanished } = *self.line.borrow_and_update();
            if fault == Fault::HalfOpen || vanished != self.vanished {
                self.lost.store(true, Ordering::Relaxed);
                // Nothing but a cut ends it.
                drop(self.line.wait_for(|line| line.fault == Fault::Gone).await);
                return false;
            }
            if fault == Fault::Gone {
                return false;
            }
            let read = tokio::select! {
                biased;
                changed = self.line.changed() => match changed {
                    Ok(()) => { passed = 0; continue }
                    Err(_) => return false,
                },
                read = self.from.read(&mut buffer) => read,
            };
            let Some(bytes) = read.ok().and_then(|n| buffer.get(..n)) else { return false };
            if bytes.is_empty() {
                return self.to.shutdown().await.is_ok();
            }
            if !self.pass(fault, bytes, &mut passed).await {
                return false;
            }
        }
    }

    /// Whether the connection goes on.
    async fn pass(&mut self, fault: Fault, bytes: &[u8], passed: &mut u64) -> bool {
        if self.lost.load(Ordering::Relaxed) {
            return true;
        }
        match fault {
            Fault::None | Fault::HalfOpen | Fault::Gone => self.write(bytes).await,
            Fault::Delay(pause) => {
                sleep(pause).await;
                self.write(bytes).await
            }
            Fault::Stall => {
                self.lost.store(true, Ordering::Relaxed);
                self.counts.swallowed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                true
            }
            Fault::Cut { toward, after } if toward == self.toward => {
                let left = usize::try_from(after.saturating_sub(*passed)).unwrap_or(usize::MAX);
                *passed = passed.saturating_add(bytes.len() as u64);
                match bytes.get(..left) {
                    Some(rest) if left < bytes.len() => {
                        self.write(rest).await;
                        false
                    }
                    Some(_) | None => self.write(bytes).await,
                }
            }
            Fault::Cut { .. } => self.write(bytes).await,
            Fault::Trickle(pause) if self.toward == Toward::Client => self.trickle(pause, bytes).await,
            Fault::Garbage if self.toward == Toward::Client => {
                let noise: Vec<u8> = bytes.iter().map(|_| self.dice.draw().to_le_bytes()[0]).collect();
                self.lost.store(true, Ordering::Relaxed);
                self.write(&noise).await
            }
            Fault::Trickle(_) | Fault::Garbage => self.write(bytes).await,
            Fault::Bandwidth(per_second) => {
                let steps = u64::try_from(BANDWIDTH_STEP.as_millis()).unwrap_or(1);
                let step = per_second.saturating_mul(steps).checked_div(1_000).unwrap_or(0).max(1);
                for piece in bytes.chunks(usize::try_from(step).unwrap_or(CHUNK_LEN)) {
                    sleep(BANDWIDTH_STEP).await;
                    if !self.write(piece).await {
                        return false;
                    }
                }
                true
            }
        }
    }

    async fn trickle(&mut self, pause: Duration, bytes: &[u8]) -> bool {
        for (at, byte) in bytes.iter().enumerate() {
            tokio::select! {
                () = sleep(pause) => {}
                // Whoever takes the fault away does not want to wait for the rest of it.
                _ = self.line.changed() => return self.write(bytes.get(at..).unwrap_or_default()).await,
            }
            if !self.write(&[*byte]).await {
                return false;
            }
        }
        true
    }

    async fn write(&mut self, bytes: &[u8]) -> bool {
        self.to.write_all(bytes).await.is_ok()
    }
}
