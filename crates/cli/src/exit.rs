//! Exit codes, as `docs` and scripts know them, and the one way in which a command gives up.

use std::process::ExitCode;

/// The codes of `glitchlab`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done or drained.
    Done = 0,
    /// Unexpected.
    Unexpected = 1,
    /// An argument cannot be read.
    Usage = 2,
    /// `status`: paused, or a person is needed.
    NeedsPerson = 3,
    /// `status`: no engine runs.
    NotRunning = 4,
    /// git, cargo or another program is not there.
    Unavailable = 69,
    /// A supervisor gave up.
    Breach = 70,
    /// The engine hung, and its service manager is to start it again.
    Stalled = 71,
    /// Another engine works on the repository.
    Locked = 75,
    /// The configuration, the repository or the store does not allow it.
    Configuration = 78,
    /// A second interrupt.
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// Why a command gives up: what to tell the person, and the code.
#[derive(Debug)]
pub(crate) struct Stop {
    code: Code,
    error: anyhow::Error,
}

impl Stop {
    /// Gives up with a code.
    pub(crate) fn new(code: Code, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: error.into() }
    }

    /// Tells the person on stderr and returns the code.
    #[expect(clippy::print_stderr, reason = "this is where the program speaks to the person who started it")]
    pub(crate) fn tell(self) -> ExitCode {
        eprintln!("error: {:#}", self.error);
        self.code.into()
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Code::Unexpected, error)
    }
}

/// Gives an error its exit code.
pub(crate) trait OrStop<T> {
    /// Gives up with `code` on an error.
    ///
    /// # Errors
    ///
    /// Returns the error with its code.
    fn or_stop(self, code: Code) -> Result<T, Stop>;
}

impl<T, E: Into<anyhow::Error>> OrStop<T> for Result<T, E> {
    fn or_stop(self, code: Code) -> Result<T, Stop> {
        self.map_err(|error| Stop::new(code, error))
    }
}
