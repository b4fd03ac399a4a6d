//! Why one task does not run, or what it is at.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::survey::Survey;
use super::{Entry, Facts, Gate, blockers, entries, gates, nearest};
use crate::bead::BeadId;
use crate::board::Stand;
use crate::control::Said;
use crate::reason::{Reason, Wait};
use crate::task::{TaskRow, TaskState};

/// How many tasks before it, and how many of its chain of blockers, are named.
const NAMED: usize = 20;

/// Everything about one task that says why it does not run. Its JSON is stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskWhy {
    /// When this was so, ms UTC.
    pub as_of_ms: i64,
    /// An engine runs.
    pub running: bool,
    /// The task.
    pub task: BeadId,
    /// Its title: hostile text.
    pub title: String,
    /// Where we stand with it.
    pub state: TaskState,
    /// Its status in the backlog.
    pub source_state: String,
    /// The answer in one sentence, without a full stop.
    pub headline: String,
    /// What keeps it; none when nothing does.
    pub entry: Option<Entry>,
    /// Its place among those that may start, from 1.
    pub place: Option<u64>,
    /// Those before it, the first of them.
    pub ahead: Vec<BeadId>,
    /// Where the queue stops, when that is what keeps it.
    pub gate: Option<Gate>,
    /// Attempts ever started.
    pub attempts: u32,
    /// Attempts of the present generation that failed.
    pub failures: u32,
    /// How often it was put back.
    pub deferrals: u32,
    /// What it waits for, and what that waits for.
    pub blockers: Vec<Blocker>,
    /// Its branch or request.
    pub request: Option<String>,
    /// The trace of its root task, 32 hex digits, once one was claimed.
    #[serde(default)]
    pub trace_id: Option<String>,
    /// What the last attempt found in its way: text of a model.
    pub obstacle: Option<String>,
    /// What people have said about it and nobody has done yet, in order.
    #[serde(default)]
    pub said: Vec<Said>,
}

/// One task in a chain of blockers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// How far away: 1 is what the task itself waits for.
    pub depth: u32,
    /// The blocker.
    pub task: BeadId,
    /// How it stands, one sentence without a full stop.
    pub stands: String,
}

/// Says why one task does not run, or what it is at.
///
/// # Errors
///
/// Returns the nearest ids when there is none such.
pub fn explain_task(facts: &Facts<'_>, id: &BeadId) -> Result<TaskWhy, Vec<BeadId>> {
    let known = || facts.board.tasks().map(|task| &task.bead_id);
    let Some(task) = facts.board.find(id) else { return Err(nearest(known(), id.as_str())) };
    let survey = Survey::of(facts);
    let stand = facts.board.stand_of(task, &survey.circles);
    let place = survey.place(&task.key);
    let (gates, held) = gates::gates(facts, &survey);
    let wait = held.as_ref().and_then(|held| held.wait.clone());
    let gate = held.and_then(|held| gates.into_iter().find(|gate| gate.name == held.name));
    let entry = entry(facts, &survey, task, &stand, wait.as_ref());
    Ok(TaskWhy {
        as_of_ms: facts.now_ms,
        running: facts.is_running,
        task: id.clone(),
        title: task.title.clone(),
        state: task.state,
        source_state: task.source_state.clone(),
        headline: headline(facts, task, &stand, place, gate.as_ref()),
        place,
        ahead: ahead(&survey, place),
        gate: gate.filter(|_| stand == Stand::Ready),
        attempts: task.runs,
        failures: task.failures,
        deferrals: task.deferrals,
        blockers: entry.as_ref().map_or_else(Vec::new, |entry| chain(facts, &survey, &entry.reason)),
        entry,
        request: task.request.clone(),
        trace_id: task.trace_id.clone(),
        said: facts.said.iter().filter(|said| said.task.as_ref() == Some(id)).cloned().collect(),
        obstacle: task.learned.last().map(|learned| learned.obstacle.clone()).filter(|text| !text.is_empty()),
    })
}

fn entry(
    facts: &Facts<'_>,
    survey: &Survey<'_>,
    task: &TaskRow,
    stand: &Stand,
    held: Option<&Wait>,
) -> Option<Entry> {
    match stand {
        Stand::Waits(wait) => Some(entries::of_task(facts, survey, task, wait)),
        Stand::Running => waits_within(facts, task).map(|wait| entries::of_task(facts, survey, task, wait)),
        Stand::Ready => {
            let is_it = |entry: &Entry| entry.task.as_ref() == Some(&task.bead_id);
            held.and_then(|wait| entries::behind(survey, wait).find(is_it))
        }
        Stand::Done => None,
    }
}

fn waits_within<'a>(facts: &'a Facts<'_>, task: &TaskRow) -> Option<&'a Wait> {
    let attempt = facts.attempts.iter().find(|attempt| attempt.task_key == task.key)?;
    attempt.waiting.as_ref()
}

fn headline(
    facts: &Facts<'_>,
    task: &TaskRow,
    stand: &Stand,
    place: Option<u64>,
    gate: Option<&Gate>,
) -> String {
    let id = &task.bead_id;
    match stand {
        Stand::Done => format!("{id} is done"),
        Stand::Running => match waits_within(facts, task) {
            None => super::runs(facts, task),
            Some(wait) => format!("{id} runs and waits inside attempt {}: {}", task.runs, wait.reason),
        },
        Stand::Waits(wait) => format!("{id} does not start: {}", wait.reason),
        Stand::Ready => match (place, gate) {
            (Some(1), None) => format!("{id} starts next"),
            (Some(place), None) => format!("{id} is ready, number {place} in the queue"),
            (place, Some(gate)) => {
                format!(
                    "{id} is ready, number {} in the queue, which stops at: {}",
                    place.unwrap_or(1),
                    gate.name
                )
            }
            (None, None) => format!("{id} is ready"),
        },
    }
}

fn ahead(survey: &Survey<'_>, place: Option<u64>) -> Vec<BeadId> {
    let before = usize::try_from(place.unwrap_or(1) - 1).unwrap_or(0);
    survey.ready.iter().take(before.min(NAMED)).map(|task| task.bead_id.clone()).collect()
}

/// Follows what a task waits for, level by level, each once.
fn chain(facts: &Facts<'_>, survey: &Survey<'_>, reason: &Reason) -> Vec<Blocker> {
    let (mut chain, mut seen) = (Vec::new(), BTreeSet::new());
    let mut level = waited_for(reason);
    for depth in 1.. {
        level.retain(|id| seen.insert(id.clone()));
        if level.is_empty() || chain.len() >= NAMED {
            break;
        }
        let blocker =
            |id: &BeadId| Blocker { depth, task: id.clone(), stands: blockers::stands(facts, survey, id) };
        chain.extend(level.iter().take(NAMED - chain.len()).map(blocker));
        let next = level.iter().filter_map(|id| facts.board.find(id));
        let next = next.map(|task| facts.board.stand_of(task, &survey.circles));
        level = next
            .flat_map(
                |stand| if let Stand::Waits(wait) = stand { waited_for(&wait.reason) } else { Vec::new() },
            )
            .collect();
    }
    chain
}

fn waited_for(reason: &Reason) -> Vec<BeadId> {
    match reason {
        Reason::BlockedBy { on: ids } | Reason::Cycle { members: ids } => ids.clone(),
        _ => Vec::new(),
    }
}
