//! A typed reference to an actor that survives its restarts.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ractor::ActorId;
use tokio::sync::oneshot;

use crate::door::AnyDoor;
use crate::gauges::Gauges;
use crate::mailbox::Address;

/// Reaches an actor by what it is, not by which incarnation it is.
///
/// A handle is made before the actor, given to the child spec that starts it and to everyone who talks to it. It
/// belongs to one child. While the child restarts, sending fails: nothing is buffered, because an activation is
/// idempotent and a new incarnation looks by itself when it starts.
pub struct Handle<M> {
    inner: Arc<Inner<M>>,
}

struct Inner<M> {
    name: Arc<str>,
    gauges: Arc<Gauges>,
    /// The incarnation that is up. A plain lock: held to put a message into a queue and no longer.
    target: RwLock<Option<Address<M>>>,
}

/// Reports that nobody was there to take a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is not running; it is restarting or has stopped, so look again after its next start")]
pub struct Gone {
    /// Name of the handle.
    pub name: Arc<str>,
}

/// Says why a call got no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The call was not sent.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The reply did not come in time; the request may still be carried out.
    #[error("{name} did not reply within {timeout_ms} ms; the request may still be carried out")]
    Timeout {
        /// Name of the handle.
        name: Arc<str>,
        /// How long the caller waited.
        timeout_ms: u128,
    },
    /// The actor ended, or let go of the reply port, without a reply.
    #[error("{name} ended or dropped the request without a reply; ask again after its next start")]
    Dropped {
        /// Name of the handle.
        name: Arc<str>,
    },
}

/// Takes the one reply to a call.
#[derive(Debug)]
pub struct ReplyPort<R>(oneshot::Sender<R>);

impl<R> ReplyPort<R> {
    /// Makes a port and the end where its reply arrives, for a request that does not go through [`Handle::call`].
    #[must_use]
    pub fn new() -> (Self, oneshot::Receiver<R>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Replies. A reply that nobody waits for any more is dropped.
    pub fn send(self, reply: R) {
        let _nobody_waits = self.0.send(reply);
    }

    /// Returns whether the caller has given up.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl<M: Send + 'static> Handle<M> {
    /// Makes a handle that nobody answers yet. `name` is for messages to people.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        let inner = Inner { name: name.into(), gauges: Arc::default(), target: RwLock::new(None) };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the name it was made with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Returns what can be seen of the actor.
    #[must_use]
    pub fn gauges(&self) -> &Arc<Gauges> {
        &self.inner.gauges
    }

    /// Returns whether an incarnation takes messages now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.target().as_ref().is_some_and(Address::is_up)
    }

    /// Puts a message into the mailbox.
    ///
    /// # Errors
    /// [`Gone`] when no incarnation is up; the message is dropped.
    pub fn send(&self, msg: M) -> Result<(), Gone> {
        let sent = match &*self.target() {
            Some(target) => target.send(msg),
            None => return Err(self.gone()),
        };
        sent.map_err(|_refused| self.gone())
    }

    /// Sends a request and waits for its reply.
    ///
    /// # Errors
    /// [`CallError`] when no incarnation is up, the reply does not come within `timeout`, or never will.
    pub async fn call<R>(
        &self,
        make: impl FnOnce(ReplyPort<R>) -> M,
        timeout: Duration,
    ) -> Result<R, CallError> {
        let (port, reply) = ReplyPort::new();
        self.send(make(port))?;
        match tokio::time::timeout(timeout, reply).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(CallError::Dropped { name: self.inner.name.clone() }),
            Err(_) => {
                Err(CallError::Timeout { name: self.inner.name.clone(), timeout_ms: timeout.as_millis() })
            }
        }
    }

    /// Points the handle at a new incarnation.
    pub(crate) fn connect(&self, target: Address<M>) {
        self.inner.gauges.watch(Arc::clone(&target.mailbox));
        *self.target_mut() = Some(target);
    }

    /// Has the incarnation that is up leave its host to the next one.
    pub(crate) fn ask_to_leave(&self) -> Option<oneshot::Receiver<AnyDoor>> {
        self.target().as_ref()?.leave()
    }

    /// Lets go of an incarnation that ended, unless the next one is there already.
    pub(crate) fn retire(&self, id: ActorId) {
        let retired = self.target_mut().take_if(|target| target.id() == id);
        if let Some(retired) = retired {
            retired.mailbox.close();
        }
    }

    fn target(&self) -> RwLockReadGuard<'_, Option<Address<M>>> {
        self.inner.target.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn target_mut(&self) -> RwLockWriteGuard<'_, Option<Address<M>>> {
        self.inner.target.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn gone(&self) -> Gone {
        Gone { name: self.inner.name.clone() }
    }
}

impl<M> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<M> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.inner.name).finish()
    }
}
