//! The step that runs every Rust test, doc tests included, and counts them.

use std::process::Command;

use anyhow::Result;

use crate::process::{cargo, must_succeed, run_lines};
use crate::skips::{self, Skips};
use crate::tally::Tally;
use crate::test::Outcome;

/// Runs the tests of the workspace; what they say they skipped is counted as skipped.
pub(crate) fn run() -> Result<Outcome> {
    tests(cargo(&["test", "--workspace", "--no-fail-fast"]))
}

/// Runs the tests of what is built only when it is asked for: telemetry by gRPC.
pub(crate) fn grpc() -> Result<Outcome> {
    let feature = "glitchlab-telemetry/otlp-grpc";
    tests(cargo(&["test", "--workspace", "--features", feature, "--test", "receivers", "--", "grpc::"]))
}

fn tests(mut tests: Command) -> Result<Outcome> {
    let skips = Skips::start()?;
    tests.env(skips::VARIABLE, skips.path());
    let (mut tally, mut notes) = (Tally::default(), Vec::new());
    let status = run_lines(&mut tests, |line| {
        tally.add_cargo_line(line);
        notes.extend(ignored_note(line));
    })?;
    let said_so = skips.finish()?;
    if tally.failed == 0 {
        // Not a test that failed, then: the code does not build, or a test binary died.
        must_succeed(&tests, status)?;
    }
    tally.move_to_skipped(said_so.len());
    notes.extend(said_so);
    Ok(Outcome { tally, notes })
}

/// Makes the line that explains a skip for a test that is marked `#[ignore]`; Cargo counts those by itself.
fn ignored_note(line: &str) -> Option<String> {
    let (test, reason) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    Some(format!("SKIPPED: {test} because it is marked #[ignore]{reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_test_is_explained_and_another_is_not() {
        let note = ignored_note("test slow::it_takes_an_hour ... ignored, too slow").unwrap();
        assert_eq!(note, "SKIPPED: slow::it_takes_an_hour because it is marked #[ignore], too slow");
        assert_eq!(ignored_note("test fast::it_is_quick ... ok"), None);
    }
}
