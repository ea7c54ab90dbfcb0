//! Drives Chromium without a window over its debugging pipe: NUL-ended JSON on file descriptors 3 and 4.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

static PROFILES: AtomicU64 = AtomicU64::new(0);

/// A directory that goes away with its browser.
struct Profile(PathBuf);

impl Profile {
    fn new() -> Self {
        let number = PROFILES.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("browser-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// How long anything on a page may take; a loaded machine starts a browser slowly.
const DEADLINE: Duration = Duration::from_secs(60);

/// The browser of this machine, where it has one; the caller skips loudly.
fn executable() -> Option<PathBuf> {
    let found = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: no Chromium on this machine");
    }
    found
}

/// A browser with one page.
pub struct Page {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: String,
    next: u64,
    _browser: Child,
    _profile: Profile,
}

impl Page {
    /// A page of `width` by `height` that speaks `language`, or none where there is no browser.
    pub async fn open(width: u32, height: u32, language: &str) -> Option<Self> {
        let executable = executable()?;
        let profile = Profile::new();
        let mut browser = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null", "sh"])
            .arg(executable)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"])
            .args(["--hide-scrollbars", "--disable-dev-shm-usage"])
            .arg(format!("--lang={language}"))
            .arg(format!("--user-data-dir={}", profile.0.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the browser starts");
        let to = browser.stdin.take().expect("a pipe was asked for");
        let from = BufReader::new(browser.stdout.take().expect("a pipe was asked for"));
        let mut page = Self { to, from, session: String::new(), next: 1, _browser: browser, _profile: profile };
        let target = page.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = page.call("Target.attachToTarget", attach).await;
        page.session = attached["sessionId"].as_str().expect("a session").to_owned();
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        page.call("Emulation.setDeviceMetricsOverride", size).await;
        Some(page)
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        let mut message = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).await.expect("the browser listens");
        timeout(DEADLINE, self.answer(id, method)).await.unwrap_or_else(|_| panic!("{method} was not answered"))
    }

    async fn answer(&mut self, id: u64, method: &str) -> Value {
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).await.expect("the browser answers");
            assert_eq!(bytes.pop(), Some(0), "the browser ended");
            let message: Value = serde_json::from_slice(&bytes).expect("JSON");
            if message["id"] == json!(id) {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// The value of a JavaScript expression on the page.
    pub async fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let result = self.call("Runtime.evaluate", params).await;
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    pub async fn go(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url})).await;
    }

    /// All text that a person sees.
    pub async fn text(&mut self) -> String {
        self.value("document.body?.innerText ?? ''").await.as_str().unwrap_or("").to_owned()
    }

    /// Waits until a person sees `text`.
    pub async fn sees(&mut self, text: &str) {
        self.waits(&format!("(document.body?.innerText ?? '').includes({})", json!(text)), text).await;
    }

    /// Waits until an expression holds.
    pub async fn waits(&mut self, expression: &str, what: &str) {
        let end = Instant::now() + DEADLINE;
        while self.value(expression).await != json!(true) {
            if Instant::now() > end {
                panic!("{what} did not come; the page shows:\n{}", self.text().await);
            }
            sleep(Duration::from_millis(30)).await;
        }
    }

    /// Presses the first enabled button whose text begins with `text`, once it is there.
    pub async fn press(&mut self, text: &str) {
        let find = format!(
            "[...document.querySelectorAll('button')].find((b) => !b.disabled && b.innerText.trim().startsWith({}))",
            json!(text)
        );
        self.waits(&format!("Boolean({find})"), &format!("the button {text}")).await;
        self.value(&format!("{find}.click()")).await;
    }

    /// Draws the whole page into the directory that `KIOSK_SCREENSHOTS` names, if it names one.
    pub async fn draw(&mut self, name: &str) {
        let Ok(folder) = std::env::var("KIOSK_SCREENSHOTS") else { return };
        let height = self.value("document.documentElement.scrollHeight").await;
        let width = self.value("document.documentElement.clientWidth").await;
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let shot = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let drawn = self.call("Page.captureScreenshot", shot).await;
        let data = drawn["data"].as_str().expect("a picture");
        let file = std::fs::File::create(format!("{folder}/{name}.png")).expect("a file");
        let mut decode = Command::new("base64").arg("-d").stdin(Stdio::piped()).stdout(file).spawn().expect("base64");
        decode.stdin.take().expect("a pipe").write_all(data.as_bytes()).await.expect("written");
        assert!(decode.wait().await.expect("base64 ends").success());
    }
}
