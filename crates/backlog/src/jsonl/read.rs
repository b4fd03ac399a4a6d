//! Reading the file as it is at one instant, although others write it.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::parse::parse;
use crate::{Poll, Polled, Revision, SourceError};

/// How often a file that changes under our hands is read before the next poll has to do.
const READS: usize = 3;

/// What a poll saw of the file from outside, and the content it found behind that.
#[derive(Debug)]
pub(super) struct Look {
    stamp: Stamp,
    revision: Revision,
    /// The content was read at a poll after the one that first saw this stamp. Before that, the stamp proves nothing:
    /// a second write within one tick of the file system's clock leaves it as it was.
    is_settled: bool,
}

/// What changes when a file is written or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            length: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

pub(super) fn poll(
    path: &Path,
    look: &Mutex<Option<Look>>,
    seen: Option<&Revision>,
) -> Result<Polled, SourceError> {
    let started = Instant::now();
    check_is_file(path)?;
    if is_settled(path, look, seen)? {
        return Ok(Polled::Unchanged);
    }
    let (content, stamp) = read_still(path)?;
    let revision = revision(&content);
    remember(look, stamp, &revision);
    if seen == Some(&revision) {
        return Ok(Polled::Unchanged);
    }
    let parsed = parse(&content);
    Ok(Polled::Changed(Poll {
        beads: parsed.beads,
        faults: parsed.faults,
        revision,
        schema: parsed.schema,
        bytes: stamp.length,
        read_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    }))
}

/// Refuses what is no file before it is opened: a pipe would hold up the thread until somebody writes into it.
pub(super) fn check_is_file(path: &Path) -> Result<(), SourceError> {
    let metadata = std::fs::metadata(path).map_err(|error| failed(path, error))?;
    if metadata.is_file() {
        return Ok(());
    }
    let what = if metadata.is_dir() { "a directory" } else { "a pipe, a socket or a device" };
    Err(SourceError::NotAFile { path: path.to_path_buf(), what })
}

/// Says whether the file is for certain what the caller has seen, without reading it.
fn is_settled(path: &Path, look: &Mutex<Option<Look>>, seen: Option<&Revision>) -> Result<bool, SourceError> {
    let stamp = Stamp::of(&std::fs::metadata(path).map_err(|error| failed(path, error))?);
    let look = lock(look);
    Ok(look
        .as_ref()
        .is_some_and(|look| look.is_settled && look.stamp == stamp && seen == Some(&look.revision)))
}

fn remember(look: &Mutex<Option<Look>>, stamp: Stamp, revision: &Revision) {
    let mut look = lock(look);
    let is_settled = look.as_ref().is_some_and(|look| look.stamp == stamp);
    *look = Some(Look { stamp, revision: revision.clone(), is_settled });
}

/// A look is replaced whole, so a panic elsewhere can't have left half of one.
fn lock(look: &Mutex<Option<Look>>) -> MutexGuard<'_, Option<Look>> {
    look.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the content while nobody changes the file. One that is replaced by a rename is read as it was before.
fn read_still(path: &Path) -> Result<(Vec<u8>, Stamp), SourceError> {
    for _ in 0..READS {
        let (content, before, after) = read_once(path).map_err(|error| failed(path, error))?;
        if before == after {
            return Ok((content, before));
        }
    }
    Err(SourceError::BeingWritten { path: path.to_path_buf() })
}

fn read_once(path: &Path) -> io::Result<(Vec<u8>, Stamp, Stamp)> {
    let mut file = File::open(path)?;
    let before = Stamp::of(&file.metadata()?);
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok((content, before, Stamp::of(&file.metadata()?)))
}

fn failed(path: &Path, error: io::Error) -> SourceError {
    let path = path.to_path_buf();
    match error.kind() {
        io::ErrorKind::NotFound => SourceError::NoSuchFile { path },
        _ => SourceError::Read { path, error },
    }
}

fn revision(content: &[u8]) -> Revision {
    use std::fmt::Write;
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(content) {
        write!(text, "{byte:02x}").expect("writing into a string never fails");
    }
    Revision::new(text)
}
