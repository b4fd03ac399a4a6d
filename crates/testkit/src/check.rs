//! What scenarios ask of a run, beside what must always hold.

use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::task::TaskState;

use crate::account;
use crate::ran::{End, Ran};

/// All that the provider billed is at most this much.
pub fn provider_spend_at_most(limit: MicroUsd) -> impl FnOnce(&Ran) -> Result<(), String> {
    move |ran| {
        let total = account::total(&ran.account);
        ensure(total <= limit, || format!("the provider billed {total}, more than {limit}"))
    }
}

/// Nothing is left to do, and no work waits for anything or anybody.
pub fn all_work_is_completed() -> impl FnOnce(&Ran) -> Result<(), String> {
    |ran| {
        ensure(ran.end == End::Quiet, || format!("it did not come to rest: {:?}", ran.board().queue()))?;
        let queue = ran.board().queue();
        let left = queue.pending + queue.in_progress + queue.in_review + queue.blocked + queue.needs_you;
        ensure(left == 0, || format!("{left} tasks are not done: {queue:?}"))
    }
}

/// So many tasks are completed.
pub fn completed(count: usize) -> impl FnOnce(&Ran) -> Result<(), String> {
    move |ran| {
        let done = ran.count(TaskState::Completed);
        ensure(done == count, || format!("{done} tasks are completed instead of {count}"))
    }
}

/// At most so many tries were paid for calls that had been paid before.
pub fn paid_again_at_most(count: usize) -> impl FnOnce(&Ran) -> Result<(), String> {
    move |ran| {
        let again = account::paid_again(&ran.account);
        ensure(again <= count, || format!("{again} tries were paid again, at most {count} may be"))
    }
}

/// Every event of this name is there at least so often.
pub fn happened(name: &'static str, least: usize) -> impl FnOnce(&Ran) -> Result<(), String> {
    move |ran| {
        let times = ran.events_named(name).count();
        ensure(times >= least, || format!("{name} happened {times} times, not {least}"))
    }
}

/// No event of this name is there.
pub fn never_happened(name: &'static str) -> impl FnOnce(&Ran) -> Result<(), String> {
    move |ran| {
        let times = ran.events_named(name).count();
        ensure(times == 0, || format!("{name} happened {times} times"))
    }
}

/// Turns a fact into a check.
///
/// # Errors
///
/// Returns what `why` says when the fact does not hold.
pub fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}
