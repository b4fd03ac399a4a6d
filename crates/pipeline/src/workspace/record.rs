//! What we know of a worktree, kept beside git's own files for it, so that it goes when the worktree goes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::WorkspaceError;
use super::contain::failed;

/// The facts of one worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) attempt_id: String,
    pub(super) branch: String,
    pub(super) base: String,
    pub(super) base_commit: String,
    /// Whether the setup command ran to its end.
    pub(super) set_up: bool,
    /// The commit that a refresh is moving the files to; they are a mixture until it is done.
    pub(super) moving_to: Option<String>,
    /// Whether its end has begun, which is then finished and never taken back.
    pub(super) closing: bool,
}

/// Reads the record, `None` when the worktree was never finished.
pub(super) fn read(admin: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(path(admin)).ok()?).ok()
}

/// Writes the record at once: a reader sees the old or the new one.
pub(super) fn write(admin: &Path, record: &Record) -> Result<(), WorkspaceError> {
    let (new, path) = (admin.join("glitchlab.json.new"), path(admin));
    let written = serde_json::to_vec(record)
        .map_err(io::Error::from)
        .and_then(|text| fs::write(&new, text))
        .and_then(|()| fs::rename(&new, &path));
    written.map_err(|source| failed("write", &path, source))
}

/// Marks a worktree as kept from now on.
pub(super) fn mark_kept(admin: &Path) -> Result<(), WorkspaceError> {
    fs::write(kept_path(admin), "").map_err(|source| failed("write", &kept_path(admin), source))
}

/// Returns since when a worktree is kept.
pub(super) fn kept_since(admin: &Path) -> Option<SystemTime> {
    fs::metadata(kept_path(admin)).ok()?.modified().ok()
}

fn path(admin: &Path) -> PathBuf {
    admin.join("glitchlab.json")
}

fn kept_path(admin: &Path) -> PathBuf {
    admin.join("glitchlab-kept")
}
