//! `cargo xtask e2e`: what a browser sees of the running demo, as `tests/e2e/smoke.mjs` says.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::demo::{Demo, Options};
use crate::process::{command, must_succeed, run_lines};
use crate::tally::Tally;
use crate::test::Outcome;
use crate::{tools, workspace};

/// What looks at the pages: Node.js with the packages of `tests/e2e`, and a browser of the system.
pub(crate) struct Browser {
    node: PathBuf,
    chromium: PathBuf,
}

impl Browser {
    /// Finds all that is needed; the error names the first thing that is missing.
    pub(crate) fn find() -> Result<Self> {
        let node = tools::node().context("Node.js 20 or newer is missing: run `cargo xtask tools`")?;
        let chromium = tools::chromium().context("Chromium is missing: run `cargo xtask tools`")?;
        anyhow::ensure!(
            tools::has_e2e_packages(),
            "the packages of tests/e2e are missing: run `cargo xtask tools`"
        );
        Ok(Self { node, chromium })
    }

    /// Starts to describe a script of `tests/e2e` that looks at an address.
    pub(crate) fn script(&self, name: &str, address: &str) -> Command {
        let mut script = command(&self.node);
        script.arg("--test-reporter=spec").arg(workspace::e2e().join(name)).arg(address).arg(&self.chromium);
        script
    }
}

/// Runs the smoke test; the exit code is a failure when it fails or counts no test.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let browser = Browser::find()?;
    let tally = smoke(&browser, &options.build()?)?;
    println!("\n{tally}");
    Ok(if tally.is_good(true) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the smoke test as a step of the suite, on the program that the tests built.
pub(crate) fn step() -> Result<Outcome> {
    let browser = match Browser::find() {
        Ok(browser) => browser,
        Err(missing) => return Ok(Outcome::skipped("browser", missing)),
    };
    let tally = smoke(&browser, &Options::default().build()?)?;
    Ok(Outcome { tally, ..Outcome::default() })
}

fn smoke(browser: &Browser, program: &Path) -> Result<Tally> {
    let demo = Demo::start(program)?;
    let mut tests = browser.script("smoke.mjs", demo.address());
    let mut tally = Tally::default();
    let status = run_lines(&mut tests, |line| tally.add_node_line(line))?;
    if tally.failed == 0 {
        must_succeed(&tests, status)?;
    }
    anyhow::ensure!(tally != Tally::default(), "smoke.mjs ran no test");
    demo.stop()?;
    Ok(tally)
}
