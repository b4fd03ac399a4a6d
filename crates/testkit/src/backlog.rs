//! A backlog in memory that people edit while the engine runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use glitchlab_backlog::{Capabilities, Poll, Polled, Revision, Source, SourceError};
use glitchlab_domain::bead::{Bead, BeadId, Status};

/// A backlog in memory; our results are not written to it. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct FakeBacklog(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    beads: BTreeMap<BeadId, Bead>,
    edits: u64,
    polls: u64,
    panics: bool,
    hangs: bool,
}

impl FakeBacklog {
    /// Makes a backlog of these issues.
    #[must_use]
    pub fn new(beads: impl IntoIterator<Item = Bead>) -> Self {
        let backlog = Self::default();
        for bead in beads {
            backlog.put(bead);
        }
        backlog
    }

    /// Adds an issue, or takes another form of it.
    pub fn put(&self, bead: Bead) {
        let mut contents = self.lock();
        contents.edits += 1;
        contents.beads.insert(bead.id.clone(), bead);
    }

    /// Sets the status of an issue, if there is one.
    pub fn set_status(&self, id: &str, status: Status) {
        let mut contents = self.lock();
        contents.edits += 1;
        if let Some(bead) = contents.beads.get_mut(&BeadId::from(id)) {
            bead.status = status;
        }
    }

    /// Lets the next poll panic, and with it whoever polls.
    pub fn panic_once(&self) {
        self.lock().panics = true;
    }

    /// Lets the next poll wait for ever.
    pub fn hang_once(&self) {
        self.lock().hangs = true;
    }

    /// Takes the order to wait for ever.
    fn hangs(&self) -> bool {
        std::mem::take(&mut self.lock().hangs)
    }

    /// Returns every issue, by id.
    #[must_use]
    pub fn beads(&self) -> Vec<Bead> {
        self.lock().beads.values().cloned().collect()
    }

    /// Returns how often it was polled.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.lock().polls
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn poll(&self, seen: Option<&Revision>) -> Polled {
        let revision = Revision::new(self.edits.to_string());
        if seen == Some(&revision) {
            return Polled::Unchanged;
        }
        let beads = self.beads.values().cloned().collect();
        Polled::Changed(Poll { beads, faults: Vec::new(), revision, schema: None, bytes: 0, read_ms: 0 })
    }
}

#[async_trait]
impl Source for FakeBacklog {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { writes: false }
    }

    async fn poll(&self, seen: Option<&Revision>) -> Result<Polled, SourceError> {
        if self.hangs() {
            return std::future::pending().await;
        }
        let mut contents = self.lock();
        contents.polls += 1;
        assert!(!std::mem::take(&mut contents.panics), "a poll of the backlog that was told to panic");
        Ok(contents.poll(seen))
    }
}
