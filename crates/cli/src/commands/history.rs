//! `glitchlab history`: the attempts that have ended, the newest first.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use glitchlab_domain::agent;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::history::{EndedAttempt, EndedFilter};
use glitchlab_pipeline::implementer::Artifacts;
use serde::Serialize;

use super::alone;
use super::past::{self, Past};
use crate::agents;
use crate::args::History;
use crate::config;
use crate::exit::{Code, OrStop, Stop};
use crate::output::{one_line, say};
use crate::table::{Side, table};
use crate::times;

/// How much of a trace's id is shown, in digits; `glitchlab trace` takes as much.
const TRACE: usize = 8;
/// How much of what happened is shown in a table, in characters.
const DETAIL: usize = 60;

/// Runs the command.
///
/// # Errors
///
/// Returns why the store or the repository cannot be read.
pub(crate) fn run(flags: &History) -> Result<ExitCode, Stop> {
    alone(history(flags))?
}

async fn history(flags: &History) -> Result<ExitCode, Stop> {
    let since_ms = flags.since.as_deref().map(past::since).transpose().or_stop(Code::Usage)?;
    let filter = EndedFilter { since_ms, bead_id: flags.task.as_deref().map(BeadId::from) };
    let past = Past::open(&flags.place).await?;
    let ended = past.ended(&filter, flags.limit).await.or_stop(Code::Configuration)?;
    let store = config::store_of(flags.place.repo.as_deref(), flags.place.store.clone());
    let artifacts = agents::artifacts_beside(&store.or_stop(Code::Configuration)?);
    match (flags.place.json, flags.csv) {
        (true, _) => {
            let told: Vec<Told<'_>> = ended.iter().map(|it| Told::new(it, &artifacts)).collect();
            say(&serde_json::to_string_pretty(&told).context("the rows are plain data")?);
        }
        (_, true) => say(csv(&ended).trim_end()),
        _ if ended.is_empty() => say("No attempt has ended"),
        _ => say(&(text(&ended) + &said(&ended, &artifacts))),
    }
    Ok(Code::Done.into())
}

/// One attempt, with what is known of the program that edited.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    it: &'a EndedAttempt,
    /// Nothing of ours held what it spent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unbounded: bool,
    /// The files with what the program said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    transcripts: Vec<PathBuf>,
}

impl<'a> Told<'a> {
    fn new(it: &'a EndedAttempt, artifacts: &Artifacts) -> Self {
        let unbounded = agent::is_unmetered(&it.model);
        Self { it, unbounded, transcripts: artifacts.transcripts(it.attempt_id.as_str()) }
    }
}

/// Names the files with what programs said.
fn said(ended: &[EndedAttempt], artifacts: &Artifacts) -> String {
    let files = |it: &EndedAttempt| {
        let head = format!("{} {}", one_line(it.bead_id.as_str()), it.n);
        let paths = artifacts.transcripts(it.attempt_id.as_str()).into_iter();
        paths.map(move |path| format!("\n  {head}: {}", path.display())).collect::<String>()
    };
    let lines: String = ended.iter().map(files).collect();
    if lines.is_empty() { lines } else { format!("\n\nWhat agents said:{lines}") }
}

fn text(ended: &[EndedAttempt]) -> String {
    let head = [
        ("ENDED", Side::Left),
        ("TASK", Side::Left),
        ("N", Side::Right),
        ("STATUS", Side::Left),
        ("SIZE", Side::Left),
        ("TOKENS", Side::Right),
        ("COST", Side::Right),
        ("TOOK", Side::Right),
        ("MODEL", Side::Left),
        ("TRACE", Side::Left),
        ("WHAT HAPPENED", Side::Left),
    ];
    let rows: Vec<_> = ended.iter().map(row).collect();
    table(&head.map(|(name, side)| (name.to_owned(), side)), &rows)
}

fn row(it: &EndedAttempt) -> Vec<String> {
    vec![
        times::instant(it.ended_ms),
        one_line(it.bead_id.as_str()),
        it.n.to_string(),
        it.failure.map_or(it.status.name(), |failure| failure.name()).to_owned(),
        it.size.map_or("—", |size| size.name()).to_owned(),
        it.tokens.to_string(),
        it.cost.to_string(),
        format!("{} s", (it.ended_ms - it.started_ms) / 1_000),
        one_line(&agent::label(&it.model)),
        it.trace_id.as_deref().unwrap_or("—").chars().take(TRACE).collect(),
        one_line(&it.detail).chars().take(DETAIL).collect(),
    ]
}

const HEAD: &str = "attempt_id,task,title,n,status,failure,size,model,simulated,tokens,cost_micro,files_changed,branch,started,ended,detail,trace_id\n";

fn csv(ended: &[EndedAttempt]) -> String {
    let line = |it: &EndedAttempt| {
        let cells = [
            quoted(it.attempt_id.as_str()),
            quoted(it.bead_id.as_str()),
            quoted(&it.title),
            it.n.to_string(),
            it.status.name().to_owned(),
            it.failure.map_or("", |failure| failure.name()).to_owned(),
            it.size.map_or("", |size| size.name()).to_owned(),
            quoted(&it.model),
            it.simulated.to_string(),
            it.tokens.to_string(),
            it.cost.micro().to_string(),
            it.files_changed.to_string(),
            quoted(&it.branch),
            times::instant(it.started_ms),
            times::instant(it.ended_ms),
            quoted(&it.detail),
            it.trace_id.clone().unwrap_or_default(),
        ];
        cells.join(",") + "\n"
    };
    std::iter::once(HEAD.to_owned()).chain(ended.iter().map(line)).collect()
}

/// Quotes a hostile text, with an apostrophe before what a spreadsheet would take for a formula.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", one_line(text).replace('"', "\"\""))
}
