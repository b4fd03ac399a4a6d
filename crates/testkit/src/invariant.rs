//! What must hold after every run, whatever happened in it.

use std::collections::{BTreeMap, BTreeSet};

use glitchlab_domain::event::{Event, EventKind};
use glitchlab_domain::id::{AttemptId, TaskKey};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::{CallRow, CallState};
use glitchlab_domain::task::TaskState;

use crate::account;
use crate::counted::counted;
use crate::probe::has_its_end;
use crate::ran::{End, Ran};

/// Checks everything in this file.
///
/// # Errors
///
/// Says what does not hold.
pub fn all(ran: &Ran) -> Result<(), String> {
    the_provider_never_billed_more_than_a_cap(ran)?;
    the_ledger_is_the_sum_of_its_calls(ran)?;
    every_bill_is_in_the_ledger(ran)?;
    a_task_is_dispatched_once_at_a_time(&ran.events)?;
    an_attempt_that_ended_writes_nothing(&ran.events)?;
    events_have_no_gaps(&ran.events)?;
    a_task_is_merged_once(ran)?;
    nothing_that_gets_on_is_taken_for_a_stall(ran)?;
    counted(ran)?;
    if ran.end == End::Quiet {
        nothing_is_left_half_done(ran)?;
        whatever_does_not_run_says_why(ran)?;
    }
    Ok(())
}

/// The watchdog acts only where something was meant to hang.
///
/// # Errors
///
/// Says what it did.
pub fn nothing_that_gets_on_is_taken_for_a_stall(ran: &Ran) -> Result<(), String> {
    let acted = ran.events_named("watchdog.acted").next().filter(|_| !ran.outside.setup.may_stall);
    acted.map_or(Ok(()), |event| Err(event.kind.sentence().unwrap_or_default()))
}

/// The provider's own account is within the caps in every rolling hour and day.
///
/// # Errors
///
/// Names the window.
pub fn the_provider_never_billed_more_than_a_cap(ran: &Ran) -> Result<(), String> {
    let setup = &ran.outside.setup;
    for (window, cap) in [(Window::Hour, setup.per_hour), (Window::Day, setup.per_day)] {
        let (most, at_ms) = account::most_within(&ran.account, window);
        if most > cap {
            let (at, name) = (ran.since_begin(at_ms), window.name());
            return Err(format!(
                "the provider billed {} within the rolling {name} that ends at {at:?}, the cap is {} micro-dollars",
                most.micro(),
                cap.micro()
            ));
        }
    }
    Ok(())
}

/// The running totals of the ledger are those of its calls.
///
/// # Errors
///
/// Names both sums.
pub fn the_ledger_is_the_sum_of_its_calls(ran: &Ran) -> Result<(), String> {
    let settled = |since_ms: i64| -> MicroUsd {
        let within = ran.calls.iter().filter(|call| call.settled_ms.is_some_and(|at| at > since_ms));
        within.filter_map(|call| call.actual).sum()
    };
    let open = ran.calls.iter().filter(|call| call.state == CallState::Open);
    let now_ms = ran.head.last_ms;
    let sums = [
        ("open bounds", ran.head.reserved, open.map(|call| call.bound).sum()),
        ("all settlements", ran.head.settled_total, settled(i64::MIN)),
        ("the hour", ran.head.sum_hour, settled(now_ms - Window::Hour.length_ms())),
        ("the day", ran.head.sum_day, settled(now_ms - Window::Day.length_ms())),
    ];
    match sums.iter().find(|(_, head, calls)| head != calls) {
        None => Ok(()),
        Some((what, head, calls)) => Err(format!(
            "the ledger has {} micro-dollars for {what}, its calls sum up to {}",
            head.micro(),
            calls.micro()
        )),
    }
}

/// Every bill of the provider belongs to a call that was paid at least that much; exactly, unless nobody knew.
///
/// # Errors
///
/// Names the try.
pub fn every_bill_is_in_the_ledger(ran: &Ran) -> Result<(), String> {
    let mut bills: BTreeMap<&str, i64> = BTreeMap::new();
    for entry in &ran.account {
        *bills.entry(&entry.key).or_default() += entry.cost_micro;
    }
    let calls: BTreeMap<String, &CallRow> =
        ran.calls.iter().map(|call| (call.key.to_string(), call)).collect();
    for (key, billed) in &bills {
        let call = calls.get(*key).ok_or_else(|| format!("try {key} was billed and never reserved"))?;
        let paid = call.actual.unwrap_or(call.bound).micro();
        let is_right = if call.state == CallState::Settled { paid == *billed } else { paid >= *billed };
        if !is_right {
            return Err(format!("try {key} was billed {billed} micro-dollars, the ledger has {paid}"));
        }
    }
    let free = |call: &&&CallRow| {
        let key = call.key.to_string();
        call.state == CallState::Settled
            && call.actual > Some(MicroUsd::ZERO)
            && !bills.contains_key(key.as_str())
    };
    match calls.values().find(free) {
        None => Ok(()),
        Some(call) => Err(format!("try {} is in the ledger and was never billed", call.key)),
    }
}

/// Between two claims of a task lies an outcome of the first.
///
/// # Errors
///
/// Names the task.
pub fn a_task_is_dispatched_once_at_a_time(events: &[Event]) -> Result<(), String> {
    let mut held: BTreeMap<&TaskKey, &AttemptId> = BTreeMap::new();
    for event in events {
        let (Some(task), Some(attempt)) = (&event.about.task_key, &event.about.attempt_id) else { continue };
        match &event.kind {
            EventKind::TaskClaimed { .. } => {
                if let Some(other) = held.insert(task, attempt) {
                    return Err(format!("task {task} was claimed for {attempt} while {other} held it"));
                }
            }
            EventKind::AttemptResumed { .. } if held.get(task) != Some(&attempt) => {
                return Err(format!("attempt {attempt} went on without a claim"));
            }
            EventKind::TaskFinished { .. } => drop(held.remove(task)),
            _ => {}
        }
    }
    Ok(())
}

/// After its outcome an attempt neither works nor reserves; what it reserved before may still be settled.
///
/// # Errors
///
/// Names the attempt.
pub fn an_attempt_that_ended_writes_nothing(events: &[Event]) -> Result<(), String> {
    let mut ended: BTreeSet<&AttemptId> = BTreeSet::new();
    for event in events {
        let Some(attempt) = &event.about.attempt_id else { continue };
        match &event.kind {
            EventKind::BudgetSettled { .. }
            | EventKind::BudgetOverrun { .. }
            | EventKind::ChildEnded { .. }
            | EventKind::HumanNeeded { .. }
            | EventKind::TaskDecomposed { .. } => {}
            EventKind::TaskFinished { .. } if ended.insert(attempt) => {}
            kind if ended.contains(attempt) => {
                return Err(format!("attempt {attempt} had ended, and then: {}", kind.name()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The events of a boot are numbered from 1 without a gap.
///
/// # Errors
///
/// Names the boot.
pub fn events_have_no_gaps(events: &[Event]) -> Result<(), String> {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events {
        let seq = last.entry(event.id.boot_id.as_str()).or_default();
        *seq += 1;
        if event.id.seq != *seq {
            return Err(format!(
                "event {} of boot {} follows event {}",
                event.id.seq,
                event.id.boot_id,
                *seq - 1
            ));
        }
    }
    Ok(())
}

/// No task has two merges, and what is completed by a merge is on the base.
///
/// # Errors
///
/// Names the task.
pub fn a_task_is_merged_once(ran: &Ran) -> Result<(), String> {
    let mut commits: BTreeMap<String, String> = BTreeMap::new();
    for (task, commit) in ran.outside.repo.merges() {
        if commits.insert(task.clone(), commit).is_some() {
            return Err(format!("{task} was merged twice"));
        }
    }
    for task in ran.tasks.values().filter(|task| task.state == TaskState::Completed) {
        if let Some(merged) =
            task.merged.as_ref().filter(|merged| commits.get(&task.trailer()) != Some(merged))
        {
            return Err(format!(
                "{} counts as merged by {merged}, which the base does not have",
                task.bead_id
            ));
        }
    }
    Ok(())
}

/// When nothing is left to do, nobody holds a claim and no money is set aside.
///
/// # Errors
///
/// Names what is left.
pub fn nothing_is_left_half_done(ran: &Ran) -> Result<(), String> {
    let asks = |attempt_id: &AttemptId| {
        ran.attempts.iter().any(|attempt| attempt.attempt_id == *attempt_id && attempt.asks_a_person())
    };
    if let Some(claim) = ran.claims.iter().find(|claim| !asks(&claim.attempt_id)) {
        return Err(format!("task {} is still claimed by {}", claim.task_key, claim.boot_id));
    }
    if let Some(call) = ran.calls.iter().find(|call| call.state == CallState::Open) {
        return Err(format!("try {} is still open", call.key));
    }
    if let Some(attempt) = ran.attempts.iter().find(|row| row.status.is_none() && !row.asks_a_person()) {
        return Err(format!("attempt {} has no outcome", attempt.attempt_id));
    }
    Ok(())
}

/// When nothing is left to do, every task that is not done has a typed reason, with an instant where it waits for time.
///
/// # Errors
///
/// Names the task.
pub fn whatever_does_not_run_says_why(ran: &Ran) -> Result<(), String> {
    let board = ran.board();
    let (max_open, max_tasks) = (ran.outside.setup.max_open, ran.outside.setup.max_tasks);
    let is_full = (max_open > 0 && board.in_review() >= u64::from(max_open)) || max_tasks > 0;
    for task in ran.tasks.values() {
        if matches!(task.state, TaskState::Completed | TaskState::Dropped) {
            continue;
        }
        match board.why(&task.key) {
            Some(reason) => has_its_end(&reason, task.until_ms)?,
            None if is_full => {}
            None => return Err(format!("{} is {} and nothing says why", task.bead_id, task.state.name())),
        }
    }
    Ok(())
}
