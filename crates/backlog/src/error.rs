//! Why a source could not do what it was asked.

use std::io;
use std::path::PathBuf;

/// Why a source could not do what it was asked; each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The repository has no backlog where one is looked for.
    #[error(
        "found no backlog at {}; run `bd export -o {}` in the repository, or name a file with `--backlog PATH`",
        path.display(), path.display()
    )]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file that was named is not there.
    #[error("there is no file {}; check the path given with `--backlog`", path.display())]
    NoSuchFile {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The path leads to something that is no file.
    #[error("{} is {what}, not a file; name the `.jsonl` file itself with `--backlog PATH`", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// The file can't be read.
    #[error("could not read the backlog {}: {error}; check that this user may read it", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The file changed each time while it was read.
    #[error("the backlog {} is being written; it is read again at the next poll", path.display())]
    BeingWritten {
        /// The path.
        path: PathBuf,
    },
    /// The runtime stopped before the read ended.
    #[error("the program is ending, so the backlog {} was not read", path.display())]
    Stopped {
        /// The path.
        path: PathBuf,
    },
    /// The source takes no writes.
    #[error(
        "can't {what}: the {source_name} source is only read; the result is kept in the engine's own store"
    )]
    ReadOnly {
        /// The source's name.
        source_name: &'static str,
        /// What was asked.
        what: &'static str,
    },
}
