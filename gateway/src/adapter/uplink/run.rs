//! The uplink as a whole: its lanes, from their wiring to their end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::limits::ALARM_UPLOADS_MAX;
use gateway_core::{Direct, OutLane, UplinkFailure, UplinkInput};
use protocols::id::GatewayId;
use protocols::uplink::Results;
use protocols::version::CURRENT;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::address::Centre;
use super::answer;
use super::credentials::Credentials;
use super::error::SettingsError;
use super::exchange::Exchange;
use super::handle::{BalanceJob, DirectJob, HoldJob, PollJob, UplinkHandle, UploadJob};
use super::lane::{LaneRule, serve};
use super::limits::{
    ALARM_RETRY_AFTER_MS_MAX, ALARM_UPLOAD_BYTES_MAX, BALANCE_MS, DIRECT_CONCURRENT, DIRECT_QUEUE_LEN, HOLD_CONCURRENT,
    HOLD_QUEUE_LEN, LANE_QUEUE_LEN, RETRY_AFTER_MS_MAX, UPLOAD_BYTES_MAX,
};
use super::race::Plan;
use super::request::Request;
use super::resolver::Resolver;
use super::settings::{Deadlines, UplinkSettings};
use super::source::{EntrySource, ReadError};
use super::stop::Stop;

/// Who sends, and from which journal.
#[derive(Debug, Clone)]
pub struct GatewayIdentity {
    /// The gateway's name, unique in the district.
    pub gateway: GatewayId,
    /// The journal's id.
    pub journal: String,
}

/// Why the uplink could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built")]
    Client(#[from] reqwest::Error),
}

/// How the uplink ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stopped {
    /// Lanes in which an exchange had to be cut off; the core will send its contents again.
    pub cut: Vec<&'static str>,
}

/// Every lane's exchanges and queue.
pub struct Uplink<S> {
    who: Arc<GatewayIdentity>,
    deadlines: Deadlines,
    source: Arc<S>,
    inputs: mpsc::Sender<UplinkInput>,
    lanes: Lanes,
}

struct Lanes {
    alarms: (Exchange, mpsc::Receiver<UploadJob>),
    alarm_notes: (Exchange, mpsc::Receiver<UploadJob>),
    sales: (Exchange, mpsc::Receiver<UploadJob>),
    rest: (Exchange, mpsc::Receiver<UploadJob>),
    direct: (Exchange, mpsc::Receiver<DirectJob>),
    holds: (Exchange, mpsc::Receiver<HoldJob>),
    balances: (Exchange, mpsc::Receiver<BalanceJob>),
    alarm_orders: (Exchange, mpsc::Receiver<PollJob>),
    other_orders: (Exchange, mpsc::Receiver<PollJob>),
}

impl<S: EntrySource> Uplink<S> {
    /// The uplink and the handle that takes its effects. Opens no connection yet.
    ///
    /// # Errors
    /// The settings are wrong.
    pub fn new(
        settings: &UplinkSettings,
        credentials: Credentials,
        who: GatewayIdentity,
        source: S,
        inputs: mpsc::Sender<UplinkInput>,
    ) -> Result<(Self, UplinkHandle), BuildError> {
        settings.check()?;
        let deadlines = settings.deadlines;
        let connect = Duration::from_millis(deadlines.connect_ms);
        let centre = Centre::new(settings.addresses()?, credentials, Resolver::new(), connect);
        let plans = Plans::new(&deadlines, centre.urls.len());
        let exchange = |plan| Exchange::new(&centre, plan);
        let (alarms, alarm_jobs) = mpsc::channel(LANE_QUEUE_LEN);
        let (alarm_notes, note_jobs) = mpsc::channel(LANE_QUEUE_LEN);
        let (sales, sale_jobs) = mpsc::channel(LANE_QUEUE_LEN);
        let (rest, rest_jobs) = mpsc::channel(LANE_QUEUE_LEN);
        let (direct, direct_jobs) = mpsc::channel(DIRECT_QUEUE_LEN);
        let (holds, hold_jobs) = mpsc::channel(HOLD_QUEUE_LEN);
        let (balances, balance_jobs) = mpsc::channel(HOLD_QUEUE_LEN);
        let (alarm_orders, alarm_polls) = mpsc::channel(LANE_QUEUE_LEN);
        let (other_orders, other_polls) = mpsc::channel(LANE_QUEUE_LEN);
        let lanes = Lanes {
            alarms: (exchange(plans.alarm)?, alarm_jobs),
            alarm_notes: (exchange(plans.alarm)?, note_jobs),
            sales: (exchange(plans.upload)?, sale_jobs),
            rest: (exchange(plans.upload)?, rest_jobs),
            direct: (exchange(plans.alarm)?, direct_jobs),
            holds: (exchange(plans.hold)?, hold_jobs),
            balances: (exchange(plans.hold)?, balance_jobs),
            alarm_orders: (exchange(plans.alarm_poll)?, alarm_polls),
            other_orders: (exchange(plans.poll)?, other_polls),
        };
        let handle =
            UplinkHandle { alarms, alarm_notes, sales, rest, direct, holds, balances, alarm_orders, other_orders };
        Ok((Self { who: Arc::new(who), deadlines, source: Arc::new(source), inputs, lanes }, handle))
    }

    /// Works until `shutdown` says true; then polls end at once, and other exchanges under way have
    /// [`SHUTDOWN_GRACE_MS`](super::limits::SHUTDOWN_GRACE_MS).
    ///
    /// # Panics
    /// A lane panicked: its answer is lost, the daemon has to end.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> Stopped {
        let Self { who, deadlines, source, inputs, lanes } = self;
        let mut tasks = Tasks { inputs, stop: Stop::new(shutdown), running: JoinSet::new() };
        for (lane, (exchange, jobs)) in [
            (OutLane::Alarms, lanes.alarms),
            (OutLane::AlarmNotes, lanes.alarm_notes),
            (OutLane::Sales, lanes.sales),
            (OutLane::Rest, lanes.rest),
        ] {
            let (who, source) = (Arc::clone(&who), Arc::clone(&source));
            let concurrent = if lane == OutLane::Alarms { ALARM_UPLOADS_MAX } else { 1 };
            let rule = LaneRule { name: lane.name(), concurrent, grace: true };
            tasks.add(rule, jobs, move |job| upload(exchange.clone(), Arc::clone(&who), Arc::clone(&source), job));
        }
        let (exchange, jobs) = lanes.direct;
        let direct_who = Arc::clone(&who);
        tasks.add(LaneRule { name: "direct", concurrent: DIRECT_CONCURRENT, grace: true }, jobs, move |job| {
            direct(exchange.clone(), Arc::clone(&direct_who), job)
        });
        let (exchange, jobs) = lanes.holds;
        let hold_who = Arc::clone(&who);
        let hold_wait = Duration::from_millis(deadlines.hold_ms);
        tasks.add(LaneRule { name: "holds", concurrent: HOLD_CONCURRENT, grace: true }, jobs, move |job| {
            hold(exchange.clone(), Arc::clone(&hold_who), hold_wait, job)
        });
        let (exchange, jobs) = lanes.balances;
        let balance_who = Arc::clone(&who);
        tasks.add(LaneRule { name: "balances", concurrent: HOLD_CONCURRENT, grace: false }, jobs, move |job| {
            balance(exchange.clone(), Arc::clone(&balance_who), job)
        });
        for (name, (exchange, jobs)) in [("alarm_orders", lanes.alarm_orders), ("other_orders", lanes.other_orders)] {
            let who = Arc::clone(&who);
            tasks.add(LaneRule { name, concurrent: 1, grace: false }, jobs, move |job| {
                poll(exchange.clone(), Arc::clone(&who), deadlines.order_wait_s, job)
            });
        }
        tasks.end().await
    }
}

struct Tasks {
    inputs: mpsc::Sender<UplinkInput>,
    stop: Stop,
    running: JoinSet<(&'static str, bool)>,
}

impl Tasks {
    fn add<J, W, Fut>(&mut self, rule: LaneRule, jobs: mpsc::Receiver<J>, work: W)
    where
        J: Send + 'static,
        W: Fn(J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = UplinkInput> + Send + 'static,
    {
        let (inputs, stop) = (self.inputs.clone(), self.stop.clone());
        self.running.spawn(async move { (rule.name, serve(rule, jobs, inputs, stop, work).await) });
    }

    async fn end(mut self) -> Stopped {
        let mut stopped = Stopped::default();
        while let Some(ended) = self.running.join_next().await {
            match ended {
                Ok((name, true)) => stopped.cut.push(name),
                Ok((_, false)) => {}
                Err(broken) => std::panic::resume_unwind(broken.into_panic()),
            }
        }
        stopped.cut.sort_unstable();
        stopped
    }
}

/// How the exchanges of each kind go.
struct Plans {
    alarm: Plan,
    upload: Plan,
    hold: Plan,
    alarm_poll: Plan,
    poll: Plan,
}

impl Plans {
    fn new(deadlines: &Deadlines, addresses: usize) -> Self {
        let ms = Duration::from_millis;
        let one_after_the_other = |path: Duration| Plan {
            path,
            overlap: None,
            total: path.saturating_mul(u32::try_from(addresses).unwrap_or(u32::MAX)),
            insist: false,
            retry_after_ms_max: RETRY_AFTER_MS_MAX,
        };
        let poll = one_after_the_other(deadlines.poll());
        Self {
            alarm: Plan {
                path: ms(deadlines.alarm_ms),
                overlap: Some(ms(deadlines.alarm_second_path_ms)),
                total: ms(deadlines.alarm_ms.saturating_add(deadlines.alarm_second_path_ms)),
                insist: true,
                retry_after_ms_max: ALARM_RETRY_AFTER_MS_MAX,
            },
            upload: one_after_the_other(ms(deadlines.upload_ms)),
            hold: Plan {
                path: ms(deadlines.hold_ms),
                overlap: Some(ms(deadlines.hold_second_path_ms)),
                total: ms(deadlines.hold_ms),
                insist: false,
                retry_after_ms_max: RETRY_AFTER_MS_MAX,
            },
            alarm_poll: Plan { retry_after_ms_max: ALARM_RETRY_AFTER_MS_MAX, ..poll },
            poll,
        }
    }
}

async fn upload<S: EntrySource>(
    exchange: Exchange,
    who: Arc<GatewayIdentity>,
    source: Arc<S>,
    job: UploadJob,
) -> UplinkInput {
    let UploadJob { lane, after, except, max } = job;
    let bytes_max = match lane {
        OutLane::Alarms | OutLane::AlarmNotes => ALARM_UPLOAD_BYTES_MAX,
        OutLane::Sales | OutLane::Rest => UPLOAD_BYTES_MAX,
    };
    let entries = match source.read_lane(lane, after, &except, max, bytes_max).await {
        Ok(entries) => entries,
        Err(ReadError::Unreadable | ReadError::Corrupt) => {
            return UplinkInput::Uploaded { lane, after, sent: Vec::new(), result: Err(UplinkFailure::Unreachable) };
        }
    };
    let sent: Vec<u64> = entries.iter().filter_map(|entry| entry.n).collect();
    if sent.is_empty() {
        let none = Results { v: CURRENT, results: Vec::new(), head: None };
        return UplinkInput::Uploaded { lane, after, sent, result: Ok(none) };
    }
    let numbers = sent.clone();
    let request = Request::entries(&who.gateway, &who.journal, entries);
    let result = exchange.make(request, None, move |body| answer::results(body, &numbers)).await;
    UplinkInput::Uploaded { lane, after, sent, result }
}

async fn direct(exchange: Exchange, who: Arc<GatewayIdentity>, job: DirectJob) -> UplinkInput {
    let request = Request::direct(&who.gateway, &who.journal, job.entry);
    let result = exchange.make(request, None, answer::direct).await;
    UplinkInput::Direct(Direct { ticket: job.ticket, result })
}

async fn hold(exchange: Exchange, who: Arc<GatewayIdentity>, wait: Duration, job: HoldJob) -> UplinkInput {
    let left = wait.saturating_sub(job.since.elapsed());
    let request = Request::hold(&who.gateway, &job.request);
    let result = exchange.make(request, Some(left), answer::hold).await;
    UplinkInput::HoldAnswered { sale: job.sale, result }
}

async fn balance(exchange: Exchange, who: Arc<GatewayIdentity>, job: BalanceJob) -> UplinkInput {
    let left = Duration::from_millis(BALANCE_MS).saturating_sub(job.since.elapsed());
    let request = Request::balance(&who.gateway, &job.request);
    let result = exchange.make(request, Some(left), answer::balance).await;
    UplinkInput::BalanceAnswered { look: job.look, result }
}

async fn poll(exchange: Exchange, who: Arc<GatewayIdentity>, wait_s: u64, job: PollJob) -> UplinkInput {
    let wait_s = if job.wait { wait_s } else { 0 };
    let request = Request::orders(&who.gateway, job.lane, job.stream, job.after, wait_s);
    let result = exchange.make(request, None, answer::orders).await;
    UplinkInput::Orders { lane: job.lane, result }
}
