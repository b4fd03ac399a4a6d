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

/// A backlog that was read and whose rows are written.
#[derive(Debug)]
pub struct Reading {
    /// Every bead that could be read.
    pub beads: Vec<Bead>,
    /// Every bead of the source is among them.
    pub is_complete: bool,
    /// What was read; none when it could not be read at all.
    pub revision: Option<Revision>,
    /// What is wrong with it, one sentence each.
    pub faults: Vec<String>,
}

/// Reads the backlog unless it is still at `seen`.
pub(super) fn reading(engine: &Arc<Engine>, seen: Option<Revision>) -> Task<Option<Reading>> {
    let engine = Arc::clone(engine);
    Task::new("backlog poll", move |_scope| async move { read(&engine, seen).await })
}

async fn read(engine: &Engine, seen: Option<Revision>) -> Result<Option<Reading>, Failure> {
    let poll = match engine.source.poll(seen.as_ref()).await {
        Ok(Polled::Unchanged) => return Ok(None),
        Ok(Polled::Changed(poll)) => poll,
        Err(error) => return Ok(Some(unreadable(engine, &error.to_string()).await?)),
    };
    for chunk in poll.beads.chunks(CHUNK) {
        let beads = chunk.iter().map(|bead| source_task(engine, bead)).collect();
        insist(&engine.queue, Command::Sync { beads }).await??;
    }
    let is_complete = poll.is_complete();
    let faults: Vec<String> = poll.faults.iter().map(ToString::to_string).collect();
    for (fault, what) in poll.faults.iter().zip(&faults) {
        note(engine, u64::try_from(fault.line).ok(), what).await?;
    }
    Ok(Some(Reading { beads: poll.beads, is_complete, revision: Some(poll.revision), faults }))
}

/// What was known stays known; running work is not touched.
async fn unreadable(engine: &Engine, what: &str) -> Result<Reading, Failure> {
    note(engine, None, what).await?;
    Ok(Reading { beads: Vec::new(), is_complete: false, revision: None, faults: vec![what.to_owned()] })
}

async fn note(engine: &Engine, line: Option<u64>, what: &str) -> Result<(), Failure> {
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
