//! Reads the backlog and writes what changed to our own rows.

use std::sync::Arc;

use glitchlab_backlog::{Polled, Revision};
use glitchlab_domain::bead::Bead;
use glitchlab_domain::command::Command;
use glitchlab_domain::event::{About, EventKind};
use glitchlab_domain::task::SourceTask;
use glitchlab_runtime::{Failure, Task};

use crate::durable::insist;
use crate::engine::Engine;

/// How many beads one command carries.
const CHUNK: usize = 64;

/// What came of reading the backlog.
#[derive(Debug)]
pub enum Reading {
    /// It is as it was.
    Unchanged,
    /// It could not be read: what was known stays known, and running work is not touched.
    Unreadable(String),
    /// It was read, and our rows of it are written.
    Changed(Changed),
}

/// A backlog that was read anew.
#[derive(Debug)]
pub struct Changed {
    /// Every bead that could be read.
    pub beads: Vec<Bead>,
    /// Every bead of the source is among them.
    pub is_complete: bool,
    /// What was read.
    pub revision: Revision,
    /// What is wrong with it, one sentence each.
    pub faults: Vec<String>,
}

/// Reads the backlog unless it is still at `seen`; `known` faults are not told again.
pub(super) fn reading(engine: &Arc<Engine>, seen: Option<Revision>, known: Vec<String>) -> Task<Reading> {
    let engine = Arc::clone(engine);
    Task::new("backlog poll", move |_scope| async move { read(&engine, seen, &known).await })
}

async fn read(engine: &Engine, seen: Option<Revision>, known: &[String]) -> Result<Reading, Failure> {
    let poll = match engine.source.poll(seen.as_ref()).await {
        Ok(Polled::Unchanged) => return Ok(Reading::Unchanged),
        Ok(Polled::Changed(poll)) => poll,
        Err(error) => {
            let what = error.to_string();
            note(engine, None, &what, known).await?;
            return Ok(Reading::Unreadable(what));
        }
    };
    for chunk in poll.beads.chunks(CHUNK) {
        let source = engine.source.name();
        let beads = chunk.iter().map(|bead| SourceTask::of(&engine.repo_id, source, bead)).collect();
        insist(&engine.queue, Command::Sync { beads }).await??;
    }
    let is_complete = poll.is_complete();
    let faults: Vec<String> = poll.faults.iter().map(ToString::to_string).collect();
    for (fault, what) in poll.faults.iter().zip(&faults) {
        note(engine, u64::try_from(fault.line).ok(), what, known).await?;
    }
    Ok(Reading::Changed(Changed { beads: poll.beads, is_complete, revision: poll.revision, faults }))
}

/// Tells a fault once, however often it is read.
async fn note(engine: &Engine, line: Option<u64>, what: &str, known: &[String]) -> Result<(), Failure> {
    if known.iter().any(|known| known == what) {
        return Ok(());
    }
    let kind = EventKind::BacklogFaulty { line, what: what.to_owned() };
    insist(&engine.queue, Command::Note { about: About::default(), kind }).await??;
    Ok(())
}
