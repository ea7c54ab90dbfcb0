//! Figures of the journal on this machine. Run with `--release`:
//! `cargo nextest run --release -p gateway -E 'test(measure)' --run-ignored only --no-capture`.

use std::time::{Duration, Instant};

use gateway::adapter::store::{Depth, Journal, LaneQuery, verify};
use gateway_core::OutLane;

use crate::rows::{Chain, Dir, put, start};

/// Entries that are written.
const ENTRIES: u64 = 1_000_000;
const DEVICES: u64 = 2_000;
/// Rows in a group: what waits at some load.
const GROUP: u64 = 200;

#[tokio::test]
#[ignore = "measures; run by hand in release"]
async fn measure() {
    let entries = std::env::var("STORE_TEST_ENTRIES").map_or(ENTRIES, |text| text.parse().expect("a number"));
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    let (mut spent, mut longest) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..entries / GROUP {
        let rows = (0..GROUP).map(|_| report(&mut chain)).collect();
        let begun = Instant::now();
        running.commit(rows, vec![put("outbox/rest", &chain.n.to_string())]).await;
        let took = begun.elapsed();
        spent += took;
        longest = longest.max(took);
    }
    let groups = entries / GROUP;
    eprintln!("groups of {GROUP}: {:.0} rows/s, longest commit {longest:?}", rate(groups * GROUP, spent));

    let mut single: Vec<Duration> = Vec::new();
    for _ in 0..2_000 {
        let rows = vec![report(&mut chain)];
        let begun = Instant::now();
        running.commit(rows, vec![put("outbox/rest", "1")]).await;
        single.push(begun.elapsed());
    }
    single.sort_unstable();
    eprintln!("groups of 1: median {:?}, 99 % {:?}, longest {:?}", single[1_000], single[1_980], single[1_999]);

    let begun = Instant::now();
    running.reader.find_origin("device:btn-0001", "1", 999_999).await.expect("readable");
    eprintln!("look-up by origin, not found: {:?}", begun.elapsed());
    let begun = Instant::now();
    running.reader.recent_reports("device:btn-0001", 64).await.expect("readable");
    eprintln!("recent reports of a device: {:?}", begun.elapsed());
    let begun = Instant::now();
    let mut after = 0;
    while after < entries.min(100_000) {
        let query = LaneQuery { lane: OutLane::Rest, after, except: &[], max: 500, max_bytes: usize::MAX };
        let batch = running.reader.read_lane(query).await.expect("readable");
        after = batch.entries.last().and_then(|entry| entry.n).expect("there are more");
    }
    eprintln!("lane by 500: {:.0} entries/s", rate(after, begun.elapsed()));
    running.close().await;

    let begun = Instant::now();
    let (journal, restored) = Journal::open(dir.path()).await.expect("it opens");
    let checked = restored.last_n - restored.verified_from + 1;
    eprintln!("open, {checked} of {} entries verified: {:?}", restored.last_n, begun.elapsed());
    drop(journal);
    let begun = Instant::now();
    let report = verify(dir.path(), Depth::Entries).await.expect("readable");
    assert!(report.is_good());
    eprintln!("verify, {} entries: {:?}", report.head_n, begun.elapsed());
}

fn report(chain: &mut Chain) -> gateway_core::Row {
    let number = chain.n + 1;
    chain.report(&format!("btn-{:04}", number.wrapping_mul(2_654_435_761) % DEVICES), number / DEVICES)
}

fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
