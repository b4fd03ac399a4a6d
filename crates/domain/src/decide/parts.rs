//! Sub-tasks: their ids, their rows, and what the tasks above them are told of them.

use std::iter;

use crate::bead::BeadId;
use crate::id::{AttemptId, TaskKey};
use crate::outcome::SubTask;
use crate::reason::Reason;
use crate::rows::{Rows, Write};
use crate::task::{Above, SUBTASK, TaskRow, TaskState};

/// How many numbers beyond those that are needed are looked at, since some may be taken.
const SPARE: usize = 16;

/// Names the tasks that a decision over `task` looks at beside it: those above it, and those that have an id which one
/// of `parts` parts of it could be given.
#[must_use]
pub fn kin(task: &TaskRow, parts: usize) -> Vec<TaskKey> {
    let ids = numbered(task, parts).map(|id| TaskKey::of(&task.repo_id, &id));
    task.above.iter().map(|above| above.key.clone()).chain(ids).collect()
}

/// Returns the ids that parts may be given, in order: `<parent>.s1` and so on, with the generation when the parent was
/// opened again.
fn numbered(parent: &TaskRow, parts: usize) -> impl Iterator<Item = BeadId> {
    let most = if parts == 0 { 0 } else { parts + SPARE };
    let family = match parent.generation {
        0 => format!("{}.s", parent.bead_id),
        generation => format!("{}.g{generation}s", parent.bead_id),
    };
    (1..=most).map(move |n| BeadId::new(format!("{family}{n}")))
}

/// Chooses an id for each part: numbers that nobody has, be it an issue that was given such an id; when even the spare
/// ones are taken, ids that carry the attempt's, which nobody can know before.
fn free_ids(rows: &Rows, parent: &TaskRow, attempt_id: &AttemptId, parts: usize) -> Vec<BeadId> {
    let is_free = |id: &BeadId| !rows.tasks.contains_key(&TaskKey::of(&parent.repo_id, id));
    let bead_id = parent.bead_id.clone();
    let own = (1..).map(|n: u32| BeadId::new(format!("{bead_id}.{attempt_id}s{n}")));
    numbered(parent, parts).filter(is_free).chain(own).take(parts).collect()
}

/// Makes the rows of the parts of a task. They are of its kind: what is no work for us was not taken.
pub(super) fn split(
    rows: &Rows,
    parent: &TaskRow,
    attempt_id: &AttemptId,
    subtasks: &[SubTask],
    now_ms: i64,
) -> Vec<TaskRow> {
    let ids = free_ids(rows, parent, attempt_id, subtasks.len());
    let before = |place: usize, sub: &SubTask| {
        let others = sub.after.iter().filter(|before| **before != place);
        others.filter_map(|before| ids.get(*before).cloned()).collect()
    };
    let parts = subtasks.iter().enumerate().zip(&ids);
    let parts = parts.map(|((place, sub), id)| part(parent, id, sub, before(place, sub), now_ms));
    parts.map(|part| TaskRow { made_by: Some(attempt_id.clone()), ..part }).collect()
}

fn part(parent: &TaskRow, id: &BeadId, sub: &SubTask, after: Vec<BeadId>, now_ms: i64) -> TaskRow {
    let whole = Above { key: parent.key.clone(), generation: parent.generation };
    TaskRow {
        key: TaskKey::of(&parent.repo_id, id),
        bead_id: id.clone(),
        generation: 0,
        source: SUBTASK.to_owned(),
        parent: Some(parent.bead_id.clone()),
        depth: parent.depth + 1,
        above: parent.above.iter().cloned().chain(iter::once(whole)).collect(),
        title: sub.title.clone(),
        body: sub.description.clone(),
        after,
        created_ms: now_ms,
        source_state: "open".to_owned(),
        source_rev: String::new(),
        state: TaskState::Open,
        reason: None,
        until_ms: None,
        since_ms: None,
        failures: 0,
        deferrals: 0,
        runs: 0,
        size: None,
        learned: Vec::new(),
        request: None,
        merged: None,
        approved: false,
        accepted_ms: None,
        rounds: Vec::new(),
        goes_on: None,
        updated_ms: now_ms,
        ..parent.clone()
    }
}

/// Keeps in the reason of every task above a part which parts wait for a person: it waits for them, and would wait
/// silently.
pub(super) fn tell_above(rows: &Rows, part: &TaskRow, now_ms: i64) -> Vec<Write> {
    let told = part.above.iter().filter_map(|above| {
        let whole = rows.tasks.get(&above.key).filter(|whole| whole.generation == above.generation)?;
        let reason = reason_above(whole, part).filter(|reason| whole.reason.as_ref() != Some(reason))?;
        Some(Write::Task(TaskRow { reason: Some(reason), updated_ms: now_ms, ..whole.clone() }))
    });
    told.collect()
}

fn reason_above(whole: &TaskRow, part: &TaskRow) -> Option<Reason> {
    let mut on = match (whole.state, &whole.reason) {
        (TaskState::Decomposed, Some(Reason::BlockedBy { on })) => on.clone(),
        (TaskState::Decomposed, _) => Vec::new(),
        _ => return None,
    };
    // What became of a part is also what became of its own parts.
    on.retain(|id| *id != part.bead_id && !id.is_named_under(&part.bead_id));
    if part.state.is_terminal() && part.state != TaskState::Completed {
        on.push(part.bead_id.clone());
        on.sort_unstable();
    }
    Some(if on.is_empty() { Reason::ChildrenOpen } else { Reason::BlockedBy { on } })
}

#[cfg(test)]
mod tests;
