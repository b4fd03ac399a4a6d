//! The step that runs every Rust test, doc tests included, and counts them.

use anyhow::Result;

use crate::process::{cargo, must_succeed, run_lines};
use crate::skips::{self, Skips};
use crate::tally::Tally;
use crate::test::Outcome;

/// Runs the tests of the workspace; what they say they skipped is counted as skipped.
pub(crate) fn run() -> Result<Outcome> {
    let skips = Skips::start()?;
    let mut tests = cargo(&["test", "--workspace", "--no-fail-fast"]);
    tests.env(skips::VARIABLE, skips.path());
    let mut tally = Tally::default();
    let status = run_lines(&mut tests, |line| tally.add_cargo_line(line))?;
    if tally.failed == 0 {
        // Not a test that failed, then: the code does not build, or a test binary died.
        must_succeed(&tests, status)?;
    }
    let notes = skips.finish()?;
    tally.move_to_skipped(notes.len());
    Ok(Outcome { tally, notes })
}
