//! What a blocker itself waits for.

use super::Facts;
use super::survey::Survey;
use crate::bead::BeadId;
use crate::board::Stand;
use crate::reason::{Group, Reason};

/// Says what ends a wait for other tasks: how the first of them stands.
pub(super) fn unblocks(facts: &Facts<'_>, survey: &Survey<'_>, reason: &Reason, id: &BeadId) -> String {
    let Reason::BlockedBy { on } = reason else { return reason.unblocks(id.as_str()) };
    let Some(first) = on.first() else { return reason.unblocks(id.as_str()) };
    let stands = stands(facts, survey, first);
    match on.len() {
        1 => stands,
        n => format!("{stands}; and {} more", n - 1),
    }
}

/// Says how a task stands.
pub(super) fn stands(facts: &Facts<'_>, survey: &Survey<'_>, id: &BeadId) -> String {
    let Some(task) = facts.board.find(id) else { return format!("{id} is not in the backlog") };
    match facts.board.stand_of(task, &survey.circles) {
        Stand::Done => format!("{id} is done"),
        Stand::Running => super::runs(facts, task),
        Stand::Ready => format!("{id} is ready and waits its turn"),
        Stand::Waits(wait) if wait.reason.group() == Group::You => {
            format!("{id} waits for you: {}", wait.reason)
        }
        Stand::Waits(wait) if wait.reason == Reason::DeferredUntil && wait.until_ms.is_none() => {
            format!("{id} is put off without a date, so this never starts by itself")
        }
        Stand::Waits(wait) => format!("{id} waits: {}", wait.reason),
    }
}
