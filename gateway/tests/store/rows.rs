//! Rows as the core makes them, and a directory for each test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gateway::adapter::store::{Hash, Journal, Reader, Restored, Space, Storage, StoreEvent, Writer, link};
use gateway_core::{Group, OutLane, Row, StateChange, StoreInput};
use protocols::uplink::PrivateRecord;
use tokio::sync::mpsc;

/// How long a test waits for what must come.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A directory of its own, removed at the end.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("store-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("the target directory takes writes");
        Self(path.join("state"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn db(&self) -> PathBuf {
        self.0.join("journal.db")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _left = self.0.parent().map(std::fs::remove_dir_all);
    }
}

/// Makes rows that continue each other.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    pub n: u64,
    pub hash: Hash,
}

impl Chain {
    pub fn after(restored: &Restored) -> Self {
        Self { n: restored.last_n, hash: restored.last_hash }
    }

    /// A report of `device` with number `seq`.
    pub fn report(&mut self, device: &str, seq: u64) -> Row {
        self.row(OutLane::Rest, "device.reported", device, seq, r#"{"report":"test"}"#, None)
    }

    /// An alarm of `device` with number `seq`.
    pub fn alarm(&mut self, device: &str, seq: u64) -> Row {
        self.row(OutLane::Alarms, "alarm.raised", device, seq, r#"{"report":"sos"}"#, None)
    }

    /// A sale with a made-up private record of `salt` and `bytes`.
    pub fn sale(&mut self, seq: u64, private: PrivateRecord) -> Row {
        let hmac = hmac(&private);
        self.row(OutLane::Sales, "sale.intent", "kiosk", seq, &format!(r#"{{"private_hmac":"{hmac}"}}"#), Some(private))
    }

    pub fn row(
        &mut self,
        lane: OutLane,
        kind: &str,
        device: &str,
        seq: u64,
        body: &str,
        private: Option<PrivateRecord>,
    ) -> Row {
        let bytes = format!(
            r#"{{"v":1,"origin":{{"source":"device:{device}","epoch":1,"seq":{seq}}},"kind":"{kind}","about":null,"recorded_at":"2026-10-01T08:30:00.250+08:00","clock":"trusted","body":{body}}}"#
        );
        self.n += 1;
        self.hash = link(&self.hash, bytes.as_bytes());
        Row {
            n: self.n,
            hash: self.hash,
            bytes,
            source: format!("device:{device}"),
            epoch: "1".to_owned(),
            seq,
            kind: kind.to_owned(),
            body: 0xf000_0000_0000_0000 | seq,
            lane,
            private,
        }
    }
}

/// HMAC-SHA256(salt, bytes), hex.
pub fn hmac(private: &PrivateRecord) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let salt = hex::decode(&private.salt).expect("a salt of the test is hex");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&salt).expect("HMAC takes keys of any length");
    mac.update(private.bytes.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

pub fn private(text: &str) -> PrivateRecord {
    PrivateRecord { salt: "5a".repeat(32), bytes: text.to_owned() }
}

pub fn put(key: &str, value: &str) -> StateChange {
    StateChange::Put { key: key.to_owned(), value: value.to_owned() }
}

pub fn delete(key: &str) -> StateChange {
    StateChange::Delete { key: key.to_owned() }
}

/// Changes one row of the file from outside, as a person with a database shell would.
pub async fn alter(db: &Path, sql: &'static str) {
    alter_all(db, sql, 1).await;
}

/// Changes so many rows of the file from outside.
pub async fn alter_all(db: &Path, sql: &str, rows: u64) {
    use sqlx::{ConnectOptions, Connection};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(db);
    let mut connection = options.connect().await.expect("the file opens");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
    let result = query.execute(&mut connection).await.expect("the statement runs");
    assert_eq!(result.rows_affected(), rows, "{sql}");
    connection.close().await.expect("the file closes");
}

/// A journal with its writer, driven group by group.
pub struct Running {
    pub writer: Writer,
    pub events: mpsc::Receiver<StoreEvent>,
    pub reader: Reader,
    pub space: Space,
    pub storage: Storage,
    groups: u64,
}

pub async fn start(dir: &Dir) -> (Running, Restored) {
    start_at(dir.path()).await
}

pub async fn start_at(dir: &Path) -> (Running, Restored) {
    let (journal, restored) = Journal::open(dir).await.expect("the journal opens");
    let (sender, events) = mpsc::channel(16);
    let (reader, space, storage) = (journal.reader(), journal.space(), journal.storage());
    (Running { writer: journal.start(sender), events, reader, space, storage, groups: 0 }, restored)
}

impl Running {
    /// Hands a group over and waits until it is durable.
    pub async fn commit(&mut self, rows: Vec<Row>, state: Vec<StateChange>) {
        self.groups += 1;
        self.writer.submit(Group { id: self.groups, rows, state }).expect("the writer runs");
        let event = self.event().await;
        let committed = matches!(event, StoreEvent::Input(StoreInput::Committed { group }) if group == self.groups);
        assert!(committed, "group {} is durable: {event:?}", self.groups);
    }

    pub async fn event(&mut self) -> StoreEvent {
        let event = tokio::time::timeout(DEADLINE, self.events.recv()).await;
        event.expect("the writer answers in time").expect("the writer runs")
    }

    pub async fn close(self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}
