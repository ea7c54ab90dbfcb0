//! Damage to the file is found and named, and nothing damaged is given out.

use gateway::adapter::store::{DamagedRow, Fault, Journal, LaneQuery, OpenError};
use gateway_core::OutLane;

use crate::rows::{Chain, Dir, alter, put, start};

async fn forty_reports(dir: &Dir) {
    let (mut running, _) = start(dir).await;
    let mut chain = Chain::default();
    let rows = (1..=40).map(|seq| chain.report("btn-0001", seq)).collect();
    running.commit(rows, vec![put("a", "1"), put("b", "2"), put("c", "3")]).await;
    running.close().await;
}

async fn refusal(dir: &Dir) -> OpenError {
    Journal::open(dir.path()).await.map(|_| ()).expect_err("a damaged journal is refused")
}

/// A12.
#[tokio::test]
async fn a12_a_flipped_byte_is_found_when_the_journal_is_opened() {
    let dir = Dir::new();
    forty_reports(&dir).await;
    alter(&dir.db(), "UPDATE entry SET bytes = replace(bytes, '\"seq\":17', '\"seq\":18') WHERE n = 17").await;
    let error = refusal(&dir).await;
    assert!(matches!(error, OpenError::Chain { n: 17, fault: Fault::Hash }), "{error}");
    assert!(error.needs_a_person());
}

/// A12.
#[tokio::test]
async fn a12_a_byte_flipped_while_the_gateway_runs_is_never_sent() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    running.commit((1..=5).map(|seq| chain.report("btn-0001", seq)).collect(), vec![]).await;
    alter(&dir.db(), "UPDATE entry SET bytes = replace(bytes, 'test', 'tess') WHERE n = 3").await;
    let query = LaneQuery { lane: OutLane::Rest, after: 0, except: &[], max: 10, max_bytes: usize::MAX };
    let batch = running.reader.read_lane(query).await.expect("readable");
    assert_eq!(batch.entries.iter().filter_map(|entry| entry.n).collect::<Vec<_>>(), [1, 2, 4, 5]);
    assert_eq!(batch.damaged, [DamagedRow { n: 3, fault: Fault::Hash }]);
    let scrub = |first, last| running.reader.scrub(first, last);
    assert_eq!(scrub(1, 5).await.expect("readable"), Some(DamagedRow { n: 3, fault: Fault::Hash }));
    assert_eq!(scrub(4, 5).await.expect("readable"), None);
    running.close().await;
}

#[tokio::test]
async fn a_deleted_entry_is_found() {
    let dir = Dir::new();
    forty_reports(&dir).await;
    alter(&dir.db(), "DELETE FROM entry WHERE n = 23").await;
    let error = refusal(&dir).await;
    assert!(matches!(error, OpenError::Chain { n: 24, fault: Fault::Gap { first: 23 } }), "{error}");
}

#[tokio::test]
async fn a_damaged_state_record_is_left_out_and_named() {
    let dir = Dir::new();
    forty_reports(&dir).await;
    alter(&dir.db(), "UPDATE state SET value = '4' WHERE key = 'b'").await;
    let (running, restored) = start(&dir).await;
    assert_eq!(restored.state_damaged, ["b"]);
    assert_eq!(restored.state.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    running.close().await;
}
