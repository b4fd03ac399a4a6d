//! Where one incarnation of an actor is reached, how many messages wait for it, and what it does with them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ractor::{ActorId, ActorRef, ActorStatus};

use crate::envelope::Envelope;
use crate::work::{Known, Work};

/// Counts what went into the mailbox of one incarnation and what came out; what is left in it dies with it.
#[derive(Debug, Default)]
// In this order, or nothing is kept apart.
#[repr(C)]
pub(crate) struct Mailbox {
    sent: AtomicU64,
    /// Keeps what senders write and what the actor writes on different cache lines. An alignment would do the same,
    /// but aligned memory takes longer to get, and each incarnation gets some.
    _apart: [[u64; 8]; 2],
    own: Own,
}

/// What only the incarnation writes.
#[derive(Debug, Default)]
struct Own {
    taken: AtomicU64,
    work: Work,
}

impl Mailbox {
    /// Returns the number of messages that were sent and not yet taken out.
    pub(crate) fn waiting(&self) -> u64 {
        // In this order, so that a message which comes and goes meanwhile does not count as less than none.
        let taken = self.own.taken.load(Relaxed);
        self.sent.load(Relaxed).saturating_sub(taken)
    }

    /// Counts a message that the actor took out; nobody else calls this.
    pub(crate) fn take(&self) {
        let taken = &self.own.taken;
        taken.store(taken.load(Relaxed) + 1, Relaxed);
    }

    /// Begins a message; the guard ends it, also when the handler is dropped or panics. Nobody else calls this.
    pub(crate) fn begin<'a>(&'a self, kind: &'static str, known: &'a mut Known) -> HandlerGuard<'a> {
        self.work().begin(kind, known);
        HandlerGuard { mailbox: self, known, at_once: false }
    }

    /// Returns whether messages wait. What senders write is read only when all that was there is taken out.
    fn others_wait(&self, known: &mut Known) -> bool {
        let taken = self.own.taken.load(Relaxed);
        if known.sent <= taken {
            known.sent = self.sent.load(Relaxed);
        }
        known.sent > taken
    }

    /// Returns what the incarnation does and has done.
    pub(crate) fn work(&self) -> &Work {
        &self.own.work
    }
}

/// Marks that a handler runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct HandlerGuard<'a> {
    mailbox: &'a Mailbox,
    known: &'a mut Known,
    at_once: bool,
}

impl HandlerGuard<'_> {
    /// Notes that the handler is through, without having awaited anything.
    pub(crate) fn at_once(&mut self) {
        self.at_once = true;
    }
}

impl Drop for HandlerGuard<'_> {
    fn drop(&mut self) {
        let others_wait = self.mailbox.others_wait(self.known);
        self.mailbox.work().end(self.known, others_wait, self.at_once);
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
        self.mailbox.sent.fetch_add(1, Relaxed);
        self.actor.send_message(Envelope::new(msg)).map_err(|refused| {
            self.mailbox.sent.fetch_sub(1, Relaxed);
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
