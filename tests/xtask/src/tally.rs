//! Counting tests from what test runners print.

/// How many passed, failed and were skipped.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    /// One thing that passed.
    pub const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    /// One thing that failed.
    pub const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    /// One thing that was skipped.
    pub const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed.saturating_add(other.passed),
            failed: self.failed.saturating_add(other.failed),
            skipped: self.skipped.saturating_add(other.skipped),
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Reads nextest's last line: `Summary [ 1.2s] 12/14 tests run: 11 passed (1 slow), 1 timed out, 3 skipped`. What ran and did not
/// pass has failed, and so has what was not run after a failure.
pub fn nextest_summary(line: &str) -> Option<Tally> {
    let line = line.trim_start().strip_prefix("Summary [")?;
    let (_, line) = line.split_once(']')?;
    let (run, outcomes) = line.split_once(" run: ")?;
    let total = run.split_whitespace().next()?.rsplit('/').next()?.parse::<usize>().ok()?;
    let passed = number_before(outcomes, " passed").unwrap_or(0);
    let skipped = number_before(outcomes, " skipped").unwrap_or(0);
    Some(Tally { passed, failed: total.saturating_sub(passed), skipped })
}

/// Reads the line that each documentation test ends with: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
pub fn test_result(line: &str) -> Option<Tally> {
    let outcomes = line.trim_start().strip_prefix("test result: ")?;
    Some(Tally {
        passed: number_before(outcomes, " passed")?,
        failed: number_before(outcomes, " failed")?,
        skipped: number_before(outcomes, " ignored")?,
    })
}

/// The lines by which tests say that they cannot do their work here (`SKIPPED: ` and the reason), in the outputs that nextest kept.
pub fn skipped_lines(outputs: &str) -> Vec<&str> {
    const WORD: &str = "SKIPPED: ";
    outputs
        .lines()
        .filter_map(|line| line.find(WORD).and_then(|at| line.get(at..)))
        .map(|line| line.split("</").next().unwrap_or(line))
        .collect()
}

fn number_before(text: &str, word: &str) -> Option<usize> {
    let (before, _) = text.split_once(word)?;
    before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_green_run_of_nextest_is_counted() {
        let line = "     Summary [   0.123s] 12 tests run: 12 passed, 3 skipped";
        assert_eq!(nextest_summary(line), Some(Tally { passed: 12, failed: 0, skipped: 3 }));
        let line = "     Summary [   0.123s] 1 test run: 1 passed (1 slow), 0 skipped";
        assert_eq!(nextest_summary(line), Some(Tally { passed: 1, failed: 0, skipped: 0 }));
    }

    #[test]
    fn whatever_did_not_pass_has_failed() {
        let line = "     Summary [  10.5s] 9/12 tests run: 5 passed (2 slow, 1 leaky), 2 failed, 1 exec failed, 1 timed out, 3 skipped";
        assert_eq!(nextest_summary(line), Some(Tally { passed: 5, failed: 7, skipped: 3 }));
        let line = "     Summary [   0.5s] 1 test run: 0 passed, 1 failed, 0 skipped";
        assert_eq!(nextest_summary(line), Some(Tally { passed: 0, failed: 1, skipped: 0 }));
    }

    #[test]
    fn documentation_tests_are_counted() {
        let line = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(test_result(line), Some(Tally { passed: 3, failed: 0, skipped: 1 }));
    }

    #[test]
    fn tests_that_skip_themselves_are_found() {
        let outputs = "<system-out>running 1 test\n</system-out>\n<system-err>SKIPPED: no browser</system-err>\n<a/>";
        assert_eq!(skipped_lines(outputs), ["SKIPPED: no browser"]);
    }

    #[test]
    fn other_lines_are_not_counted() {
        for line in
            ["", "        PASS [   0.004s] protocols id::tests::summary", "running 3 tests", "Summary of changes"]
        {
            assert_eq!(nextest_summary(line), None, "{line}");
            assert_eq!(test_result(line), None, "{line}");
        }
    }

    #[test]
    fn the_closing_line_names_what_was_skipped_only_if_something_was() {
        assert_eq!(Tally { passed: 4, failed: 1, skipped: 0 }.to_string(), "4 passed, 1 failed");
        assert_eq!(Tally { passed: 4, failed: 1, skipped: 2 }.to_string(), "4 passed, 1 failed, 2 skipped");
    }
}
