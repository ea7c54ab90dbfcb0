//! The daily look through the journal.

use std::time::Duration;

use gateway::scrub::{Pace, Scrubbed, run};
use gateway::troubles::{Part, Troubles};

use crate::rows::{Chain, DEADLINE, Dir, alter_all, put, start};

const PACE: Pace = Pace {
    first_after: Duration::ZERO,
    every: Duration::from_millis(1),
    slice_rows: 10,
    rest_min: Duration::from_millis(1),
};

/// Waits until a pass that began after this call has ended with so many damaged entries.
async fn passed(seen: &Scrubbed, damaged: u64) -> gateway::scrub::Pass {
    let wait = async {
        loop {
            match seen.last() {
                Some(pass) if pass.damaged == damaged => break pass,
                Some(_) | None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("a pass ends in time")
}

/// A12.
#[tokio::test]
async fn a12_a_flipped_byte_is_found_in_the_background_and_told_while_the_gateway_goes_on() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    running.commit((1..=95).map(|seq| chain.report("btn-0001", seq)).collect(), vec![]).await;
    let (seen, troubles) = (Scrubbed::default(), Troubles::default());
    let task = tokio::spawn(run(running.reader.clone(), PACE, seen.clone(), troubles.clone(), std::future::pending()));
    let good = passed(&seen, 0).await;
    assert_eq!((good.entries, good.first_damaged), (95, None));
    assert_eq!(troubles.now(), []);

    let changed = "UPDATE entry SET bytes = replace(bytes, 'test', 'tesT') WHERE n IN (17, 60)";
    alter_all(&dir.db(), changed, 2).await;
    let bad = passed(&seen, 2).await;
    assert_eq!((bad.entries, bad.first_damaged), (95, Some(17)));
    let told = troubles.now();
    assert!(told[0].0 == Part::JournalRows && told[0].1.contains("entry 17"), "{told:?}");
    let news = troubles.take_news();
    assert_eq!(news.iter().map(|news| news.kind).collect::<Vec<_>>(), [protocols::uplink::OwnAlarm::JournalDamaged]);
    running.commit(vec![chain.alarm("btn-0002", 1)], vec![]).await;

    alter_all(&dir.db(), "UPDATE entry SET bytes = replace(bytes, 'tesT', 'test') WHERE n IN (17, 60)", 2).await;
    passed(&seen, 0).await;
    assert_eq!(troubles.now(), []);
    task.abort();
    running.close().await;
}

#[tokio::test]
async fn a_damaged_state_record_is_found_in_the_background_and_told_until_it_is_written_anew() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    let state = (0..35).map(|n| put(&format!("key-{n:02}"), "1")).collect();
    running.commit(vec![chain.report("btn-0001", 1)], state).await;
    let (seen, troubles) = (Scrubbed::default(), Troubles::default());
    let task = tokio::spawn(run(running.reader.clone(), PACE, seen.clone(), troubles.clone(), std::future::pending()));
    let state_passed = async |damaged: u64| {
        let wait = async {
            while seen.last().is_none_or(|pass| pass.state_damaged != damaged) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("a pass ends in time");
    };
    state_passed(0).await;
    assert_eq!(troubles.now(), []);
    alter_all(&dir.db(), "UPDATE state SET value = '2' WHERE key IN ('key-09', 'key-34')", 2).await;
    state_passed(2).await;
    let told = troubles.now();
    assert!(told[0].0 == Part::JournalRows && told[0].1.contains("key-09"), "{told:?}");
    running.commit(vec![chain.report("btn-0001", 2)], vec![put("key-09", "3"), put("key-34", "3")]).await;
    state_passed(0).await;
    assert_eq!(troubles.now(), []);
    task.abort();
    running.close().await;
}

#[tokio::test]
async fn an_empty_journal_is_looked_through_without_a_finding_and_the_end_is_heeded() {
    let dir = Dir::new();
    let (running, _) = start(&dir).await;
    let (seen, troubles) = (Scrubbed::default(), Troubles::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let end = async move { drop(stopped.await) };
    let task = tokio::spawn(run(running.reader.clone(), PACE, seen.clone(), troubles.clone(), end));
    assert_eq!(passed(&seen, 0).await.entries, 0);
    drop(stop);
    tokio::time::timeout(DEADLINE, task).await.expect("it ends in time").expect("without a panic");
    running.close().await;
}
