//! One exchange of a lane with the centre.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gateway_core::UplinkFailure;
use jiff::Timestamp;
use protocols::uplink::REQUEST_HEADER;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Response, StatusCode};
use tokio::time::Instant;

use super::address::Centre;
use super::answer;
use super::limits::ALARM_STALLED_MS;
use super::race::{Plan, race};
use super::request::Request;

/// A lane's way to the centre: connections of its own, and how its exchanges go.
#[derive(Clone)]
pub(super) struct Exchange {
    centre: Centre,
    client: Client,
    plan: Plan,
    stalling: Arc<Stalling>,
}

impl Exchange {
    pub(super) fn new(centre: &Centre, plan: Plan) -> reqwest::Result<Self> {
        let centre = centre.for_lane();
        let client = centre.client()?;
        Ok(Self { centre, client, plan, stalling: Arc::default() })
    }

    /// One exchange, within the deadline of the plan or, where that is less, `left`.
    pub(super) async fn make<A, R>(&self, request: Request, left: Option<Duration>, read: R) -> Result<A, UplinkFailure>
    where
        A: Send + 'static,
        R: Fn(&[u8]) -> Option<A> + Send + Sync + 'static,
    {
        let mut plan = self.plan;
        plan.total = left.map_or(plan.total, |left| plan.total.min(left));
        let first = self.centre.last_good();
        // Where exchanges of this lane have stalled, this one begins with the next address; a connection of its own it
        // has in any case.
        let (under_way, stalled) = self.stalling.begin(plan.overlap.is_some());
        let order = plan.order(self.centre.urls.len(), first.wrapping_add(stalled));
        let request = Arc::new(request);
        let read = Arc::new(read);
        let attempt = |address: usize| {
            let (path, request, read) = (self.clone(), Arc::clone(&request), Arc::clone(&read));
            async move {
                let body = path.attempt(address, &request).await?;
                read(&body).ok_or(UplinkFailure::Garbage)
            }
        };
        let raced = race(plan, order, attempt).await;
        drop(under_way);
        let (address, answer) = raced.map_err(|failure| plan.bounded(failure))?;
        self.centre.answered(first, address);
        Ok(answer)
    }

    async fn attempt(&self, address: usize, request: &Request) -> Result<Bytes, UplinkFailure> {
        let base = self.centre.urls.get(address).ok_or(UplinkFailure::Unreachable)?;
        // Without random numbers an alarm goes out all the same.
        let name = format!("{:016x}", getrandom::u64().unwrap_or_default());
        let mut builder = self
            .client
            .request(request.method.clone(), request.url(base))
            .header(AUTHORIZATION, self.centre.credentials.authorization())
            .header(ACCEPT, "application/json")
            .header(REQUEST_HEADER, &name);
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let host = base.host_str().unwrap_or_default();
        let response = builder.send().await.map_err(|error| {
            if error.is_connect() {
                self.centre.resolver.silent(host);
            }
            UplinkFailure::Unreachable
        })?;
        if let Some(from) = response.remote_addr() {
            self.centre.resolver.answered(host, from.ip());
        }
        // The answer to another request, which came twice or late on this connection.
        if response.headers().get(REQUEST_HEADER).is_some_and(|answered| *answered != name) {
            return Err(UplinkFailure::Garbage);
        }
        if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let credentials = self.centre.credentials.clone();
            // A panic there is one of this process; the answer stays what it is.
            drop(tokio::task::spawn_blocking(move || credentials.renew()).await);
        }
        if response.status() != StatusCode::OK {
            return Err(answer::failure(response.status(), response.headers(), Timestamp::now()));
        }
        body(response, request.answer_bytes_max).await
    }
}

/// The exchanges of a lane under way, by when they began.
#[derive(Default)]
struct Stalling(Mutex<Begun>);

#[derive(Default)]
struct Begun {
    next: u64,
    at: BTreeMap<u64, Instant>,
}

/// One of them, until it is dropped.
struct UnderWay(Arc<Stalling>, u64);

impl Stalling {
    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a further one; says how many have stalled, where that matters.
    fn begin(self: &Arc<Self>, matters: bool) -> (UnderWay, usize) {
        let mut begun = self.lock();
        let now = Instant::now();
        let limit = Duration::from_millis(ALARM_STALLED_MS);
        let stalled = begun.at.values().filter(|at| now.duration_since(**at) >= limit).count();
        let name = begun.next;
        begun.next = begun.next.wrapping_add(1);
        begun.at.insert(name, now);
        (UnderWay(Arc::clone(self), name), if matters { stalled } else { 0 })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().at.remove(&self.1);
    }
}

/// The answer's bytes; one that is longer than it may be is none.
async fn body(mut response: Response, bytes_max: usize) -> Result<Bytes, UplinkFailure> {
    let max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    if response.content_length().is_some_and(|length| length > max) {
        return Err(UplinkFailure::Garbage);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| UplinkFailure::Unreachable)? {
        if bytes.len().saturating_add(chunk.len()) > bytes_max {
            return Err(UplinkFailure::Garbage);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Bytes::from(bytes))
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
