//! Other programs on the file, and the length of its log.

use gateway::adapter::store::{FailureClass, Journal, Storage, StoreEvent, StoreFailure};
use gateway_core::Group;
use sqlx::{ConnectOptions, Connection};

use crate::rows::{Chain, Dir, put, start};

/// A22.
#[tokio::test]
async fn a22_a_foreign_lock_fails_the_commit_in_bounded_time_and_leaves_the_journal_readable() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    running.commit(vec![chain.alarm("btn-0001", 1)], vec![]).await;
    let mut shell =
        sqlx::sqlite::SqliteConnectOptions::new().filename(dir.db()).connect().await.expect("the file opens");
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut shell).await.expect("the lock is free");

    let rows = vec![chain.alarm("btn-0001", 2)];
    running.writer.submit(Group { id: 9, rows, state: vec![] }).expect("the writer runs");
    let event = running.event().await;
    let is_busy = matches!(&event, StoreEvent::Failed(StoreFailure { class: FailureClass::Busy, .. }));
    assert!(is_busy, "{event:?}");
    running.close().await;

    let (journal, restored) = Journal::open(dir.path()).await.expect("it opens for reading");
    assert!(matches!(journal.storage(), Storage::Dead(StoreFailure { class: FailureClass::Busy, .. })));
    assert_eq!(restored.last_n, 1);
    drop(journal);
    shell.close().await.expect("it closes");
    let (running, restored) = start(&dir).await;
    assert_eq!((running.storage, restored.last_n), (Storage::Writable, 1));
    running.close().await;
}

#[tokio::test]
async fn the_log_stays_bounded_under_load_while_lanes_are_read() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    let reader = running.reader.clone();
    let mut largest = 0;
    for round in 0..400_u64 {
        let rows = (0..200).map(|_| chain.report(&format!("btn-{:04}", chain.n % 500), round)).collect();
        let state = (0..40).map(|device| put(&format!("device/btn-{device:04}"), &"x".repeat(300))).collect();
        running.commit(rows, state).await;
        reader.find_origin("device:btn-0001", "1", round).await.expect("readable");
        let log = std::fs::metadata(dir.db().with_extension("db-wal")).map_or(0, |meta| meta.len());
        largest = largest.max(log);
    }
    assert!(largest > 4 << 20, "the test writes enough to need a checkpoint: {largest}");
    assert!(largest < 64 << 20, "the log grew to {largest} bytes");
    running.close().await;
    assert!(!dir.db().with_extension("db-wal").exists(), "a clean end leaves no log");
}

#[tokio::test]
async fn rows_that_do_not_continue_the_journal_are_refused_and_nothing_is_written() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    running.commit(vec![chain.alarm("btn-0001", 1)], vec![]).await;
    let skipped = chain.alarm("btn-0001", 2);
    drop(skipped);
    let rows = vec![chain.alarm("btn-0001", 3)];
    running.writer.submit(Group { id: 9, rows, state: vec![put("k", "1")] }).expect("the writer runs");
    let event = running.event().await;
    let is_disorder = matches!(&event, StoreEvent::Failed(StoreFailure { class: FailureClass::Disorder, code: 0 }));
    assert!(is_disorder, "{event:?}");
    running.close().await;
    let (running, restored) = start(&dir).await;
    assert_eq!((restored.last_n, restored.state.len()), (1, 0));
    running.close().await;
}
