//! What an actor is, and what it is given to work with.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::child::ChildContext;
use crate::exit::Failure;
use crate::gauges::Gauges;
use crate::handle::{Gone, Handle};
use crate::mailbox::{Address, Mailbox};

/// Names the kinds of a message, for gauges, spans and time budgets.
pub trait MessageKind {
    /// Returns the name of this message's kind: one of a small, fixed set.
    fn kind(&self) -> &'static str;
}

/// Is an actor: a state that only its own messages change, one at a time.
///
/// An error or a panic ends the incarnation and its supervisor decides what follows; what is expected to happen is a
/// value, not an error. A kill drops the running handler at its next await, so handlers are cancel-safe, and long work
/// goes to a [`TaskSlot`](crate::TaskSlot).
pub trait Actor: Sized + Send + Sync + 'static {
    /// What it understands.
    type Msg: MessageKind + Send + 'static;
    /// What an incarnation is started with.
    type Arguments: Send + 'static;
    /// What it remembers between messages.
    type State: Send + 'static;

    /// Starts an incarnation; its supervisor, and with it every later sibling, waits until this returns.
    ///
    /// Returning [`Ignore`] as the error says that there is nothing to do: the child counts as started, but has no
    /// process.
    fn start(
        &self,
        context: &Context<Self::Msg>,
        arguments: Self::Arguments,
    ) -> impl Future<Output = Result<Self::State, Failure>> + Send;

    /// Handles one message.
    fn handle(
        &self,
        context: &Context<Self::Msg>,
        msg: Self::Msg,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Cleans up when the incarnation was asked to stop or stopped itself; not after an error, a panic or a kill.
    fn stop(
        &self,
        context: &Context<Self::Msg>,
        state: &mut Self::State,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        let _nothing_to_clean = (context, state);
        async { Ok(()) }
    }
}

/// Is returned by [`Actor::start`] to decline: the child counts as started, but there is no process.
///
/// A restart that is declined is no failure. A temporary child that declines is forgotten, others can be started later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing to do here, so it was not started")]
pub struct Ignore;

/// Why an incarnation is asked to end. Stops carry it through `ractor`, whose exits have a string for it.
pub(crate) mod stop_reason {
    /// The actor is finished.
    pub(crate) const NORMAL: &str = "normal";
    /// The actor was asked, or ends as if it had been.
    pub(crate) const SHUTDOWN: &str = "shutdown";
    /// The actor is asked to make room for its successor; its host stays, and `ractor` hears nothing of it.
    pub(crate) const LEAVE: &str = "leave";
}

/// Is what an incarnation knows of itself.
#[derive(Debug)]
pub struct Context<M> {
    child: Arc<ChildContext>,
    handle: Handle<M>,
    myself: Address<M>,
}

impl<M: Send + 'static> Context<M> {
    pub(crate) fn new(child: Arc<ChildContext>, handle: Handle<M>, myself: Address<M>) -> Self {
        Self { child, handle, myself }
    }

    /// Returns its place in the tree, from the root: `root/work/worker-1`.
    #[must_use]
    pub fn path(&self) -> &Arc<str> {
        &self.child.path
    }

    /// Returns which life of the actor this is, from 0.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.child.incarnation
    }

    /// Returns the token that is cancelled when this incarnation has ended.
    #[must_use]
    pub fn ended(&self) -> &CancellationToken {
        &self.child.ended
    }

    /// Returns what can be seen of the actor from outside.
    #[must_use]
    pub fn gauges(&self) -> &Arc<Gauges> {
        &self.child.gauges
    }

    /// Returns the handle that reaches this actor in this and every later incarnation.
    #[must_use]
    pub fn handle(&self) -> &Handle<M> {
        &self.handle
    }

    /// Returns where messages of this incarnation are counted.
    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.myself.mailbox
    }

    /// Sends a message to this incarnation only.
    ///
    /// # Errors
    /// [`Gone`] when it is stopping.
    pub fn send_self(&self, msg: M) -> Result<(), Gone> {
        self.myself.send(msg).map_err(|_refused| self.handle.gone())
    }

    /// Sends a message to this incarnation after a delay; it is dropped when the incarnation ends before.
    pub fn send_after(&self, delay: Duration, msg: M) -> AbortHandle {
        let (myself, ended) = (self.myself.clone(), self.child.ended.clone());
        let timer = async move {
            tokio::select! {
                biased;
                () = ended.cancelled() => {}
                () = tokio::time::sleep(delay) => {
                    let _ended_meanwhile = myself.send(msg);
                }
            }
        };
        tokio::spawn(timer).abort_handle()
    }

    /// Ends this incarnation after the current message, as finished: only a permanent child is restarted.
    pub fn stop(&self) {
        self.myself.stop(stop_reason::NORMAL);
    }

    /// Ends this incarnation after the current message, as if it had been asked to.
    pub fn shut_down(&self) {
        self.myself.stop(stop_reason::SHUTDOWN);
    }
}
