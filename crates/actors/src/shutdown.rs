//! The way down: no new work, what runs may finish up to the drain limit, the rest is put down for the next start.

use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::command::Command;
use glitchlab_domain::reason::Reason;
use glitchlab_runtime::{ExitReason, Tree};

use crate::admission::Keeper;
use crate::engine::Engine;
use crate::slots::Ending;

/// How long the end of a boot may wait for the store.
const UNWRITTEN: Duration = Duration::from_secs(5);
/// How often a drain looks whether the slots are free.
const LOOK: Duration = Duration::from_millis(50);

/// Stops admission, so that nothing new starts.
pub fn close_admission(engine: &Engine) {
    engine.gate.close(Keeper::Shutdown, Reason::ShuttingDown);
    engine.handles.look.fire();
}

/// Waits until no slot has an attempt, at most `limit`. Returns whether that came true.
pub async fn drained(engine: &Engine, limit: Duration) -> bool {
    let all_free = async {
        while !engine.slots.are_all_free() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(limit, all_free).await.is_ok()
}

/// Puts down what still runs, so that the next start goes on with it. Returns how many attempts that were.
pub async fn suspend(engine: &Engine) -> usize {
    let told = engine.slots.iter().filter(|slot| slot.end(Ending::Suspend)).count();
    let limit = engine.settings.grace + Duration::from_secs(5);
    if !drained(engine, limit).await {
        tracing::error!(
            event = "shutdown.stuck",
            "an attempt did not end; its claim is taken over at the next start"
        );
    }
    told
}

/// Ends the work, then the process row, then the rest of the tree in reverse.
pub async fn end(engine: &Arc<Engine>, tree: &Tree, why: &str) -> ExitReason {
    // Whatever still writes for this boot ends before its row does. A tree that gave up has no such child any more.
    let _ = tree.handle().terminate_child("glitchlab/work").await;
    note_end(engine, why).await;
    tree.stop().await
}

/// Ends the process row, if the store answers in time.
pub async fn note_end(engine: &Engine, why: &str) {
    let ended = Command::EndBoot { by: engine.boot.clone(), why: why.to_owned() };
    let what = match tokio::time::timeout(UNWRITTEN, engine.queue.submit(ended)).await {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the store does not answer".to_owned(),
    };
    tracing::error!(event = "shutdown.unwritten", "the end of this boot was not written: {what}");
}
