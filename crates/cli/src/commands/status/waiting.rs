//! What waits, and for whom: as `glitchlab why` says it, or as far as the rows say where that cannot be had.

use std::collections::{BTreeMap, HashMap};

use glitchlab_domain::bead::argument;
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::reason::{Group, Reason, ReasonKind};
use glitchlab_domain::rows::GateRow;
use glitchlab_domain::task::TaskRow;
use glitchlab_domain::why::{Entry, Obstacle, Why, explain};
use glitchlab_store::Reader;
use serde::Serialize;

use crate::config::Config;
use crate::output::{one_line, remark};
use crate::standing::Standing;

#[derive(Debug, Serialize)]
pub(super) struct Held {
    #[serde(skip)]
    kind: ReasonKind,
    /// The reason's name, such as `Paused`.
    pub(super) reason: &'static str,
    pub(super) words: String,
    pub(super) since_ms: Option<i64>,
    pub(super) until_ms: Option<i64>,
    pub(super) unblocks: String,
}

/// Something that a person must decide or do.
#[derive(Debug, Serialize)]
pub(super) struct NeedsYou {
    /// The task; empty for what is of none.
    pub(super) task: String,
    pub(super) title: String,
    pub(super) reason: String,
    pub(super) since_ms: Option<i64>,
    pub(super) unblocks: String,
}

/// How many tasks wait for the same reason.
#[derive(Debug, Serialize)]
pub(super) struct Waits {
    pub(super) reason: &'static str,
    pub(super) tasks: u64,
    /// When the first of them goes on by itself.
    pub(super) until_ms: Option<i64>,
}

/// Says why nothing starts, as `glitchlab why` does; nothing when the settings are not sound or the backlog cannot be
/// read, which is said.
pub(super) async fn why(
    config: anyhow::Result<Config>,
    reader: &Reader,
    repo_id: &str,
    now_ms: i64,
) -> Option<Why> {
    let standing = match config {
        Ok(config) => Standing::read(&config, repo_id, Some(reader), now_ms).await,
        Err(error) => Err(error),
    };
    match standing {
        Ok(standing) => Some(explain(&standing.facts(), usize::MAX)),
        Err(error) => {
            remark(&format!("what waits is not known in full: {}", one_line(&format!("{error:#}"))));
            None
        }
    }
}

pub(super) fn held(why: &Why) -> Option<Held> {
    let headline = &why.headline;
    let reason = headline.reason.as_ref();
    let reason = reason.filter(|reason| is_in_the_way(reason.kind()))?;
    let entries = why.groups.iter().flat_map(|lines| &lines.entries);
    let since_ms = entries.filter(|entry| entry.reason == *reason).find_map(|entry| entry.since_ms);
    Some(said_of(reason, since_ms, headline.until_ms))
}

fn said_of(reason: &Reason, since_ms: Option<i64>, until_ms: Option<i64>) -> Held {
    let (words, unblocks) = (reason.to_string(), reason.unblocks("ID"));
    Held { kind: reason.kind(), reason: reason.name(), words, since_ms, until_ms, unblocks }
}

pub(super) fn of_gate(gate: &GateRow, now_ms: i64) -> Option<Held> {
    let Obstacle { wait, since_ms } = Obstacle::of_gate(gate, now_ms)?;
    Some(said_of(&wait.reason, since_ms, wait.until_ms))
}

/// What waits for a person, without the branches that only wait for a merge.
pub(super) fn needs_you(why: &Why) -> Vec<NeedsYou> {
    let entries = why.lines(Group::You).map_or(&[][..], |lines| &lines.entries);
    let entries = entries.iter().filter(|entry| entry.reason.kind() != ReasonKind::InReview);
    let line = |entry: &Entry| NeedsYou {
        task: entry.task.as_ref().map(ToString::to_string).unwrap_or_default(),
        title: entry.what.clone(),
        reason: entry.says.clone(),
        since_ms: entry.since_ms,
        unblocks: entry.unblocks.clone(),
    };
    let mut waiting: Vec<NeedsYou> = entries.map(line).collect();
    waiting.sort_by_key(|line| line.since_ms);
    waiting
}

/// How many tasks wait for what.
pub(super) fn waits(why: &Why) -> Vec<Waits> {
    let mut by_reason: BTreeMap<&'static str, Waits> = BTreeMap::new();
    let waiting = why.groups.iter().filter(|lines| lines.group != Group::Skipped);
    for entry in waiting.flat_map(|lines| &lines.entries).filter(|entry| entry.task.is_some()) {
        let reason = entry.reason.name();
        let waits = by_reason.entry(reason).or_insert(Waits { reason, tasks: 0, until_ms: None });
        waits.tasks += entry.count;
        waits.until_ms = waits.until_ms.into_iter().chain(entry.until_ms).min();
    }
    by_reason.into_values().collect()
}

/// The tasks that wait for a person as far as the rows say, those that have waited longest first.
pub(super) fn of_rows(tasks: &[TaskRow]) -> Vec<NeedsYou> {
    let by_key: HashMap<&TaskKey, &TaskRow> = tasks.iter().map(|task| (&task.key, task)).collect();
    // A part of what was begun again or closed since is of no use to anybody.
    let is_it =
        |task: &&TaskRow| task.state.needs_a_person() && !task.is_superseded(|key| by_key.get(key).copied());
    let mut waiting: Vec<&TaskRow> = tasks.iter().filter(is_it).collect();
    waiting.sort_by_key(|task| (task.since(), &task.bead_id));
    let line = |task: &TaskRow| {
        let (id, word) = (task.bead_id.as_str(), argument(task.bead_id.as_str()));
        let retry = || format!("`glitchlab retry {word}` or `glitchlab drop {word}`");
        NeedsYou {
            task: id.to_owned(),
            title: task.title.clone(),
            reason: task.reason.as_ref().map_or_else(|| task.state.name().to_owned(), ToString::to_string),
            since_ms: Some(task.since()),
            unblocks: task.reason.as_ref().map_or_else(retry, |reason| reason.unblocks(id)),
        }
    };
    waiting.into_iter().map(line).collect()
}

impl Held {
    /// Tells whether it lasts until somebody does something about it.
    pub(super) const fn lasts_until_somebody_acts(&self) -> bool {
        matches!(self.kind, ReasonKind::Paused | ReasonKind::DiskLow | ReasonKind::StoreUnavailable)
    }
}

/// Tells whether a reason holds up everything; that every worker is busy is no trouble.
const fn is_in_the_way(kind: ReasonKind) -> bool {
    kind.holds_admission() && !matches!(kind, ReasonKind::NoFreeWorker)
}

impl NeedsYou {
    pub(super) fn line(&self) -> String {
        let [task, title, reason, unblocks] =
            [&self.task, &self.title, &self.reason, &self.unblocks].map(|text| one_line(text));
        format!("  {}: {reason}. {unblocks}", format!("{task} {title}").trim_start())
    }
}
