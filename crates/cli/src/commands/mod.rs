//! One file for each command.

use anyhow::Context;

pub(crate) mod alerts;
pub(crate) mod config;
pub(crate) mod continuous;
pub(crate) mod control;
pub(crate) mod dashboard;
pub(crate) mod doctor;
pub(crate) mod dry_run;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod past;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod trace;
pub(crate) mod why;

/// Runs a command that looks or asks, and is no engine. What still waits for something that hangs is left behind.
///
/// # Errors
///
/// Fails when there is no runtime.
fn alone<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot start")?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}
