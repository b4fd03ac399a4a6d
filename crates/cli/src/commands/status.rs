//! `glitchlab status`: what the engine of a repository does and what it has spent, read from the store.

mod telemetry;
mod tokens;
mod waiting;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use glitchlab_domain::control::Said;
use glitchlab_domain::event::{Event, EventKind};
use glitchlab_domain::ledger::{REAL, Usage, simulated_scope};
use glitchlab_domain::rows::AttemptRow;
use glitchlab_domain::snapshot::Telemetry;
use glitchlab_domain::task::{TaskRow, TaskState};
use glitchlab_domain::watchdog::Clock;
use glitchlab_store::{Reader, clock};
use serde::Serialize;
use serde_json::json;

use self::tokens::Tokens;
use self::waiting::{Held, NeedsYou, Waits, held, needs_you, of_gate, of_rows, waits, why};
use super::alone;
use crate::args::Place;
use crate::config::Config;
use crate::exit::{Code, OrStop, Stop};
use crate::here::Here;
use crate::output::{one_line, say};
use crate::standing::running;
use crate::times;

/// How long it is shown what the watchdog did, ms.
const DAY_MS: i64 = 86_400_000;

/// What the command says; its JSON is stable.
#[derive(Debug, Serialize)]
struct Report {
    running: bool,
    pid: Option<u32>,
    address: Option<String>,
    /// Why nothing new starts, when that is of no single task.
    held: Option<Held>,
    /// What people have said and nobody has done yet, in order.
    said: Vec<Said>,
    tasks: BTreeMap<&'static str, usize>,
    working_on: Vec<Working>,
    needs_you: Vec<NeedsYou>,
    waits: Vec<Waits>,
    /// What the watchdog did lately, the newest first.
    watchdog: Vec<Acted>,
    /// How the way to the receivers of telemetry is, as the engine says while it runs and answers.
    telemetry: Option<Telemetry>,
    real: Option<Usage>,
    simulated: Option<Usage>,
    real_tokens: Option<Tokens>,
    simulated_tokens: Option<Tokens>,
}

/// Something that hung, and what was done about it.
#[derive(Debug, Serialize)]
struct Acted {
    at_ms: i64,
    clock: Clock,
    words: String,
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
pub(crate) fn run(flags: &Place) -> Result<ExitCode, Stop> {
    alone(status(flags))?
}

async fn status(flags: &Place) -> Result<ExitCode, Stop> {
    let Here { repo_id, store, reader, .. } = Here::open(flags).await?;
    // An engine that runs is seen although its settings are not sound any more.
    let config = Config::load(&flags.settings(None));
    let Some(reader) = reader else {
        let why = format!("no engine has run here: there is no store at {}", store.display());
        say(&if flags.json { json!({ "running": false, "why": why }).to_string() } else { why });
        return Ok(Code::NotRunning.into());
    };
    let report = report(config, &reader, &repo_id).await.or_stop(Code::Configuration)?;
    if flags.json {
        say(&serde_json::to_string_pretty(&report).context("the report is plain data")?);
    } else {
        say(&text(&report));
    }
    Ok(code(&report).into())
}

async fn report(config: anyhow::Result<Config>, reader: &Reader, repo_id: &str) -> anyhow::Result<Report> {
    let process = running(reader, repo_id).await?;
    let tasks = reader.tasks(repo_id).await?;
    let mut attempts = reader.running_attempts().await?;
    attempts.retain(|attempt| !attempt.asks_a_person());
    let now_ms = clock::wall()();
    let why = why(config, reader, repo_id, now_ms).await;
    let gate = reader.gate(repo_id).await?;
    let put_down = gate.wait(now_ms).filter(|_| gate.puts_down(now_ms));
    let put_down = put_down.map(|wait| format!("put down: {}", wait.reason));
    let usage = async |scope: &str| anyhow::Ok(reader.ledger(scope, now_ms).await?.map(|head| head.usage()));
    Ok(Report {
        running: process.is_some(),
        pid: process.as_ref().map(|row| row.pid),
        address: process.as_ref().map(|row| format!("http://{}", row.listen)),
        said: reader.open_controls(repo_id).await?.iter().filter_map(Said::of).collect(),
        held: why.as_ref().map_or_else(|| of_gate(&gate, now_ms), held),
        needs_you: why.as_ref().map_or_else(|| of_rows(&tasks), needs_you),
        waits: why.as_ref().map_or_else(Vec::new, waits),
        telemetry: telemetry::of(process.as_ref()).await,
        watchdog: acted(&reader.events_named(repo_id, "watchdog.acted", now_ms - DAY_MS).await?),
        tasks: counts(&tasks),
        working_on: attempts
            .into_iter()
            .filter_map(|attempt| working(&tasks, attempt, put_down.as_ref()))
            .collect(),
        real: usage(REAL).await?,
        simulated: usage(&simulated_scope(repo_id)).await?,
        real_tokens: Tokens::of(reader, REAL, now_ms).await?,
        simulated_tokens: Tokens::of(reader, &simulated_scope(repo_id), now_ms).await?,
    })
}

/// What the watchdog did within a day.
fn acted(events: &[Event]) -> Vec<Acted> {
    let acted = |event: &Event| match &event.kind {
        EventKind::WatchdogActed { clock, .. } => {
            Some(Acted { at_ms: event.at_ms, clock: *clock, words: event.kind.sentence()? })
        }
        _ => None,
    };
    events.iter().rev().filter_map(acted).collect()
}

fn counts(tasks: &[TaskRow]) -> BTreeMap<&'static str, usize> {
    let states = [
        TaskState::Running,
        TaskState::InReview,
        TaskState::Completed,
        TaskState::Decomposed,
        TaskState::NeedsHuman,
        TaskState::Failed,
    ];
    let count = |state: TaskState| tasks.iter().filter(|task| task.state == state).count();
    states.into_iter().map(|state| (state.name(), count(state))).collect()
}

fn working(tasks: &[TaskRow], attempt: AttemptRow, put_down: Option<&String>) -> Option<Working> {
    let task = tasks.iter().find(|task| task.key == attempt.task_key)?;
    Some(Working {
        task: task.bead_id.to_string(),
        attempt: attempt.attempt_id.to_string(),
        slot: attempt.slot,
        cost: attempt.cost,
        tokens: attempt.tokens,
        waits_for: put_down.cloned().or(attempt.waiting.map(|wait| wait.reason.to_string())),
    })
}

fn code(report: &Report) -> Code {
    let is_stopped = report.held.as_ref().is_some_and(Held::lasts_until_somebody_acts);
    match report.running {
        false => Code::NotRunning,
        true if is_stopped || !report.needs_you.is_empty() => Code::NeedsPerson,
        true => Code::Done,
    }
}

fn text(report: &Report) -> String {
    let now_ms = clock::wall()();
    let mut lines = vec![match (&report.pid, &report.address) {
        (Some(pid), Some(address)) => format!("Running, process {pid}, {address}"),
        _ => "Not running; the numbers are those of the last run".to_owned(),
    }];
    lines.extend(report.held.iter().map(|held| {
        let (words, until) = (one_line(&held.words), until(held.until_ms, now_ms));
        format!("Nothing new starts: {words}{until}. {}", held.unblocks)
    }));
    lines.extend(report.said.iter().map(|said| not_done(said, now_ms)));
    lines.extend(report.tasks.iter().map(|(state, count)| format!("  {count:>5} {state}")));
    lines.extend(report.working_on.iter().map(|working| working.line(report.running)));
    lines.extend(report.waits.iter().map(|waits| {
        let until = until(waits.until_ms, now_ms);
        format!("  {:>5} wait: {}{until}", waits.tasks, waits.reason)
    }));
    if !report.needs_you.is_empty() {
        lines.push(format!("Needs you ({})", report.needs_you.len()));
        lines.extend(report.needs_you.iter().map(NeedsYou::line));
    }
    let acted =
        |acted: &Acted| format!("  {} ago: {}", times::span(now_ms - acted.at_ms), one_line(&acted.words));
    lines.extend(report.watchdog.iter().map(acted));
    lines.extend(report.telemetry.as_ref().and_then(|telemetry| telemetry::line(telemetry, now_ms)));
    let ledgers = [("real", report.real), ("simulated", report.simulated)];
    lines.extend(ledgers.into_iter().filter_map(|(name, usage)| Some(money(name, &usage?))));
    let ledgers = [("real", &report.real_tokens), ("simulated", &report.simulated_tokens)];
    lines.extend(ledgers.into_iter().filter_map(|(name, tokens)| Some(tokens.as_ref()?.line(name))));
    lines.join("\n")
}

/// Says what was said and is not done, in the words of `status` and `why`.
pub(super) fn not_done(said: &Said, now_ms: i64) -> String {
    format!("Said and not done yet: {}, {}", one_line(&said.clause()), times::since(said.at_ms, now_ms))
}

fn until(until_ms: Option<i64>, now_ms: i64) -> String {
    until_ms.map(|until| format!(", until {}", times::until(until, now_ms))).unwrap_or_default()
}

impl Working {
    fn line(&self, is_running: bool) -> String {
        if !is_running {
            return format!("  {} goes on at the next start, {} so far", one_line(&self.task), self.cost);
        }
        let waits = self.waits_for.as_ref().map(|why| format!(", waits: {why}")).unwrap_or_default();
        format!("  {} in {}, {} so far{waits}", one_line(&self.task), self.slot, self.cost)
    }
}

fn money(name: &str, usage: &Usage) -> String {
    format!(
        "  {name} money: hour {} of {}, day {} of {}, {} set aside",
        usage.hour, usage.cap_hour, usage.day, usage.cap_day, usage.reserved
    )
}
