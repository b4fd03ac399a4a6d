//! Whether a wait keeps its word: it ends at its instant and not before, or a settlement is really to come.

use glitchlab_domain::command::{Command, Reply};
use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_domain::rows::{CallRow, CallState};

use crate::oracle::{Fault, must};
use crate::world::World;

/// Asks again, as if nothing else happened, at the instant that was told and just before.
pub(crate) fn judge(world: &mut World, command: &Command, wait: &Wait) -> Result<(), Fault> {
    if is_that_of_the_front(world, command, wait) {
        return Ok(());
    }
    let Some(until_ms) = wait.until_ms else { return judge_settlement(world, wait) };
    let has_instant = matches!(
        wait.reason,
        Reason::CapReached { .. } | Reason::Paced { .. } | Reason::TokenCapReached { .. }
    );
    must!(has_instant, "{wait:?} has an instant");
    must!(until_ms > world.now_ms(), "{wait:?} is over before it is told");
    let later = ask_at(world, command, until_ms);
    must!(!matches!(later, Some(Reply::Wait(_)) | None), "{wait:?} ended in {later:?}");
    if until_ms - 1 > world.now_ms() {
        let sooner = ask_at(world, command, until_ms - 1);
        must!(matches!(sooner, Some(Reply::Wait(_))), "{wait:?} was longer than needed: {sooner:?}");
    }
    Ok(())
}

/// Names a wait for the list of what histories contain.
pub(crate) fn named(world: &World, command: &Command, wait: &Wait) -> &'static str {
    if is_that_of_the_front(world, command, wait) {
        return "waits behind another";
    }
    match &wait.reason {
        Reason::Paced { .. } => "paced",
        Reason::TokenCapReached { .. } | Reason::TokensAfterSettlement { .. } => "waits for tokens",
        Reason::TaskAfterSettlement => "waits for its task's other calls",
        _ if wait.until_ms.is_some() => "waits until",
        _ => "waits for a settlement",
    }
}

/// Who stands behind a task that waits is told its wait, which was judged when that task was told it.
fn is_that_of_the_front(world: &World, command: &Command, wait: &Wait) -> bool {
    let Command::Claim(claim) = command else { return false };
    let front = claim.ahead.as_ref().and_then(|ahead| world.rows.tasks.get(ahead));
    front.is_some_and(|front| front.reason.as_ref() == Some(&wait.reason) && front.until_ms == wait.until_ms)
}

fn judge_settlement(world: &World, wait: &Wait) -> Result<(), Fault> {
    let may_end = matches!(
        wait.reason,
        Reason::AfterSettlement { .. } | Reason::TokensAfterSettlement { .. } | Reason::TaskAfterSettlement
    );
    must!(may_end, "{wait:?} has no instant");
    let is_open = |call: &CallRow| call.state == CallState::Open && call.bound_tokens > 0;
    let open = world.rows.calls.values().any(is_open);
    must!(open, "{wait:?} although nothing is open");
    Ok(())
}

fn ask_at(world: &mut World, command: &Command, at_ms: i64) -> Option<Reply> {
    let before = (world.clock_ms, world.keeps_tails);
    (world.clock_ms, world.keeps_tails) = (at_ms, false);
    let decision = world.decide(command);
    (world.clock_ms, world.keeps_tails) = before;
    decision.ok().map(|writes| writes.reply)
}
