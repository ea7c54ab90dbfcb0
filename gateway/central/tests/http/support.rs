//! A centre in this process, on a real database file, and a gateway that speaks to it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use central::app::{self, Running};
use central::config;
use central::intake::shape::link;
use central::seed::{self, District};
use protocols::uplink::{EntryUpload, PrivateRecord, Results, Uploads};
use serde_json::{Value, json};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory of one test, removed at its end.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("central-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary directory can be made");
        Self(path)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file can be written");
        // As a secret must be.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A running centre with the demonstration's district.
pub struct Centre {
    pub directory: Directory,
    pub district: District,
    pub running: Option<Running>,
    pub url: String,
    pub http: reqwest::Client,
}

impl Centre {
    pub async fn start() -> Self {
        Self::start_with("[issuer]\nkeys = \"issuer-keys.toml\"\n").await
    }

    pub async fn start_with(more: &str) -> Self {
        // Every test may be the first of its process.
        rustls::crypto::ring::default_provider().install_default().ok();
        let directory = Directory::new();
        let text = format!("listen = \"127.0.0.1:0\"\ndatabase = \"central.db\"\n{more}");
        let path = directory.write("central.toml", &text);
        let unchecked = config::read(&path).expect("the configuration is well");
        let district = seed::run(unchecked).await.expect("the demonstration can be made");
        let mut centre = Self { directory, district, running: None, url: String::new(), http: reqwest::Client::new() };
        centre.run().await;
        centre
    }

    pub async fn run(&mut self) {
        let path = self.directory.0.join("central.toml");
        let config = config::read(&path).and_then(config::Unchecked::check).expect("the configuration is well");
        let running = app::start(&config).await.expect("the centre starts");
        self.url = format!("http://{}", running.address);
        self.running = Some(running);
    }

    pub async fn stop(&mut self) -> app::Ended {
        self.running.take().expect("the centre runs").stop().await
    }

    pub async fn restart(&mut self) {
        assert_eq!(self.stop().await, app::Ended::Clean);
        self.run().await;
    }

    pub fn token(&self) -> &str {
        &self.district.gateway.token
    }

    pub fn operator(&self, which: usize) -> &str {
        &self.district.operators[which].token
    }

    /// What somebody without a token reads.
    pub async fn get_as_nobody(&self, path: &str) -> (u16, Value) {
        answer(self.http.get(format!("{}{path}", self.url))).await
    }

    /// What an operator reads.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.http.get(format!("{}{path}", self.url)).bearer_auth(self.operator(0))).await
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(token);
        answer(request.body(body.to_string())).await
    }

    pub async fn upload(&self, journal: &Journal, range: std::ops::RangeInclusive<u64>) -> Results {
        let entries = range.map(|n| journal.upload(n)).collect();
        self.upload_all(journal.name, entries).await
    }

    pub async fn upload_all(&self, journal: &str, entries: Vec<EntryUpload>) -> Results {
        let uploads = Uploads { v: 1, journal: journal.to_owned(), entries };
        let body = serde_json::to_value(&uploads).expect("uploads are JSON");
        let (status, answer) = self.post("/v1/gateways/gw-demo/entries", self.token(), &body).await;
        assert_eq!(status, 200, "{answer}");
        serde_json::from_value(answer).expect("the answer is results")
    }

    pub async fn hold(&self, body: &Value) -> Value {
        let (status, answer) = self.post("/v1/gateways/gw-demo/holds", self.token(), body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn orders(&self, lane: &str, stream: &str, after: u64, wait_s: u64) -> Value {
        let path = format!(
            "{}/v1/gateways/gw-demo/orders?lane={lane}&stream={stream}&after={after}&wait_s={wait_s}",
            self.url
        );
        let (status, page) = answer(self.http.get(path).bearer_auth(self.token())).await;
        assert_eq!(status, 200, "{page}");
        page
    }
}

pub async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("the centre answers");
    let status = response.status().as_u16();
    let text = response.text().await.expect("the answer has a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A journal as a gateway keeps it.
pub struct Journal {
    pub name: &'static str,
    pub entries: Vec<(String, Option<PrivateRecord>)>,
}

impl Journal {
    pub const fn new(name: &'static str) -> Self {
        Self { name, entries: Vec::new() }
    }

    /// Appends an entry; its number.
    pub fn push(&mut self, origin: &Value, kind: &str, about: &Value, body: &Value) -> u64 {
        self.push_with(origin, kind, about, body, None)
    }

    pub fn push_with(
        &mut self,
        origin: &Value,
        kind: &str,
        about: &Value,
        body: &Value,
        private: Option<PrivateRecord>,
    ) -> u64 {
        self.entries.push((entry(origin, kind, about, body).to_string(), private));
        self.entries.len() as u64
    }

    /// An origin of the gateway's own with the next number.
    pub fn own(&self) -> Value {
        json!({"source": "gateway:gw-demo", "epoch": self.name, "seq": self.entries.len() + 1})
    }

    pub fn press(&mut self, device: &str, seq: u64) -> u64 {
        self.push(&device_origin(device, 1, seq), "alarm.raised", &Value::Null, &alarm_body(device, "sos"))
    }

    pub fn hash(&self, n: u64) -> [u8; 32] {
        self.entries.iter().take(n as usize).fold([0; 32], |hash, (bytes, _)| link(&hash, bytes))
    }

    pub fn upload(&self, n: u64) -> EntryUpload {
        let (bytes, private) = self.entries[n as usize - 1].clone();
        EntryUpload { n: Some(n), entry: bytes, hash: hex::encode(self.hash(n)), private }
    }
}

pub fn entry(origin: &Value, kind: &str, about: &Value, body: &Value) -> Value {
    json!({
        "v": 1, "origin": origin, "kind": kind, "about": about,
        "recorded_at": "2026-11-24T10:00:00.000+08:00", "clock": "trusted", "body": body,
    })
}

pub fn device_origin(device: &str, epoch: u32, seq: u64) -> Value {
    json!({"source": format!("device:{device}"), "epoch": epoch, "seq": seq})
}

pub fn alarm_body(device: &str, kind: &str) -> Value {
    json!({"kind": kind, "urgency": "emergency", "device": device, "boot": 1, "up_ms": 5, "at": null,
        "battery_mv": 2980, "rssi_dbm": -67, "detail": null})
}

/// Outcomes of an upload, as words.
pub fn outcomes(results: &Results) -> Vec<String> {
    results
        .results
        .iter()
        .map(|result| {
            let outcome = serde_json::to_value(result.outcome).expect("an outcome is JSON");
            let outcome = outcome.as_str().expect("an outcome is a word").to_owned();
            result.reason.as_ref().map_or(outcome.clone(), |reason| format!("{outcome}:{reason}"))
        })
        .collect()
}

pub fn head(results: &Results) -> (u64, String) {
    let head = results.head.clone().expect("the answer has a head");
    (head.n, head.hash)
}

/// The price of a lunch in the demonstration's catalogue, fen.
const LUNCH: u64 = 1_250;

/// A request to hold points for as many lunches as make the amount, or for one at a price of its own, with the proof of the first card of the demonstration.
pub fn hold_request(origin: &Value, amount: u64) -> Value {
    let (quantity, unit_price) = if amount.is_multiple_of(LUNCH) { (amount / LUNCH, LUNCH) } else { (1, amount) };
    json!({
        "v": 1, "origin": origin, "card": "00003100000012345678",
        "proof": {"challenge": "1122334455667788", "response": "9c2b4dd8c4fec173"},
        "items": [{"service": "meal-lunch", "provider": "canteen-01", "quantity": quantity, "unit_price": unit_price}],
        "amount": amount,
    })
}
