//! Nothing lost, nothing twice, in many histories of the real core; and broken cores are caught.
//!
//! `SEED=…` repeats one history; `LONG=1` runs as many as before a release.

use simulation::mutant::Mutant;
use simulation::world::{Figures, run};

/// Histories in an ordinary run, and before a release.
const SEEDS: u64 = 300;
const SEEDS_LONG: u64 = 100_000;
/// Seeds that once broke a promise.
const REGRESSIONS: [u64; 6] = [45, 349, 367, 439, 479, 493];
/// Histories in which a mutant has to be caught at the latest.
const MUTANT_SEEDS: u64 = 200;

#[test]
fn no_promise_is_broken_in_any_history() {
    let one = std::env::var("SEED").ok().map(|seed| seed.parse::<u64>().expect("the seed is a decimal number"));
    let count = if std::env::var_os("LONG").is_some() { SEEDS_LONG } else { SEEDS };
    let seeds: Vec<u64> = match one {
        Some(seed) => vec![seed],
        None => REGRESSIONS.into_iter().chain(1..=count).collect(),
    };
    let mut all = Figures::default();
    for seed in &seeds {
        let run = run(*seed, None);
        assert!(
            run.findings.is_empty(),
            "SEED={seed} cargo nextest run -p simulation repeats this history\n{}",
            run.findings.join("\n")
        );
        all.events += run.figures.events;
        all.acknowledged += run.figures.acknowledged;
        all.deaths += run.figures.deaths;
        all.dead_disks += run.figures.dead_disks;
        all.unanswered += run.figures.unanswered;
        all.alarms += run.figures.alarms;
    }
    println!("{} histories: {all:?}", seeds.len());
    let few = one.is_none()
        && (all.acknowledged < 10 * count
            || all.deaths < count
            || all.dead_disks < count / 2
            || all.unanswered < count);
    assert!(!few, "there was hardly anything to lose: {all:?}");
}

#[test]
fn each_broken_core_is_caught() {
    for mutant in Mutant::ALL {
        let caught =
            (1..=MUTANT_SEEDS).find_map(|seed| Some((seed, run(seed, Some(mutant)).findings.into_iter().next()?)));
        let Some((seed, finding)) = caught else { panic!("{mutant:?} is not caught in {MUTANT_SEEDS} histories") };
        println!("{mutant:?}: caught at seed {seed} by: {finding}");
    }
}

#[test]
fn a_seed_repeats_its_history() {
    let figures = |seed| format!("{:?}", run(seed, None).figures);
    assert_eq!(figures(7), figures(7));
    assert_ne!(figures(7), figures(8));
}
