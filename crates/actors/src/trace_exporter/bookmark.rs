//! How far the spans of each boot have been sent, in a small file beside the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use glitchlab_domain::id::BootId;
use serde::{Deserialize, Serialize};

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Places {
    /// The last event of each boot whose spans were sent. Boots before the first of these are done, or were never to be
    /// told of.
    boots: BTreeMap<String, u64>,
}

/// The bookmark. A file that cannot be read counts as none; one that cannot be written costs spans that are sent twice.
pub(super) struct Bookmark {
    path: PathBuf,
    places: Places,
    /// It could not be written, which was said.
    is_unwritable: bool,
}

impl Bookmark {
    /// Opens the file, with a place for this boot from its beginning on: the next one must know that there is something
    /// to tell of it, however this one ends. Without a file, only what happens from this boot on is sent.
    pub(super) fn open(path: PathBuf, own: &BootId) -> Self {
        let mut bookmark = Self { places: read(&path), path, is_unwritable: false };
        bookmark.place(own);
        bookmark
    }

    fn place(&mut self, boot: &BootId) {
        if !self.places.boots.contains_key(boot.as_str()) {
            self.move_to(boot, 0);
        }
    }

    /// Returns the boots whose spans are not all sent, of all boots from the oldest on.
    pub(super) fn open_boots(&self, boots: Vec<BootId>) -> Vec<BootId> {
        boots.into_iter().skip_while(|boot| !self.places.boots.contains_key(boot.as_str())).collect()
    }

    /// Returns the last event of a boot that is done.
    pub(super) fn after(&self, boot: &BootId) -> u64 {
        self.places.boots.get(boot.as_str()).copied().unwrap_or(0)
    }

    /// Notes that everything up to an event is done.
    pub(super) fn move_to(&mut self, boot: &BootId, through: u64) {
        if self.places.boots.insert(boot.to_string(), through) != Some(through) {
            self.write();
        }
    }

    /// Notes that a dead boot is done: nothing more will come of it, nor of those before. The one after it is next.
    pub(super) fn close(&mut self, boot: &BootId, next: Option<&BootId>) {
        if let Some(next) = next {
            self.place(next);
        }
        if self.places.boots.remove(boot.as_str()).is_some() {
            self.write();
        }
    }

    fn write(&mut self) {
        match write(&self.path, &self.places) {
            Ok(()) => self.is_unwritable = false,
            Err(error) if !self.is_unwritable => {
                self.is_unwritable = true;
                tracing::warn!(
                    event = "traces.bookmark_unwritable",
                    "{} cannot be written, so that the next start may send spans again: {error}",
                    self.path.display()
                );
            }
            Err(_) => {}
        }
    }
}

/// What cannot be read is told: the spans of earlier boots may be lost with it.
fn read(path: &Path) -> Places {
    let read = std::fs::read(path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
    read.unwrap_or_else(|error| {
        if error.kind() != std::io::ErrorKind::NotFound {
            tracing::warn!(
                event = "traces.bookmark_unreadable",
                "{} cannot be read, so that spans of earlier starts may not be sent: {error}",
                path.display()
            );
        }
        Places::default()
    })
}

/// Whole or not at all: a torn file would be taken as none.
fn write(path: &Path, places: &Places) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, serde_json::to_vec(places)?)?;
    std::fs::rename(&beside, path)
}
