//! One exchange of a lane with the centre.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_core::UplinkFailure;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Response, StatusCode};

use super::address::Centre;
use super::answer;
use super::race::{Plan, race};
use super::request::Request;

/// A lane's way to the centre: connections of its own, and how its exchanges go.
#[derive(Clone)]
pub(super) struct Exchange {
    centre: Centre,
    client: Client,
    plan: Plan,
}

impl Exchange {
    pub(super) fn new(centre: &Centre, plan: Plan) -> reqwest::Result<Self> {
        let centre = centre.for_lane();
        let client = centre.client()?;
        Ok(Self { centre, client, plan })
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
        let order = plan.order(self.centre.urls.len(), first);
        let request = Arc::new(request);
        let read = Arc::new(read);
        let attempt = |address: usize| {
            let (path, request, read) = (self.clone(), Arc::clone(&request), Arc::clone(&read));
            async move {
                let body = path.attempt(address, &request).await?;
                read(&body).ok_or(UplinkFailure::Garbage)
            }
        };
        let (address, answer) = race(plan, order, attempt).await.map_err(|failure| plan.bounded(failure))?;
        self.centre.answered(first, address);
        Ok(answer)
    }

    async fn attempt(&self, address: usize, request: &Request) -> Result<Bytes, UplinkFailure> {
        let base = self.centre.urls.get(address).ok_or(UplinkFailure::Unreachable)?;
        let mut builder = self
            .client
            .request(request.method.clone(), request.url(base))
            .header(AUTHORIZATION, self.centre.credentials.authorization().clone())
            .header(ACCEPT, "application/json");
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
        if response.status() != StatusCode::OK {
            return Err(answer::failure(response.status(), response.headers(), Timestamp::now()));
        }
        body(response, request.answer_bytes_max).await
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
