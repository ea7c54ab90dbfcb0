//! Full and read-only disks, on a small file system in a mount namespace of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use gateway::adapter::store::{FailureClass, Journal, Storage, StoreEvent, StoreFailure};
use gateway_core::{Group, StoreInput};

use crate::child;
use crate::rows::{Chain, DEADLINE, Dir, Running, put, start_at};

/// Runs an ignored test of this file with a mount namespace of its own; says so loudly where that is not allowed.
fn in_own_namespace(name: &str) {
    let allowed = Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    if !allowed {
        eprintln!("SKIPPED: {name} needs root, for a mount namespace of its own");
        return;
    }
    let dir = Dir::new();
    fs::create_dir_all(dir.path()).expect("writable");
    let status = child::command(&["unshare", "--mount"], name, dir.path()).status().expect("unshare runs");
    assert!(status.success(), "{name} in its own namespace: {status}");
}

fn mount(arguments: &[&str], dir: &Path) {
    let status = Command::new("mount").args(arguments).arg(dir).status().expect("mount runs");
    assert!(status.success(), "mount {arguments:?}: {status}");
}

/// A8.
#[test]
fn a8_a_full_disk_closes_sales_first_keeps_alarms_and_recovers() {
    in_own_namespace("disk::full_disk");
}

/// A10.
#[test]
fn a10_a_read_only_disk_still_restores() {
    in_own_namespace("disk::read_only_disk");
}

/// Commits alarms with a state record until a commit fails; the last number that was acknowledged, and the failure.
async fn fill(running: &mut Running, chain: &mut Chain) -> (u64, StoreFailure) {
    let mut acknowledged = chain.n;
    for group in 1_000.. {
        let rows: Vec<_> = (0..20).map(|_| chain.alarm("btn-0001", group)).collect();
        let state = vec![put("last", &chain.n.to_string())];
        running.writer.submit(Group { id: group, rows, state }).expect("the writer runs");
        match running.event().await {
            StoreEvent::Input(StoreInput::Committed { .. }) => acknowledged = chain.n,
            StoreEvent::Failed(failure) => return (acknowledged, failure),
            other @ StoreEvent::Input(_) => panic!("{other:?} was not asked for"),
        }
    }
    unreachable!("the disk is finite")
}

#[tokio::test]
#[ignore = "run by a8_a_full_disk_closes_sales_first_keeps_alarms_and_recovers in a mount namespace"]
async fn full_disk() {
    let dir = child::dir();
    mount(&["-t", "tmpfs", "-o", "size=16m", "tmpfs"], &dir);
    let state = dir.join("state");
    let (mut running, restored) = start_at(&state).await;
    let mut chain = Chain::after(&restored);
    running.commit(vec![chain.alarm("btn-0001", 1)], vec![]).await;
    assert!(!running.space.is_low());
    let ballast = dir.join("ballast");
    let free = running.space.free_bytes().expect("tmpfs says");
    fs::write(&ballast, vec![1; usize::try_from(free).expect("small") - 1_200_000]).expect("it fits");
    assert!(running.space.is_low(), "sales close before the disk is full");

    let (acknowledged, failure) = fill(&mut running, &mut chain).await;
    assert_eq!(failure.class, FailureClass::Full);
    running.close().await;

    // The reserve of 1 MiB is used now.
    let (mut running, restored) = start_at(&state).await;
    assert!(restored.last_n >= acknowledged, "{} of {acknowledged}", restored.last_n);
    assert_eq!(restored.state, [("last".to_owned(), restored.last_n.to_string())]);
    assert_eq!(running.storage, Storage::Writable);
    assert!(running.space.is_low());
    let mut chain = Chain::after(&restored);
    running.commit(vec![chain.alarm("btn-0002", 1)], vec![]).await;
    let (acknowledged, failure) = fill(&mut running, &mut chain).await;
    assert_eq!(failure.class, FailureClass::Full);
    running.close().await;

    // Nothing is left: no commit, but everything can be restored.
    let (mut journal, restored) = Journal::open(&state).await.expect("it opens for reading");
    assert!(restored.last_n >= acknowledged);
    assert!(
        matches!(journal.storage(), Storage::Dead(StoreFailure { class: FailureClass::Full, .. })),
        "{:?}",
        journal.storage()
    );
    assert_eq!(journal.probe().await, journal.storage());

    fs::remove_file(&ballast).expect("ours");
    assert_eq!(journal.probe().await, Storage::Writable);
    drop(journal);
    let (mut running, restored) = start_at(&state).await;
    assert!(restored.last_n >= acknowledged);
    let mut chain = Chain::after(&restored);
    running.commit(vec![chain.alarm("btn-0003", 1)], vec![]).await;
    assert!(!running.space.is_low());
    assert!(fs::metadata(state.join("reserve")).is_ok_and(|meta| meta.len() == 1 << 20), "the reserve is back");
    running.close().await;
}

#[tokio::test]
#[ignore = "run by a10_a_read_only_disk_still_restores in a mount namespace"]
async fn read_only_disk() {
    let dir = child::dir();
    mount(&["-t", "tmpfs", "-o", "size=64m", "tmpfs"], &dir);
    let state = dir.join("state");
    let (mut running, _) = start_at(&state).await;
    let mut chain = Chain::default();
    running.commit(vec![chain.alarm("btn-0001", 1)], vec![put("k", "1")]).await;
    running.close().await;

    mount(&["-o", "remount,ro"], &dir);
    let (journal, restored) = Journal::open(&state).await.expect("it opens for reading");
    assert_eq!((restored.last_n, restored.state.len()), (1, 1));
    assert!(
        matches!(journal.storage(), Storage::Dead(StoreFailure { class: FailureClass::Unopenable, .. })),
        "{:?}",
        journal.storage()
    );
    let reader = journal.reader();
    assert!(reader.find_origin("device:btn-0001", "1", 1).await.expect("readable").is_some());
    let (events, mut told) = tokio::sync::mpsc::channel(1);
    let writer = journal.start(events);
    writer.submit(Group { id: 1, rows: vec![], state: vec![] }).expect("it is taken");
    let event = tokio::time::timeout(DEADLINE, told.recv()).await.expect("in time");
    assert!(matches!(event, Some(StoreEvent::Failed(_))), "{event:?}");
    writer.close().await;

    mount(&["-o", "remount,rw"], &dir);
    let (running, _) = start_at(&state).await;
    assert_eq!(running.storage, Storage::Writable);
    running.close().await;
}
