//! A running interface with a core in memory, and a client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use gateway::adapter::kiosk::credentials::{hash_pin, new_token};
use gateway::adapter::kiosk::{CoreView, Credentials, Kiosk, Settings};
use gateway::troubles::Troubles;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::fake_core::{FakeCore, READER};

pub const PIN: &str = "480215";
pub const NURSE: &str = "n1024";

static DIRS: AtomicU64 = AtomicU64::new(0);

/// A directory that goes away with its owner.
pub struct StateDir(pub PathBuf);

impl StateDir {
    pub fn new() -> Self {
        let number = DIRS.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kiosk-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The one recorder of this process.
fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| PrometheusBuilder::new().install_recorder().expect("the only recorder")).clone()
}

pub struct Rig {
    pub kiosk: Kiosk,
    pub core: FakeCore,
    pub token: String,
    pub base: String,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    pub state_dir: StateDir,
}

pub fn credentials() -> (Credentials, String) {
    let (token, hash) = new_token().expect("random numbers");
    let pin = hash_pin(PIN).expect("a fair PIN");
    let text = format!("[staff]\n{NURSE} = \"{pin}\"\n[tokens]\nrobot = \"{hash}\"\n");
    (Credentials::parse(&text).expect("a whole file"), token.to_string())
}

pub fn settings(listen: &str, state_dir: &StateDir, credentials: Credentials) -> Settings {
    Settings {
        listen: listen.parse().expect("an address"),
        hosts: Vec::new(),
        credentials,
        state_dir: state_dir.0.clone(),
    }
}

impl Rig {
    pub async fn start() -> Self {
        Self::start_in(StateDir::new(), FakeCore::new()).await
    }

    pub async fn start_in(state_dir: StateDir, core: FakeCore) -> Self {
        let (credentials, token) = credentials();
        Self::start_with(settings("127.0.0.1:0", &state_dir, credentials), token, state_dir, core).await
    }

    pub async fn start_with(settings: Settings, token: String, state_dir: StateDir, core: FakeCore) -> Self {
        let (desk, wishes) = mpsc::channel(16);
        let (view, queries) = CoreView::channel();
        let (kiosk, mut server) =
            Kiosk::new(settings, desk, view, recorder(), Troubles::default()).expect("good settings");
        assert!(server.bind().await, "a free port");
        core.serve(kiosk.clone(), wishes, queries);
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.run(async move { drop(stopped.await) }));
        let base = format!("http://127.0.0.1:{}", kiosk.local_addr().port());
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { kiosk, core, token, base, client, stop: Some(stop), state_dir }
    }

    pub fn addr(&self) -> SocketAddr {
        self.kiosk.local_addr()
    }

    /// Ends the interface, and gives its directory for the next one.
    pub fn stop(mut self) -> StateDir {
        drop(self.stop.take());
        std::mem::replace(&mut self.state_dir, StateDir(PathBuf::from("/nonexistent")))
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A request as a program makes it.
    pub fn program(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.token)
    }

    /// A request as a page of this gateway makes it.
    pub fn page(&self, method: Method, path: &str, cookie: &str) -> RequestBuilder {
        self.request(method, path)
            .header("cookie", cookie)
            .header("origin", &self.base)
            .header("sec-fetch-site", "same-origin")
    }

    /// The cookie of a kiosk page.
    pub async fn kiosk_cookie(&self) -> String {
        let response = self.get("/").send().await.expect("the page is served");
        cookie_of(&response).expect("the kiosk's page sets its cookie")
    }

    pub async fn log_in(&self, who: &str, pin: &str) -> reqwest::Response {
        self.request(Method::POST, "/api/v1/session")
            .header("origin", &self.base)
            .json(&json!({"who": who, "pin": pin}))
            .send()
            .await
            .expect("an answer")
    }

    /// The cookie of a fresh staff session.
    pub async fn staff_cookie(&self) -> String {
        let response = self.log_in(NURSE, PIN).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        cookie_of(&response).expect("a login sets its cookie")
    }

    /// Begins a sale as a program.
    pub fn sale(&self, key: &str, body: &Value) -> RequestBuilder {
        self.program(Method::POST, "/api/v1/sales").header("idempotency-key", key).json(body)
    }
}

pub fn cookie_of(response: &reqwest::Response) -> Option<String> {
    let value = response.headers().get("set-cookie")?.to_str().ok()?;
    Some(value.split(';').next()?.to_owned())
}

pub fn lunch() -> Value {
    json!({"reader": READER, "items": [{"service": "meal-lunch", "quantity": 1}], "tender": "purse"})
}

/// Sends and reads JSON.
pub async fn ask(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status();
    let text = response.text().await.expect("a body");
    let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect(&text) };
    (status, value)
}

/// The status and code of an error answer, which has a message too.
pub async fn refused(request: RequestBuilder) -> (u16, String) {
    let (status, body) = ask(request).await;
    let code = body.pointer("/error/code").and_then(Value::as_str).unwrap_or_else(|| panic!("{status} {body}"));
    assert!(body.pointer("/error/message").and_then(Value::as_str).is_some_and(|text| !text.is_empty()), "{body}");
    (status.as_u16(), code.to_owned())
}
