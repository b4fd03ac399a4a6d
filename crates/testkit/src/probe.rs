//! Looks into a running engine now and then: whatever does not run must say why, and what could run must start.

use std::time::Duration;

use glitchlab_actors::Engine;
use glitchlab_domain::board::Board;
use glitchlab_domain::reason::Reason;
use glitchlab_domain::rows::AttemptRow;
use glitchlab_domain::task::{TaskRow, TaskState};

use crate::backlog::FakeBacklog;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(607);
/// What is under way at one instant is settled after some of these.
const MOMENT: Duration = Duration::from_millis(1);
const MOMENTS: u32 = 5;

/// Returns when something that must hold did not.
pub(crate) async fn watch(engine: &Engine, backlog: &FakeBacklog) -> String {
    loop {
        tokio::time::sleep(EVERY).await;
        let mut found = look(engine, backlog).await;
        for _ in 0..MOMENTS {
            if found.is_ok() {
                break;
            }
            tokio::time::sleep(MOMENT).await;
            found = look(engine, backlog).await;
        }
        if let Err(violation) = found {
            return violation;
        }
    }
}

async fn look(engine: &Engine, backlog: &FakeBacklog) -> Result<(), String> {
    let tasks = engine.reader.tasks(&engine.repo_id).await.map_err(|error| error.to_string())?;
    let attempts = engine.reader.running_attempts().await.map_err(|error| error.to_string())?;
    let board = board(engine, backlog, &tasks);
    let is_held = is_held(engine);
    for task in &tasks {
        explained(&board, task, is_held)?;
    }
    attempts.iter().try_for_each(waits_for_something)
}

/// The scheduler's own view, made anew from the store and the backlog.
fn board(engine: &Engine, backlog: &FakeBacklog, tasks: &[TaskRow]) -> Board {
    let mut board = Board::new(engine.live.borrow().filter.clone(), engine.now_ms());
    for task in tasks {
        board.take_task(task.clone());
    }
    for bead in backlog.beads() {
        board.take_bead(&bead);
    }
    board
}

/// Whether nothing new may start now, for a reason that pages can show.
fn is_held(engine: &Engine) -> bool {
    let limit = u64::from(engine.live.borrow().max_open);
    let board = engine.board.borrow();
    let is_full = limit > 0 && board.queue.in_review >= limit;
    engine.slots.free() == 0 || engine.gate.closed().is_some() || board.held.is_some() || is_full
}

fn explained(board: &Board, task: &TaskRow, is_held: bool) -> Result<(), String> {
    if matches!(task.state, TaskState::Running | TaskState::Completed | TaskState::Dropped) {
        return Ok(());
    }
    match board.why(&task.key) {
        Some(reason) => has_its_end(&reason, task.until_ms).map_err(|why| format!("{}: {why}", task.bead_id)),
        None if is_held => Ok(()),
        None => Err(format!("{} could start, a slot is free, and it does not run", task.bead_id)),
    }
}

fn waits_for_something(attempt: &AttemptRow) -> Result<(), String> {
    let Some(wait) = &attempt.waiting else { return Ok(()) };
    has_its_end(&wait.reason, wait.until_ms).map_err(|why| format!("attempt {}: {why}", attempt.attempt_id))
}

/// A wait for time names its instant.
pub(crate) fn has_its_end(reason: &Reason, until_ms: Option<i64>) -> Result<(), String> {
    let needs_instant = matches!(
        reason,
        Reason::CapReached { .. } | Reason::Backoff { .. } | Reason::CoolDown { .. } | Reason::Snoozed { .. }
    );
    if needs_instant && until_ms.is_none() {
        return Err(format!("it waits without an instant: {reason}"));
    }
    Ok(())
}
