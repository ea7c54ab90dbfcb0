//! Reading lanes and looking reports up.

use gateway::adapter::store::{LaneBatch, LaneQuery, Reader};
use gateway_core::OutLane;

use crate::rows::{Chain, Dir, alter, private, start};

async fn lane(reader: &Reader, lane: OutLane, after: u64, except: &[u64], max: usize) -> LaneBatch {
    let query = LaneQuery { lane, after, except, max, max_bytes: usize::MAX };
    reader.read_lane(query).await.expect("the journal can be read")
}

fn numbers(batch: &LaneBatch) -> Vec<u64> {
    batch.entries.iter().filter_map(|entry| entry.n).collect()
}

#[tokio::test]
async fn a_lane_gives_its_own_entries_byte_for_byte_with_hash_and_private_record() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    let rows = vec![
        chain.report("btn-0001", 1),
        chain.sale(1, private(r#"{"card":"3100000000000001"}"#)),
        chain.alarm("btn-0002", 1),
        chain.report("btn-0001", 2),
        chain.alarm("btn-0003", 9),
    ];
    running.commit(rows.clone(), vec![]).await;

    let alarms = lane(&running.reader, OutLane::Alarms, 0, &[], 10).await;
    assert_eq!(numbers(&alarms), [3, 5]);
    assert_eq!(alarms.entries[1].entry, rows[4].bytes);
    assert_eq!(alarms.entries[1].hash, hex::encode(rows[4].hash));
    assert_eq!(alarms.entries[1].private, None);
    let sales = lane(&running.reader, OutLane::Sales, 0, &[], 10).await;
    assert_eq!(numbers(&sales), [2]);
    assert_eq!(sales.entries[0].private, rows[1].private);
    assert_eq!(numbers(&lane(&running.reader, OutLane::Rest, 0, &[], 10).await), [1, 4]);
    running.close().await;
}

#[tokio::test]
async fn a_lane_skips_what_is_done_and_stops_at_its_bounds() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    let rows: Vec<_> = (1..=20).map(|seq| chain.report("btn-0001", seq)).collect();
    let two = rows[0].bytes.len() * 2 + 10;
    running.commit(rows, vec![]).await;

    let reader = &running.reader;
    assert_eq!(numbers(&lane(reader, OutLane::Rest, 5, &[6, 8, 9], 4).await), [7, 10, 11, 12]);
    assert_eq!(numbers(&lane(reader, OutLane::Rest, 18, &[], 4).await), [19, 20]);
    assert_eq!(numbers(&lane(reader, OutLane::Rest, 20, &[], 4).await), [0_u64; 0]);
    assert_eq!(numbers(&lane(reader, OutLane::Sales, 0, &[], 4).await), [0_u64; 0]);
    let query = LaneQuery { lane: OutLane::Rest, after: 0, except: &[], max: 10, max_bytes: two };
    assert_eq!(numbers(&reader.read_lane(query).await.expect("readable")), [1, 2]);
    let query = LaneQuery { max_bytes: 1, ..query };
    assert_eq!(numbers(&reader.read_lane(query).await.expect("readable")), [1]);
    running.close().await;
}

#[tokio::test]
async fn a_report_is_found_by_its_origin_in_any_block() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    for block in 0..3_u64 {
        let rows = (1..=4_096).map(|seq| chain.report(&format!("btn-{:04}", seq % 50), block * 4_096 + seq)).collect();
        running.commit(rows, vec![]).await;
    }
    let reader = &running.reader;
    for seq in [1_u64, 4_095, 4_096, 4_097, 8_193, 12_288] {
        let within_block = (seq - 1) % 4_096 + 1;
        let device = format!("device:btn-{:04}", within_block % 50);
        let found = reader.find_origin(&device, "1", seq).await.expect("readable");
        assert_eq!(found, Some(0xf000_0000_0000_0000 | seq), "{device} {seq}");
    }
    assert_eq!(reader.find_origin("device:btn-0001", "1", 99_999).await.expect("readable"), None);
    assert_eq!(reader.find_origin("device:btn-0001", "2", 1).await.expect("readable"), None);
    assert_eq!(reader.find_origin("device:btn-0002", "1", 1).await.expect("readable"), None);
    running.close().await;
}

#[tokio::test]
async fn the_newest_reports_of_a_device_are_those_with_the_highest_numbers_of_its_highest_epoch() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    let of_epoch = |mut row: gateway_core::Row, epoch: &str| {
        row.epoch = epoch.to_owned();
        row
    };
    let mut rows: Vec<_> = (1..=100).map(|seq| of_epoch(chain.report("btn-0001", seq), "9")).collect();
    rows.extend((1..=4_100).map(|seq| of_epoch(chain.report("btn-0001", 5_000 - seq), "10")));
    rows.push(of_epoch(chain.report("btn-0001", 4_999_999), "2"));
    rows.push(chain.report("btn-0002", 3));
    running.commit(rows, vec![]).await;

    let recent = |source: &'static str, limit| running.reader.recent_reports(source, limit);
    let (epoch, reports) = recent("device:btn-0001", 64).await.expect("readable").expect("it is known");
    assert_eq!(epoch, 10);
    let expected: Vec<_> = (4_936..=4_999_u64).rev().map(|seq| (seq, 0xf000_0000_0000_0000 | seq)).collect();
    assert_eq!(reports, expected);
    let few = recent("device:btn-0002", 64).await.expect("readable");
    assert_eq!(few, Some((1, vec![(3, 0xf000_0000_0000_0003)])));
    assert_eq!(recent("device:btn-0003", 64).await.expect("readable"), None);
    running.close().await;
}

#[tokio::test]
async fn the_last_refused_reports_are_found_the_newest_first_and_damaged_ones_are_left_out() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    let mut rows = Vec::new();
    for seq in 1..=5 {
        rows.push(chain.report("btn-0001", seq));
        rows.push(chain.row(OutLane::Rest, "report.refused", "btn-0002", seq, r#"{"reason":"retained"}"#, None));
    }
    running.commit(rows.clone(), vec![]).await;
    let newest = running.reader.refused_reports(3).await.expect("readable");
    assert_eq!(newest, [9, 7, 5].map(|place: usize| rows[place].bytes.clone()));
    alter(&dir.db(), "UPDATE entry SET bytes = replace(bytes, 'retained', 'oversize') WHERE n = 10").await;
    let newest = running.reader.refused_reports(2).await.expect("readable");
    assert_eq!(newest, [rows[7].bytes.clone()]);
    running.close().await;
}
