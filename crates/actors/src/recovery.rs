//! What a start does before anything else: it finds out which boots are dead, ends what they left running, and pays for
//! what they left open.

use glitchlab_domain::command::{Command, Settle};
use glitchlab_domain::id::BootId;
use glitchlab_domain::rows::{CallRow, ChildRow, ProcessRow};
use glitchlab_store::{Queue, Reader, StoreError};

use crate::durable::insist;

/// Returns the processes that the store still counts as alive although they are not: those of this host of which
/// `lives` says so, and all of this repository, since the caller holds the repository alone.
///
/// # Errors
///
/// Returns what the store says.
pub async fn dead_boots(
    reader: &Reader,
    host: &str,
    repo_id: &str,
    lives: impl Fn(&ProcessRow) -> bool,
) -> Result<Vec<BootId>, StoreError> {
    let alive = reader.alive_processes().await?;
    Ok(alive
        .into_iter()
        .filter(|row| row.repo_id == repo_id || (row.host == host && !lives(row)))
        .map(|row| row.boot_id)
        .collect())
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
    Settle {
        by: None,
        key: call.key.clone(),
        task_key: call.task_key.clone(),
        scope: call.scope.clone(),
        paid: None,
        reply: None,
        error: Some("its process died before an answer came".to_owned()),
        latency_ms: 0,
    }
}

async fn living(reader: &Reader) -> Result<Vec<BootId>, StoreError> {
    Ok(reader.alive_processes().await?.into_iter().map(|row| row.boot_id).collect())
}
