//! One git command.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{GitError, Identity};
use crate::process::output::Capture;
use crate::process::{Command, Environment, Exit, brief};

const STDOUT_BYTES: usize = 64 * 1024 * 1024;

/// Settings for each call: no upkeep beside the work, no daemon that outlives it, no signature in a person's name
/// (which would ask for a passphrase that nobody is there to type).
const SETTINGS: &[&str] = &[
    "gc.auto=0",
    "maintenance.auto=false",
    "core.fsmonitor=false",
    "commit.gpgSign=false",
    "advice.detachedHead=false",
    "core.quotePath=false",
    "worktree.useRelativePaths=false",
];

/// The git command with the environment and the time for its calls.
#[derive(Clone, Debug)]
pub struct Git {
    environment: Environment,
    /// When a call that reads or moves refs is ended.
    pub timeout: Duration,
}

impl Git {
    /// Uses `git` from the path of this environment, of which what names a repository is left out.
    #[must_use]
    pub fn new(environment: &Environment, timeout: Duration) -> Self {
        let environment = environment
            .for_git()
            .with("GIT_TERMINAL_PROMPT", "0")
            // Empty: the helpers that store credentials are asked, a person is not.
            .with("GIT_ASKPASS", "")
            // A look at the user's checkout takes no lock there.
            .with("GIT_OPTIONAL_LOCKS", "0")
            .with("GIT_EDITOR", ":");
        Self { environment, timeout }
    }

    /// Prepares a call in a directory. Hooks don't run unless [`Call::with_hooks`] says so.
    pub fn at(&self, directory: &Path, arguments: &[&str]) -> Call {
        Call {
            what: arguments.first().copied().unwrap_or_default().to_owned(),
            directory: directory.to_owned(),
            environment: self.environment.clone(),
            arguments: arguments.iter().map(OsString::from).collect(),
            input: Vec::new(),
            hooks: false,
            timeout: self.timeout,
            limit_bytes: STDOUT_BYTES,
            cut: false,
        }
    }
}

/// One git command, not yet run.
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is run"]
pub struct Call {
    what: String,
    directory: PathBuf,
    environment: Environment,
    arguments: Vec<OsString>,
    input: Vec<u8>,
    hooks: bool,
    timeout: Duration,
    limit_bytes: usize,
    cut: bool,
}

/// What git said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    what: String,
    /// How it exited.
    pub exit: Exit,
    /// Its output.
    pub stdout: Vec<u8>,
    /// How much it printed, kept or not.
    pub stdout_bytes: u64,
    /// Its error output.
    pub stderr: String,
}

impl Call {
    /// Adds an argument of any bytes.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds a variable.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment = self.environment.with(name, value);
        self
    }

    /// Makes commits of this call those of `identity`.
    pub fn by(self, identity: &Identity) -> Self {
        identity.variables().into_iter().fold(self, |call, (name, value)| call.env(name, value))
    }

    /// Gives git something to read.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Lets the repository's hooks run. What they run can be what an attempt wrote, so they see no more of the
    /// environment than tests do: the usual variables and the `extra` ones.
    pub fn with_hooks(mut self, extra: &[String]) -> Self {
        self.hooks = true;
        self.environment = self.environment.for_hooks(extra);
        self
    }

    /// Sets another time than that of [`Git::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it as [`Call::answer`] does, but keeps the first bytes of more output than that.
    ///
    /// # Errors
    ///
    /// Fails when git cannot be run or takes too long.
    pub async fn run_cut(mut self, limit_bytes: usize) -> Result<Answer, GitError> {
        self.limit_bytes = limit_bytes;
        self.cut = true;
        self.answer().await
    }

    /// Runs it and leaves it to the caller what its exit code means.
    ///
    /// # Errors
    ///
    /// Fails when git cannot be run, takes too long or prints too much.
    pub async fn answer(self) -> Result<Answer, GitError> {
        let said = brief::run(&self.command(), self.timeout, Capture::head(self.limit_bytes)).await;
        let said = said.map_err(|source| GitError::Process { what: self.what.clone(), source })?;
        let stdout_bytes = said.stdout.total_bytes();
        if said.stdout.is_cut() && !self.cut {
            return Err(GitError::TooMuch {
                what: self.what,
                bytes: stdout_bytes,
                limit_bytes: self.limit_bytes,
            });
        }
        let stdout = said.stdout.into_bytes();
        Ok(Answer {
            what: self.what,
            exit: said.exit,
            stdout,
            stdout_bytes,
            stderr: said.stderr.trim().to_owned(),
        })
    }

    /// Runs it; any exit code but 0 is an error.
    ///
    /// # Errors
    ///
    /// Fails as [`Call::answer`] does, and when git reports an error.
    pub async fn run(self) -> Result<Answer, GitError> {
        self.answer().await?.success()
    }

    /// Runs it and returns its one line of output.
    ///
    /// # Errors
    ///
    /// Fails as [`Call::run`] does.
    pub async fn line(self) -> Result<String, GitError> {
        Ok(self.run().await?.text().trim_end_matches('\n').to_owned())
    }

    fn command(&self) -> Command {
        let settings = SETTINGS.iter().chain((!self.hooks).then_some(&"core.hooksPath=/dev/null"));
        Command::new("git", &self.directory, self.environment.clone())
            .args(settings.flat_map(|setting| ["-c", setting]))
            .args(&self.arguments)
            .input(self.input.clone())
    }
}

impl Answer {
    /// Makes any exit code but 0 an error.
    ///
    /// # Errors
    ///
    /// Fails when git reported an error.
    pub fn success(self) -> Result<Self, GitError> {
        if self.exit.is_success() { Ok(self) } else { Err(self.failure()) }
    }

    /// Makes it the error that it is.
    #[must_use]
    pub fn failure(self) -> GitError {
        GitError::Failed { what: self.what, exit: self.exit, stderr: self.stderr }
    }

    /// Makes it an error because its output is not understood.
    #[must_use]
    pub fn unreadable(&self) -> GitError {
        GitError::Unreadable { what: self.what.clone(), text: self.text().chars().take(200).collect() }
    }

    /// Returns the output as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Splits the output of a `-z` option; names that are not UTF-8 are left out, for no text can name them.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let fields = self.stdout.split(|&byte| byte == 0);
        fields.filter(|field| !field.is_empty()).filter_map(|field| std::str::from_utf8(field).ok())
    }
}
