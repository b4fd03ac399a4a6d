//! Reads the backlog and writes what changed to our own rows.

use std::sync::Arc;

use glitchlab_backlog::{Polled, Revision};
use glitchlab_domain::bead::Bead;
use glitchlab_domain::command::Command;
use glitchlab_domain::event::{About, EventKind};
use glitchlab_domain::id::TaskKey;
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
        let beads = chunk.iter().map(|bead| source_task(engine, bead)).collect();
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

fn source_task(engine: &Engine, bead: &Bead) -> SourceTask {
    let body = body(bead);
    SourceTask {
        key: TaskKey::of(&engine.repo_id, &bead.id),
        repo_id: engine.repo_id.clone(),
        bead_id: bead.id.clone(),
        source: engine.source.name().to_owned(),
        parent: bead.parent().cloned(),
        rev: SourceTask::revision(&bead.title, &body),
        title: bead.title.clone(),
        body,
        priority: bead.priority,
        kind: bead.issue_type.clone(),
        labels: bead.labels.clone(),
        created_ms: bead.created_ms,
        state: bead.status.as_str().to_owned(),
    }
}

/// Puts together what the work needs to know, each part under its name.
fn body(bead: &Bead) -> String {
    let parts = [
        ("", &bead.description),
        ("Design", &bead.design),
        ("Acceptance criteria", &bead.acceptance_criteria),
        ("Notes", &bead.notes),
    ];
    let filled = parts.iter().filter(|(_, text)| !text.trim().is_empty());
    let titled =
        filled.map(|(name, text)| if name.is_empty() { (*text).clone() } else { format!("{name}:\n{text}") });
    titled.collect::<Vec<_>>().join("\n\n")
}
