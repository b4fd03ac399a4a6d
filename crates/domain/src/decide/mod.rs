//! One function decides for every store: which rows a command writes, which event it leaves, what it answers.
//!
//! The store loads the rows that [`Command::needs`](crate::command::Command::needs) names, calls [`decide`], applies
//! the writes and appends the events, all in one transaction. A [`Refusal`] writes nothing; a wait is an answer like
//! any other.

mod admission;
mod alert;
mod attempt;
mod boot;
mod control;
mod effect;
mod gate;
mod judgement;
mod money;
mod parts;
mod question;
mod step;
mod task;

pub use boot::LEASE_MARGIN_MS;
pub use parts::kin;

use crate::command::{Authority, Bearer, BootBearer, Command, Refusal, Reply, Stamp};
use crate::event::{About, EventKind};
use crate::rows::{AttemptRow, ProcessRow, Rows, Write};
use crate::task::TaskRow;

/// What a command changes.
#[derive(Debug, PartialEq)]
pub struct Writes {
    /// The changed rows, in order; a later one wins.
    pub rows: Vec<Write>,
    /// What happened.
    pub events: Vec<(About, EventKind)>,
    /// The answer.
    pub reply: Reply,
}

impl Writes {
    fn nothing(reply: Reply) -> Self {
        Self { rows: Vec::new(), events: Vec::new(), reply }
    }
}

/// Decides one command over the loaded rows.
///
/// # Errors
///
/// Returns a [`Refusal`] when the caller has lost its right to write or asks for something that is not there.
pub fn decide(rows: &Rows, command: &Command, stamp: &Stamp) -> Result<Writes, Refusal> {
    let mut writes = decided(rows, command, stamp)?;
    for write in &mut writes.rows {
        if let Write::Task(task) = write {
            task.note_times(rows.tasks.get(&task.key), stamp.now_ms);
        }
    }
    Ok(writes)
}

fn decided(rows: &Rows, command: &Command, stamp: &Stamp) -> Result<Writes, Refusal> {
    match command {
        Command::StartBoot { process, scope, cap_hour, cap_day, terms, dead } => {
            let wanted = boot::Wanted { hour: *cap_hour, day: *cap_day, terms: *terms };
            Ok(boot::start(rows, process, scope, wanted, dead, stamp))
        }
        Command::LowerCaps { by, scope, cap_hour, cap_day } => {
            boot::lower_caps(rows, by, scope, (*cap_hour, *cap_day), stamp)
        }
        Command::Beat { by, lease_until_ms, rules: set_to } => boot::beat(rows, by, *lease_until_ms, *set_to),
        Command::EndBoot { by, why } => boot::end(rows, by, why, stamp),
        Command::Sync { beads } => Ok(task::sync(rows, beads, stamp)),
        Command::Claim(claim) => gate::claim(rows, claim, stamp),
        Command::TakeOver(take) => attempt::take_over(rows, take, stamp),
        Command::Suspend { by } => attempt::suspend(rows, by),
        Command::NoteWait { by, wait } => attempt::note_wait(rows, by, wait),
        Command::BeginStep { by, n, stage, input_hash } => {
            step::begin(rows, by, (*n, *stage), input_hash, stamp)
        }
        Command::FinishStep(finish) => step::finish(rows, finish, stamp),
        Command::Reserve(reserve) => money::reserve(rows, reserve, stamp),
        Command::Settle(settle) => money::settle(rows, settle, stamp),
        Command::BeginEffect { by, key, task_key, kind, target } => {
            effect::begin(rows, by, (key, task_key), (kind, target), stamp)
        }
        Command::FinishEffect { by, key, task_key, result } => {
            effect::finish(rows, by, (key, task_key), result, stamp)
        }
        Command::StartChild { by, row } => step::start_child(rows, by, row),
        Command::EndChild { attempt_id, n } => Ok(step::end_child(rows, attempt_id, *n, stamp)),
        Command::Finish(finish) => gate::finish(rows, finish, stamp),
        Command::Close { by, task_key, reference, why } => {
            task::close(rows, by, task_key, reference, why, stamp)
        }
        Command::Reopen { by, task_key, why, anew } => task::reopen(rows, by, task_key, why, *anew, stamp),
        Command::Say(row) => Ok(control::say(rows, row)),
        Command::Carry(carry) => control::carry(rows, carry, stamp),
        Command::Breach(breached) => Ok(gate::breach(rows, breached, stamp)),
        Command::Evaluate(ask) => alert::evaluate(rows, ask, stamp),
        Command::Deliver(ask) => alert::deliver(rows, ask, stamp),
        Command::Note { about, kind } => {
            Ok(Writes { rows: Vec::new(), events: vec![(about.clone(), kind.clone())], reply: Reply::Done })
        }
    }
}

fn about(task: &TaskRow) -> About {
    About {
        task_key: Some(task.key.clone()),
        bead_id: Some(task.bead_id.clone()),
        attempt_id: None,
        trace_id: task.trace_id.clone(),
    }
}

/// The same of an attempt, whose row carries what that needs: most of its commands look at no task.
fn about_attempt(attempt: &AttemptRow) -> About {
    About {
        task_key: Some(attempt.task_key.clone()),
        bead_id: Some(attempt.bead_id.clone()),
        attempt_id: Some(attempt.attempt_id.clone()),
        trace_id: attempt.trace_id.clone(),
    }
}

/// Checks the fence: a zombie can neither write nor spend.
fn hold<'a>(rows: &'a Rows, by: &Bearer) -> Result<&'a AttemptRow, Refusal> {
    let stale = || Refusal::StaleFence(by.task_key.clone());
    let claim = rows.claims.get(&by.task_key).ok_or_else(stale)?;
    if claim.fence != by.fence || claim.attempt_id != by.attempt_id || claim.suspended {
        return Err(stale());
    }
    rows.attempts.get(&by.attempt_id).ok_or(Refusal::Missing("attempt"))
}

fn live<'a>(rows: &'a Rows, by: &BootBearer) -> Result<&'a ProcessRow, Refusal> {
    let stale = || Refusal::StaleBoot(by.boot_id.clone());
    let process = rows.processes.get(&by.boot_id).ok_or_else(stale)?;
    if process.alive && process.fence == by.fence { Ok(process) } else { Err(stale()) }
}

fn authorise(rows: &Rows, by: &Authority) -> Result<(), Refusal> {
    match by {
        Authority::Attempt(bearer) => hold(rows, bearer).map(|_| ()),
        Authority::Boot(boot) => live(rows, boot).map(|_| ()),
    }
}
