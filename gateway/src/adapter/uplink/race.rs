//! One exchange over several paths: which is tried when, and whose answer counts.
//!
//! A path begins when the one before it failed or, where paths overlap, after a pause without an answer; it is given up
//! at its deadline. The first good answer wins and the others are dropped. With one address the second path is a new
//! connection to it, since the old one may be dead without anybody saying so.

use std::future::Future;
use std::time::Duration;

use gateway_core::UplinkFailure;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::answer::graver;

/// How one exchange goes over its paths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// The deadline of one path.
    pub(super) path: Duration,
    /// The pause after which the next path begins in parallel; none: only when the path before it failed.
    pub(super) overlap: Option<Duration>,
    /// The deadline of the exchange.
    pub(super) total: Duration,
    /// Whether a path on which the centre said "busy" or "who are you?" is followed by the next.
    pub(super) insist: bool,
    /// The longest pause that a busy centre may ask for, milliseconds.
    pub(super) retry_after_ms_max: u64,
}

impl Plan {
    /// A failure as the core may hear of it.
    pub(super) fn bounded(&self, failure: UplinkFailure) -> UplinkFailure {
        match failure {
            UplinkFailure::Busy { retry_after_ms } => {
                UplinkFailure::Busy { retry_after_ms: retry_after_ms.map(|ms| ms.min(self.retry_after_ms_max)) }
            }
            UplinkFailure::Unreachable
            | UplinkFailure::Identity
            | UplinkFailure::RefusedWhole
            | UplinkFailure::Garbage => failure,
        }
    }

    fn goes_on_after(&self, failure: UplinkFailure) -> bool {
        match failure {
            UplinkFailure::Unreachable | UplinkFailure::RefusedWhole | UplinkFailure::Garbage => true,
            UplinkFailure::Identity | UplinkFailure::Busy { .. } => self.insist,
        }
    }

    /// The addresses in the order in which they are tried, from `first` on.
    pub(super) fn order(&self, count: usize, first: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).map(|i| first.wrapping_add(i).checked_rem(count).unwrap_or(0)).collect();
        if self.overlap.is_some() && count == 1 {
            order.push(0);
        }
        order
    }
}

/// Tries the addresses of `order`; the winner with its address, or the gravest of the failures.
pub(super) async fn race<A, F, Fut>(plan: Plan, order: Vec<usize>, attempt: F) -> Result<(usize, A), UplinkFailure>
where
    A: Send + 'static,
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Result<A, UplinkFailure>> + Send + 'static,
{
    let end = Instant::now() + plan.total;
    let mut waiting = order.into_iter().peekable();
    let mut running = JoinSet::new();
    let mut failed = None;
    let mut overlap_at = None;
    let start = |address: usize, running: &mut JoinSet<_>| {
        let attempt = attempt(address);
        running.spawn(async move {
            (address, timeout(plan.path, attempt).await.unwrap_or(Err(UplinkFailure::Unreachable)))
        });
        plan.overlap.map(|pause| Instant::now() + pause)
    };
    if let Some(first) = waiting.next() {
        overlap_at = start(first, &mut running);
    }
    loop {
        let step = overlap_at.filter(|_| waiting.peek().is_some()).unwrap_or(end);
        tokio::select! {
            biased;
            joined = running.join_next() => match joined {
                None => return Err(failed.unwrap_or(UplinkFailure::Unreachable)),
                Some(Err(broken)) => std::panic::resume_unwind(broken.into_panic()),
                Some(Ok((address, Ok(answer)))) => return Ok((address, answer)),
                Some(Ok((address, Err(failure)))) => {
                    failed = Some(failed.map_or(failure, |known| graver(known, failure)));
                    if plan.goes_on_after(failure)
                        && let Some(next) = waiting.next_if(|next| *next != address)
                    {
                        overlap_at = start(next, &mut running);
                    }
                }
            },
            () = sleep_until(end) => return Err(failed.unwrap_or(UplinkFailure::Unreachable)),
            () = sleep_until(step), if step < end => {
                if let Some(next) = waiting.next() {
                    overlap_at = start(next, &mut running);
                }
            }
        }
    }
}
