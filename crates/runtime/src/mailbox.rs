//! Where one incarnation of an actor is reached, and how many messages wait for it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ractor::{ActorId, ActorRef, ActorStatus};

use crate::envelope::Envelope;

/// Counts what went into the mailbox of one incarnation and what came out; what is left in it dies with it.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    sent: Line,
    taken: Line,
}

/// A count on a cache line of its own: senders write the one and the actor the other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicU64);

impl Mailbox {
    /// Returns the number of messages that were sent and not yet taken out.
    pub(crate) fn waiting(&self) -> u64 {
        // In this order, so that a message which comes and goes meanwhile does not count as less than none.
        let taken = self.taken.0.load(Relaxed);
        self.sent.0.load(Relaxed).saturating_sub(taken)
    }

    /// Counts a message that the actor took out; nobody else calls this.
    pub(crate) fn take(&self) {
        self.taken.0.store(self.taken.0.load(Relaxed) + 1, Relaxed);
    }
}

/// Reaches one incarnation.
pub(crate) struct Address<M> {
    pub(crate) actor: ActorRef<Envelope<M>>,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl<M: Send + 'static> Address<M> {
    pub(crate) fn new(actor: ActorRef<Envelope<M>>) -> Self {
        Self { actor, mailbox: Arc::default() }
    }

    /// Puts a message into the mailbox, or gives it back.
    pub(crate) fn send(&self, msg: M) -> Result<(), Refused<M>> {
        self.mailbox.sent.0.fetch_add(1, Relaxed);
        self.actor.send_message(Envelope::new(msg)).map_err(|refused| {
            self.mailbox.sent.0.fetch_sub(1, Relaxed);
            Refused(refused)
        })
    }

    pub(crate) fn is_up(&self) -> bool {
        self.actor.get_status() < ActorStatus::Draining
    }

    pub(crate) fn id(&self) -> ActorId {
        self.actor.get_id()
    }
}

/// A message that nobody took. Its drop may do anything, also send, so it is dropped without a lock.
pub(crate) struct Refused<M>(ractor::MessagingErr<Envelope<M>>);

impl<M> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self { actor: self.actor.clone(), mailbox: Arc::clone(&self.mailbox) }
    }
}

impl<M> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.actor.get_id()).finish()
    }
}
