//! Effects: the intent first, the result later, each once.

use crate::command::{Authority, Refusal, Reply, Stamp};
use crate::event::{About, EventKind};
use crate::id::{EffectKey, TaskKey};
use crate::rows::{EffectRow, Rows, Write};

use super::{Writes, about, authorise};

pub(super) fn begin(
    rows: &Rows,
    by: &Authority,
    (key, task_key): (&EffectKey, &TaskKey),
    (kind, target): (&str, &str),
    stamp: &Stamp,
) -> Result<Writes, Refusal> {
    authorise(rows, by)?;
    match rows.effects.get(key) {
        Some(EffectRow { result: Some(result), .. }) => {
            return Ok(Writes::nothing(Reply::EffectDone { result: result.clone() }));
        }
        Some(_) => return Ok(Writes::nothing(Reply::Act)),
        None => {}
    }
    let row = EffectRow {
        key: key.clone(),
        task_key: task_key.clone(),
        kind: kind.to_owned(),
        target: target.to_owned(),
        result: None,
        created_ms: stamp.now_ms,
        done_ms: None,
    };
    let intended = EventKind::EffectIntended { effect: kind.to_owned(), target: target.to_owned() };
    Ok(Writes {
        rows: vec![Write::Effect(row)],
        events: vec![(subject(rows, by, task_key), intended)],
        reply: Reply::Act,
    })
}

pub(super) fn finish(
    rows: &Rows,
    by: &Authority,
    (key, task_key): (&EffectKey, &TaskKey),
    result: &str,
    stamp: &Stamp,
) -> Result<Writes, Refusal> {
    authorise(rows, by)?;
    let row = rows.effects.get(key).ok_or(Refusal::Missing("effect"))?;
    if row.result.is_some() {
        return Ok(Writes::nothing(Reply::Done));
    }
    let done = EventKind::EffectDone { effect: row.kind.clone(), result: result.to_owned() };
    let row = EffectRow { result: Some(result.to_owned()), done_ms: Some(stamp.now_ms), ..row.clone() };
    Ok(Writes {
        rows: vec![Write::Effect(row)],
        events: vec![(subject(rows, by, task_key), done)],
        reply: Reply::Done,
    })
}

fn subject(rows: &Rows, by: &Authority, task_key: &TaskKey) -> About {
    let attempt_id = match by {
        Authority::Attempt(bearer) => Some(bearer.attempt_id.clone()),
        Authority::Boot(_) => None,
    };
    let task = rows.tasks.get(task_key).map(about).unwrap_or_default();
    About { attempt_id, ..task }
}
