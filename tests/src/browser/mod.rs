//! Flows through the pages: a site, and a browser that is driven by Playwright in a process of its own (`tests/browser`).
//!
//! ```text
//! node run.mjs FLOW  --{"do":"lay_card"}-->  stagehand, which has the site
//!                    <-----{"ok":null}-----
//! ```
//!
//! **Invariant:** the browser's process does not outlive its flow.

pub mod crowd;
pub mod stagehand;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::site::Site;
use stagehand::{Request, Stagehand};

/// How long one flow may take at the most.
const FLOW_WAIT: Duration = Duration::from_secs(420);

/// Why a flow did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// Node.js cannot be started.
    #[error("node cannot be started ({0}); `cargo xtask test` installs it")]
    Start(#[source] std::io::Error),
    /// The conversation with it broke.
    #[error("the conversation with the flow broke: {0}")]
    Conversation(#[source] std::io::Error),
    /// What it saw was not what it should have seen; it has printed what.
    #[error("the flow {0} failed, see above")]
    Failed(String),
    /// It took longer than [`FLOW_WAIT`].
    #[error("the flow {0} did not end within {limit} s", limit = FLOW_WAIT.as_secs())]
    Late(String),
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browser")
}

/// Where pictures of the screens go: `screens` in cargo's target directory.
#[must_use]
pub fn screens() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let folder = own.parent().unwrap_or(Path::new(""));
    let profile = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    profile.parent().unwrap_or(profile).join("screens")
}

/// Whether there is a browser with what drives it; says loudly what is missing.
#[must_use]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn is_here() -> bool {
    let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].iter().any(|path| Path::new(path).exists());
    let driver = folder().join("node_modules/playwright-core/package.json").exists();
    if !browser {
        eprintln!("SKIPPED: no Chromium on this machine; `cargo xtask test` installs it");
    } else if !driver {
        eprintln!("SKIPPED: no Playwright in tests/browser; `cargo xtask test` installs it");
    }
    browser && driver
}

/// Plays a flow on a site to its end; gives what it measured, by name, in milliseconds.
///
/// # Errors
/// [`FlowError`]: it failed, or could not be played.
pub async fn play(flow: &str, site: &mut Site) -> Result<Vec<(String, f64)>, FlowError> {
    let mut node = Command::new("node")
        .arg("run.mjs")
        .arg(flow)
        .current_dir(folder())
        .env("SCREENS", screens())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(FlowError::Start)?;
    match tokio::time::timeout(FLOW_WAIT, talk(&mut node, site)).await {
        Ok(Ok(Some(figures))) => Ok(figures),
        Ok(Ok(None)) => Err(FlowError::Failed(flow.to_owned())),
        Ok(Err(error)) => Err(FlowError::Conversation(error)),
        Err(_) => Err(FlowError::Late(flow.to_owned())),
    }
}

/// Does what is asked for until nothing more is; gives what was measured where the flow ended well.
async fn talk(node: &mut Child, site: &mut Site) -> std::io::Result<Option<Vec<(String, f64)>>> {
    let missing = || std::io::Error::other("a pipe was asked for");
    let mut to = node.stdin.take().ok_or_else(missing)?;
    let mut lines = BufReader::new(node.stdout.take().ok_or_else(missing)?).lines();
    let mut hand = Stagehand::new(site);
    while let Some(line) = lines.next_line().await? {
        let answer: Value = match serde_json::from_str::<Request>(&line) {
            Ok(request) => match hand.carry_out(request).await {
                Ok(told) => json!({"ok": told}),
                Err(error) => json!({"error": error.to_string()}),
            },
            Err(error) => json!({"error": format!("{error}: {line}")}),
        };
        to.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    let figures = hand.into_figures();
    Ok(node.wait().await?.success().then_some(figures))
}
