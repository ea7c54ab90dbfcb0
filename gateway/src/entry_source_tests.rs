//! Reading ahead: it answers the question that follows, and no other.

use gateway_core::{Group, Row, StateChange};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::*;
use crate::adapter::store::{Hash, Journal, Writer, journal_path, link};

struct Kept {
    dir: std::path::PathBuf,
    writer: Option<Writer>,
    told: mpsc::Receiver<StoreEvent>,
    source: JournalSource,
    n: u64,
    hash: Hash,
}

impl Kept {
    async fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("entry-source-{}", getrandom::u64().expect("random numbers")));
        std::fs::create_dir(&dir).expect("a directory");
        let (journal, _) = Journal::open(&dir).await.expect("a journal");
        let (events, told) = mpsc::channel(8);
        let source = JournalSource::new(Some(journal.reader()), events.clone());
        Self { writer: Some(journal.start(events)), dir, told, source, n: 0, hash: Hash::default() }
    }

    async fn commit(&mut self, rows: u64) {
        let rows = (0..rows).map(|_| self.row()).collect();
        let state: Vec<StateChange> = Vec::new();
        let writer = self.writer.as_ref().expect("it runs");
        writer.submit(Group { id: self.n, rows, state }).expect("it is taken");
        let committed = self.told.recv().await;
        assert!(matches!(committed, Some(StoreEvent::Input(StoreInput::Committed { .. }))), "{committed:?}");
    }

    fn row(&mut self) -> Row {
        self.n += 1;
        let bytes = format!("{{\"n\":{}}}", self.n);
        self.hash = link(&self.hash, bytes.as_bytes());
        Row {
            n: self.n,
            hash: self.hash,
            bytes,
            source: "device:btn-0001".to_owned(),
            epoch: "1".to_owned(),
            seq: self.n,
            kind: "device.reported".to_owned(),
            body: 0,
            lane: OutLane::Rest,
            private: None,
        }
    }

    async fn read(&self, after: u64, max: usize) -> Vec<u64> {
        let entries = self.source.read_lane(OutLane::Rest, after, &[], max, 100_000).await.expect("readable");
        entries.iter().filter_map(|entry| entry.n).collect()
    }

    /// Waits until what was read ahead, if anything, is there, and tells whether anything was.
    async fn ahead_is_there(&self) -> bool {
        loop {
            match self.source.lock().get(&OutLane::Rest) {
                None => return false,
                Some(ahead) if ahead.read.is_finished() => return true,
                Some(_) => {}
            }
            tokio::task::yield_now().await;
        }
    }

    async fn forget_on_disk(&self, n: u64) {
        let file = SqliteConnectOptions::new().filename(journal_path(&self.dir));
        let mut connection = file.connect().await.expect("the file opens");
        let gone = sqlx::query("DELETE FROM entry WHERE n >= ?").bind(n.cast_signed()).execute(&mut connection).await;
        assert!(gone.expect("it is gone").rows_affected() > 0);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

#[tokio::test]
async fn what_follows_a_full_upload_is_read_while_it_is_on_its_way() {
    let mut kept = Kept::new().await;
    kept.commit(6).await;
    assert_eq!(kept.read(0, 2).await, [1, 2]);
    assert!(kept.ahead_is_there().await);
    kept.forget_on_disk(3).await;
    assert_eq!(kept.read(2, 2).await, [3, 4], "from memory, where it was before it was gone");
    assert!(kept.ahead_is_there().await);
    assert!(kept.read(4, 2).await.is_empty(), "what is not on disk any more is not there");
}

#[tokio::test]
async fn what_was_read_ahead_answers_no_other_question() {
    let mut kept = Kept::new().await;
    kept.commit(6).await;
    assert_eq!(kept.read(0, 2).await, [1, 2]);
    assert!(kept.ahead_is_there().await);
    assert_eq!(kept.read(1, 2).await, [2, 3], "another place");
    assert!(kept.ahead_is_there().await);
    assert_eq!(kept.read(3, 1).await, [4], "another length");
    assert!(kept.ahead_is_there().await);
    let entries = kept.source.read_lane(OutLane::Rest, 4, &[5], 1, 100_000).await.expect("readable");
    assert_eq!(entries.first().and_then(|entry| entry.n), Some(6), "what is done meanwhile is left out");
}

#[tokio::test]
async fn nothing_read_ahead_is_no_word_that_there_is_nothing() {
    let mut kept = Kept::new().await;
    kept.commit(2).await;
    assert_eq!(kept.read(0, 2).await, [1, 2]);
    assert!(kept.ahead_is_there().await);
    kept.commit(1).await;
    assert_eq!(kept.read(2, 2).await, [3]);
    assert!(!kept.ahead_is_there().await, "an upload that is not full is the last for now");
}
