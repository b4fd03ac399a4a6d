//! `cargo xtask test`: every check and every test, one after the other, and a closing line that counts.
//!
//! A step that fails does not end the run, so that one run tells everything. A step that is no test counts as one
//! failed test when it fails and as nothing when it holds.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use crate::tally::Tally;
use crate::{checks, e2e, suite, tools, workspace};

/// What `cargo xtask test` can be asked for.
#[derive(Args, Clone, Copy)]
pub(crate) struct Options {
    /// Fail when anything was skipped; always so when CI is set
    #[arg(long)]
    no_skips: bool,
    /// Only format, lints and tests: no tools, documentation, dependency check or browser
    #[arg(long, conflicts_with = "no_skips")]
    fast: bool,
}

/// What a step found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The tests that the step ran.
    pub(crate) tally: Tally,
    /// What a reader of the last lines must know: mostly why something was skipped.
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    /// Makes the outcome of a step that can't be tried here.
    pub(crate) fn skipped(step: &str, reason: impl std::fmt::Display) -> Self {
        Self { tally: Tally::one_skipped(), notes: vec![format!("SKIPPED: {step} because {reason}")] }
    }
}

struct Step {
    name: &'static str,
    is_fast: bool,
    run: fn() -> Result<Outcome>,
}

const STEPS: [Step; 9] = [
    Step { name: "tools", is_fast: false, run: tools::step },
    Step { name: "format", is_fast: true, run: checks::format },
    Step { name: "lints", is_fast: true, run: checks::lints },
    Step { name: "documentation", is_fast: false, run: checks::documentation },
    Step { name: "dependencies", is_fast: false, run: checks::dependencies },
    Step { name: "licence texts", is_fast: false, run: checks::licence_texts },
    Step { name: "tests", is_fast: true, run: suite::run },
    Step { name: "tests of gRPC", is_fast: false, run: suite::grpc },
    Step { name: "browser", is_fast: false, run: e2e::step },
];

struct Done {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

/// Runs the steps; the exit code is a failure when anything failed, or was skipped where that is forbidden.
pub(crate) fn run(options: Options) -> Result<ExitCode> {
    let steps = STEPS.iter().filter(|step| step.is_fast || !options.fast);
    let done: Vec<Done> = steps.map(run_step).collect();
    let total = print_summary(&done);
    let forbid_skips = options.no_skips || workspace::is_ci();
    if total.skipped > 0 && forbid_skips {
        println!("skips are forbidden in this run: `cargo xtask tools` says how to get what is missing");
    }
    println!("\n{total}");
    Ok(if total.is_good(forbid_skips) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_step(step: &Step) -> Done {
    println!("\n==> {}", step.name);
    let start = Instant::now();
    let outcome = (step.run)().unwrap_or_else(|error| Outcome {
        tally: Tally::one_failed(),
        notes: vec![format!("FAILED: {}: {error:#}", step.name)],
    });
    let took = start.elapsed();
    println!("==> {}: {} after {}", step.name, verdict(outcome.tally), seconds(took));
    Done { name: step.name, took, outcome }
}

fn print_summary(done: &[Done]) -> Tally {
    let mut total = Tally::default();
    println!();
    for Done { name, took, outcome } in done {
        println!("{name:<14} {:<8} {:>8}", verdict(outcome.tally), seconds(*took));
        total += outcome.tally;
    }
    done.iter().flat_map(|step| &step.outcome.notes).for_each(|note| println!("{note}"));
    total
}

fn verdict(tally: Tally) -> &'static str {
    match tally {
        Tally { failed: 1.., .. } => "failed",
        Tally { passed: 0, skipped: 1.., .. } => "skipped",
        _ => "ok",
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_breaks_counts_as_one_failure_and_says_why() {
        let step = Step { name: "made up", is_fast: true, run: || anyhow::bail!("it is broken") };
        let done = run_step(&step);
        assert_eq!(done.outcome.tally, Tally::one_failed());
        assert_eq!(done.outcome.notes, ["FAILED: made up: it is broken"]);
    }

    #[test]
    fn a_step_with_some_skipped_tests_is_still_ok_and_one_that_only_skipped_is_not() {
        assert_eq!(verdict(Tally { passed: 3, failed: 0, skipped: 1 }), "ok");
        assert_eq!(verdict(Tally::one_skipped()), "skipped");
        assert_eq!(verdict(Tally { passed: 3, failed: 1, skipped: 1 }), "failed");
        assert_eq!(verdict(Tally::default()), "ok");
    }
}
