//! `glitchlab status`: what the engine of a repository does and what it has spent, read from the store.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use glitchlab_domain::ledger::Usage;
use glitchlab_domain::rows::{AttemptRow, ProcessRow};
use glitchlab_domain::task::TaskState;
use glitchlab_pipeline::git::{GitRepo, RepoOptions};
use glitchlab_pipeline::process::engine::Engine as Process;
use glitchlab_store::{Reader, Sqlite, clock};
use serde::Serialize;

use crate::args::Status;
use crate::exit::{Code, OrStop, Stop};
use crate::output::say;
use crate::{compose, config};

/// What the command says; its JSON is stable.
#[derive(Debug, Serialize)]
struct Report {
    running: bool,
    pid: Option<u32>,
    address: Option<String>,
    tasks: BTreeMap<&'static str, usize>,
    working_on: Vec<Working>,
    real: Option<Usage>,
    simulated: Option<Usage>,
}

#[derive(Debug, Serialize)]
struct Working {
    task: String,
    attempt: String,
    slot: String,
    cost: glitchlab_domain::money::MicroUsd,
    tokens: u64,
    waits_for: Option<String>,
}

/// Runs the command.
///
/// # Errors
///
/// Returns why the store or the repository cannot be read.
pub(crate) fn run(flags: &Status) -> Result<ExitCode, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(status(flags))
}

async fn status(flags: &Status) -> Result<ExitCode, Stop> {
    let store = config::store_of(flags.repo.as_deref(), flags.store.clone()).or_stop(Code::Configuration)?;
    let path = flags.repo.as_deref().unwrap_or(Path::new("."));
    let repo =
        GitRepo::open(path, &RepoOptions::new(config::environment())).await.or_stop(Code::Configuration)?;
    if !store.exists() {
        say(&format!("No engine has run here: there is no store at {}", store.display()));
        return Ok(Code::NotRunning.into());
    }
    let reader = Reader::Sqlite(Sqlite::readers(&store).await.or_stop(Code::Configuration)?);
    let report = report(&reader, &compose::repo_id(&repo)).await.or_stop(Code::Configuration)?;
    if flags.json {
        say(&serde_json::to_string_pretty(&report).context("the report is plain data")?);
    } else {
        say(&text(&report));
    }
    Ok(code(&report).into())
}

async fn report(reader: &Reader, repo_id: &str) -> anyhow::Result<Report> {
    let alive = |row: &ProcessRow| {
        row.repo_id == repo_id
            && Process { host: row.host.clone(), pid: row.pid, start_ticks: row.start_ticks }.is_alive()
    };
    let process = reader.alive_processes().await?.into_iter().find(alive);
    let tasks = reader.tasks(repo_id).await?;
    let states = [
        TaskState::Running,
        TaskState::InReview,
        TaskState::Completed,
        TaskState::Decomposed,
        TaskState::NeedsHuman,
        TaskState::Failed,
    ];
    let count = |state: TaskState| tasks.iter().filter(|task| task.state == state).count();
    let named = |attempt: AttemptRow| {
        let task = tasks.iter().find(|task| task.key == attempt.task_key)?;
        Some(Working {
            task: task.bead_id.to_string(),
            attempt: attempt.attempt_id.to_string(),
            slot: attempt.slot,
            cost: attempt.cost,
            tokens: attempt.tokens,
            waits_for: attempt.waiting.map(|wait| wait.reason.to_string()),
        })
    };
    let now_ms = clock::wall()();
    let usage =
        async |scope: &str| anyhow::Ok(reader.ledger(scope, now_ms).await?.map(|(head, _)| head.usage()));
    Ok(Report {
        running: process.is_some(),
        pid: process.as_ref().map(|row| row.pid),
        address: process.map(|row| format!("http://{}", row.listen)),
        tasks: states.into_iter().map(|state| (state.name(), count(state))).collect(),
        working_on: reader.running_attempts().await?.into_iter().filter_map(named).collect(),
        real: usage("real").await?,
        simulated: usage(&format!("simulated:{repo_id}")).await?,
    })
}

fn code(report: &Report) -> Code {
    let waits = |(state, count): (&&str, &usize)| matches!(*state, "needs_human" | "failed") && *count > 0;
    match report.running {
        false => Code::NotRunning,
        true if report.tasks.iter().any(waits) => Code::NeedsPerson,
        true => Code::Done,
    }
}

fn text(report: &Report) -> String {
    let mut lines = vec![match (&report.pid, &report.address) {
        (Some(pid), Some(address)) => format!("Running, process {pid}, {address}"),
        _ => "Not running; the numbers are those of the last run".to_owned(),
    }];
    lines.extend(report.tasks.iter().map(|(state, count)| format!("  {count:>5} {state}")));
    for working in &report.working_on {
        let waits = working.waits_for.as_ref().map(|why| format!(", waits: {why}")).unwrap_or_default();
        lines.push(format!("  {} in {}, {} so far{waits}", working.task, working.slot, working.cost));
    }
    for (name, usage) in [("real", report.real), ("simulated", report.simulated)] {
        let Some(usage) = usage else { continue };
        lines.push(format!(
            "  {name} money: hour {} of {}, day {} of {}, {} set aside",
            usage.hour, usage.cap_hour, usage.day, usage.cap_day, usage.reserved
        ));
    }
    lines.join("\n")
}
