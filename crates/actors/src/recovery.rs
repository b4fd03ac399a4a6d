//! What a start does before anything else: it finds out which boots are dead, ends what they left running, and pays for
//! what they left open.

use glitchlab_domain::command::{Command, Settle};
use glitchlab_domain::id::BootId;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::{CallRow, ChildRow, ProcessRow};
use glitchlab_runtime::Failure;
use glitchlab_store::{Committed, Queue, Reader, StoreError, Writer};
use tokio_util::sync::CancellationToken;

use crate::durable::insist;
use crate::engine::Engine;
use crate::journal::publishing;

/// Runs the engine's writer for as long as `work` takes: before the tree is there, and after it has gone.
///
/// # Errors
///
/// Returns why the writer ended before the work was done.
pub async fn writing<T>(engine: &Engine, work: impl Future<Output = T>) -> Result<T, Failure> {
    while_writing(engine.writer.clone(), publishing(engine), work).await
}

/// Runs a writer for as long as `work` takes.
///
/// # Errors
///
/// Returns why the writer ended before the work was done: whoever waits for a writer that is gone would wait for ever.
pub(crate) async fn while_writing<T>(
    writer: Writer,
    on_commit: impl FnMut(Committed) + Send + 'static,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let mut running = tokio::spawn(async move { writer.run(stopped, on_commit).await });
    let done = tokio::select! {
        done = work => done,
        ended = &mut running => {
            ended??;
            return Err("the store's writer ended before its work was done".into());
        }
    };
    stop.cancel();
    running.await??;
    Ok(done)
}

/// Writes the row of this boot and its caps, and tells how many boots it found dead: those of this host of which `lives`
/// says so, and all of this repository, since the caller holds the repository alone.
///
/// A store that cannot be written is told at once: there is nothing yet that waiting would save.
///
/// # Errors
///
/// Returns what the store says.
pub async fn announce(
    engine: &Engine,
    process: ProcessRow,
    (cap_hour, cap_day): (MicroUsd, MicroUsd),
    lives: impl Fn(&ProcessRow) -> bool,
) -> Result<usize, Failure> {
    let alive = engine.reader.alive_processes().await?;
    let is_dead =
        |row: &ProcessRow| row.repo_id == engine.repo_id || (row.host == engine.host && !lives(row));
    let dead: Vec<BootId> = alive.into_iter().filter(is_dead).map(|row| row.boot_id).collect();
    let (scope, count) = (engine.scope.clone(), dead.len());
    let terms = engine.settings.money.terms();
    engine.queue.submit(Command::StartBoot { process, scope, cap_hour, cap_day, terms, dead }).await??;
    Ok(count)
}

/// Returns the long processes that ended boots left behind on this host.
///
/// # Errors
///
/// Returns what the store says.
pub async fn leftovers(reader: &Reader, host: &str) -> Result<Vec<ChildRow>, StoreError> {
    let alive = living(reader).await?;
    let children = reader.running_children().await?;
    Ok(children.into_iter().filter(|child| child.host == host && !alive.contains(&child.boot_id)).collect())
}

/// Settles, at their bounds, the reservations that ended boots left open; nobody knows what was paid for them.
///
/// # Errors
///
/// Returns what the store says.
pub async fn settle_open(reader: &Reader, queue: &Queue) -> Result<usize, StoreError> {
    let alive = living(reader).await?;
    let open: Vec<CallRow> =
        reader.open_calls().await?.into_iter().filter(|call| !alive.contains(&call.boot_id)).collect();
    for call in &open {
        // A refusal means that somebody else has settled it meanwhile.
        let _settled = insist(queue, Command::Settle(at_bound(call))).await?;
    }
    Ok(open.len())
}

fn at_bound(call: &CallRow) -> Settle {
    let CallRow { key, task_key, root_key, scope, .. } = call.clone();
    Settle::unanswered(key, task_key, root_key, scope, "its process died before an answer came")
}

async fn living(reader: &Reader) -> Result<Vec<BootId>, StoreError> {
    Ok(reader.alive_processes().await?.into_iter().map(|row| row.boot_id).collect())
}
