//! The journal of every release loads for ever. A fixture is written once, at its release, and never again.

use std::fs;
use std::path::{Path, PathBuf};

use gateway::adapter::store::{Depth, LaneQuery, verify};
use gateway_core::OutLane;

use crate::rows::{Chain, Dir, private, put, start};

const RELEASES: [&str; 1] = ["v1"];

fn fixture(release: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("journal-{release}.sqlite"))
}

#[tokio::test]
async fn the_journal_of_every_release_still_loads() {
    for release in RELEASES {
        let dir = Dir::new();
        fs::create_dir_all(dir.path()).expect("writable");
        fs::copy(fixture(release), dir.db()).expect("the fixture is there");
        let (mut running, restored) = start(&dir).await;
        assert_eq!(restored.journal.len(), 32, "{release}");
        assert_eq!(restored.last_n, 8, "{release}");
        let hash = "dacf6279bd78dd5cdf1ab4f5689652b25e38063a464dbc524d13b19d22c82683";
        assert_eq!(hex::encode(restored.last_hash), hash, "{release}");
        let state = [("alarm/btn-0002.1.5", r#"{"state":"raised"}"#), ("outbox/alarms", r#"{"cursor":0}"#)];
        let state: Vec<_> = state.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(restored.state, state, "{release}");

        let query = LaneQuery { lane: OutLane::Sales, after: 0, except: &[], max: 10, max_bytes: usize::MAX };
        let sales = running.reader.read_lane(query).await.expect("readable");
        assert_eq!(sales.entries.len(), 1, "{release}");
        assert_eq!(sales.entries[0].private, Some(private(r#"{"card":"31000000000000012345"}"#)), "{release}");
        let found = running.reader.find_origin("device:btn-0001", "1", 4).await.expect("readable");
        assert_eq!(found, Some(0xf000_0000_0000_0004), "{release}");

        let mut chain = Chain::after(&restored);
        running.commit(vec![chain.alarm("btn-0003", 1)], vec![put("k", "1")]).await;
        let report = verify(dir.path(), Depth::Whole).await.expect("readable");
        assert!(report.is_good() && report.head_n == 9, "{release}: {report:?}");
        running.close().await;
    }
}

#[tokio::test]
#[ignore = "writes the fixture of the release in the making; run once, at the release"]
async fn write_fixture() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    let mut rows: Vec<_> = (1..=6).map(|seq| chain.report("btn-0001", seq)).collect();
    rows.push(chain.sale(1, private(r#"{"card":"31000000000000012345"}"#)));
    rows.push(chain.alarm("btn-0002", 5));
    let state = vec![put("alarm/btn-0002.1.5", r#"{"state":"raised"}"#), put("outbox/alarms", r#"{"cursor":0}"#)];
    running.commit(rows, state).await;
    running.close().await;
    let newest = fixture(RELEASES[RELEASES.len() - 1]);
    fs::create_dir_all(newest.parent().expect("it has one")).expect("writable");
    fs::copy(dir.db(), &newest).expect("writable");
}
