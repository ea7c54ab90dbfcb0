//! One lane: its queue, what it has under way, its end.

use std::future::Future;
use std::time::Duration;

use gateway_core::{Direct, UplinkInput};
use metrics::{counter, histogram};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::answer::word;
use super::limits::SHUTDOWN_GRACE_MS;
use super::stop::Stop;

/// How a lane works.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaneRule {
    /// Its word in logs and metrics.
    pub(super) name: &'static str,
    /// Jobs under way at once.
    pub(super) concurrent: usize,
    /// Whether a job under way at shutdown may end within the time for that.
    pub(super) grace: bool,
}

/// Works through a lane's queue until the signal to stop. True when something under way had to be cut off.
pub(super) async fn serve<J, W, Fut>(
    rule: LaneRule,
    mut jobs: mpsc::Receiver<J>,
    inputs: mpsc::Sender<UplinkInput>,
    mut stop: Stop,
    work: W,
) -> bool
where
    W: Fn(J) -> Fut,
    Fut: Future<Output = UplinkInput> + Send + 'static,
{
    let mut lane = Lane { rule, inputs, over: stop.clone(), running: JoinSet::new(), failing: None };
    loop {
        tokio::select! {
            biased;
            () = stop.asked() => break,
            Some(done) = lane.running.join_next() => {
                if !lane.deliver(done).await {
                    return true;
                }
            }
            job = jobs.recv(), if lane.running.len() < rule.concurrent => match job {
                None => break,
                Some(job) => {
                    let (begun, work) = (Instant::now(), work(job));
                    lane.running.spawn(async move { (begun, work.await) });
                }
            }
        }
    }
    lane.drain().await
}

type Done = (Instant, UplinkInput);

struct Lane {
    rule: LaneRule,
    inputs: mpsc::Sender<UplinkInput>,
    over: Stop,
    running: JoinSet<Done>,
    failing: Option<&'static str>,
}

impl Lane {
    /// Hands an answer to the core; false when there is nobody to hand it to.
    async fn deliver(&mut self, done: Result<Done, tokio::task::JoinError>) -> bool {
        let (begun, input) = match done {
            Ok(done) => done,
            // A lane that lost an answer would never be asked again: the daemon ends and starts anew.
            Err(broken) => std::panic::resume_unwind(broken.into_panic()),
        };
        self.note(begun, &input);
        tokio::select! {
            biased;
            sent = self.inputs.send(input) => sent.is_ok(),
            () = self.over.over() => false,
        }
    }

    /// Lets what is under way end, where the lane may; true when it did not in time.
    async fn drain(&mut self) -> bool {
        if !self.rule.grace {
            return false;
        }
        let all_out = async {
            while let Some(done) = self.running.join_next().await {
                if !self.deliver(done).await {
                    return false;
                }
            }
            true
        };
        !timeout(Duration::from_millis(SHUTDOWN_GRACE_MS), all_out).await.unwrap_or(false)
    }

    /// Counts every exchange, and says in the log when the lane begins to fail and when it works again.
    fn note(&mut self, begun: Instant, input: &UplinkInput) {
        let name = self.rule.name;
        let state = match state_of(input) {
            State::Idle => return,
            State::Answered => None,
            State::Failing(reason) => Some(reason),
        };
        counter!("uplink_exchanges_total", "lane" => name, "outcome" => state.unwrap_or("answered")).increment(1);
        histogram!("uplink_exchange_seconds", "lane" => name).record(begun.elapsed().as_secs_f64());
        if state != self.failing {
            match state {
                Some(reason) => warn!(lane = name, reason, "nothing gets through to the centre"),
                None => info!(lane = name, "the centre answers again"),
            }
            self.failing = state;
        }
    }
}

/// What an answer says of its lane.
enum State {
    /// There was nothing to send.
    Idle,
    Answered,
    Failing(&'static str),
}

const fn state_of(input: &UplinkInput) -> State {
    match input {
        UplinkInput::Uploaded { sent, result: Ok(_), .. } if sent.is_empty() => State::Idle,
        UplinkInput::Uploaded { sent, result: Err(_), .. } if sent.is_empty() => State::Failing("journal"),
        UplinkInput::Uploaded { result: Err(failure), .. }
        | UplinkInput::Direct(Direct { result: Err(failure), .. })
        | UplinkInput::HoldAnswered { result: Err(failure), .. }
        | UplinkInput::BalanceAnswered { result: Err(failure), .. }
        | UplinkInput::Orders { result: Err(failure), .. } => State::Failing(word(*failure)),
        UplinkInput::Uploaded { result: Ok(_), .. }
        | UplinkInput::Direct(Direct { result: Ok(_), .. })
        | UplinkInput::HoldAnswered { result: Ok(_), .. }
        | UplinkInput::BalanceAnswered { result: Ok(_), .. }
        | UplinkInput::Orders { result: Ok(_), .. } => State::Answered,
    }
}
