//! An HTTP proxy between gateway and centre that answers in the centre's place, or changes what the centre answered, as a script
//! says for each request.
//!
//! **Invariant:** what the script does not touch is what the real centre answered.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::limits::{ANSWER_WAIT, REQUEST_LEN_MAX};
use crate::site::error::SiteError;
use crate::site::wait::until;

/// The name of a request, which its answer repeats.
const ANSWERS: HeaderName = HeaderName::from_static(protocols::uplink::REQUEST_HEADER);

/// What becomes of one request.
pub enum Act {
    /// The centre answers.
    Pass,
    /// The centre answers, so much later.
    PassLate(Duration),
    /// The centre hears nothing; this is the answer.
    Say {
        /// The HTTP status.
        status: u16,
        /// Headers beside the usual ones.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// The centre answers, and its JSON is changed on the way.
    Change(Box<dyn FnOnce(&mut Value) + Send>),
    /// The centre answers, and the answer is lost: the line stays silent.
    Lose,
    /// The answer of the centre to the request before to the same place, as a line that doubles gives it; the centre hears nothing.
    Again,
    /// 200 and a body without an end.
    Endless,
}

impl Act {
    /// An answer without headers of its own.
    #[must_use]
    pub fn say(status: u16, body: &str) -> Self {
        Self::Say { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    /// Changes the centre's JSON.
    pub fn change(change: impl FnOnce(&mut Value) + Send + 'static) -> Self {
        Self::Change(Box::new(change))
    }
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// When.
    pub at: Instant,
    /// GET or POST.
    pub method: Method,
    /// Path and query.
    pub place: String,
    /// The body, where it is JSON.
    pub body: Value,
}

impl Asked {
    /// Whether it brings entries.
    #[must_use]
    pub fn is_entries(&self) -> bool {
        self.place.ends_with("/entries")
    }

    /// Whether it asks for orders of this lane.
    #[must_use]
    pub fn is_orders(&self, lane: &str) -> bool {
        self.place.contains("/orders?") && self.place.contains(&format!("lane={lane}"))
    }

    /// Whether one of its entries holds this text.
    #[must_use]
    pub fn brings(&self, text: &str) -> bool {
        let entries = self.body["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        entries.iter().any(|entry| entry["entry"].as_str().is_some_and(|entry| entry.contains(text)))
    }
}

type Script = dyn Fn(&Asked) -> Act + Send + Sync;

struct Shared {
    centre: String,
    client: reqwest::Client,
    script: Mutex<Arc<Script>>,
    seen: Mutex<Vec<Asked>>,
    /// What the centre answered last, by method and place.
    last: Mutex<BTreeMap<String, Answered>>,
}

/// An answer of the centre as it goes on.
#[derive(Clone)]
struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// The proxy; it ends with this value.
pub struct Meddler {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Meddler {
    /// A proxy that passes everything on to the centre at this address (`http://…`).
    ///
    /// # Errors
    /// There is no port, or no HTTP client.
    pub async fn start(centre: &str) -> Result<Self, SiteError> {
        let failed = |source| SiteError::Start { program: "the HTTP proxy".to_owned(), source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let client =
            reqwest::Client::builder().timeout(ANSWER_WAIT).no_proxy().redirect(reqwest::redirect::Policy::none());
        let shared = Arc::new(Shared {
            centre: centre.to_owned(),
            client: client.build().map_err(SiteError::Client)?,
            script: Mutex::new(Arc::new(|_: &Asked| Act::Pass)),
            seen: Mutex::default(),
            last: Mutex::default(),
        });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { url, shared, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What becomes of every request from now on.
    pub fn script(&self, script: impl Fn(&Asked) -> Act + Send + Sync + 'static) {
        *lock(&self.shared.script) = Arc::new(script);
    }

    /// Passes everything on from now on.
    pub fn pass(&self) {
        self.script(|_| Act::Pass);
    }

    /// The requests so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Asked> {
        lock(&self.shared.seen).clone()
    }

    /// Waits until as many requests of this kind have come; all of them.
    ///
    /// # Errors
    /// They do not in time.
    pub async fn wait_seen(
        &self,
        what: &str,
        count: usize,
        within: Duration,
        kind: impl Fn(&Asked) -> bool,
    ) -> Result<Vec<Asked>, SiteError> {
        until(what, within, async || {
            let found: Vec<Asked> = self.seen().into_iter().filter(|asked| kind(asked)).collect();
            (found.len() >= count).then_some(found)
        })
        .await
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, REQUEST_LEN_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let place = parts.uri.path_and_query().map_or_else(String::new, |place| place.as_str().to_owned());
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let asked = Asked { at: Instant::now(), method: parts.method, place, body };
    lock(&shared.seen).push(asked.clone());
    let script = Arc::clone(&lock(&shared.script));
    match script(&asked) {
        Act::Pass => pass(&shared, &asked, &parts.headers, bytes).await,
        Act::PassLate(pause) => {
            let answer = pass(&shared, &asked, &parts.headers, bytes).await;
            tokio::time::sleep(pause).await;
            answer
        }
        Act::Say { status, headers, body } => say(status, headers, body),
        Act::Change(change) => {
            let (head, body) = pass(&shared, &asked, &parts.headers, bytes).await.into_parts();
            let bytes = to_bytes(body, REQUEST_LEN_MAX).await.unwrap_or_default();
            let Ok(mut value) = serde_json::from_slice::<Value>(&bytes) else { return (head, bytes).into_response() };
            change(&mut value);
            let mut headers = head.headers;
            headers.remove(header::CONTENT_LENGTH);
            (head.status, headers, value.to_string()).into_response()
        }
        Act::Lose => {
            pass(&shared, &asked, &parts.headers, bytes).await;
            std::future::pending().await
        }
        Act::Again => {
            let last = lock(&shared.last).get(&key(&asked)).cloned();
            last.map_or_else(|| StatusCode::BAD_GATEWAY.into_response(), Answered::into_response)
        }
        Act::Endless => {
            let chunk = Bytes::from(vec![b' '; 64 * 1024]);
            Response::new(Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()))))
        }
    }
}

fn say(status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, body).into_response();
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// What the centre answers; 502 when it does not.
async fn pass(shared: &Shared, asked: &Asked, headers: &HeaderMap, body: Bytes) -> Response {
    let mut request =
        shared.client.request(asked.method.clone(), format!("{}{}", shared.centre, asked.place)).body(body);
    for name in [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, ANSWERS] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let Ok(answer) = request.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, said) = (answer.status(), answer.headers().clone());
    let Ok(body) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    for name in [header::RETRY_AFTER, ANSWERS] {
        if let Some(value) = said.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let answered = Answered { status, headers, body };
    lock(&shared.last).insert(key(asked), answered.clone());
    answered.into_response()
}

impl Answered {
    fn into_response(self) -> Response {
        (self.status, self.headers, self.body).into_response()
    }
}

fn key(asked: &Asked) -> String {
    format!("{} {}", asked.method, asked.place)
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
