//! Alerts: events are taken in once, since the cursor moves in the transaction that writes what follows from them; what
//! receivers must be told is queued in the same one.

use crate::alert::delivery::{Endpoint, OutboxRow, OutboxState, Receiver};
use crate::alert::evaluate::{Notice, Portion, Watch};
use crate::alert::format::Origin;
use crate::alert::rows::Evidence;
use crate::alert::rules::RULES;
use crate::alert::{AlertRow, AlerterRow, CursorRow, Firing, Told};
use crate::command::{Deliver, Evaluate, Refusal, Reply, Stamp};
use crate::event::{About, Event, EventKind};
use crate::rows::{Rows, Write};

use super::{Writes, live};

/// What stands for a receiver that is no longer in the settings.
const UNKNOWN: &str = "the receiver is no longer in the settings";
/// What stands for a receiver that said that it is gone.
const GONE: &str = "the receiver has said that it is gone (410); give it another address";
/// What stands for a beginning that nobody took in time.
const OVER: &str = "it was over before it was taken";

pub(super) fn evaluate(rows: &Rows, ask: &Evaluate, stamp: &Stamp) -> Result<Writes, Refusal> {
    let process = live(rows, &ask.by)?;
    let cursor = cursor(rows, ask);
    let before = alerter(rows, &ask.repo_id);
    let open: Vec<AlertRow> = rows.open_alerts(&ask.repo_id).cloned().collect();
    let mut watch = Watch::new(RULES, &ask.repo_id, open, before.memory.clone());
    let events: Vec<Event> = ask.events.iter().filter(|event| event.id.seq > cursor.seq).cloned().collect();
    let portion = Portion { events: &events, facts: ask.facts.as_ref(), now_ms: stamp.now_ms };
    let notices = watch.take(&portion);
    let pages = if process.listen.is_empty() { String::new() } else { format!("http://{}", process.listen) };
    let origin = Origin { repository: ask.repository.clone(), pages };

    let reply = Reply::Evaluated { firing: Firing::of(&watch.alerts), due_ms: watch.due_ms() };
    let mut writes = Writes::nothing(reply);
    writes.events.extend(notices.iter().map(told));
    writes.rows.extend(outbox(rows, ask, &before, &notices, &origin, stamp.now_ms).map(Write::Outbox));
    let is_new = |alert: &AlertRow| rows.alerts.get(&alert.incident_id) != Some(alert);
    writes.rows.extend(watch.alerts.into_iter().filter(is_new).map(Write::Alert));
    if watch.memory != before.memory {
        writes.rows.push(Write::Alerter(AlerterRow { memory: watch.memory, ..before }));
    }
    if ask.through > cursor.seq {
        writes.rows.push(Write::Cursor(CursorRow { seq: ask.through, ..cursor }));
    }
    Ok(writes)
}

/// Takes in what a try came to. One that was taken in before, or whose message needs no sending any more, changes nothing.
pub(super) fn deliver(rows: &Rows, ask: &Deliver, stamp: &Stamp) -> Result<Writes, Refusal> {
    live(rows, &ask.by)?;
    let mut writes = Writes::nothing(Reply::Done);
    let queued = rows.queued(&ask.repo_id).find(|row| row.webhook_id == ask.webhook_id);
    let Some(mut row) = queued.filter(|row| row.tries + 1 == ask.n).cloned() else { return Ok(writes) };
    let receiver = row.take(&ask.answer, stamp.now_ms, stamp.entropy);
    writes.events.extend(undelivered(&row));
    writes.rows.push(Write::Outbox(row));
    if receiver == Receiver::Gone {
        let mut alerter = alerter(rows, &ask.repo_id);
        alerter.gone.insert(ask.endpoint.name.clone(), ask.endpoint.fingerprint.clone());
        writes.rows.push(Write::Alerter(alerter));
        let others = rows.queued(&ask.repo_id).filter(|other| other.endpoint == ask.endpoint.name);
        let others = others.filter(|other| other.webhook_id != ask.webhook_id);
        writes.rows.extend(others.map(|other| Write::Outbox(given_up(other, GONE, stamp.now_ms))));
    }
    Ok(writes)
}

fn alerter(rows: &Rows, repo_id: &str) -> AlerterRow {
    let fresh = || AlerterRow { repo_id: repo_id.to_owned(), ..AlerterRow::default() };
    rows.alerters.get(repo_id).cloned().unwrap_or_else(fresh)
}

fn cursor(rows: &Rows, ask: &Evaluate) -> CursorRow {
    let fresh = CursorRow { repo_id: ask.repo_id.clone(), boot_id: ask.of.clone(), seq: 0 };
    rows.cursors.get(&fresh.id()).cloned().unwrap_or(fresh)
}

/// An incident of one task alone is told as the task's, so that its line has the task and its trace.
fn told(notice: &Notice) -> (About, EventKind) {
    let AlertRow { incident_id, rule, severity, summary, .. } = notice.alert.clone();
    let kind = match notice.told {
        Told::Resolved => EventKind::AlertResolved { incident_id, rule, summary },
        Told::Firing | Told::Nothing => EventKind::AlertFiring { incident_id, rule, severity, summary },
    };
    let Evidence { tasks, traces, .. } = &notice.alert.evidence;
    (About { bead_id: only(tasks), trace_id: only(traces), ..About::default() }, kind)
}

fn only<T: Clone>(list: &[T]) -> Option<T> {
    if let [one] = list { Some(one.clone()) } else { None }
}

fn undelivered(row: &OutboxRow) -> Option<(About, EventKind)> {
    let why = row.answer.clone().filter(|_| row.state == OutboxState::Dead)?;
    let (webhook_id, endpoint) = (row.webhook_id.clone(), row.endpoint.clone());
    Some((About::default(), EventKind::AlertUndelivered { webhook_id, endpoint, why }))
}

fn given_up(row: &OutboxRow, why: &str, now_ms: i64) -> OutboxRow {
    let mut row = row.clone();
    row.give_up(OutboxState::Dead, why, now_ms);
    row
}

/// Queues what must be told, and takes out of the queue what need not or cannot be told any more.
fn outbox(
    rows: &Rows,
    ask: &Evaluate,
    alerter: &AlerterRow,
    notices: &[Notice],
    origin: &Origin,
    now_ms: i64,
) -> impl Iterator<Item = OutboxRow> {
    let is_known = |row: &OutboxRow| ask.endpoints.iter().any(|endpoint| endpoint.name == row.endpoint);
    let known = |row: &OutboxRow| if is_known(row) { row.clone() } else { given_up(row, UNKNOWN, now_ms) };
    let mut outbox: Vec<OutboxRow> = rows.queued(&ask.repo_id).map(known).collect();
    for notice in notices {
        for endpoint in &ask.endpoints {
            let mut row = OutboxRow::new(notice, endpoint, origin, now_ms);
            if is_gone(alerter, endpoint) {
                row.give_up(OutboxState::Dead, GONE, now_ms);
            } else if row.told == Told::Resolved {
                drop_beginning(&mut outbox, &row, now_ms);
            }
            outbox.push(row);
        }
    }
    outbox.into_iter().filter(|row| rows.outbox.get(&row.webhook_id) != Some(row))
}

fn is_gone(alerter: &AlerterRow, endpoint: &Endpoint) -> bool {
    alerter.gone.get(&endpoint.name) == Some(&endpoint.fingerprint)
}

fn drop_beginning(outbox: &mut [OutboxRow], end: &OutboxRow, now_ms: i64) {
    let is_beginning = |row: &&mut OutboxRow| {
        row.incident_id == end.incident_id && row.endpoint == end.endpoint && row.ord < end.ord
    };
    for row in outbox.iter_mut().filter(is_beginning).filter(|row| row.state == OutboxState::Queued) {
        row.give_up(OutboxState::Dropped, OVER, now_ms);
    }
}

#[cfg(test)]
mod tests;
