//! Promises about uploads that something on the way refuses as a whole: nothing is lost, nothing stops, people are told.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect among many")]

mod bench;

use std::collections::BTreeSet;

use bench::Bench;
use gateway_core::{Effect, Input, OutLane, UplinkFailure, UplinkInput};
use protocols::uplink::{Outcome, Results, UploadResult};

/// A centre behind a proxy that refuses every request in which one of these entries is.
struct Proxy {
    refuses: BTreeSet<u64>,
    everything: bool,
    taken: BTreeSet<u64>,
    requests: usize,
}

impl Proxy {
    fn refusing(refuses: &[u64]) -> Self {
        Self { refuses: refuses.iter().copied().collect(), everything: false, taken: BTreeSet::new(), requests: 0 }
    }

    /// Answers every upload until none comes any more, or so many were answered.
    fn serve(&mut self, bench: &mut Bench, requests_max: usize) {
        let mut left = requests_max;
        loop {
            bench.settle();
            let effects = bench.take();
            let uploads: Vec<_> = effects
                .into_iter()
                .filter_map(|effect| match effect {
                    Effect::Upload { lane, after, except, max } => Some((lane, after, except, max)),
                    _ => None,
                })
                .collect();
            if uploads.is_empty() {
                return;
            }
            for (lane, after, except, max) in uploads {
                if left == 0 {
                    return;
                }
                left -= 1;
                self.answer(bench, lane, after, &except, max);
            }
        }
    }

    fn answer(&mut self, bench: &mut Bench, lane: OutLane, after: u64, except: &[u64], max: usize) {
        let of_lane = bench.rows.iter().filter(|row| row.lane == lane && row.n > after && !except.contains(&row.n));
        let sent: Vec<u64> = of_lane.map(|row| row.n).take(max).collect();
        self.requests += 1;
        let refused = !sent.is_empty() && (self.everything || sent.iter().any(|n| self.refuses.contains(n)));
        let result = if refused {
            Err(UplinkFailure::RefusedWhole)
        } else {
            self.taken.extend(&sent);
            let accepted = |n: &u64| UploadResult { n: Some(*n), outcome: Outcome::Accepted, reason: None };
            Ok(Results { v: 1, results: sent.iter().map(accepted).collect(), head: None })
        };
        bench.input(Input::Uplink(UplinkInput::Uploaded { lane, after, sent, result }));
    }
}

fn tests_of_devices(bench: &mut Bench, count: u64) {
    for seq in 1..=count {
        bench.publish("btn-0001", &format!(r#"{{"v":1,"epoch":1,"seq":{seq},"kind":"test"}}"#));
    }
    bench.settle();
}

fn lane_rows(bench: &Bench, lane: OutLane) -> BTreeSet<u64> {
    bench.rows.iter().filter(|row| row.lane == lane).map(|row| row.n).collect()
}

#[test]
fn an_entry_that_is_refused_as_a_whole_goes_to_quarantine_and_all_others_arrive() {
    let mut bench = Bench::new();
    tests_of_devices(&mut bench, 300);
    let mut proxy = Proxy::refusing(&[137, 138, 299]);
    for _ in 0..20 {
        proxy.serve(&mut bench, 1_000);
        bench.advance(30_000);
    }
    let all = lane_rows(&bench, OutLane::Rest);
    assert!(proxy.taken.is_superset(&all.difference(&proxy.refuses).copied().collect()), "the lane flows on");
    let quarantine: Vec<(u64, Option<String>)> =
        bench.core.quarantine().into_iter().map(|entry| (entry.n, entry.reason)).collect();
    let reason = || Some("refused_whole".to_owned());
    assert!(quarantine.contains(&(137, reason())) && quarantine.contains(&(138, reason())), "{quarantine:?}");
    assert!(bench.core.alarms(false).iter().any(|alarm| alarm.kind == "upload_refused"), "people are told");
    assert!(proxy.requests < 200, "{}", proxy.requests);
}

#[test]
fn a_way_that_refuses_everything_puts_nothing_in_quarantine_and_is_asked_with_pauses() {
    let mut bench = Bench::new();
    tests_of_devices(&mut bench, 600);
    let mut proxy = Proxy { everything: true, ..Proxy::refusing(&[]) };
    for _ in 0..10 {
        proxy.serve(&mut bench, 1_000);
        bench.advance(30_000);
    }
    assert!(bench.core.quarantine().is_empty());
    assert!(proxy.requests < 150, "{}", proxy.requests);
    proxy.everything = false;
    for _ in 0..5 {
        bench.advance(30_000);
        proxy.serve(&mut bench, 1_000);
    }
    assert!(proxy.taken.is_superset(&lane_rows(&bench, OutLane::Rest)), "then everything arrives");
}

#[test]
fn an_alarm_that_is_refused_as_a_whole_is_tried_on_and_on_and_does_not_delay_the_next() {
    let mut bench = Bench::new();
    bench.press(1);
    bench.settle();
    let mut proxy = Proxy::refusing(&[1]);
    proxy.serve(&mut bench, 100);
    bench.publish("btn-0002", r#"{"v":1,"epoch":1,"seq":1,"kind":"sos"}"#);
    bench.settle();
    proxy.serve(&mut bench, 100);
    let second = bench.rows.iter().find(|row| row.source == "device:btn-0002").expect("recorded").n;
    assert!(proxy.taken.contains(&second), "at once, without a pause");
    assert!(bench.core.alarms(false).iter().any(|alarm| alarm.kind == "upload_refused"), "people are told");
    for _ in 0..20 {
        bench.advance(30_000);
        proxy.serve(&mut bench, 100);
    }
    assert!(!proxy.taken.contains(&1) && bench.core.quarantine().is_empty());
    proxy.refuses.clear();
    bench.advance(30_000);
    proxy.serve(&mut bench, 100);
    assert!(proxy.taken.contains(&1), "it was never given up");
    assert_eq!(bench.core.status().lanes.iter().map(|lane| lane.waiting).sum::<u64>(), 0);
}
