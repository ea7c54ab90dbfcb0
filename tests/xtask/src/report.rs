//! What was done: a headline before each step, a table and the closing line at the end.

use std::time::{Duration, Instant};

use crate::tally::Tally;

/// How a step ended.
#[derive(Debug)]
pub enum Outcome {
    /// Well; with the number of tests, where it ran tests.
    Passed(Option<Tally>),
    /// Badly; with the number of tests, where it ran tests. What was wrong is printed above.
    Failed(Option<Tally>),
    /// Not possible here, and why.
    Skipped(&'static str),
    /// Without sense after an earlier failure.
    NotRun(&'static str),
}

impl Outcome {
    /// By a yes or no.
    pub fn of(good: bool) -> Self {
        if good { Self::Passed(None) } else { Self::Failed(None) }
    }

    fn tally(&self) -> Tally {
        match self {
            Self::Passed(tally) => tally.unwrap_or(Tally::PASSED),
            // A runner can fail without a failed test: the build broke, or it found none.
            Self::Failed(Some(tally)) if tally.failed > 0 => *tally,
            Self::Failed(tally) => tally.unwrap_or_default().plus(Tally::FAILED),
            Self::Skipped(_) => Tally::SKIPPED,
            Self::NotRun(_) => Tally::FAILED,
        }
    }
}

/// The steps so far.
#[derive(Default)]
pub struct Report {
    steps: Vec<(&'static str, Duration, Outcome)>,
}

impl Report {
    /// Does a step, under its headline. Returns whether it did not fail.
    pub fn step(&mut self, name: &'static str, work: impl FnOnce() -> Outcome) -> bool {
        println!("\n=== {name}");
        let started = Instant::now();
        let outcome = work();
        if let Outcome::Skipped(reason) | Outcome::NotRun(reason) = outcome {
            println!("{name}: {reason}");
        }
        let took = started.elapsed();
        println!("=== {name}: {} after {:.1} s", word(&outcome), took.as_secs_f64());
        let good = outcome.tally().failed == 0;
        self.steps.push((name, took, outcome));
        good
    }

    /// Each step counts as one, and each test as one.
    pub fn tally(&self) -> Tally {
        self.steps.iter().fold(Tally::default(), |sum, (_, _, outcome)| sum.plus(outcome.tally()))
    }

    /// The table of all steps and the closing line.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        let mut total = Duration::ZERO;
        for (name, took, outcome) in &self.steps {
            total = total.saturating_add(*took);
            let detail = match outcome {
                Outcome::Passed(tally) | Outcome::Failed(tally) => tally.map(|t| t.to_string()).unwrap_or_default(),
                Outcome::Skipped(reason) | Outcome::NotRun(reason) => (*reason).to_owned(),
            };
            let row = format!("{:>8.1} s  {:<8} {name:<34} {detail}", took.as_secs_f64(), word(outcome));
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text.push_str(&format!("{:>8.1} s  altogether\n\n{}", total.as_secs_f64(), self.tally()));
        text
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed(_) => "passed",
        Outcome::Failed(_) => "FAILED",
        Outcome::Skipped(_) => "SKIPPED",
        Outcome::NotRun(_) => "NOT RUN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_tests_are_summed() {
        let mut report = Report::default();
        assert!(report.step("format", || Outcome::of(true)));
        assert!(report.step("tests", || Outcome::Passed(Some(Tally { passed: 40, failed: 0, skipped: 2 }))));
        assert!(report.step("advisories", || Outcome::Skipped("not reachable")));
        assert_eq!(report.tally(), Tally { passed: 41, failed: 0, skipped: 3 });
        assert!(report.summary().ends_with("\n41 passed, 0 failed, 3 skipped"));
    }

    #[test]
    fn a_runner_that_fails_without_a_failed_test_has_failed() {
        let mut report = Report::default();
        assert!(!report.step("tests", || Outcome::Failed(Some(Tally { passed: 3, failed: 0, skipped: 0 }))));
        assert_eq!(report.tally(), Tally { passed: 3, failed: 1, skipped: 0 });
    }

    #[test]
    fn what_was_not_run_is_not_green() {
        let mut report = Report::default();
        assert!(!report.step("tests", || Outcome::NotRun("nothing was built")));
        assert_eq!(report.tally().failed, 1);
    }
}
