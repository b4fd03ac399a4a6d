//! Where one incarnation of an actor is reached, how many messages wait for it, and what it does with them.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use ractor::{ActorId, ActorRef, ActorStatus};
use tokio::sync::oneshot;

use crate::actor::stop_reason;
use crate::door::AnyDoor;
use crate::envelope::Envelope;
use crate::gate::{Gate, LetThrough, Way};
use crate::work::{Common, End, Known, Work};

/// Counts what went into the mailbox of one incarnation and what came out; what is left in it dies with it.
#[derive(Debug)]
// In this order, or nothing is kept apart.
#[repr(C)]
pub(crate) struct Mailbox {
    sent: AtomicU64,
    gate: Gate,
    /// Keeps what senders write and what the actor writes on different cache lines. An alignment would do the same,
    /// but aligned memory takes longer to get, and each incarnation gets some.
    _apart: [[u64; 8]; 2],
    own: Own,
}

/// What only the incarnation writes.
#[derive(Debug)]
struct Own {
    /// Why it shall stop, once it was asked to; this alone is written by whoever asks.
    stop: OnceLock<&'static str>,
    taken: AtomicU64,
    work: Work,
}

impl Mailbox {
    /// Makes the one of an incarnation.
    pub(crate) fn new(common: Arc<Common>) -> Self {
        let own = Own { stop: OnceLock::new(), taken: AtomicU64::new(0), work: Work::new(common) };
        Self { sent: AtomicU64::new(0), gate: Gate::default(), _apart: [[0; 8]; 2], own }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Nobody takes messages out any more, and what is in it is lost.
    pub(crate) fn close(&self) {
        self.gate.close();
    }

    /// Returns whether messages are still taken out.
    pub(crate) fn is_open(&self) -> bool {
        self.gate.way() != Way::Closed
    }

    /// Asks the incarnation to stop before its next message; the first reason stays.
    fn ask_to_stop(&self, reason: &'static str) {
        let _was_asked_before = self.own.stop.set(reason);
    }

    /// Returns why it shall stop, if it shall.
    pub(crate) fn is_asked_to_stop(&self) -> Option<&'static str> {
        self.own.stop.get().copied()
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
    host: ActorRef<Envelope<M>>,
    incarnation: u32,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl<M: Send + 'static> Address<M> {
    pub(crate) fn new(host: ActorRef<Envelope<M>>, incarnation: u32, common: Arc<Common>) -> Self {
        Self { host, incarnation, mailbox: Arc::new(Mailbox::new(common)) }
    }

    /// Puts a message into the mailbox, or gives it back.
    pub(crate) fn send(&self, msg: M) -> Result<(), Refused> {
        let envelope = Envelope::new(msg, self.incarnation);
        self.mailbox.sent.fetch_add(1, Relaxed);
        match self.mailbox.gate.way() {
            Way::Open => self.pass_on(envelope),
            Way::HeldBack | Way::Closed => self.wait_or_refuse(envelope),
        }
    }

    fn pass_on(&self, envelope: Envelope<M>) -> Result<(), Refused> {
        match self.host.send_message(envelope) {
            Ok(()) => Ok(()),
            Err(refused) => Err(self.refuse(refused)),
        }
    }

    #[cold]
    fn wait_or_refuse(&self, envelope: Envelope<M>) -> Result<(), Refused> {
        let mut envelope = Some(envelope);
        let way = self.mailbox.gate.keep(|| {
            let (host, envelope) = (self.host.clone(), envelope.take());
            LetThrough(Box::new(move || drop(envelope.map(|envelope| host.send_message(envelope)))))
        });
        match (way, envelope) {
            (Way::Open, Some(envelope)) => self.pass_on(envelope),
            (_, Some(envelope)) => Err(self.refuse(envelope)),
            (_, None) => Ok(()),
        }
    }

    #[cold]
    fn refuse(&self, refused: impl Send + 'static) -> Refused {
        self.mailbox.sent.fetch_sub(1, Relaxed);
        Refused { _message: Box::new(refused) }
    }

    /// Has the incarnation stop before its next message.
    pub(crate) fn stop(&self, reason: &'static str) {
        self.mailbox.ask_to_stop(reason);
        let _is_gone = self.host.send_message(Envelope::Look);
    }

    /// Has the incarnation clean up before its next message and leave its host, and returns where its end is told.
    pub(crate) fn leave(&self) -> Option<oneshot::Receiver<AnyDoor>> {
        self.mailbox.ask_to_stop(stop_reason::LEAVE);
        let (gone, is_gone) = oneshot::channel();
        self.host.send_message(Envelope::Leave(gone)).ok()?;
        Some(is_gone)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.mailbox.is_open() && self.host.get_status() < ActorStatus::Draining
    }

    /// Returns the host that the incarnation lives in.
    pub(crate) fn id(&self) -> ActorId {
        self.host.get_id()
    }
}

/// A message that nobody took. Its drop may do anything, also send, so it is dropped without a lock.
pub(crate) struct Refused {
    _message: Box<dyn Any + Send>,
}

impl<M> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self { host: self.host.clone(), incarnation: self.incarnation, mailbox: Arc::clone(&self.mailbox) }
    }
}

impl<M> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.host.get_id()).field(&self.incarnation).finish()
    }
}
