//! The table of measurements in miniature: every part runs, every figure is there, nothing that was acknowledged is lost.

use std::time::Duration;

use tests::bench::{self, Part, Settings};

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_of_the_table_is_measured() {
    let settings = Settings {
        parts: Part::ALL.to_vec(),
        rounds: 1,
        each: Duration::from_secs(1),
        journal: 3_000,
        backlog: 2_000,
        connections: 60,
        peer: None,
    };
    let mut out = Vec::new();
    bench::run(&mut out, &settings).await.expect("everything is measured");
    let text = String::from_utf8(out).expect("words");
    println!("{text}");
    for figure in [
        "fdatasync of 4 KiB appended",
        "plain SQLite, the same rows",
        "1 × 50 under way ",
        "100 × 20 under way ",
        "60 × 1 under way ",
        "100 × 20 under way, TLS",
        "100 × 20 under way, while the centre here takes them too",
        "press to PUBACK, p99 ",
        "press to the centre's word, p99 ",
        "idle, nobody connected",
        "60 connections, TLS",
        "2000 entries that wait for the centre add",
        "start with 3000 entries",
        "2000 entries that waited, into `central` here",
        "Debian's mosquitto, autosave_on_changes",
    ] {
        let line = text.lines().find(|line| line.starts_with(figure));
        let median = line.and_then(|line| line.get(figure.len()..)).unwrap_or_else(|| panic!("no `{figure}`"));
        let is_zero = median.split_whitespace().any(|word| word == "0.00");
        assert!(!is_zero, "{figure}: {median}");
    }
    let lost: Vec<&str> = text.lines().filter(|line| line.starts_with("lost of ")).collect();
    assert!(matches!(lost[..], [line] if !line.starts_with("lost of 0 ") && line.contains(" 0.00 ")), "{lost:?}");
    assert!(text.contains("\ngoals\n"), "goals end the table");
}
