//! Load: many devices that report as fast as the gateway acknowledges, or at a pace, and keep account of what was acknowledged.
//!
//! A device whose connection breaks, or on which nothing is acknowledged any more, connects anew and sends what was not
//! acknowledged again, byte for byte, as devices in the field do.
//!
//! **Invariant:** a report counts as acknowledged only when its PUBACK came in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::dice::Dice;
use super::error::SiteError;
use super::limits;
use super::mqtt::{Connection, Heard, Login};
use super::wait::until;

/// How the devices behave.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// Reports that each device has under way at most, up to [`limits::WINDOW_MAX`].
    pub window: usize,
    /// Pause between two reports of one device; none: as fast as they are acknowledged.
    pub pause: Option<Duration>,
    /// How many reports each device makes; none: until it is stopped.
    pub count: Option<u64>,
    /// The kinds, one drawn for each report.
    pub kinds: &'static [&'static str],
}

/// The kinds of a busy day, alarms among much else.
pub const MIXED: &[&str] = &["test", "test", "test", "test", "sos", "fall", "service", "mains_restored", "low_battery"];

/// Not a kind of report: a heartbeat, which nobody acknowledges.
pub const HEARTBEAT: &str = "heartbeat";
/// It names the press that the device made last; without one it is a `test`.
const CANCEL: &str = "cancel";
/// Kinds in which somebody waits for an answer.
const PRESSES: &[&str] = &["sos", "fall", "pull_cord", "service"];

/// Devices at work.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// A report by its origin: device, epoch, number.
pub type ReportKey = (String, u32, u64);

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged_count: AtomicU64,
    resent: AtomicU64,
    acknowledged: Mutex<BTreeSet<ReportKey>>,
    sent: Mutex<BTreeMap<ReportKey, &'static str>>,
    pressed_ms: Mutex<BTreeMap<ReportKey, i64>>,
    latencies: Mutex<Vec<Duration>>,
}

/// What came of a load.
#[derive(Debug, Default)]
pub struct Tally {
    /// Acknowledged reports.
    pub acknowledged: BTreeSet<ReportKey>,
    /// All reports that were sent at least once, with their kinds.
    pub sent: BTreeMap<ReportKey, &'static str>,
    /// When people pressed, Unix milliseconds: `sos`, `fall`, `pull_cord`, `service`.
    pub pressed_ms: BTreeMap<ReportKey, i64>,
    /// Reports sent again because their connection broke.
    pub resent: u64,
    /// From each first sending to its PUBACK, in no order.
    pub latencies: Vec<Duration>,
}

impl Load {
    /// Sets devices to work in this epoch, each with choices of its own.
    #[must_use]
    pub fn start(logins: Vec<Login>, epoch: u32, settings: &LoadSettings, dice: &mut Dice) -> Self {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        for login in logins {
            let device = LoadDevice {
                login,
                epoch,
                settings: settings.clone(),
                dice: dice.split(),
                shared: Arc::clone(&shared),
                seq: 0,
                pressed: None,
                open: BTreeMap::new(),
            };
            tasks.spawn(device.run());
        }
        Self { shared, tasks }
    }

    /// Acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged_count.load(Ordering::Relaxed)
    }

    /// Which were acknowledged so far.
    #[must_use]
    pub fn acknowledged_reports(&self) -> BTreeSet<ReportKey> {
        lock(&self.shared.acknowledged).clone()
    }

    /// Waits until this many more are acknowledged than now.
    ///
    /// # Errors
    /// [`SiteError::Late`].
    pub async fn progress(&self, more: u64, within: Duration) -> Result<(), SiteError> {
        let goal = self.acknowledged().saturating_add(more);
        until(&format!("{more} more acknowledged reports"), within, async || {
            (self.acknowledged() >= goal).then_some(())
        })
        .await
    }

    /// Makes no new reports, waits until all that were made are acknowledged, and tells what came of it. Devices that were given a
    /// count make all of them first.
    ///
    /// # Errors
    /// [`SiteError::Late`].
    pub async fn finish(mut self, within: Duration) -> Result<Tally, SiteError> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let ended = tokio::time::timeout(within, all).await;
        ended.map_err(|_| SiteError::Late {
            what: "the acknowledgement of every report".to_owned(),
            within,
            last: super::error::Seen(Some(format!("{} acknowledged", self.acknowledged()))),
        })?;
        Ok(self.shared.take())
    }

    /// Stops at once and tells what was acknowledged until now.
    #[must_use]
    pub fn cut(mut self) -> Tally {
        self.tasks.abort_all();
        self.shared.take()
    }
}

impl Shared {
    fn take(&self) -> Tally {
        Tally {
            acknowledged: std::mem::take(&mut *lock(&self.acknowledged)),
            sent: std::mem::take(&mut *lock(&self.sent)),
            pressed_ms: std::mem::take(&mut *lock(&self.pressed_ms)),
            resent: self.resent.load(Ordering::Relaxed),
            latencies: std::mem::take(&mut *lock(&self.latencies)),
        }
    }
}

struct Open {
    payload: Vec<u8>,
    sent_at: Instant,
}

struct LoadDevice {
    login: Login,
    epoch: u32,
    settings: LoadSettings,
    dice: Dice,
    shared: Arc<Shared>,
    seq: u64,
    /// The number of the press before.
    pressed: Option<u64>,
    open: BTreeMap<u64, Open>,
}

impl LoadDevice {
    async fn run(mut self) {
        while !self.is_done() {
            match Connection::open(&self.login).await {
                Ok(connection) => self.serve(connection).await,
                Err(_the_gateway_is_down) => tokio::time::sleep(limits::RECONNECT).await,
            }
        }
    }

    fn makes_more(&self) -> bool {
        match self.settings.count {
            Some(count) => self.seq < count,
            None => !self.shared.stop.load(Ordering::Relaxed),
        }
    }

    fn is_done(&self) -> bool {
        self.open.is_empty() && !self.makes_more()
    }

    /// Works on one connection until it breaks or all is done.
    async fn serve(&mut self, mut connection: Connection) {
        for (seq, open) in &self.open {
            if connection.report(*seq, open.payload.clone()).is_err() {
                return;
            }
            self.shared.resent.fetch_add(1, Ordering::Relaxed);
        }
        let mut due = tokio::time::Instant::now();
        let mut heard_at = due;
        while !self.is_done() {
            let window = self.settings.window.min(limits::WINDOW_MAX);
            while self.makes_more() && self.open.len() < window && due <= tokio::time::Instant::now() {
                if !self.report(&connection) {
                    return;
                }
                due += self.settings.pause.unwrap_or_default();
            }
            let waits_for_time = self.makes_more() && self.open.len() < window;
            let heard = tokio::select! {
                heard = connection.hear() => heard,
                () = tokio::time::sleep_until(due), if waits_for_time => {
                    heard_at = if self.open.is_empty() { due } else { heard_at };
                    continue;
                }
                // A line that died without a word.
                () = tokio::time::sleep_until(heard_at + limits::ACKNOWLEDGED), if !self.open.is_empty() => return,
            };
            heard_at = tokio::time::Instant::now();
            match heard {
                Heard::Acknowledged { tag, at } => self.acknowledged(tag, at),
                Heard::Command { .. } => {}
                Heard::Closed { .. } => return,
            }
        }
    }

    fn report(&mut self, connection: &Connection) -> bool {
        let kind = self.dice.pick(self.settings.kinds).copied().unwrap_or("test");
        if kind == HEARTBEAT {
            return self.heartbeat(connection);
        }
        self.seq = self.seq.saturating_add(1);
        let of = self.pressed.filter(|_| kind == CANCEL);
        let kind = if kind == CANCEL && of.is_none() { "test" } else { kind };
        let mut body =
            json!({"v": 1, "epoch": self.epoch, "seq": self.seq, "kind": kind, "boot": 1, "battery_mv": 2980});
        if let Some(of) = of {
            body["of"] = of.into();
        }
        if PRESSES.contains(&kind) {
            self.pressed = Some(self.seq);
            lock(&self.shared.pressed_ms).insert(self.key(self.seq), unix_ms());
        }
        let payload = body.to_string().into_bytes();
        let taken = connection.report(self.seq, payload.clone()).is_ok();
        // What the client did not take is sent on the next connection.
        self.open.insert(self.seq, Open { payload, sent_at: Instant::now() });
        lock(&self.shared.sent).insert(self.key(self.seq), kind);
        taken
    }

    fn heartbeat(&self, connection: &Connection) -> bool {
        let body = json!({"v": 1, "epoch": self.epoch, "boot": 1, "battery_mv": 2980, "firmware": "1.0.3"});
        let topic = format!("care/v1/{}/status", self.login.device);
        connection.publish(&topic, None, false, body.to_string().into_bytes()).is_ok()
    }

    fn acknowledged(&mut self, seq: u64, at: Instant) {
        let Some(open) = self.open.remove(&seq) else { return };
        lock(&self.shared.acknowledged).insert(self.key(seq));
        lock(&self.shared.latencies).push(at.saturating_duration_since(open.sent_at));
        self.shared.acknowledged_count.fetch_add(1, Ordering::Relaxed);
    }

    fn key(&self, seq: u64) -> ReportKey {
        (self.login.device.clone(), self.epoch, seq)
    }
}

/// This machine's clock.
#[must_use]
pub fn unix_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
