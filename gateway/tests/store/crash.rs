//! A process that is killed in mid-load loses nothing that it reported durable.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use gateway::adapter::store::{Journal, OpenError};

use crate::child;
use crate::rows::{Chain, Dir, put, start, start_at};

const ROUNDS: usize = 20;

/// A1.
#[tokio::test]
async fn a1_what_was_reported_durable_survives_kill_9() {
    let dir = Dir::new();
    let mut least = 0_u64;
    for round in 0..ROUNDS {
        let mut child = child::command(&[], "crash::writes_until_killed", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary runs");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        // Another number of groups in each round, so that the kill meets commits, checkpoints and reopening.
        let mut groups_left = 1 + round * 3;
        while groups_left > 0 {
            let line = lines.next().expect("the child writes until it is killed").expect("a pipe can be read");
            if let Some(n) = line.strip_prefix("durable ") {
                least = n.parse().expect("a number");
                groups_left -= 1;
            }
        }
        child.kill().expect("it runs");
        child.wait().expect("it ran");
        for line in lines.map_while(Result::ok) {
            if let Some(n) = line.strip_prefix("durable ") {
                least = n.parse().expect("a number");
            }
        }

        let (running, restored) = start(&dir).await;
        assert!(restored.last_n >= least, "round {round}: {least} was durable, {} is there", restored.last_n);
        let state = restored.state.iter().find(|(key, _)| key == "last").map(|(_, value)| value.clone());
        assert_eq!(state, Some(restored.last_n.to_string()), "round {round}: rows and state belong together");
        running.close().await;
    }
    assert!(least > 100, "the rounds went on from each other");
}

/// Kills a child after some commits, so that they lie in the log.
fn leave_a_log(dir: &Dir) -> std::path::PathBuf {
    let mut child = child::command(&[], "crash::writes_until_killed", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this binary runs");
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let durable = lines.map_while(Result::ok).filter(|line| line.starts_with("durable ")).take(30).count();
    child.kill().expect("it runs");
    child.wait().expect("it ran");
    assert_eq!(durable, 30);
    dir.db().with_extension("db-wal")
}

/// A13.
#[tokio::test]
async fn a13_a_bit_flipped_in_the_log_does_not_pass_for_a_shorter_journal() {
    let dir = Dir::new();
    let log = leave_a_log(&dir);
    let mut bytes = std::fs::read(&log).expect("a killed process leaves its log");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, &bytes).expect("ours");
    let error = Journal::open(dir.path()).await.map(|_| ()).expect_err("entries are missing");
    assert!(matches!(error, OpenError::WentBack { noted, found } if noted > found), "{error}");
    assert_eq!(std::fs::read(&log).expect("ours"), bytes, "the damaged log is kept for a person to look at");
}

/// A14.
#[tokio::test]
async fn a14_a_deleted_log_does_not_pass_for_a_shorter_journal() {
    let dir = Dir::new();
    let log = leave_a_log(&dir);
    std::fs::remove_file(log).expect("a killed process leaves its log");
    let error = Journal::open(dir.path()).await.map(|_| ()).expect_err("entries are missing");
    assert!(matches!(error, OpenError::WentBack { found: 0, .. }), "{error}");
}

#[tokio::test]
#[ignore = "run by a1_what_was_reported_durable_survives_kill_9, which kills it"]
async fn writes_until_killed() {
    let (mut running, restored) = start_at(&child::dir()).await;
    let mut chain = Chain::after(&restored);
    let mut out = std::io::stdout();
    for round in 0_u64.. {
        let rows: Vec<_> = (0..round % 25 + 1).map(|_| chain.report("btn-0001", round)).collect();
        running.commit(rows, vec![put("last", &chain.n.to_string())]).await;
        writeln!(out, "\ndurable {}", chain.n).and_then(|()| out.flush()).expect("the parent listens");
    }
}
