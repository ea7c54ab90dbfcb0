//! Devices by the thousand, made to cost little: raw MQTT 3.1.1 over plain sockets or TLS, all on one thread.
//!
//! The client library of real devices would take more of the two processors than the daemon that is measured. What is sent is
//! what a device sends, byte by byte; of what comes back only PUBACKs and commands are read.
//!
//! **Invariant:** a report counts as acknowledged only when its PUBACK came in.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_rustls::TlsConnector;

use super::BenchError;
use super::limits::{CONNECT_WITHIN, GREETINGS_AT_ONCE};
use super::packets;

/// Who logs in.
#[derive(Debug, Clone)]
pub struct Account {
    /// Client id and user name.
    pub device: String,
    /// The password; none for a broker that lets everybody in.
    pub secret: Option<String>,
}

/// Where to.
#[derive(Debug, Clone)]
pub struct Target {
    /// The address.
    pub address: SocketAddr,
    /// With TLS.
    pub tls: Option<Arc<ClientConfig>>,
}

/// What each device does once it is connected.
#[derive(Debug, Clone, Copy)]
pub enum Plan {
    /// Subscribes, sends one heartbeat, and stays.
    Stay,
    /// Reports as fast as is acknowledged, so many under way.
    Flood {
        /// Reports under way.
        window: u16,
    },
    /// One report every so often, whatever is acknowledged, at most so many under way.
    Pace {
        /// Between two reports of one device; the devices are spread over it.
        every: Duration,
        /// Reports under way.
        window: u16,
    },
    /// Subscribes, and is pressed every so often, each time with the next kind, until there is none left.
    Press {
        /// Between two presses of one device; the devices are spread over it.
        every: Duration,
        /// The kinds.
        kinds: &'static [&'static str],
    },
}

/// One press.
#[derive(Debug, Clone, Copy)]
pub struct Press {
    /// When.
    pub at: Instant,
    /// To its PUBACK.
    pub acknowledged: Option<Duration>,
    /// To the command that says that the centre has it.
    pub accepted: Option<Duration>,
}

/// What a device had acknowledged: its name and the numbers of its reports.
pub type Acknowledged = (String, Vec<u64>);

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// Reports go out only from here on.
    go: AtomicBool,
    wake: Notify,
    connected: AtomicU64,
    broken: AtomicU64,
    acknowledged: AtomicU64,
    presses: Mutex<Vec<Press>>,
    tally: Mutex<Vec<Acknowledged>>,
}

/// Devices at work on a thread of their own.
#[derive(Debug)]
pub struct Fleet {
    /// The epoch of its reports: no other fleet of this process has it, so that none of them is a repeat.
    pub epoch: u32,
    shared: Arc<Shared>,
    ended: Option<oneshot::Receiver<()>>,
}

impl Fleet {
    /// Connects every account and sets it to work.
    ///
    /// # Errors
    /// Some are not let in, or not in time.
    pub async fn start(target: Target, accounts: Vec<Account>, plan: Plan) -> Result<Self, BenchError> {
        let fleet = Self::connect(target, accounts, plan).await?;
        fleet.go();
        Ok(fleet)
    }

    /// The same, but nothing is reported before [`Fleet::go`].
    ///
    /// # Errors
    /// Some are not let in, or not in time.
    pub async fn connect(target: Target, accounts: Vec<Account>, plan: Plan) -> Result<Self, BenchError> {
        static EPOCH: AtomicU32 = AtomicU32::new(1);
        let epoch = EPOCH.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared::default());
        let wanted = accounts.len() as u64;
        let (end, ended) = oneshot::channel();
        let theirs = Arc::clone(&shared);
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(work(&target, accounts, (plan, epoch), &theirs));
            }
            // Whoever waited may be gone.
            end.send(()).ok();
        };
        std::thread::Builder::new().name("fleet".to_owned()).spawn(work)?;
        let started = Instant::now();
        let fleet = Self { epoch, shared, ended: Some(ended) };
        loop {
            let connected = fleet.shared.connected.load(Ordering::Relaxed);
            let broken = fleet.shared.broken.load(Ordering::Relaxed);
            if connected >= wanted {
                return Ok(fleet);
            }
            if broken > 0 || started.elapsed() > CONNECT_WITHIN {
                return Err(BenchError::NotLetIn { connected, wanted });
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Lets the reports begin.
    pub fn go(&self) {
        self.shared.go.store(true, Ordering::Relaxed);
        self.shared.wake.notify_waiters();
    }

    /// Acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// The presses of which everything was heard since the last call.
    #[must_use]
    pub fn take_presses(&self) -> Vec<Press> {
        std::mem::take(&mut *lock(&self.shared.presses))
    }

    /// Acknowledged reports a second, over so long.
    ///
    /// # Errors
    /// Connections broke.
    pub async fn rate(&self, within: Duration) -> Result<f64, BenchError> {
        let (before, started) = (self.acknowledged(), Instant::now());
        tokio::time::sleep(within).await;
        let rate = super::per_second(self.acknowledged().saturating_sub(before), started.elapsed());
        match self.shared.broken.load(Ordering::Relaxed) {
            0 => Ok(rate),
            broken => Err(BenchError::Broken(broken)),
        }
    }

    /// Cuts every connection, and tells what was acknowledged.
    pub async fn cut(mut self) -> Vec<Acknowledged> {
        self.stop();
        if let Some(ended) = self.ended.take() {
            // Its thread ends in any case.
            drop(ended.await);
        }
        std::mem::take(&mut *lock(&self.shared.tally))
    }

    fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.wake.notify_waiters();
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn work(target: &Target, accounts: Vec<Account>, (plan, epoch): (Plan, u32), shared: &Arc<Shared>) {
    let greetings = Arc::new(Semaphore::new(GREETINGS_AT_ONCE));
    let count = u32::try_from(accounts.len()).unwrap_or(u32::MAX).max(1);
    let mut devices = tokio::task::JoinSet::new();
    for (place, account) in (0_u32..).zip(accounts) {
        let (target, shared, greetings) = (target.clone(), Arc::clone(shared), Arc::clone(&greetings));
        devices.spawn(async move {
            let mut device =
                Device::new(account, (plan, epoch), f64::from(place) / f64::from(count), Arc::clone(&shared));
            if device.live(&target, &greetings).await.is_err() && !shared.stop.load(Ordering::Relaxed) {
                shared.broken.fetch_add(1, Ordering::Relaxed);
            }
            lock(&shared.tally).push((device.account.device, device.acknowledged));
        });
    }
    while devices.join_next().await.is_some() {}
}

/// A report under way.
#[derive(Debug, Clone, Copy)]
struct Sent {
    seq: u64,
    at: Instant,
}

struct Device {
    account: Account,
    plan: Plan,
    epoch: u32,
    /// Its place among the others, 0 to 1.
    place: f64,
    shared: Arc<Shared>,
    topic: String,
    seq: u64,
    /// By packet identifier less one.
    under_way: Vec<Option<Sent>>,
    free: Vec<u16>,
    acknowledged: Vec<u64>,
    presses: Vec<(u64, Press)>,
    out: Vec<u8>,
}

impl Device {
    fn new(account: Account, (plan, epoch): (Plan, u32), place: f64, shared: Arc<Shared>) -> Self {
        let window = match plan {
            Plan::Stay => 0,
            Plan::Flood { window } | Plan::Pace { window, .. } => window,
            Plan::Press { kinds, .. } => u16::try_from(kinds.len()).unwrap_or(u16::MAX),
        };
        Self {
            topic: format!("care/v1/{}/event", account.device),
            account,
            plan,
            epoch,
            place,
            shared,
            seq: 0,
            under_way: vec![None; usize::from(window)],
            free: (1..=window).rev().collect(),
            acknowledged: Vec::new(),
            presses: Vec::new(),
            out: Vec::new(),
        }
    }

    async fn live(&mut self, target: &Target, greetings: &Semaphore) -> io::Result<()> {
        let permit = greetings.acquire().await.map_err(io::Error::other)?;
        let socket = TcpStream::connect(target.address).await?;
        socket.set_nodelay(true)?;
        match &target.tls {
            None => {
                let mut socket = socket;
                self.greet(&mut socket).await?;
                drop(permit);
                self.serve(socket).await
            }
            Some(config) => {
                let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
                let mut socket = TlsConnector::from(Arc::clone(config)).connect(name, socket).await?;
                self.greet(&mut socket).await?;
                drop(permit);
                self.serve(socket).await
            }
        }
    }

    async fn greet<S: AsyncRead + AsyncWrite + Unpin>(&mut self, socket: &mut S) -> io::Result<()> {
        let mut hello = packets::connect(&self.account.device, self.account.secret.as_deref(), true);
        socket.write_all(&hello).await?;
        let mut answer = [0; 4];
        socket.read_exact(&mut answer).await?;
        if answer != packets::WELCOME {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        hello.clear();
        if matches!(self.plan, Plan::Stay | Plan::Press { .. }) {
            hello.extend(packets::subscribe(&format!("care/v1/{}/command", self.account.device)));
            hello.extend(packets::heartbeat(&self.account.device));
            socket.write_all(&hello).await?;
            let mut answer = [0; 5];
            socket.read_exact(&mut answer).await?;
        }
        self.shared.connected.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&mut self, mut socket: S) -> io::Result<()> {
        while !self.shared.go.load(Ordering::Relaxed) {
            let woken = self.shared.wake.notified();
            if self.shared.go.load(Ordering::Relaxed) || self.shared.stop.load(Ordering::Relaxed) {
                break;
            }
            woken.await;
        }
        let (every, first) = match self.plan {
            Plan::Stay | Plan::Flood { .. } => (Duration::ZERO, Duration::ZERO),
            Plan::Pace { every, .. } | Plan::Press { every, .. } => (every, every.mul_f64(self.place)),
        };
        let mut due = tokio::time::Instant::now() + first;
        let mut bytes = Vec::with_capacity(256);
        let shared = Arc::clone(&self.shared);
        while !shared.stop.load(Ordering::Relaxed) {
            while self.reports_more() && due <= tokio::time::Instant::now() {
                self.report();
                due += every;
            }
            if !self.out.is_empty() {
                socket.write_all(&self.out).await?;
                self.out.clear();
            }
            let waits_for_time = self.reports_more();
            tokio::select! {
                read = socket.read_buf(&mut bytes) => if read? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                },
                () = tokio::time::sleep_until(due), if waits_for_time => {}
                () = shared.wake.notified() => {}
            }
            let now = Instant::now();
            let taken = packets::each(&bytes, |packet| self.hear(packet, now));
            bytes.drain(..taken);
        }
        Ok(())
    }

    fn reports_more(&self) -> bool {
        match self.plan {
            Plan::Stay => false,
            Plan::Flood { .. } | Plan::Pace { .. } | Plan::Press { .. } => !self.free.is_empty(),
        }
    }

    fn report(&mut self) {
        let Some(packet) = self.free.pop() else { return };
        self.seq = self.seq.saturating_add(1);
        let sent = Sent { seq: self.seq, at: Instant::now() };
        if let Some(place) = self.under_way.get_mut(usize::from(packet).saturating_sub(1)) {
            *place = Some(sent);
        }
        let kind = match self.plan {
            Plan::Stay | Plan::Flood { .. } | Plan::Pace { .. } => "test",
            Plan::Press { kinds, .. } => {
                self.presses.push((self.seq, Press { at: sent.at, acknowledged: None, accepted: None }));
                let which = usize::try_from(self.seq).unwrap_or(usize::MAX).saturating_sub(1);
                kinds.get(which).copied().unwrap_or("test")
            }
        };
        packets::report(&mut self.out, &self.topic, packet, (self.epoch, self.seq), kind);
    }

    fn hear(&mut self, packet: packets::Heard<'_>, now: Instant) {
        match packet {
            packets::Heard::Puback(id) => {
                let place = self.under_way.get_mut(usize::from(id).saturating_sub(1));
                let Some(sent) = place.and_then(Option::take) else { return };
                self.acknowledged.push(sent.seq);
                self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
                if matches!(self.plan, Plan::Press { .. }) {
                    // Each number is pressed once, so that every press raises an alarm of its own.
                    self.note(|seq, press| {
                        if seq == sent.seq {
                            press.acknowledged = Some(now.saturating_duration_since(press.at));
                        }
                    });
                } else {
                    self.free.push(id);
                }
            }
            packets::Heard::Command { id, payload } => {
                packets::puback(&mut self.out, id);
                let Some(seqs) = packets::accepted(payload) else { return };
                self.note(|seq, press| {
                    if seqs.contains(&seq) && press.accepted.is_none() {
                        press.accepted = Some(now.saturating_duration_since(press.at));
                    }
                });
            }
            packets::Heard::Other => {}
        }
    }

    /// Notes something of presses; those of which everything was heard are given out.
    fn note(&mut self, mut change: impl FnMut(u64, &mut Press)) {
        let mut whole = Vec::new();
        self.presses.retain_mut(|(seq, press)| {
            change(*seq, press);
            let is_whole = press.acknowledged.is_some() && press.accepted.is_some();
            if is_whole {
                whole.push(*press);
            }
            !is_whole
        });
        if !whole.is_empty() {
            lock(&self.shared.presses).extend(whole);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
