//! What a restart finds.

use gateway::adapter::store::{Journal, OpenError};
use protocols::unit::UnixMs;

use crate::rows::{Chain, Dir, alter, delete, put, start};

#[tokio::test]
async fn a_new_journal_is_empty_and_has_a_random_id() {
    let (one, two) = (Dir::new(), Dir::new());
    let (running, first) = start(&one).await;
    running.close().await;
    let (running, second) = start(&two).await;
    running.close().await;
    assert_eq!((first.last_n, first.last_hash, first.state.len()), (0, [0; 32], 0));
    assert_eq!(first.journal.len(), 32);
    assert_ne!(first.journal, second.journal);
}

#[tokio::test]
async fn what_was_committed_is_restored_after_a_restart() {
    let dir = Dir::new();
    let (mut running, first) = start(&dir).await;
    let mut chain = Chain::default();
    let rows: Vec<_> = (1..=250).map(|seq| chain.report("btn-0001", seq)).collect();
    running.commit(rows, vec![put("device/btn-0001", "{\"seq\":250}")]).await;
    running.commit(vec![chain.alarm("btn-0002", 7)], vec![put("alarm/btn-0002.1.7", "{}")]).await;
    running.close().await;

    let (mut running, restored) = start(&dir).await;
    assert_eq!(restored.journal, first.journal);
    assert_eq!((restored.last_n, restored.last_hash), (251, chain.hash));
    assert_eq!(restored.last_trusted, Some(UnixMs(1_790_814_600_250)));
    assert_eq!(
        restored.state,
        [
            ("alarm/btn-0002.1.7".to_owned(), "{}".to_owned()),
            ("device/btn-0001".to_owned(), "{\"seq\":250}".to_owned())
        ]
    );
    assert_eq!(restored.verified_from, 1);
    let mut chain = Chain::after(&restored);
    running.commit(vec![chain.report("btn-0001", 251)], vec![]).await;
    running.close().await;
}

#[tokio::test]
async fn the_last_change_of_a_key_wins_within_a_group() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    running.commit(vec![], vec![put("kept", "0"), put("gone", "1")]).await;
    let mut changes: Vec<_> = (1..=500).map(|value| put("kept", &value.to_string())).collect();
    changes.extend([put("gone", "2"), delete("gone"), delete("back"), put("back", "3"), delete("never")]);
    changes.extend((0..300).map(|number| put(&format!("many/{number:03}"), "m")));
    running.commit(vec![], changes).await;
    running.close().await;

    let (running, restored) = start(&dir).await;
    let plain: Vec<_> = restored.state.iter().filter(|(key, _)| !key.starts_with("many")).cloned().collect();
    assert_eq!(plain, [("back".to_owned(), "3".to_owned()), ("kept".to_owned(), "500".to_owned())]);
    assert_eq!(restored.state.len(), 302);
    running.close().await;
}

/// A17.
#[tokio::test]
async fn a17_a_second_instance_is_refused_by_name() {
    let dir = Dir::new();
    let (running, _) = start(&dir).await;
    let error = Journal::open(dir.path()).await.map(|_| ()).expect_err("the directory is taken");
    assert!(matches!(error, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(error.to_string().contains("stop it first"), "{error}");
    assert!(error.forbids_running());
    running.close().await;
    let (running, _) = start(&dir).await;
    running.close().await;
}

/// The same row with another time and clock.
fn stamped(chain: &mut Chain, seq: u64, at: &str, clock: &str) -> gateway_core::Row {
    let before = chain.hash;
    let mut row = chain.report("btn-0001", seq);
    row.bytes = row.bytes.replace("2026-10-01T08:30:00.250+08:00", at).replace("\"trusted\"", &format!("\"{clock}\""));
    row.hash = gateway::adapter::store::link(&before, row.bytes.as_bytes());
    chain.hash = row.hash;
    row
}

#[tokio::test]
async fn b2_an_untrusted_time_far_in_the_future_does_not_become_the_floor_of_the_clock() {
    let dir = Dir::new();
    let (mut running, first) = start(&dir).await;
    assert_eq!(first.last_trusted, None);
    let mut chain = Chain::default();
    let rows = vec![
        chain.report("btn-0001", 1),
        stamped(&mut chain, 2, "2026-10-01T08:31:00.250+08:00", "trusted"),
        stamped(&mut chain, 3, "2051-01-01T00:00:00.000+08:00", "untrusted"),
    ];
    running.commit(rows, vec![]).await;
    running.commit(vec![stamped(&mut chain, 4, "2052-01-01T00:00:00.000+08:00", "untrusted")], vec![]).await;
    running.close().await;
    let (running, restored) = start(&dir).await;
    assert_eq!(restored.last_trusted, Some(UnixMs(1_790_814_660_250)));
    assert!(restored.state.is_empty(), "the store's own record is not the core's: {:?}", restored.state);
    running.close().await;
    // A journal of an earlier release has no such record, and one may be damaged.
    for loss in ["UPDATE state SET value = '9999999999999'", "DELETE FROM state"] {
        alter(&dir.db(), loss).await;
        let (running, restored) = start(&dir).await;
        assert_eq!(restored.last_trusted, Some(UnixMs(1_790_814_660_250)), "{loss}");
        running.close().await;
    }
}
