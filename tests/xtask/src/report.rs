//! What was done: a headline before each step, a table and the closing line at the end.
//!
//! The table tells the processor's time beside the clock's: on a machine that does other work too, only that can be compared.

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

    /// The number of tests, where it ran tests.
    pub fn tests(&self) -> Option<Tally> {
        match self {
            Self::Passed(tally) | Self::Failed(tally) => *tally,
            Self::Skipped(_) | Self::NotRun(_) => None,
        }
    }

    /// The same, where so many of the tests that passed did nothing.
    pub fn with_skipped(self, count: usize) -> Self {
        let without = |tally: Tally| Tally {
            passed: tally.passed.saturating_sub(count),
            skipped: tally.skipped.saturating_add(count),
            ..tally
        };
        match self {
            Self::Passed(tally) => Self::Passed(tally.map(without)),
            Self::Failed(tally) => Self::Failed(tally.map(without)),
            Self::Skipped(_) | Self::NotRun(_) => self,
        }
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
    steps: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    processor: Duration,
    outcome: Outcome,
}

impl Report {
    /// Does a step, under its headline. Returns whether it did not fail.
    pub fn step(&mut self, name: &'static str, work: impl FnOnce() -> Outcome) -> bool {
        println!("\n=== {name}");
        let (started, used) = (Instant::now(), processor_time());
        let outcome = work();
        if let Outcome::Skipped(reason) | Outcome::NotRun(reason) = outcome {
            println!("{name}: {reason}");
        }
        let took = started.elapsed();
        println!("=== {name}: {} after {:.1} s", word(&outcome), took.as_secs_f64());
        let good = outcome.tally().failed == 0;
        let processor = processor_time().saturating_sub(used);
        self.steps.push(Step { name, took, processor, outcome });
        good
    }

    /// Each step counts as one, and each test as one.
    pub fn tally(&self) -> Tally {
        self.steps.iter().fold(Tally::default(), |sum, step| sum.plus(step.outcome.tally()))
    }

    /// The table of all steps and the closing line.
    pub fn summary(&self) -> String {
        let mut text = String::from("   clock  processor\n");
        let (mut took, mut processor) = (Duration::ZERO, Duration::ZERO);
        for step in &self.steps {
            took = took.saturating_add(step.took);
            processor = processor.saturating_add(step.processor);
            let detail = match &step.outcome {
                Outcome::Passed(tally) | Outcome::Failed(tally) => tally.map(|t| t.to_string()).unwrap_or_default(),
                Outcome::Skipped(reason) | Outcome::NotRun(reason) => (*reason).to_owned(),
            };
            let name = format!("{:<8} {:<28} {detail}", word(&step.outcome), step.name);
            text.push_str(row(step.took, step.processor, &name).trim_end());
            text.push('\n');
        }
        text.push_str(&row(took, processor, "altogether"));
        text.push_str(&format!("\n\n{}", self.tally()));
        text
    }
}

fn row(took: Duration, processor: Duration, name: &str) -> String {
    format!("{:>6.1} s  {:>7.1} s  {name}", took.as_secs_f64(), processor.as_secs_f64())
}

/// What the ended children of this process have used. Linux tells it in ticks, of which it has 100 in a second for programs
/// (proc_pid_stat(5), fields 16 and 17). Zero where it is not told.
fn processor_time() -> Duration {
    std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| ticks_of_children(&stat)).unwrap_or_default()
}

fn ticks_of_children(stat: &str) -> Option<Duration> {
    // The second field is the program's name in parentheses, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(13).map(str::parse::<u64>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(Duration::from_millis(user.checked_add(system)?.checked_mul(10)?))
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
    fn a_test_that_skipped_itself_has_not_passed() {
        let outcome = Outcome::Passed(Some(Tally { passed: 5, failed: 0, skipped: 1 }));
        assert_eq!(outcome.with_skipped(2).tests(), Some(Tally { passed: 3, failed: 0, skipped: 3 }));
    }

    #[test]
    fn the_time_of_children_is_read() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 700 800 20 0 1 0 9";
        assert_eq!(ticks_of_children(stat), Some(Duration::from_secs(15)));
        assert_eq!(ticks_of_children("42 (a) S 1"), None);
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
