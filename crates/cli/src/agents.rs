//! The program that edits, where one is configured.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use glitchlab_domain::agent::{self, Clocks, Pointers};
use glitchlab_domain::money::MicroUsd;
use glitchlab_pipeline::implementer::{Agent, Artifacts, Implementer};
use glitchlab_pipeline::process::Environment;
use glitchlab_pipeline::process::redact::Redactor;

use crate::compose::absolute;
use crate::config::{Config, place};
use crate::exit::{Code, OrStop, Stop};

/// Returns who does the edits.
///
/// # Errors
///
/// Returns what is wrong with the command, or that its program is not there.
pub(crate) fn implementer(config: &Config) -> Result<Implementer, Stop> {
    if !is_command(config) {
        return Ok(Implementer::Builtin);
    }
    // The command itself was looked at when the settings were read.
    let agent = found(config).or_stop(Code::Unavailable)?;
    if let Err(error) = agent.artifacts.prune() {
        tracing::warn!(event = "agent.artifacts_left", "old transcripts cannot be removed: {error}");
    }
    Ok(Implementer::Command(Arc::new(agent)))
}

/// Returns the program that edits, and looks that it is there.
///
/// # Errors
///
/// Returns what is wrong with the command, or that its program is not there.
pub(crate) fn found(config: &Config) -> anyhow::Result<Agent> {
    let agent = agent(config)?;
    let program = agent.command.program();
    let is_there = find(program, &place::main_checkout(&config.repo), &config.environment).is_some();
    anyhow::ensure!(
        is_there,
        "the agent's program `{program}` is not there; name one in the PATH or an absolute path in agent.command"
    );
    Ok(agent)
}

/// Tells whether a program of the user's does the edits.
pub(crate) fn is_command(config: &Config) -> bool {
    config.effective.text("agent.kind") == "command"
}

/// Returns the variables that the program gets beside the usual ones.
pub(crate) fn passed(config: &Config) -> Vec<String> {
    config.effective.words("sandbox.pass_env")
}

/// Returns where transcripts are kept.
pub(crate) fn artifacts(config: &Config) -> Artifacts {
    artifacts_beside(&config.store)
}

/// Returns where those of a store are kept.
pub(crate) fn artifacts_beside(store: &Path) -> Artifacts {
    Artifacts::new(absolute(store.parent().unwrap_or(Path::new("."))).join("agents"))
}

/// Returns what a task is expected to cost while nothing better is known: one run, in full.
pub(crate) fn hold(config: &Config) -> Option<MicroUsd> {
    is_command(config).then(|| amount(config, "agent.max_usd_per_run") + amount(config, "agent.overshoot"))
}

fn agent(config: &Config) -> anyhow::Result<Agent> {
    let set = &config.effective;
    let command = set.agent_command()?;
    let ms = |name: &str| u64::try_from(set.time(name).as_millis()).unwrap_or(u64::MAX);
    Ok(Agent {
        name: agent::name_of(command.program()),
        command,
        cap: amount(config, "agent.max_usd_per_run"),
        overshoot: amount(config, "agent.overshoot"),
        tokens: set.whole("agent.max_tokens_per_run"),
        pointers: Pointers {
            cost: set.some("agent.cost_pointer"),
            input_tokens: set.some("agent.input_tokens_pointer"),
            output_tokens: set.some("agent.output_tokens_pointer"),
        },
        clocks: Clocks {
            silence_ms: ms("watchdog.agent_silence"),
            idle_ms: ms("watchdog.work_product"),
            wall_ms: ms("watchdog.stage"),
        },
        artifacts: artifacts(config),
        secrets: secrets(config),
    })
}

/// Knows what nobody is to read: what the environment holds that looks like a secret.
pub(crate) fn secrets(config: &Config) -> Redactor {
    Redactor::new(config.environment.secrets(&passed(config)))
}

fn amount(config: &Config, name: &str) -> MicroUsd {
    config.effective.dollars(name).unwrap_or_default()
}

/// Finds a program as it will be found from a worktree: by its path there, or in the PATH.
fn find(program: &str, checkout: &Path, environment: &Environment) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(checkout.join(program)).filter(|path| path.is_file());
    }
    let path = environment.get("PATH")?;
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|path| path.is_file())
}
