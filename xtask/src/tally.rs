//! Counts tests: reads what the test runners say, adds up, prints the closing line.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that ran and held.
    pub(crate) passed: usize,
    /// Tests that ran and did not hold.
    pub(crate) failed: usize,
    /// Tests that did not really run.
    pub(crate) skipped: usize,
}

impl Tally {
    /// Makes the tally of one thing that failed without counting its tests.
    pub(crate) fn one_failed() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    /// Makes the tally of one thing that could not be tried.
    pub(crate) fn one_skipped() -> Self {
        Self { skipped: 1, ..Self::default() }
    }

    /// Adds what a line of `cargo test` counts: only its `test result:` lines do.
    pub(crate) fn add_cargo_line(&mut self, line: &str) {
        let Some((_, counts)) =
            line.trim().strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            match number_and_word(count) {
                Some((n, "passed")) => self.passed += n,
                Some((n, "failed")) => self.failed += n,
                Some((n, "ignored")) => self.skipped += n,
                _ => {}
            }
        }
    }

    /// Adds what a line of Node's test runner counts, in its `spec` or its `tap` form.
    pub(crate) fn add_node_line(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# ")) else { return };
        let Some((word, Ok(n))) = counts.trim().split_once(' ').map(|(word, n)| (word, n.parse::<usize>()))
        else {
            return;
        };
        match word {
            "pass" => self.passed += n,
            "fail" | "cancelled" => self.failed += n,
            "skipped" | "todo" => self.skipped += n,
            _ => {}
        }
    }

    /// Takes tests that said they were skipped out of those that passed, as which the runner had to count them.
    pub(crate) fn move_to_skipped(&mut self, count: usize) {
        self.passed = self.passed.saturating_sub(count);
        self.skipped += count;
    }

    /// Returns whether the run as a whole is good.
    pub(crate) fn is_good(self, forbid_skips: bool) -> bool {
        self.failed == 0 && !(forbid_skips && self.skipped > 0)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

fn number_and_word(count: &str) -> Option<(usize, &str)> {
    let (n, word) = count.trim().split_once(' ')?;
    Some((n.parse().ok()?, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cargo(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.add_cargo_line(line));
        tally
    }

    #[test]
    fn the_results_of_all_test_binaries_are_added_up() {
        let tally = cargo(&[
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ]);
        assert_eq!(tally, Tally { passed: 13, failed: 2, skipped: 1 });
    }

    #[test]
    fn a_line_that_only_looks_like_a_result_counts_nothing() {
        let tally = cargo(&[
            "test the_line_says_3_passed ... ok",
            "5 passed; 1 failed",
            "test result: ok",
            "test result: ok. many passed",
        ]);
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn both_forms_of_the_node_runner_are_read() {
        let mut tally = Tally::default();
        for line in
            ["ℹ tests 5", "ℹ pass 3", "ℹ fail 1", "ℹ cancelled 1", "ℹ skipped 0", "ℹ duration_ms 12.5"]
        {
            tally.add_node_line(line);
        }
        for line in ["# pass 2", "# skipped 4", "# todo 1", "ok 1 - pass 9", "pass 9"] {
            tally.add_node_line(line);
        }
        assert_eq!(tally, Tally { passed: 5, failed: 2, skipped: 5 });
    }

    #[test]
    fn a_test_that_said_it_was_skipped_did_not_pass() {
        let mut tally = Tally { passed: 5, failed: 0, skipped: 1 };
        tally.move_to_skipped(2);
        assert_eq!(tally, Tally { passed: 3, failed: 0, skipped: 3 });
    }

    #[test]
    fn a_skip_is_good_unless_skips_are_forbidden() {
        let skipped = Tally { passed: 5, failed: 0, skipped: 1 };
        assert!(skipped.is_good(false));
        assert!(!skipped.is_good(true));
        assert!(!Tally::one_failed().is_good(false));
    }

    #[test]
    fn the_closing_line_is_the_plain_form() {
        assert_eq!(Tally { passed: 12, failed: 0, skipped: 3 }.to_string(), "12 passed, 0 failed, 3 skipped");
    }
}
