//! An uplink with its journal and settings, as a test needs it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateway::adapter::uplink::{
    Credentials, Deadlines, EntrySource, GatewayIdentity, ReadError, Stopped, Uplink, UplinkHandle, UplinkSettings,
};
use gateway_core::{OutLane, UplinkInput};
use protocols::uplink::EntryUpload;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub const TOKEN: &str = "made-up-token-0123456789";

/// A journal in memory.
#[derive(Default, Clone)]
pub struct Journal {
    pub entries: Vec<(OutLane, EntryUpload)>,
    pub broken: bool,
}

impl Journal {
    /// `count` entries of a lane, numbered from `first`.
    pub fn lane(lane: OutLane, first: u64, count: u64) -> Self {
        let entry = |n| EntryUpload {
            n: Some(n),
            entry: format!("{{\"v\":1,\"made_up\":\"{}-{n}\"}}", lane.name()),
            hash: "00".repeat(32),
            private: None,
        };
        Self { entries: (first..first + count).map(|n| (lane, entry(n))).collect(), broken: false }
    }

    pub fn and(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self
    }
}

impl EntrySource for Journal {
    async fn read_lane(
        &self,
        lane: OutLane,
        after: u64,
        except: &[u64],
        max: usize,
        max_bytes: usize,
    ) -> Result<Vec<EntryUpload>, ReadError> {
        if self.broken {
            return Err(ReadError::Unreadable);
        }
        let mut bytes = 0;
        let wanted = self
            .entries
            .iter()
            .filter(|(of, entry)| *of == lane && entry.n.is_some_and(|n| n > after && !except.contains(&n)));
        let fits = wanted.take(max).map(|(_, entry)| entry.clone()).take_while(|entry| {
            let first = bytes == 0;
            bytes += entry.entry.len();
            first || bytes <= max_bytes
        });
        Ok(fits.collect())
    }
}

/// A directory for one test, gone with it.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("uplink-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file that only its owner reads.
    pub fn secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// Deadlines short enough for tests.
pub fn deadlines() -> Deadlines {
    Deadlines {
        connect_ms: 500,
        upload_ms: 700,
        alarm_ms: 1_500,
        alarm_second_path_ms: 500,
        hold_ms: 1_500,
        hold_second_path_ms: 400,
        order_wait_s: 1,
        order_margin_ms: 500,
    }
}

pub fn settings(directory: &Directory, urls: &[&str], deadlines: Deadlines) -> UplinkSettings {
    UplinkSettings {
        urls: urls.iter().map(|url| (*url).to_owned()).collect(),
        token_file: directory.secret("token", TOKEN),
        ca_file: None,
        client_cert_file: None,
        client_key_file: None,
        deadlines,
    }
}

/// A running uplink.
pub struct Bench {
    pub handle: UplinkHandle,
    inputs: mpsc::Receiver<UplinkInput>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Stopped>,
    pub directory: Arc<Directory>,
}

impl Bench {
    pub fn start(urls: &[&str], journal: Journal) -> Self {
        Self::with(urls, journal, deadlines())
    }

    pub fn with(urls: &[&str], journal: Journal, deadlines: Deadlines) -> Self {
        let directory = Arc::new(Directory::new());
        let settings = settings(&directory, urls, deadlines);
        Self::of(&settings, journal, directory)
    }

    pub fn of(settings: &UplinkSettings, journal: Journal, directory: Arc<Directory>) -> Self {
        Self::who(settings, Credentials::load(settings).unwrap(), journal, directory)
    }

    pub fn who(
        settings: &UplinkSettings,
        credentials: Credentials,
        journal: Journal,
        directory: Arc<Directory>,
    ) -> Self {
        let (sender, inputs) = mpsc::channel(16);
        let who = GatewayIdentity { gateway: "gw-1".parse().unwrap(), journal: String::from("7b1c") };
        let (uplink, handle) = Uplink::new(settings, credentials, who, journal, sender).unwrap();
        let (stop, signal) = watch::channel(false);
        let task = tokio::spawn(uplink.run(signal));
        Self { handle, inputs, stop, task, directory }
    }

    /// The next answer.
    pub async fn answer(&mut self) -> UplinkInput {
        timeout(Duration::from_secs(20), self.inputs.recv()).await.expect("an answer comes").expect("it runs")
    }

    /// The signal to stop.
    pub fn signal(&self) -> watch::Sender<bool> {
        self.stop.clone()
    }

    /// Gives the signal to stop and waits for the end.
    pub async fn stop(self) -> Stopped {
        self.stop.send_replace(true);
        timeout(Duration::from_secs(20), self.task).await.expect("it ends").unwrap()
    }
}
