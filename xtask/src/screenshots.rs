//! `cargo xtask screenshots`: the pictures in `docs/images`, taken from the running demo.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::demo::{Demo, Options};
use crate::e2e::Browser;
use crate::process::run as run_command;
use crate::workspace;

/// Builds the program, starts its demo and takes the pictures, light and dark, wide and phone.
pub(crate) fn run() -> Result<ExitCode> {
    let browser = Browser::find()?;
    let folder = workspace::root().join("docs/images");
    std::fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
    let demo = Demo::start(&Options::release().build()?)?;
    run_command(browser.script("screenshots.mjs", demo.address()).arg(&folder))?;
    demo.stop()?;
    println!("the pictures are in {}", folder.display());
    Ok(ExitCode::SUCCESS)
}
