//! Nothing lost, nothing twice, in many histories of the real core; and broken cores are caught.
//!
//! `SEED=…` repeats one history, `SEEDS=from-to` runs those; `LONG=1` runs as many as before a release.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use simulation::long_run;
use simulation::mutant::Mutant;
use simulation::world::{Figures, run};

/// Histories in an ordinary run, and before a release.
const SEEDS: u64 = 20_000;
const SEEDS_LONG: u64 = 1_000_000;
/// Seeds beyond those that once broke a promise.
const REGRESSIONS: [u64; 18] = [
    89_596, 99_125, 102_597, 107_039, 114_202, 117_408, 135_852, 136_756, 193_437, 207_611, 281_148, 330_058, 371_226,
    399_324, 438_986, 560_196, 833_249, 863_732,
];
/// Histories in which a mutant has to be caught at the latest.
const MUTANT_SEEDS: u64 = 400;
/// Broken histories that are told; more say nothing new.
const BROKEN_TOLD: usize = 10;

/// Which histories are asked for, and whether that is a choice of somebody's.
fn seeds() -> (Vec<u64>, bool) {
    let number = |text: &str| text.trim().parse::<u64>().expect("a seed is a decimal number");
    if let Ok(seed) = std::env::var("SEED") {
        return (vec![number(&seed)], true);
    }
    if let Ok(range) = std::env::var("SEEDS") {
        let (from, to) = range.split_once('-').expect("SEEDS=from-to");
        return ((number(from)..=number(to)).collect(), true);
    }
    let count = if long_run::is_long() { SEEDS_LONG } else { SEEDS };
    let all: RangeInclusive<u64> = 1..=count;
    (REGRESSIONS.into_iter().chain(all).collect(), false)
}

/// Runs histories on all processors; gives what there was to lose, and the broken promises by seed.
fn run_all(seeds: &[u64]) -> (Figures, BTreeMap<u64, Vec<String>>) {
    let next = AtomicUsize::new(0);
    let sum = Mutex::new((Figures::default(), BTreeMap::new()));
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let run = run(*seed, None);
            let mut sum = sum.lock().expect("no other thread has panicked");
            sum.0 = sum.0.plus(run.figures);
            if !run.findings.is_empty() {
                sum.1.insert(*seed, run.findings);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    sum.into_inner().expect("no thread has panicked")
}

#[test]
fn no_promise_is_broken_in_any_history() {
    let (seeds, chosen) = seeds();
    let began = Instant::now();
    let (all, broken) = run_all(&seeds);
    println!("{} histories: {all:?}", seeds.len());
    let told: Vec<String> = broken
        .iter()
        .take(BROKEN_TOLD)
        .map(|(seed, findings)| format!("SEED={seed} cargo nextest run -p simulation\n  {}", findings.join("\n  ")))
        .collect();
    assert!(broken.is_empty(), "{} histories break a promise; to repeat them:\n{}", broken.len(), told.join("\n"));
    let count = u64::try_from(seeds.len()).expect("a number");
    let enough = [
        all.acknowledged / 10,
        all.deaths,
        all.dead_disks * 2,
        all.unanswered,
        all.alarms,
        all.provisioned,
        all.replaced * 10,
        all.jumps,
        all.full_disks * 2,
        all.silences,
        all.debits / 2,
        all.doubts,
        all.holds,
    ];
    assert!(chosen || enough.iter().all(|figure| *figure >= count / 4), "there was hardly anything to lose: {all:?}");
    let figures = format!(
        "{count} histories, {} reports acknowledged, {} alarms, {} ends of processes, {} requests without an answer; 0 promises broken",
        all.acknowledged, all.alarms, all.deaths, all.unanswered
    );
    println!("{}", long_run::figures("histories under virtual time", &figures, began.elapsed()));
}

#[test]
fn each_broken_core_is_caught() {
    println!("{:<24} {:>5}  caught by", "mutant", "seed");
    for mutant in Mutant::ALL {
        let caught =
            (1..=MUTANT_SEEDS).find_map(|seed| Some((seed, run(seed, Some(mutant)).findings.into_iter().next()?)));
        let Some((seed, finding)) = caught else { panic!("{mutant:?} is not caught in {MUTANT_SEEDS} histories") };
        println!("{:<24} {seed:>5}  {finding}", format!("{mutant:?}"));
    }
}

#[test]
fn a_seed_repeats_its_history() {
    let figures = |seed| format!("{:?}", run(seed, None).figures);
    assert_eq!(figures(7), figures(7));
    assert_ne!(figures(7), figures(8));
}
