//! `gateway journal verify | show`: what they find and print.

use gateway::adapter::store::{DamagedRow, Depth, Fault, ShowFilter, verify};
use gateway::journal_cli;
use gateway_core::OutLane;

use crate::rows::{Chain, Dir, alter, alter_all, private, put, start};

const CARD: &str = r#"{"card":"31000000000000012345"}"#;

/// 1 to 30 reports, 31 and 32 sales with a private record, 33 an alarm.
async fn fill(dir: &Dir) -> Chain {
    let (mut running, _) = start(dir).await;
    let mut chain = Chain::default();
    let mut rows: Vec<_> = (1..=30).map(|seq| chain.report("btn-0001", seq)).collect();
    rows.extend([chain.sale(1, private(CARD)), chain.sale(2, private("{}")), chain.alarm("btn-0002", 5)]);
    running.commit(rows, vec![put("a", "1"), put("b", "2")]).await;
    running.close().await;
    chain
}

async fn bad_row(sql: &'static str) -> DamagedRow {
    let dir = Dir::new();
    fill(&dir).await;
    alter(&dir.db(), sql).await;
    let report = verify(dir.path(), Depth::Entries).await.expect("it can be read");
    assert!(!report.is_good());
    report.bad.expect("the damage is found")
}

#[tokio::test]
async fn a_good_journal_verifies_to_its_head_with_and_without_a_running_gateway() {
    let dir = Dir::new();
    let chain = fill(&dir).await;
    let report = verify(dir.path(), Depth::Whole).await.expect("it can be read");
    assert!(report.is_good(), "{report:?}");
    assert_eq!((report.head_n, report.head_hash), (chain.n, chain.hash));
    assert_eq!((report.private_kept, report.private_erased, report.state), (2, 0, 2));

    let (mut running, restored) = start(&dir).await;
    let mut chain = Chain::after(&restored);
    running.commit(vec![chain.alarm("btn-0003", 1)], vec![]).await;
    let report = verify(dir.path(), Depth::Whole).await.expect("it can be read");
    assert!(report.is_good(), "{report:?}");
    assert_eq!(report.head_n, 34);
    running.commit(vec![chain.alarm("btn-0003", 2)], vec![]).await;
    running.close().await;
}

#[tokio::test]
async fn h11_the_first_changed_entry_is_named_with_what_is_wrong() {
    let fault = |n, fault| DamagedRow { n, fault };
    let changed = "UPDATE entry SET bytes = replace(bytes, 'test', 'tesT') WHERE n = 12";
    assert_eq!(bad_row(changed).await, fault(12, Fault::Hash));
    assert_eq!(bad_row("UPDATE entry SET hash = zeroblob(32) WHERE n = 13").await, fault(13, Fault::Hash));
    assert_eq!(bad_row("UPDATE entry SET hash = x'00' WHERE n = 13").await, fault(13, Fault::HashLength));
    assert_eq!(bad_row("DELETE FROM entry WHERE n = 14").await, fault(15, Fault::Gap { first: 14 }));
    assert_eq!(bad_row("DELETE FROM entry WHERE n = 1").await, fault(2, Fault::Gap { first: 1 }));
    assert_eq!(bad_row("UPDATE entry SET seq = 99 WHERE n = 15").await, fault(15, Fault::Columns));
    assert_eq!(bad_row("UPDATE entry SET epoch = '2' WHERE n = 16").await, fault(16, Fault::Columns));
    assert_eq!(bad_row("UPDATE entry SET source = 'device:x' WHERE n = 17").await, fault(17, Fault::Columns));
    assert_eq!(bad_row("UPDATE entry SET kind = 'x' WHERE n = 18").await, fault(18, Fault::Columns));
    assert_eq!(bad_row("UPDATE entry SET lane = 2 WHERE n = 33").await, fault(33, Fault::Columns));
    assert_eq!(bad_row("UPDATE private SET bytes = '{ }' WHERE n = 32").await, fault(32, Fault::Private));
    assert_eq!(bad_row("UPDATE private SET salt = '00' WHERE n = 31").await, fault(31, Fault::Private));
    assert_eq!(bad_row("UPDATE private SET n = 30 WHERE n = 31").await, fault(30, Fault::PrivateUnnamed));
}

#[tokio::test]
async fn h11_an_entry_made_anew_with_a_fitting_hash_breaks_the_next_one() {
    let dir = Dir::new();
    fill(&dir).await;
    let before: Vec<u8> = hex::decode(hash_of(&dir, 9).await).expect("hex");
    let bytes = "{}";
    let forged = gateway::adapter::store::link(&before.try_into().expect("32 bytes"), bytes.as_bytes());
    let sql = format!("UPDATE entry SET bytes = '{bytes}', hash = x'{}' WHERE n = 10", hex::encode(forged));
    alter_all(&dir.db(), &sql, 1).await;
    let report = verify(dir.path(), Depth::Entries).await.expect("it can be read");
    assert_eq!(report.bad, Some(DamagedRow { n: 10, fault: Fault::NotAnEntry }));
    assert_eq!(report.head_n, 9);
}

async fn hash_of(dir: &Dir, n: u64) -> String {
    let line = lines(dir, &ShowFilter { from: Some(n), limit: Some(1), ..ShowFilter::default() }).await.remove(0);
    line["hash"].as_str().expect("a hash").to_owned()
}

#[tokio::test]
async fn h11_a_tail_that_was_cut_off_is_found() {
    let dir = Dir::new();
    fill(&dir).await;
    alter_all(&dir.db(), "DELETE FROM entry WHERE n > 31", 2).await;
    let report = verify(dir.path(), Depth::Entries).await.expect("it can be read");
    assert_eq!((report.head_n, report.went_back_from), (31, Some(33)));
    assert!(!report.is_good());
}

#[tokio::test]
async fn a_damaged_state_record_is_named() {
    let dir = Dir::new();
    fill(&dir).await;
    alter(&dir.db(), "UPDATE state SET value = '9' WHERE key = 'b'").await;
    let report = verify(dir.path(), Depth::Entries).await.expect("it can be read");
    assert_eq!((report.state, report.state_damaged), (1, vec!["b".to_owned()]));
}

#[tokio::test]
async fn erasing_a_private_record_leaves_no_trace_of_it_and_the_chain_whole() {
    let dir = Dir::new();
    fill(&dir).await;
    let (running, _) = start(&dir).await;
    assert!(running.writer.erase_private(31).await.expect("the writer runs"));
    assert!(!running.writer.erase_private(31).await.expect("the writer runs"), "it is gone");
    let report = verify(dir.path(), Depth::Whole).await.expect("it can be read");
    assert!(report.is_good(), "{report:?}");
    assert_eq!((report.private_kept, report.private_erased), (1, 1));
    for file in std::fs::read_dir(dir.path()).expect("ours") {
        let path = file.expect("ours").path();
        let bytes = std::fs::read(&path).expect("ours");
        assert!(!bytes.windows(20).any(|part| part == b"31000000000000012345"), "{}", path.display());
    }
    running.close().await;
}

async fn lines(dir: &Dir, filter: &ShowFilter) -> Vec<serde_json::Value> {
    let mut out = Vec::new();
    journal_cli::show(dir.path(), filter, &mut out).await.expect("it can be read");
    out.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("a line is JSON"))
        .collect()
}

fn numbers(lines: &[serde_json::Value]) -> Vec<u64> {
    lines.iter().filter_map(|line| line["n"].as_u64()).collect()
}

#[tokio::test]
async fn show_prints_entries_as_json_lines_and_personal_data_only_when_asked() {
    let dir = Dir::new();
    fill(&dir).await;
    let all = lines(&dir, &ShowFilter::default()).await;
    assert_eq!(numbers(&all), (1..=33).collect::<Vec<_>>());
    assert_eq!(all[32]["lane"], "alarms");
    assert_eq!(all[32]["entry"]["kind"], "alarm.raised");
    assert!(!all.iter().any(|line| line.to_string().contains("31000000000000012345")));

    let sales = ShowFilter { lane: Some(OutLane::Sales), private: true, ..ShowFilter::default() };
    let sales = lines(&dir, &sales).await;
    assert_eq!(numbers(&sales), [31, 32]);
    assert_eq!(sales[0]["private"], CARD);

    let last = lines(&dir, &ShowFilter { limit: Some(3), ..ShowFilter::default() }).await;
    assert_eq!(numbers(&last), [31, 32, 33]);
    let from = lines(&dir, &ShowFilter { from: Some(5), limit: Some(2), ..ShowFilter::default() }).await;
    assert_eq!(numbers(&from), [5, 6]);
    let source = Some("device:btn-0002".to_owned());
    assert_eq!(numbers(&lines(&dir, &ShowFilter { source, ..ShowFilter::default() }).await), [33]);
    let kind = Some("sale.intent".to_owned());
    let last_sale = ShowFilter { kind, limit: Some(1), ..ShowFilter::default() };
    assert_eq!(numbers(&lines(&dir, &last_sale).await), [32]);
}

#[tokio::test]
async fn verify_prints_its_findings_in_words() {
    let dir = Dir::new();
    fill(&dir).await;
    let mut out = Vec::new();
    assert!(journal_cli::verify(dir.path(), Depth::Whole, &mut out).await.expect("readable"));
    let text = String::from_utf8(out).expect("text");
    assert!(text.contains("33 verified") && text.ends_with("all is well\n"), "{text}");

    alter(&dir.db(), "UPDATE entry SET bytes = replace(bytes, 'test', 'tesT') WHERE n = 12").await;
    let mut out = Vec::new();
    assert!(!journal_cli::verify(dir.path(), Depth::Entries, &mut out).await.expect("readable"));
    let text = String::from_utf8(out).expect("text");
    assert!(text.contains("DAMAGED   entry 12 is damaged: its bytes do not give its hash"), "{text}");
}
