//! The one place that starts processes.
//!
//! Each gets its own process group, an environment of its own, a parent-death signal, bounded output and a timeout.
//! [`contained`] runs what may leave children behind (tests, agents) behind a gate; [`brief`] runs what ends by
//! itself (git). [`leftovers`] ends what a dead engine left running.

pub mod brief;
pub mod contained;
pub mod engine;
pub mod environment;
pub mod leftovers;
pub mod lookup;
pub mod output;
mod procfs;
pub mod redact;
mod spawner;
mod tree;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use environment::Environment;

/// The environment variable by which every process of ours, and what it starts, is known.
pub const MARKER: &str = "GLITCHLAB_CHILD";

/// A program to run.
#[derive(Clone, Debug)]
pub struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    directory: PathBuf,
    environment: Environment,
    input: Vec<u8>,
}

impl Command {
    /// Names the program, the directory it runs in and all of its environment.
    pub fn new(program: impl Into<OsString>, directory: &Path, environment: Environment) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            directory: directory.to_owned(),
            environment,
            input: Vec::new(),
        }
    }

    /// Names a command line for `sh`.
    #[must_use]
    pub fn shell(line: &str, directory: &Path, environment: Environment) -> Self {
        Self::new("sh", directory, environment).args(["-c", line])
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds one variable to the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment = self.environment.with(name, value);
        self
    }

    /// Gives the program something to read; without it, it reads nothing. Only for [`brief`].
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }
}

/// How a process exited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// Says whether it is the code 0.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// Reads a status as a shell reports it: 128 and the signal's number for a program that a signal ended.
    pub(crate) fn from_shell(status: i32) -> Self {
        match status {
            129..=192 => Self::Signal(status - 128),
            code => Self::Code(code),
        }
    }
}

impl From<std::process::ExitStatus> for Exit {
    fn from(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        status.code().map_or_else(|| Self::Signal(status.signal().unwrap_or_default()), Self::Code)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A process of ours, named so that it is never taken for a later one with the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildProcess {
    /// The process id of the group's leader.
    pub pid: u32,
    /// The process group.
    pub pgid: u32,
    /// When the leader started, in clock ticks since the machine booted.
    pub start_ticks: u64,
    /// The boot of the machine and the namespace in which the ids hold.
    pub host: String,
}

/// How long and how much a process may run and print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// When it is ended.
    pub timeout: Duration,
    /// How much of its output is kept.
    pub max_output_bytes: usize,
}

/// Why a watcher does not let a process begin.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct WatchError {
    /// What went wrong.
    pub reason: String,
}

/// Where a process prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Its output.
    Out,
    /// Its error output.
    Err,
}

/// Follows a process from before it does anything until it is gone with all it started.
#[async_trait]
pub trait ChildWatch: Send + Sync {
    /// Records the process; it begins only after this returned.
    async fn started(&self, process: &ChildProcess) -> Result<(), WatchError>;

    /// Hears that nothing of it is left.
    async fn ended(&self, process: &ChildProcess);

    /// Hears that it printed something.
    fn progress(&self);

    /// Hears what it printed; by default only that it did.
    fn heard(&self, from: Stream, bytes: &[u8]) {
        let _ = (from, bytes);
        self.progress();
    }

    /// Resolves when the process should end early; by default never.
    async fn stop_requested(&self) {
        std::future::pending::<()>().await;
    }
}

/// Watches nothing; for processes that nobody needs to find again by a record.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

#[async_trait]
impl ChildWatch for Unwatched {
    async fn started(&self, _: &ChildProcess) -> Result<(), WatchError> {
        Ok(())
    }

    async fn ended(&self, _: &ChildProcess) {}

    fn progress(&self) {}
}

/// Why a process could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// It did not start.
    #[error("cannot start {program:?} in {}: {source}; is it installed?", directory.display())]
    Spawn {
        /// The program.
        program: OsString,
        /// Its directory.
        directory: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Its watcher did not let it begin.
    #[error("{program:?} was not begun because it could not be recorded: {source}")]
    Refused {
        /// The program.
        program: OsString,
        /// Why not.
        source: WatchError,
    },
    /// Talking to it or waiting for it failed.
    #[error("lost touch with {program:?}: {source}")]
    Lost {
        /// The program.
        program: OsString,
        /// What failed.
        source: std::io::Error,
    },
    /// It took too long and was ended.
    #[error("{program:?} was ended after {after_ms} ms")]
    TimedOut {
        /// The program.
        program: OsString,
        /// How long it ran.
        after_ms: u128,
    },
}
