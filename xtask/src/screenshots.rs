//! `cargo xtask screenshots`: the pictures in `docs/images`, taken from the running demo.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::demo::{Demo, Options};
use crate::e2e::Browser;
use crate::process::run as run_command;
use crate::troubled::Troubled;
use crate::workspace;

/// Builds the program, starts its demo and an engine in trouble, and takes the pictures, light and dark, wide and phone.
pub(crate) fn run(options: Options) -> Result<ExitCode> {
    let browser = Browser::find()?;
    let folder = workspace::root().join("docs/images");
    std::fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
    let program = options.or_release().build()?;
    let take = |of: &str, demo: &Demo| {
        run_command(browser.script("screenshots.mjs", demo.address()).arg(&folder).arg(of))
    };

    let demo = Demo::start(&program)?;
    take("demo", &demo)?;
    demo.stop()?;

    let troubled = Troubled::prepare()?;
    let engine = troubled.start(&program)?;
    take("fires", &engine)?;
    troubled.give_up_on_some(&program)?;
    take("alerts", &engine)?;
    engine.stop()?;
    println!("the pictures are in {}", folder.display());
    Ok(ExitCode::SUCCESS)
}
