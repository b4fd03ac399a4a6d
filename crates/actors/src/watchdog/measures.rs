//! Takes the measures: ends an attempt, kills an actor, restarts a subtree, replaces the process.

use std::time::Duration;

use glitchlab_domain::watchdog::{MAX_RESTARTS, Measure, WITHIN_MS};
use glitchlab_pipeline::process::leftovers;
use tokio::time::timeout;

use super::record::Record;
use super::restarts;
use crate::engine::Engine;
use crate::slots::Ending;

/// How long a subtree may take to stop and to start again.
const SUBTREE: Duration = Duration::from_secs(120);
/// How long the end of the processes that we started may take.
const KILLS: Duration = Duration::from_secs(5);

/// Takes a measure short of the last one, and records what came of it.
pub(super) async fn take(engine: &Engine, mut seen: Record) {
    let done = match &seen.finding.measure {
        Measure::End(path) => end(engine, path, seen.finding.clock.trouble()),
        Measure::Kill(path) => engine.tree.kill(path).map_err(|error| error.to_string()),
        Measure::Restart(path) => restart(engine, path).await,
        Measure::Process => Ok(()),
    };
    seen.done(done);
    seen.keep(engine).await;
}

/// Ends the attempt of a worker: it is told to, dropped, aborted, and in the end fenced off.
fn end(engine: &Engine, path: &str, why: &str) -> Result<(), String> {
    let slot = engine.slots.iter().find(|slot| slot.path() == path);
    let has_ended = slot.is_some_and(|slot| slot.end(Ending::Stalled(why.to_owned())));
    if has_ended { Ok(()) } else { Err(format!("{path} has no attempt any more")) }
}

async fn restart(engine: &Engine, path: &str) -> Result<(), String> {
    let again = async {
        engine.tree.terminate_child(path).await?;
        engine.tree.restart_child(path).await
    };
    match timeout(SUBTREE, again).await {
        Ok(done) => done.map(|_| ()).map_err(|error| error.to_string()),
        Err(_) => Err(format!("{path} did not stop and start within {} s", SUBTREE.as_secs())),
    }
}

/// Replaces the process, unless that was done too often: then it ends. Needs nothing of the main runtime, whose threads
/// may all be blocked.
pub(super) async fn restart_process(engine: &Engine, mut seen: Record) {
    let counted = restarts::count(&engine.folder, engine.now_ms());
    if let Err(why) = &counted {
        seen.done(Err(why.clone()));
    }
    seen.keep(engine).await;
    // What we kill on the way out has not failed: nobody may write that it has.
    engine.queue.halt();
    let _what_is_left_is_swept_at_the_next_start = timeout(KILLS, leftovers::kill_own()).await;
    if let Err(why) = counted {
        return engine.own.give_up(&why);
    }
    let error = engine.own.restart();
    engine.own.give_up(&format!("the process cannot be replaced: {error}"));
}

/// Says that the limit is reached.
pub(super) fn too_often() -> String {
    let hours = WITHIN_MS / 3_600_000;
    format!(
        "the process has restarted itself {MAX_RESTARTS} times within {hours} h, which did not help; see the records beside the store, mend the cause and start it again"
    )
}
