//! How the tasks of a repository stand, read from outside of its engine: the store's rows, the backlog as it is now, and
//! what the running engine says of itself in its row. The same code takes them as in the scheduler: `decide` brings the
//! rows up to date in memory, and the board takes rows and beads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context;
use glitchlab_backlog::{JsonlSource, Poll, Polled, Source as _};
use glitchlab_domain::board::Board;
use glitchlab_domain::command::{Command, Stamp};
use glitchlab_domain::control::Said;
use glitchlab_domain::decide::decide;
use glitchlab_domain::event::{Event, EventKind};
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::ledger::{Head, scope_of};
use glitchlab_domain::rows::{AttemptRow, GateRow, ProcessRow, Rows};
use glitchlab_domain::task::{SourceTask, TaskRow};
use glitchlab_domain::why::{Facts, Obstacle, Rules};
use glitchlab_models::catalog::Choice;
use glitchlab_pipeline::process::engine::Engine as Process;
use glitchlab_store::Reader;

use crate::agents;
use crate::args::Merge;
use crate::config::Config;
use crate::config::layer::Layer;

/// How far back the last word on an obstacle is looked for.
const EVENTS: u32 = 400;

/// How the tasks of a repository stand.
#[derive(Debug)]
pub(crate) struct Standing {
    board: Board,
    /// The engine that runs, if one does.
    process: Option<ProcessRow>,
    gate: Option<GateRow>,
    obstacles: Vec<Obstacle>,
    head: Option<Head>,
    attempts: Vec<AttemptRow>,
    rules: Rules,
    /// What is wrong with the backlog, one sentence each.
    faults: Vec<String>,
    said: Vec<Said>,
    now_ms: i64,
}

impl Standing {
    /// Reads it; without a store it is that of a repository on which no engine has ever run.
    ///
    /// # Errors
    ///
    /// Returns why the backlog or the store cannot be read.
    pub(crate) async fn read(
        config: &Config,
        repo_id: &str,
        reader: Option<&Reader>,
        now_ms: i64,
    ) -> anyhow::Result<Self> {
        let stored = match reader {
            Some(reader) => {
                Stored::read(reader, repo_id, config, now_ms).await.context("the store cannot be read")?
            }
            None => Stored::default(),
        };
        let backlog = backlog(config, stored.process.as_ref());
        let source = JsonlSource::discover(&config.repo, backlog.as_deref())?;
        let Polled::Changed(poll) = source.poll(None).await? else {
            anyhow::bail!("{} cannot be read as a whole", source.path().display());
        };
        let tasks = up_to_date(stored.tasks, &poll, repo_id, source.name(), now_ms)?;
        let own = own_rules(config);
        Ok(Self {
            board: board(config, tasks, &poll, now_ms),
            rules: stored.process.as_ref().and_then(|process| process.rules).unwrap_or(own),
            process: stored.process,
            gate: stored.gate,
            obstacles: stored.obstacles,
            head: stored.head,
            attempts: stored.attempts,
            faults: poll.faults.iter().map(ToString::to_string).collect(),
            said: stored.said,
            now_ms,
        })
    }

    /// Returns what is wrong with the backlog, one sentence each: what could not be read is in no answer.
    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Counts the tasks that could start now, and those that something keeps from it.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let kept = self.board.tasks().filter(|task| self.board.why(&task.key).is_some());
        (self.board.startable().count(), kept.count())
    }

    /// Returns what explanations look at.
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            board: &self.board,
            gate: self.gate.as_ref(),
            obstacles: self.obstacles.clone(),
            ledger: self.head.as_ref(),
            attempts: &self.attempts,
            rules: self.rules,
            begun: self.process.as_ref().map_or(&[], |process| &process.begun),
            said: &self.said,
            is_running: self.process.is_some(),
            read_ms: Some(self.now_ms),
            now_ms: self.now_ms,
        }
    }
}

/// What the store has of a repository.
#[derive(Default)]
struct Stored {
    tasks: Vec<TaskRow>,
    process: Option<ProcessRow>,
    gate: Option<GateRow>,
    obstacles: Vec<Obstacle>,
    head: Option<Head>,
    attempts: Vec<AttemptRow>,
    said: Vec<Said>,
}

impl Stored {
    async fn read(reader: &Reader, repo_id: &str, config: &Config, now_ms: i64) -> anyhow::Result<Self> {
        let process = running(reader, repo_id).await?;
        let scope = process.as_ref().map_or_else(|| scope(config, repo_id), |process| process.scope.clone());
        let (mut obstacles, mut attempts) = (Vec::new(), Vec::new());
        if let Some(process) = &process {
            obstacles = in_the_way(&reader.last_events_of(repo_id, EVENTS).await?, process);
            attempts = reader.running_attempts().await?;
            attempts.retain(|attempt| attempt.boot_id == process.boot_id && !attempt.asks_a_person());
        }
        Ok(Self {
            tasks: reader.tasks(repo_id).await?,
            process,
            gate: Some(reader.gate(repo_id).await?),
            obstacles,
            head: reader.ledger(&scope, now_ms).await?,
            said: reader.open_controls(repo_id).await?.iter().filter_map(Said::of).collect(),
            attempts,
        })
    }
}

/// Returns the engine that runs on a repository.
///
/// # Errors
///
/// Returns what the store says.
pub(crate) async fn running(reader: &Reader, repo_id: &str) -> anyhow::Result<Option<ProcessRow>> {
    let is_alive = |row: &ProcessRow| {
        row.repo_id == repo_id
            && Process { host: row.host.clone(), pid: row.pid, start_ticks: row.start_ticks }.is_alive()
    };
    Ok(reader.alive_processes().await?.into_iter().find(is_alive))
}

/// Returns the file that the engine reads that runs; unless one is named, or none runs: then that of the settings.
fn backlog(config: &Config, process: Option<&ProcessRow>) -> Option<PathBuf> {
    let is_named = config.effective.get("backlog.path").origin.layer == Layer::Flag;
    let running = process.filter(|row| !is_named && !row.backlog.is_empty());
    running.map(|row| PathBuf::from(&row.backlog)).or_else(|| config.backlog.clone())
}

/// Names the ledger that an engine of these settings would spend from.
pub(crate) fn scope(config: &Config, repo_id: &str) -> String {
    let is_simulated = config.model.parse::<Choice>().is_ok_and(|choice| choice.simulated());
    // The money of a program that edits is real, whatever plans and reviews.
    scope_of(is_simulated && !agents::is_command(config), repo_id)
}

/// What the engine has said last of its own obstacles: its disk, its store.
fn in_the_way(events: &[Event], process: &ProcessRow) -> Vec<Obstacle> {
    let of_this_boot = events.iter().filter(|event| event.id.boot_id == process.boot_id);
    let last = of_this_boot.max_by_key(|event| match event.kind {
        EventKind::AdmissionStopped { .. } | EventKind::AdmissionResumed => Some(event.id.seq),
        _ => None,
    });
    match last.map(|event| (&event.kind, event.at_ms)) {
        Some((EventKind::AdmissionStopped { wait }, at_ms)) => {
            vec![Obstacle { wait: wait.clone(), since_ms: Some(at_ms) }]
        }
        _ => Vec::new(),
    }
}

const fn own_rules(config: &Config) -> Rules {
    let merges_here = matches!(config.merge, Merge::WhenGreen);
    let Config { workers, max_open, max_tasks, .. } = *config;
    Rules { workers, max_open, merges_here, max_tasks }
}

/// Brings rows up to date with the backlog as an engine would, and writes nothing.
fn up_to_date(
    tasks: Vec<TaskRow>,
    poll: &Poll,
    repo_id: &str,
    source: &str,
    now_ms: i64,
) -> anyhow::Result<BTreeMap<TaskKey, TaskRow>> {
    let tasks = tasks.into_iter().map(|task| (task.key.clone(), task)).collect();
    let mut rows = Rows { tasks, ..Rows::default() };
    let beads = poll.beads.iter().map(|bead| SourceTask::of(repo_id, source, bead)).collect();
    let stamp = Stamp { now_ms, nonce: String::new(), entropy: 0 };
    for write in decide(&rows, &Command::Sync { beads }, &stamp)?.rows {
        rows.apply(write);
    }
    Ok(rows.tasks)
}

fn board(config: &Config, tasks: BTreeMap<TaskKey, TaskRow>, poll: &Poll, now_ms: i64) -> Board {
    let mut board = Board::new(config.filter.clone(), now_ms);
    for task in tasks.into_values() {
        board.take_task(task);
    }
    board.take_reading(&poll.beads, poll.is_complete(), &mut BTreeSet::new());
    board
}
