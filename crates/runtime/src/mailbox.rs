//! Where one incarnation of an actor is reached, how many messages wait for it, and what it does with them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use ractor::{ActorId, ActorRef, ActorStatus};

use crate::envelope::Envelope;
use crate::work::{Common, End, Known, Work};

/// Counts what went into the mailbox of one incarnation and what came out; what is left in it dies with it.
#[derive(Debug)]
// In this order, or nothing is kept apart.
#[repr(C)]
pub(crate) struct Mailbox {
    sent: AtomicU64,
    /// Keeps what senders write and what the actor writes on different cache lines. An alignment would do the same,
    /// but aligned memory takes longer to get, and each incarnation gets some.
    _apart: [[u64; 8]; 2],
    own: Own,
}

/// What only the incarnation writes, and its supervisor when it is gone.
#[derive(Debug)]
struct Own {
    is_closed: AtomicBool,
    taken: AtomicU64,
    work: Work,
}

impl Mailbox {
    /// Makes the one of an incarnation.
    pub(crate) fn new(common: Arc<Common>) -> Self {
        let own = Own { is_closed: false.into(), taken: AtomicU64::new(0), work: Work::new(common) };
        Self { sent: AtomicU64::new(0), _apart: [[0; 8]; 2], own }
    }

    /// Nobody takes messages out any more, and what is in it is lost.
    pub(crate) fn close(&self) {
        self.own.is_closed.store(true, Relaxed);
    }

    /// Returns whether messages are still taken out.
    pub(crate) fn is_open(&self) -> bool {
        !self.own.is_closed.load(Relaxed)
    }

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
        HandlerGuard { mailbox: self, known, end: End::Now }
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
    end: End,
}

impl HandlerGuard<'_> {
    /// Notes how the handler ends.
    pub(crate) fn ends(&mut self, end: End) {
        self.end = end;
    }
}

impl Drop for HandlerGuard<'_> {
    fn drop(&mut self) {
        let others_wait = self.mailbox.others_wait(self.known);
        self.mailbox.work().end(self.known, others_wait, self.end);
    }
}

/// Reaches one incarnation.
pub(crate) struct Address<M> {
    pub(crate) actor: ActorRef<Envelope<M>>,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl<M: Send + 'static> Address<M> {
    pub(crate) fn new(actor: ActorRef<Envelope<M>>, common: Arc<Common>) -> Self {
        Self { actor, mailbox: Arc::new(Mailbox::new(common)) }
    }

    /// Puts a message into the mailbox, or gives it back.
    pub(crate) fn send(&self, msg: M) -> Result<(), Refused<M>> {
        let envelope = Envelope::new(msg);
        self.mailbox.sent.fetch_add(1, Relaxed);
        self.actor.send_message(envelope).map_err(|refused| {
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
