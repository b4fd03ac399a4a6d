//! What travels through a mailbox around a message.

use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use crate::door::AnyDoor;

/// Identifies the span a message was sent from, in the numbers of W3C Trace Context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span in it.
    pub span_id: [u8; 8],
    /// The trace flags; bit 0 says that the span is recorded.
    pub flags: u8,
}

impl TraceContext {
    /// Returns whether the sender's span is recorded, so that a child of it is worth its price.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// Returns the trace id as 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id_hex(&self) -> String {
        self.trace_id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Connects mailboxes with the tracing system of the program, of which this crate knows none.
pub trait Propagator: Send + Sync + 'static {
    /// Returns the context of the span that is current in the sender; called once for every message.
    fn capture(&self) -> Option<TraceContext>;

    /// Opens the span in which the receiver at `path` handles a message of this `kind`. Only for a sampled sender.
    fn receive(&self, sender: TraceContext, path: &Arc<str>, kind: &'static str) -> Box<dyn MessageSpan>;
}

/// Is the span of one message while that is handled. Its drop ends it.
pub trait MessageSpan: Send {
    /// Makes it the current span of this thread, calls `work` once, and takes it back.
    fn enter(&mut self, work: &mut dyn FnMut());
}

static PROPAGATOR: OnceLock<Box<dyn Propagator>> = OnceLock::new();

/// Reports that the process already has a propagator; it is set once, before the first message.
#[derive(Debug, thiserror::Error)]
#[error("a propagator is installed already; install one per process, before the first tree starts")]
pub struct PropagatorInstalled;

/// Installs the process's propagator. Without one, messages carry no trace.
///
/// # Errors
/// [`PropagatorInstalled`] when there is one already.
pub fn install_propagator(propagator: Box<dyn Propagator>) -> Result<(), PropagatorInstalled> {
    PROPAGATOR.set(propagator).map_err(|_| PropagatorInstalled)
}

/// The sender's context, where its span is recorded: other messages carry and pay nothing.
pub(crate) type Trace = Option<Box<TraceContext>>;

/// What goes into a mailbox.
#[derive(Debug)]
pub(crate) enum Envelope<M> {
    /// A message, the trace it belongs to, and the incarnation that it is for.
    Message(M, Trace, u32),
    /// Lets a host look after itself: it has yet to join its supervisor, somebody moves in, or its incarnation is asked to
    /// stop.
    Look,
    /// Has the incarnation clean up and leave its host to the next one, without taking any message before.
    Leave(oneshot::Sender<AnyDoor>),
}

impl<M> Envelope<M> {
    /// Wraps a message for an incarnation in the trace of the caller.
    pub(crate) fn new(msg: M, to: u32) -> Self {
        let sender = PROPAGATOR.get().and_then(|propagator| propagator.capture());
        Self::Message(msg, sender.filter(TraceContext::is_sampled).map(Box::new), to)
    }
}

/// Opens the receiver's span, only where the sender's is recorded.
pub(crate) fn receive_span(
    trace: &Trace,
    path: &Arc<str>,
    kind: &'static str,
) -> Option<Box<dyn MessageSpan>> {
    let sender = trace.as_deref()?;
    PROPAGATOR.get().map(|propagator| propagator.receive(*sender, path, kind))
}

/// Polls what is done in a span, if there is one.
pub(crate) fn within<T>(span: Option<&mut Box<dyn MessageSpan>>, mut work: impl FnMut() -> T) -> T {
    let mut done = None;
    if let Some(span) = span {
        span.enter(&mut || done = Some(work()));
    }
    done.unwrap_or_else(work)
}
