//! Whatever comes over the wire ends that connection only; what is secret stays out of the log.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proptest::prelude::*;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracing_subscriber::fmt::MakeWriter;

use crate::desk_rig::{NURSE, Rig, ask, lunch};

/// Requests that begin like real ones and go wrong somewhere.
fn damaged_request() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof!["GET", "POST", "DELETE", "[A-Z]{1,8}"];
    let path = prop_oneof!["/api/v1/(sales|alarms|status)", "/api/v1/alarms/[ -~]{0,40}/resolve", "/[ -~]{0,60}"];
    let header = "(host|cookie|origin|authorization|content-length|transfer-encoding|accept-language): [ -~]{0,40}";
    let headers = proptest::collection::vec(header, 0..6);
    let body = proptest::collection::vec(any::<u8>(), 0..120);
    (method, path, headers, body).prop_map(|(method, path, headers, body)| {
        let mut bytes = format!("{method} {path} HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n")).into_bytes();
        bytes.extend(body);
        bytes
    })
}

async fn throw(rig: &Rig, bytes: &[u8]) {
    let mut stream = TcpStream::connect(rig.addr()).await.expect("a connection");
    // The other side may hang up in the middle; that is one of its right answers.
    drop(stream.write_all(bytes).await);
    drop(stream.shutdown().await);
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection was left hanging after {:?}", String::from_utf8_lossy(bytes));
    assert!(!answer.starts_with(b"HTTP/1.1 500"), "{:?}", String::from_utf8_lossy(bytes));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_end_more_than_their_own_connection(
        garbage in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 8),
        damaged in proptest::collection::vec(damaged_request(), 16),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let rig = Rig::start().await;
            for bytes in garbage.iter().chain(&damaged) {
                throw(&rig, bytes).await;
            }
            assert_eq!(ask(rig.get("/api/v1/status")).await.0, 200);
            assert!(rig.core.state().sales.is_empty() && rig.core.state().steps.is_empty(), "nobody got in");
        });
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn h7_neither_pins_tokens_cookies_nor_what_was_bought_are_in_the_log_at_its_loudest() {
    let kept = Kept::default();
    let loudest = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(kept.clone()).finish();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (token, cookie) = tracing::subscriber::with_default(loudest, || {
        runtime.block_on(async {
            let rig = Rig::start().await;
            rig.log_in(NURSE, "731946").await;
            let cookie = rig.staff_cookie().await;
            ask(rig.sale("key-canary", &lunch())).await;
            ask(rig.page(Method::POST, "/api/v1/alarms/btn-0001.1.42/acknowledge", &cookie)).await;
            ask(rig.get("/api/v1/status").bearer_auth("token-canary")).await;
            let path = "/api/v1/alarms/btn-0001.1.42/resolve";
            ask(rig.program(Method::POST, path).json(&serde_json::json!({"cause": "cause-canary"}))).await;
            (rig.token.clone(), cookie)
        })
    });
    let log = String::from_utf8_lossy(&kept.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    assert!(log.contains("a staff login was refused"), "the log was kept: {log}");
    let secret = cookie.split('=').nth(1).expect("a cookie has a value");
    for canary in ["731946", "480215", &token, secret, "key-canary", "token-canary", "cause-canary", "meal-lunch"] {
        let lines = log.lines().filter(|line| line.contains("gateway")).filter(|line| line.contains(canary));
        assert_eq!(lines.count(), 0, "{canary} is in the log");
    }
}
