//! Stops one child: ask, wait, kill, wait a grace, and then no longer.

use std::time::Duration;

use ractor::ActorCell;

use crate::actor::stop_reason;
use crate::child::Shutdown;
use crate::exit::{ExitReason, ExitRecord};

/// Says how far it had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It ended when asked.
    Asked,
    /// It ended when killed.
    Killed,
    /// It did not end.
    Zombie,
}

impl Ending {
    /// Returns the reason for the exit; a failure on the way out is worth more than that it was asked.
    pub(crate) fn reason(self, exit: &ExitRecord) -> ExitReason {
        match self {
            Self::Asked => exit.get().unwrap_or(ExitReason::Shutdown),
            Self::Killed => exit.get().unwrap_or(ExitReason::Killed),
            Self::Zombie => ExitReason::Zombie,
        }
    }
}

/// Stops an actor as its spec says, and returns how it ended.
pub(crate) async fn stop(cell: &ActorCell, shutdown: Shutdown, kill_grace: Duration) -> Ending {
    let patience = match shutdown {
        Shutdown::BrutalKill => return kill(cell, kill_grace).await,
        Shutdown::Timeout(patience) => Some(patience),
        Shutdown::Infinity => None,
    };
    cell.stop(Some(stop_reason::SHUTDOWN.to_owned()));
    match cell.wait(patience).await {
        Ok(()) => Ending::Asked,
        Err(_) => kill(cell, kill_grace).await,
    }
}

async fn kill(cell: &ActorCell, grace: Duration) -> Ending {
    cell.kill();
    match cell.wait(Some(grace)).await {
        Ok(()) => Ending::Killed,
        Err(_) => Ending::Zombie,
    }
}
