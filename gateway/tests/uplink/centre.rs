//! A centre that takes entries, holds and polls, and misbehaves when told to.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use protocols::uplink::Uploads;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

/// What the centre has taken: entries by their text, and how often each came.
#[derive(Default)]
pub struct Ledger {
    entries: Mutex<BTreeMap<String, usize>>,
}

impl Ledger {
    /// Takes an entry; whether it is new.
    pub fn take(&self, entry: &str) -> bool {
        let mut entries = self.entries.lock().unwrap();
        let times = entries.entry(entry.to_owned()).or_insert(0);
        *times += 1;
        *times == 1
    }

    /// The entries, each with how often it came.
    pub fn entries(&self) -> BTreeMap<String, usize> {
        self.entries.lock().unwrap().clone()
    }
}

/// How the centre behaves.
#[derive(Clone)]
pub enum Act {
    /// As it should.
    Good,
    /// Takes the request and never answers.
    Silent,
    /// As it should, but never answers requests whose path ends so.
    SilentOn(&'static str),
    /// As it should, after a pause.
    Slow(Duration),
    /// Answers with that, whatever was asked.
    Say(StatusCode, Vec<(&'static str, String)>, Bytes),
    /// Answers 200 with the head, then one byte of the right answer a second.
    Trickle,
    /// Answers 200 with an endless body.
    Flood,
    /// Answers the first entry only, and one that nobody sent.
    OtherNumbers,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

struct Inner {
    ledger: Arc<Ledger>,
    act: watch::Sender<Act>,
    orders: watch::Sender<Vec<Value>>,
    seen: watch::Sender<Vec<Seen>>,
}

/// One address of the centre.
#[derive(Clone)]
pub struct Centre {
    pub url: String,
    inner: Arc<Inner>,
}

impl Centre {
    /// A good centre with a ledger of its own.
    pub async fn start() -> Self {
        Self::with(Arc::default(), Act::Good).await
    }

    /// A centre that shares a ledger.
    pub async fn with(ledger: Arc<Ledger>, act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::on(listener, url, ledger, act)
    }

    /// A centre on a listener.
    pub fn on<L>(listener: L, url: String, ledger: Arc<Ledger>, act: Act) -> Self
    where
        L: axum::serve::Listener,
        L::Addr: std::fmt::Debug,
    {
        let inner = Arc::new(Inner {
            ledger,
            act: watch::Sender::new(act),
            orders: watch::Sender::new(Vec::new()),
            seen: watch::Sender::new(Vec::new()),
        });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    pub fn act(&self, act: Act) {
        self.inner.act.send_replace(act);
    }

    pub fn order(&self, order: Value) {
        self.inner.orders.send_modify(|orders| orders.push(order));
    }

    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.inner.seen.borrow().clone()
    }

    /// Waits until so many requests have come.
    pub async fn wait_seen(&self, count: usize) -> Vec<Seen> {
        let mut seen = self.inner.seen.subscribe();
        let wait = seen.wait_for(|seen| seen.len() >= count);
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("requests come").unwrap().clone()
    }
}

async fn serve(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let act = inner.act.borrow().clone();
    let seen = Seen { uri, headers, body };
    inner.seen.send_modify(|all| all.push(seen.clone()));
    match act {
        Act::Good => json_response(&answer(&inner, &seen).await),
        Act::Silent => std::future::pending().await,
        Act::SilentOn(place) if seen.uri.path().ends_with(place) => std::future::pending().await,
        Act::SilentOn(_) => json_response(&answer(&inner, &seen).await),
        Act::Slow(pause) => {
            sleep(pause).await;
            json_response(&answer(&inner, &seen).await)
        }
        Act::Say(status, headers, body) => {
            let mut response = (status, body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Act::Trickle => {
            let bytes = answer(&inner, &seen).await.to_string().into_bytes();
            let drops = stream::unfold(bytes.into_iter(), |mut bytes| async move {
                sleep(Duration::from_secs(1)).await;
                let byte = bytes.next()?;
                Some((Ok::<_, Infallible>(Bytes::from(vec![byte])), bytes))
            });
            Response::new(Body::from_stream(drops))
        }
        Act::Flood => {
            let chunk = Bytes::from(vec![b' '; 64 * 1024]);
            Response::new(Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()))))
        }
        Act::OtherNumbers => {
            let mut good = answer(&inner, &seen).await;
            let results = good["results"].as_array_mut().unwrap();
            results.truncate(1);
            results.push(json!({"n": 4_711, "outcome": "accepted", "reason": null}));
            json_response(&good)
        }
    }
}

fn json_response(answer: &Value) -> Response {
    ([("content-type", "application/json")], answer.to_string()).into_response()
}

async fn answer(inner: &Inner, seen: &Seen) -> Value {
    match seen.uri.path().rsplit('/').next() {
        Some("entries") => entries(&inner.ledger, &seen.body),
        Some("holds") => {
            json!({"v": 1, "outcome": "held", "reason": null, "account": {"balance": 5_000, "available": 3_750}})
        }
        Some("balances") => json!({"v": 1, "reason": null, "account": {"balance": 5_000, "available": 3_750}}),
        Some("orders") => orders(inner, seen).await,
        other => panic!("no such place: {other:?}"),
    }
}

/// Takes the entries of an upload and answers as the centre does.
pub fn entries(ledger: &Ledger, body: &[u8]) -> Value {
    let uploads: Uploads = serde_json::from_slice(body).unwrap();
    let results: Vec<Value> = uploads
        .entries
        .iter()
        .map(|upload| {
            let outcome = if ledger.take(&upload.entry) { "accepted" } else { "duplicate" };
            json!({"n": upload.n, "outcome": outcome, "reason": null})
        })
        .collect();
    json!({"v": 1, "results": results, "head": null})
}

fn query(seen: &Seen, name: &str) -> String {
    let query = seen.uri.query().unwrap_or_default();
    let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    value.unwrap_or_else(|| panic!("{name} is missing in {query}")).to_owned()
}

/// A long poll: answers when there are orders after `after`, or when the wait is over.
async fn orders(inner: &Inner, seen: &Seen) -> Value {
    let after: usize = query(seen, "after").parse().unwrap();
    let wait = Duration::from_secs(query(seen, "wait_s").parse().unwrap());
    let mut orders = inner.orders.subscribe();
    let _woken = tokio::time::timeout(wait, orders.wait_for(|orders| orders.len() > after)).await;
    let fresh: Vec<Value> = inner.orders.borrow().iter().skip(after).cloned().collect();
    json!({"v": 1, "stream": "c9", "orders": fresh})
}
