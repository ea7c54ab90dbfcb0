//! What gateways call: entries, holds, orders.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use protocols::id::GatewayId;
use protocols::uplink::{
    BalanceAnswer, BalanceRequest, EntryUpload, HoldAnswer, HoldRequest, Lane, OrderPage, Results,
};
use protocols::version;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::caller::CallingGateway;
use super::payload::Payload;
use super::problem::Problem;
use crate::app::App;
use crate::intake::{self, shape};
use crate::ledger::{balance, hold};
use crate::store::Priority;
use crate::{limits, orders};

/// Entries of an upload that are read on the spot; more are read on a thread of their own.
const READ_ON_THE_SPOT: usize = 32;

/// An upload whose entries are read one by one, so that one that cannot be read does not hide the others.
#[derive(Deserialize)]
struct LooseUploads {
    v: u8,
    journal: String,
    entries: Vec<Box<RawValue>>,
}

/// `POST /v1/gateways/{gateway}/entries`
pub async fn entries(
    State(app): State<App>,
    CallingGateway(gateway): CallingGateway,
    body: Payload,
) -> Result<Json<Results>, Problem> {
    let uploads: LooseUploads = body.json()?;
    if !version::is_supported(uploads.v) {
        return Err(Problem::Version);
    }
    if uploads.entries.len() > limits::ENTRIES_PER_UPLOAD_MAX {
        return Err(Problem::TooLarge);
    }
    let journal = uploads.journal;
    let named = (1..=limits::EPOCH_BYTES_MAX).contains(&journal.len())
        && journal.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !named {
        return Err(Problem::BadParameter);
    }
    let count = uploads.entries.len();
    let items = if count <= READ_ON_THE_SPOT {
        read(&gateway, &uploads.entries)
    } else {
        let gateway = gateway.clone();
        tokio::task::spawn_blocking(move || read(&gateway, &uploads.entries)).await.map_err(|_| Problem::Internal)?
    };
    let priority = if items.iter().all(shape::Item::is_alarm) { Priority::Alarm } else { Priority::Bulk };
    let mut answer = Results { v: version::CURRENT, results: Vec::with_capacity(count), head: None };
    for part in parts(items, priority) {
        let (issuer, gateway, journal) = (app.issuer.clone(), gateway.clone(), journal.clone());
        let taken = app
            .store
            .writer
            .run(priority, part.len(), move |tx| {
                Box::pin(async move { intake::take(tx, &issuer, &gateway, &journal, part).await })
            })
            .await?;
        answer.results.extend(taken.results);
        answer.head = taken.head.or(answer.head);
    }
    Ok(Json(answer))
}

/// An upload that may wait is taken in parts, each with a commit of its own: between two of them an alarm goes first. If one
/// fails, the upload comes again, and what was taken is a repeat.
fn parts(mut items: Vec<shape::Item>, priority: Priority) -> Vec<Vec<shape::Item>> {
    let most = match priority {
        Priority::Alarm | Priority::Person => usize::MAX,
        Priority::Bulk => limits::ENTRIES_PER_PART,
    };
    let mut parts = Vec::new();
    while items.len() > most {
        let behind = items.split_off(most);
        parts.push(std::mem::replace(&mut items, behind));
    }
    parts.push(items);
    parts
}

fn read(gateway: &GatewayId, entries: &[Box<RawValue>]) -> Vec<shape::Item> {
    shape::read_all(gateway, entries.iter().map(|raw| upload(raw)).collect())
}

/// An entry of an upload; of one without the right form, its number and whatever text it has.
fn upload(raw: &RawValue) -> EntryUpload {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| {
        let value: Value = serde_json::from_str(raw.get()).unwrap_or(Value::Null);
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        EntryUpload {
            n: value.get("n").and_then(Value::as_u64),
            entry: text("entry").unwrap_or_else(|| raw.get().to_owned()),
            hash: text("hash").unwrap_or_default(),
            private: None,
        }
    })
}

/// `POST /v1/gateways/{gateway}/holds`
pub async fn holds(
    State(app): State<App>,
    CallingGateway(gateway): CallingGateway,
    body: Payload,
) -> Result<Json<HoldAnswer>, Problem> {
    let request: HoldRequest = body.json()?;
    let checked = match hold::check(&app.issuer, &gateway, request) {
        Ok(checked) => checked,
        Err(reason) => return Ok(Json(hold::refusal(reason))),
    };
    let issuer = app.issuer.clone();
    let answer = app
        .store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { hold::take(tx, &issuer, &gateway, &checked).await }))
        .await?;
    Ok(Json(answer))
}

/// `POST /v1/gateways/{gateway}/balances`
pub async fn balances(
    State(app): State<App>,
    CallingGateway(gateway): CallingGateway,
    body: Payload,
) -> Result<Json<BalanceAnswer>, Problem> {
    let request: BalanceRequest = body.json()?;
    let told = match balance::check(&app.issuer, &request) {
        Ok(card) => {
            let mut reader = app.store.readers.acquire().await?;
            balance::of_card(&mut reader, &gateway, &card).await?
        }
        Err(reason) => Err(reason),
    };
    Ok(Json(balance::answer(told)))
}

/// Parameters of the long poll.
#[derive(Deserialize)]
pub struct OrderQuery {
    lane: Lane,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_s: u64,
}

/// `GET /v1/gateways/{gateway}/orders`
pub async fn orders(
    State(app): State<App>,
    CallingGateway(gateway): CallingGateway,
    query: Result<Query<OrderQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<OrderPage>, Problem> {
    let Query(query) = query.map_err(|_| Problem::BadParameter)?;
    let known = query.stream == app.stream;
    let after = if known { query.after } else { 0 };
    let bell = app.store.writer.desk().bell(gateway.as_str(), query.lane);
    let deadline = Instant::now() + Duration::from_secs(query.wait_s.min(limits::POLL_WAIT_S_MAX));
    loop {
        // Listen before looking, so that an order added in between still wakes.
        let rings = bell.notified();
        tokio::pin!(rings);
        rings.as_mut().enable();
        let orders = orders::page(&app.store.readers, gateway.as_str(), query.lane, after).await?;
        let page = OrderPage { v: version::CURRENT, stream: app.stream.clone(), orders };
        if !page.orders.is_empty() || !known {
            return Ok(Json(page));
        }
        let _waiting = Waiting::begin();
        tokio::select! {
            () = rings => {}
            () = tokio::time::sleep_until(deadline) => return Ok(Json(page)),
            () = app.stopping() => return Ok(Json(page)),
        }
    }
}

/// A poll that waits, for the gauge of them.
struct Waiting;

impl Waiting {
    fn begin() -> Self {
        metrics::gauge!("central_polls_waiting").increment(1.0);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        metrics::gauge!("central_polls_waiting").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: usize) -> Vec<shape::Item> {
        let gateway = "gw-demo".parse().expect("a name");
        let upload =
            |n: usize| EntryUpload { n: Some(n as u64), entry: String::new(), hash: String::new(), private: None };
        shape::read_all(&gateway, (1..=count).map(upload).collect())
    }

    #[test]
    fn an_alarm_goes_between_the_parts_of_an_upload_that_may_wait() {
        let sizes = |parts: Vec<Vec<shape::Item>>| parts.iter().map(Vec::len).collect::<Vec<_>>();
        let most = limits::ENTRIES_PER_PART;
        assert_eq!(sizes(parts(items(2 * most + 1), Priority::Bulk)), [most, most, 1]);
        assert_eq!(sizes(parts(items(most), Priority::Bulk)), [most]);
        assert_eq!(sizes(parts(items(0), Priority::Bulk)), [0], "an empty upload is answered, too");
        assert_eq!(sizes(parts(items(2 * most), Priority::Alarm)), [2 * most], "alarms go at once");
        let parts = parts(items(most + 1), Priority::Bulk);
        let numbers: Vec<u64> = parts.iter().flatten().filter_map(|item| item.n).collect();
        assert_eq!(numbers, (1..=most as u64 + 1).collect::<Vec<_>>(), "in their order");
    }
}
