//! The file that the `bd` tracker exports: one issue a line, in JSON. It is only read.

mod issue;
mod parse;
mod read;
mod time;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::{Capabilities, Polled, Revision, Source, SourceError};
pub use parse::{Parsed, parse};
use read::Look;

/// Where `bd` exports to, below the repository.
const EXPORT: &str = ".beads/issues.jsonl";

/// A beads file, read whole whenever it changed.
#[derive(Debug)]
pub struct JsonlSource {
    path: PathBuf,
    /// What the last poll saw of the file from outside.
    look: Arc<Mutex<Option<Look>>>,
}

impl JsonlSource {
    /// Takes the file that a person named, or else the one that `bd` keeps in the repository.
    ///
    /// # Errors
    /// When there is no such file, or it is not a file; whether it can be read shows at the first poll.
    pub fn discover(repo: &Path, named: Option<&Path>) -> Result<Self, SourceError> {
        let path = named.map_or_else(|| repo.join(EXPORT), Path::to_path_buf);
        match read::check_is_file(&path) {
            Err(SourceError::NoSuchFile { path }) if named.is_none() => Err(SourceError::NotFound { path }),
            Err(error) => Err(error),
            Ok(()) => Ok(Self::new(path)),
        }
    }

    /// Takes a file that need not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, look: Arc::default() }
    }

    /// Returns the file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[async_trait]
impl Source for JsonlSource {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { writes: false }
    }

    /// Reads and parses on a thread for blocking work: a large file must not hold up the runtime.
    async fn poll(&self, seen: Option<&Revision>) -> Result<Polled, SourceError> {
        let (path, look, seen) = (self.path.clone(), Arc::clone(&self.look), seen.cloned());
        let poll = tokio::task::spawn_blocking(move || read::poll(&path, &look, seen.as_ref())).await;
        poll.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(SourceError::Stopped { path: self.path.clone() }),
        })
    }
}
