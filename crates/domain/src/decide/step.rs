//! Steps and the long processes of an attempt.

use crate::command::{Bearer, FinishStep, Refusal, Reply, Stamp};
use crate::event::{About, EventKind};
use crate::id::AttemptId;
use crate::rows::{AttemptRow, ChildRow, Rows, StepRow, Write};
use crate::stage::Stage;

use super::{Writes, about_attempt, hold};

pub(super) fn begin(
    rows: &Rows,
    by: &Bearer,
    (n, stage): (u32, Stage),
    input_hash: &str,
    stamp: &Stamp,
) -> Result<Writes, Refusal> {
    let held = hold(rows, by)?;
    let known = rows.steps.get(&(by.attempt_id.clone(), n)).filter(|step| step.stage == stage);
    match known {
        Some(StepRow { output: Some(output), ok, .. }) => {
            return Ok(Writes::nothing(Reply::StepDone { output: output.clone(), ok: *ok }));
        }
        Some(step) if step.input_hash == input_hash => return Ok(Writes::nothing(Reply::Run)),
        _ => {}
    }
    let row = StepRow {
        attempt_id: by.attempt_id.clone(),
        n,
        stage,
        input_hash: input_hash.to_owned(),
        output: None,
        ok: false,
        summary: String::new(),
        started_ms: stamp.now_ms,
        ended_ms: None,
    };
    Ok(Writes {
        rows: vec![Write::Step(row)],
        events: vec![(about_attempt(held), EventKind::StageStarted { stage, n })],
        reply: Reply::Run,
    })
}

pub(super) fn finish(rows: &Rows, finish: &FinishStep, stamp: &Stamp) -> Result<Writes, Refusal> {
    let held = hold(rows, &finish.by)?;
    let key = (finish.by.attempt_id.clone(), finish.n);
    let step = rows.steps.get(&key).ok_or(Refusal::StepNotBegun(finish.n))?;
    if step.output.is_some() {
        return Ok(Writes::nothing(Reply::Done));
    }
    let event = EventKind::StageFinished {
        stage: step.stage,
        n: finish.n,
        ok: finish.ok,
        summary: finish.summary.clone(),
        took_ms: stamp.now_ms - step.started_ms,
        size: finish.size,
        decision: finish.decision,
    };
    let done = StepRow {
        output: Some(finish.output.clone()),
        ok: finish.ok,
        summary: finish.summary.clone(),
        ended_ms: Some(stamp.now_ms),
        ..step.clone()
    };
    let mut writes = vec![Write::Step(done)];
    if finish.size.is_some() {
        writes.push(Write::Attempt(AttemptRow { size: finish.size, ..held.clone() }));
    }
    Ok(Writes { rows: writes, events: vec![(about_attempt(held), event)], reply: Reply::Done })
}

/// A start that comes again says nothing new: when the process has ended meanwhile, it stays ended.
pub(super) fn start_child(rows: &Rows, by: &Bearer, row: &ChildRow) -> Result<Writes, Refusal> {
    let held = hold(rows, by)?;
    let is_same = |known: &&ChildRow| ChildRow { ended_ms: None, ..(*known).clone() } == *row;
    if rows.children.get(&(row.attempt_id.clone(), row.n)).filter(is_same).is_some() {
        return Ok(Writes::nothing(Reply::Done));
    }
    Ok(Writes {
        rows: vec![Write::Child(row.clone())],
        events: vec![(about_attempt(held), EventKind::ChildStarted { pid: row.pid })],
        reply: Reply::Done,
    })
}

/// That a process is gone is a fact, whoever holds the claim now.
pub(super) fn end_child(rows: &Rows, attempt_id: &AttemptId, n: u32, stamp: &Stamp) -> Writes {
    let key = (attempt_id.clone(), n);
    let Some(row) = rows.children.get(&key).filter(|row| row.ended_ms.is_none()) else {
        return Writes::nothing(Reply::Done);
    };
    let about = About { attempt_id: Some(attempt_id.clone()), ..About::default() };
    Writes {
        rows: vec![Write::Child(ChildRow { ended_ms: Some(stamp.now_ms), ..row.clone() })],
        events: vec![(about, EventKind::ChildEnded { pid: row.pid })],
        reply: Reply::Done,
    }
}
