//! The record of each measure: first a file beside the store, which needs nothing but a disk, then a durable event. What
//! could not be told to the store is told by the next watching, in this process or a later one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::command::Command;
use glitchlab_domain::event::{About, EventKind};
use glitchlab_domain::id::BootId;
use glitchlab_domain::watchdog::{Finding, Look};
use glitchlab_runtime::TreeSnapshot;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::engine::Engine;

/// How long the store may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How many records are kept.
const KEPT: usize = 20;
/// What a record's file ends with.
const ENDING: &str = ".record.json";

/// What was found, what was done, and how everything stood.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) at_ms: i64,
    pub(super) boot_id: BootId,
    pub(super) finding: Finding,
    /// What was done, for people.
    did: String,
    /// The store has it.
    told: bool,
    #[serde(default, skip_deserializing)]
    look: Look,
    #[serde(default, skip_deserializing)]
    tree: Option<TreeSnapshot>,
}

impl Record {
    pub(super) fn new(engine: &Engine, finding: Finding, look: &Look, tree: &TreeSnapshot) -> Self {
        Self {
            at_ms: engine.now_ms(),
            boot_id: engine.boot.boot_id.clone(),
            did: finding.measure.to_string(),
            finding,
            told: false,
            look: look.clone(),
            tree: Some(tree.clone()),
        }
    }

    /// Takes in what came of the measure.
    pub(super) fn done(&mut self, done: Result<(), String>) {
        if let Err(why) = done {
            self.did = format!("could not help: {why}");
        }
    }

    /// Keeps it: as a file, and as an event if the store answers.
    pub(super) async fn keep(&mut self, engine: &Engine) {
        let path = engine.folder.join(format!("{}-{}{ENDING}", self.at_ms, self.finding.clock));
        tracing::error!(event = "watchdog.acted", "{}; the record is {}", self.did, path.display());
        let written = self.write(&path);
        self.told = tell(engine, self.event()).await;
        // Only what the store does not have needs the file again.
        let written = written.and_then(|()| if self.told { self.write(&path) } else { Ok(()) });
        if let Err(error) = written {
            tracing::error!(event = "watchdog.unrecorded", "{} cannot be written: {error}", path.display());
        }
        prune(&engine.folder);
    }

    fn event(&self) -> EventKind {
        let Finding { clock, subject, detail, age_ms, limit_ms, .. } = self.finding.clone();
        EventKind::WatchdogActed { clock, subject, detail, age_ms, limit_ms, did: self.did.clone() }
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)
    }
}

/// Tells the store what it has not heard yet, in the background.
pub(super) fn tell_untold(engine: &Arc<Engine>) {
    for path in files(&engine.folder) {
        let Some(text) = fs::read_to_string(&path).ok() else { continue };
        let Ok(record) = serde_json::from_str::<Record>(&text) else { continue };
        if record.told {
            continue;
        }
        let engine = Arc::clone(engine);
        tokio::spawn(async move {
            if tell(&engine, record.event()).await {
                mark_told(&path, &text);
            }
        });
    }
}

/// Changes the one word, and leaves the look and the tree as they were written.
fn mark_told(path: &Path, text: &str) {
    let told = text.replacen("\"told\": false", "\"told\": true", 1);
    if let Err(error) = fs::write(path, told) {
        tracing::warn!(event = "watchdog.unrecorded", "{} cannot be written: {error}", path.display());
    }
}

/// Notes something in the background.
pub(super) fn note(engine: &Arc<Engine>, kind: EventKind) {
    let engine = Arc::clone(engine);
    tokio::spawn(async move { tell(&engine, kind).await });
}

async fn tell(engine: &Engine, kind: EventKind) -> bool {
    let note = engine.queue.submit(Command::Note { about: About::default(), kind });
    matches!(timeout(ANSWER, note).await, Ok(Ok(Ok(_))))
}

/// Lists the records, oldest first: their names begin with the instant.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(ENDING));
    files.sort();
    files
}

fn prune(folder: &Path) {
    let files = files(folder);
    for path in &files[..files.len().saturating_sub(KEPT)] {
        // The next one tries again.
        let _ = fs::remove_file(path);
    }
}
