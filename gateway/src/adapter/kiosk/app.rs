//! What every request shares: the ways to the core, sessions, limits.
//!
//! **Invariant:** a waiter leaves the map when its request ends, however it ends.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use gateway_core::{DeskAnswer, DeskInput, Notice, ReplyToken};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::error::{ApiError, Fault};
use super::limits::{EVENT_STREAMS_MAX, NOTICES_KEPT, REFUSALS_KEPT, REPLY_WAIT_MS, WAITERS_MAX};
use super::lockout::Lockout;
use super::session::Sessions;
use super::view::CoreView;
use super::{Credentials, Settings};

/// A request that was not granted, as staff see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusalRecord {
    /// When, RFC 3339, UTC.
    pub at: String,
    /// The method.
    pub method: String,
    /// The route, not the address: no id of a sale is in it.
    pub route: String,
    /// The reason's word.
    pub code: &'static str,
}

/// What every request shares.
pub struct App {
    /// Where the interface is to listen.
    listen: SocketAddr,
    /// Where it does.
    bound: OnceLock<SocketAddr>,
    /// Host names of other machines' requests.
    pub hosts: Vec<String>,
    /// Who may act.
    pub credentials: Credentials,
    /// Reads.
    pub view: CoreView,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// One comparison of a PIN at a time: each takes 19 MiB and tens of milliseconds.
    pub pin_check: Arc<Semaphore>,
    /// Event streams that may still be opened.
    pub streams: Arc<Semaphore>,
    /// Turns true when the daemon ends.
    pub closing: watch::Sender<bool>,
    desk: mpsc::Sender<DeskInput>,
    waiters: Mutex<BTreeMap<ReplyToken, oneshot::Sender<DeskAnswer>>>,
    next_token: AtomicU64,
    notices: broadcast::Sender<Notice>,
    sessions: Mutex<Sessions>,
    lockout: Mutex<Lockout>,
    refusals: Mutex<VecDeque<RefusalRecord>>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "App({})", self.local())
    }
}

/// A panic elsewhere does not end the interface: each value behind these locks is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the waiter out when the request ends.
struct Waiting<'a> {
    app: &'a App,
    token: ReplyToken,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.app.waiters).remove(&self.token);
    }
}

impl App {
    /// The state for one server.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new(
        settings: Settings,
        desk: mpsc::Sender<DeskInput>,
        view: CoreView,
        metrics: PrometheusHandle,
    ) -> Result<Self, getrandom::Error> {
        Ok(Self {
            listen: settings.listen,
            bound: OnceLock::new(),
            hosts: settings.hosts,
            credentials: settings.credentials,
            view,
            metrics,
            pin_check: Arc::new(Semaphore::new(1)),
            streams: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)),
            closing: watch::Sender::new(false),
            desk,
            waiters: Mutex::new(BTreeMap::new()),
            next_token: AtomicU64::new(1),
            notices: broadcast::Sender::new(NOTICES_KEPT),
            sessions: Mutex::new(Sessions::new()?),
            lockout: Mutex::new(Lockout::open(&settings.state_dir, Instant::now())),
            refusals: Mutex::new(VecDeque::new()),
        })
    }

    /// Where the interface listens, or will.
    pub fn local(&self) -> SocketAddr {
        self.bound.get().copied().unwrap_or(self.listen)
    }

    /// It listens here from now on.
    pub fn listens_at(&self, local: SocketAddr) {
        // A second one would come from a second server, which is never made.
        self.bound.set(local).ok();
    }

    /// Brings a wish to the core and waits for the answer.
    ///
    /// # Errors
    /// When too much is under way, the daemon ends, the core does not answer in time, or it refuses.
    pub async fn ask(&self, wish: impl FnOnce(ReplyToken) -> DeskInput) -> Result<DeskAnswer, ApiError> {
        let token = ReplyToken(self.next_token.fetch_add(1, Ordering::Relaxed));
        let (sender, answer) = oneshot::channel();
        {
            let mut waiters = lock(&self.waiters);
            if waiters.len() >= WAITERS_MAX {
                return Err(Fault::Busy.into());
            }
            waiters.insert(token, sender);
        }
        let waiting = Waiting { app: self, token };
        self.desk.try_send(wish(token)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Fault::Busy,
            mpsc::error::TrySendError::Closed(_) => Fault::Closing,
        })?;
        let answer = tokio::time::timeout(Duration::from_millis(REPLY_WAIT_MS), answer).await;
        drop(waiting);
        match answer {
            Ok(Ok(DeskAnswer::Refused(refusal))) => Err(refusal.into()),
            Ok(Ok(
                answer @ (DeskAnswer::Sale(_)
                | DeskAnswer::Card(_)
                | DeskAnswer::Alarm { .. }
                | DeskAnswer::SentAgain { .. }
                | DeskAnswer::Test(_)),
            )) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(Fault::Late.into()),
        }
    }

    /// The core's answer to a wish.
    pub fn reply(&self, token: ReplyToken, answer: DeskAnswer) {
        let waiter = lock(&self.waiters).remove(&token);
        if let Some(waiter) = waiter
            && waiter.send(answer).is_err()
        {
            tracing::debug!("the caller had gone before the answer");
        }
    }

    /// Tells open pages; nobody listening is no error.
    pub fn notify(&self, notice: Notice) {
        drop(self.notices.send(notice));
    }

    /// What changes from now on.
    pub fn listen(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// The sessions.
    pub fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.sessions)
    }

    /// The lock against guessing.
    pub fn lockout(&self) -> MutexGuard<'_, Lockout> {
        lock(&self.lockout)
    }

    /// Keeps a refused request where staff can see it.
    pub fn record_refusal(&self, method: &str, route: &str, code: &'static str) {
        metrics::counter!("kiosk_requests_refused_total", "code" => code).increment(1);
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut refusals = lock(&self.refusals);
        while refusals.len() >= REFUSALS_KEPT {
            refusals.pop_back();
        }
        refusals.push_front(RefusalRecord { at, method: method.to_owned(), route: route.to_owned(), code });
    }

    /// Requests that were refused lately, the newest first.
    pub fn refusals(&self) -> Vec<RefusalRecord> {
        lock(&self.refusals).iter().cloned().collect()
    }
}
