//! Stops one child: ask, wait, kill, wait a grace, and then no longer.

use std::time::Duration;

use ractor::ActorCell;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::actor::stop_reason;
use crate::child::Shutdown;
use crate::door::AnyDoor;
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
            Self::Asked => exit.take().unwrap_or(ExitReason::Shutdown),
            Self::Killed => exit.take().unwrap_or(ExitReason::Killed),
            Self::Zombie => ExitReason::Zombie,
        }
    }
}

/// An actor and the tokio task it runs in. Only the end of the task says that nothing of the actor is left: its
/// supervisor hears of its exit before its state is dropped.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) cell: ActorCell,
    pub(crate) tokio_task: JoinHandle<()>,
}

impl Spawned {
    /// Stops the actor as its spec says, and returns how it ended.
    pub(crate) async fn stop(&mut self, shutdown: Shutdown, kill_grace: Duration) -> Ending {
        match shutdown {
            Shutdown::BrutalKill => self.kill(kill_grace).await,
            Shutdown::Timeout(patience) => {
                self.ask();
                if self.gone_within(patience).await { Ending::Asked } else { self.kill(kill_grace).await }
            }
            Shutdown::Infinity => {
                self.ask();
                let _ractor_catches_panics = (&mut self.tokio_task).await;
                Ending::Asked
            }
        }
    }

    /// Waits until the incarnation has left this host, as it was asked to, and returns its door; when it does not, or the host
    /// ends with it, there is none.
    pub(crate) async fn left(
        &mut self,
        is_gone: oneshot::Receiver<AnyDoor>,
        shutdown: Shutdown,
        kill_grace: Duration,
    ) -> (Ending, Option<AnyDoor>) {
        let left = async {
            let door = tokio::select! {
                biased;
                door = is_gone => door.ok(),
                // Also when it ends by itself, and the question stays in its mailbox.
                _ = &mut self.tokio_task => return None,
            };
            if door.is_none() {
                let _ractor_catches_panics = (&mut self.tokio_task).await;
            }
            door
        };
        match shutdown {
            Shutdown::Timeout(patience) => match timeout(patience, left).await {
                Ok(door) => (Ending::Asked, door),
                Err(_) => (self.kill(kill_grace).await, None),
            },
            Shutdown::BrutalKill | Shutdown::Infinity => (Ending::Asked, left.await),
        }
    }

    fn ask(&self) {
        self.cell.stop(Some(stop_reason::SHUTDOWN.to_owned()));
    }

    /// Waits until nothing of the actor is left, at most this long, and returns whether that is so.
    pub(crate) async fn gone_within(&mut self, patience: Duration) -> bool {
        // Mostly it is gone by now, and no timer is made.
        self.tokio_task.is_finished() || timeout(patience, &mut self.tokio_task).await.is_ok()
    }

    async fn kill(&mut self, grace: Duration) -> Ending {
        self.cell.kill();
        match self.gone_within(grace).await {
            true => Ending::Killed,
            false => Ending::Zombie,
        }
    }
}
