//! Tasks outside an attempt: what the source says, and closing.

use crate::command::{BootBearer, Refusal, Reply, Stamp};
use crate::dispatch;
use crate::event::{About, EventKind};
use crate::id::TaskKey;
use crate::outcome::Reference;
use crate::rows::{Rows, Write};
use crate::task::{Refreshed, SourceTask, TaskRow, TaskState};

use super::{Writes, about, live, parts};

pub(super) fn sync(rows: &Rows, beads: &[SourceTask], stamp: &Stamp) -> Writes {
    let mut writes = Writes::nothing(Reply::Done);
    let (mut added, mut changed) = (0, 0);
    for bead in beads {
        let Some(row) = rows.tasks.get(&bead.key) else {
            writes.rows.push(Write::Task(bead.clone().into_row(stamp.now_ms)));
            added += 1;
            continue;
        };
        // An issue that was given the id of one of our sub-tasks is not that sub-task.
        if row.is_part() {
            continue;
        }
        let mut row = row.clone();
        let refreshed = bead.clone().refresh(&mut row);
        if refreshed == Refreshed::Same {
            continue;
        }
        changed += 1;
        row.updated_ms = stamp.now_ms;
        if refreshed == Refreshed::Reopened {
            let why = "the issue was changed in the backlog".to_owned();
            writes.events.push((about(&row), EventKind::TaskReopened { why }));
        }
        writes.rows.push(Write::Task(row));
    }
    if added + changed > 0 {
        writes.events.push((About::default(), EventKind::BacklogSynced { added, changed }));
    }
    writes
}

pub(super) fn close(
    rows: &Rows,
    by: &BootBearer,
    key: &TaskKey,
    reference: &Reference,
    why: &str,
    stamp: &Stamp,
) -> Result<Writes, Refusal> {
    let mut task = at_rest(rows, by, key)?;
    if task.state == TaskState::Completed {
        return Ok(Writes::nothing(Reply::Done));
    }
    dispatch::complete(&mut task, reference);
    let merged = matches!(reference, Reference::Merge { .. });
    Ok(changed(rows, task, EventKind::TaskClosed { why: why.to_owned(), merged }, stamp))
}

pub(super) fn reopen(
    rows: &Rows,
    by: &BootBearer,
    key: &TaskKey,
    why: &str,
    anew: bool,
    stamp: &Stamp,
) -> Result<Writes, Refusal> {
    let mut task = at_rest(rows, by, key)?;
    if task.state == TaskState::Open {
        return Ok(Writes::nothing(Reply::Done));
    }
    if anew {
        task.reopen();
    } else {
        task.rest(TaskState::Open, None, None);
    }
    Ok(changed(rows, task, EventKind::TaskReopened { why: why.to_owned() }, stamp))
}

/// A task that no attempt holds.
fn at_rest(rows: &Rows, by: &BootBearer, key: &TaskKey) -> Result<TaskRow, Refusal> {
    live(rows, by)?;
    let task = rows.tasks.get(key).ok_or(Refusal::Missing("task"))?;
    if rows.claims.contains_key(key) {
        return Err(Refusal::NotClaimable { key: key.clone(), state: task.state.name() });
    }
    Ok(task.clone())
}

fn changed(rows: &Rows, mut task: TaskRow, kind: EventKind, stamp: &Stamp) -> Writes {
    task.updated_ms = stamp.now_ms;
    let events = vec![(about(&task), kind)];
    let mut writes = parts::tell_above(rows, &task, stamp.now_ms);
    writes.push(Write::Task(task));
    Writes { rows: writes, events, reply: Reply::Done }
}
