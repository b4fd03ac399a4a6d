//! What the watchdog can do to its own process, and say to whoever started it. Only the program knows how.

use std::io;

/// What is said to the service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// It is up.
    Ready,
    /// The loop has advanced; the line says what it is at.
    Alive(&'a str),
    /// It goes down.
    Stopping,
}

/// The process of an engine. It is used from the watchdog's own thread, when nothing else may answer any more.
pub trait OwnProcess: Send + Sync {
    /// Replaces the process by a new one that goes on, or ends it so that its service manager starts it again. Returns
    /// only where that is not possible.
    fn restart(&self) -> io::Error;

    /// Ends the process because restarts do not help; says why on stderr.
    fn give_up(&self, why: &str);

    /// Says something to the service manager, if there is one.
    fn say(&self, said: Said<'_>);
}
