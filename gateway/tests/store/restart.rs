//! What a restart finds.

use gateway::adapter::store::{Journal, OpenError};
use protocols::unit::UnixMs;

use crate::rows::{Chain, Dir, delete, put, start};

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
    assert_eq!(restored.last_recorded, Some(UnixMs(1_790_814_600_250)));
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
