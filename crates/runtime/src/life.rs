//! One incarnation of an actor: opens its envelopes, sets its gauges, records how it failed.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use ractor::{ActorProcessingErr, ActorRef};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::actor::{Actor, Context, Ignore, MessageKind};
use crate::child::ChildContext;
use crate::envelope::{Envelope, Trace, receive_span, within};
use crate::exit::{ExitReason, ExitRecord, Failure, caught};
#[cfg(feature = "failpoints")]
use crate::failpoint::Moment;
use crate::handle::Handle;
use crate::mailbox::{Address, Mailbox};
use crate::work::{End, Known};

/// What an incarnation is made of before it starts.
pub(crate) struct Incarnation<A: Actor> {
    pub(crate) actor: A,
    pub(crate) child: Arc<ChildContext>,
    pub(crate) handle: Handle<A::Msg>,
    /// Also tells what is left of it, see [`Remains`](crate::exit::Remains).
    pub(crate) exit: ExitRecord,
}

/// An incarnation that is up.
pub(crate) struct Life<A: Actor> {
    // Dropped first, for as long as the record is there, something may be left.
    state: A::State,
    incarnation: Incarnation<A>,
    /// Which one it is, at hand, since each message is compared with it.
    number: u32,
    context: Context<A::Msg>,
    known: Known,
}

/// Ends the incarnation for `ractor`; the typed reason is in the [`ExitRecord`] already.
#[derive(Debug, thiserror::Error)]
#[error("it failed as it recorded")]
pub(crate) struct Recorded;

impl<A: Actor> Incarnation<A> {
    /// Returns where it is reached once it lives in this host.
    pub(crate) fn address(&self, host: ActorRef<Envelope<A::Msg>>) -> Address<A::Msg> {
        Address::new(host, self.child.incarnation, self.child.gauges.common())
    }

    /// Starts it; from now on the handle leads to it.
    pub(crate) async fn start(
        self,
        arguments: A::Arguments,
        address: Address<A::Msg>,
    ) -> Result<Life<A>, ActorProcessingErr> {
        // Connected before the start, so that what the actor starts can already answer it.
        let id = address.id();
        self.handle.connect(address.clone());
        let context = Context::new(Arc::clone(&self.child), self.handle.clone(), address);
        let started = self.recorded(&None, self.begin(&context, arguments)).await;
        match started.map_err(Into::into).and_then(|state| state.ok_or_else(|| Ignore.into())) {
            Ok(state) => {
                let number = self.child.incarnation;
                Ok(Life { state, incarnation: self, number, context, known: Known::default() })
            }
            Err(failure) => {
                self.handle.retire(id);
                Err(failure)
            }
        }
    }

    /// Starts the actor, which may decline: that is no failure.
    async fn begin(
        &self,
        context: &Context<A::Msg>,
        arguments: A::Arguments,
    ) -> Result<Option<A::State>, Failure> {
        let starting = self.actor.start(context, arguments);
        #[cfg(feature = "failpoints")]
        let starting = self.between([Moment::Starting, Moment::Started], starting);
        match starting.await {
            Err(failure) if failure.is::<Ignore>() => Ok(None),
            started => started.map(Some),
        }
    }

    /// Puts a point before and after a piece of the actor.
    #[cfg(feature = "failpoints")]
    fn between<T>(
        &self,
        moments: [Moment; 2],
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> impl Future<Output = Result<T, Failure>> + Send {
        self.child.failpoints.around(&self.child.path, moments, work)
    }

    /// Runs a piece of the actor; a failure is recorded for the supervisor and shown as the last error.
    async fn recorded<T>(
        &self,
        trace: &Trace,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Recorded> {
        caught(work).await.map_err(|reason| self.fails(reason, trace, Instant::now()))
    }

    fn fails(&self, reason: ExitReason, trace: &Trace, at: Instant) -> Recorded {
        self.child.gauges.failed(reason.clone(), at, trace.as_deref().copied());
        self.exit.set(reason);
        Recorded
    }
}

impl<A: Actor> Life<A> {
    /// Returns which incarnation it is, from 0.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Returns the token that is cancelled when its supervisor has let go of it.
    pub(crate) fn ended(&self) -> &CancellationToken {
        &self.incarnation.child.ended
    }

    /// Returns where its messages are counted.
    pub(crate) fn mailbox(&self) -> &Mailbox {
        self.context.mailbox()
    }

    /// Handles a message in the span of its sender.
    pub(crate) async fn take(&mut self, msg: A::Msg, trace: Trace) -> Result<(), Recorded> {
        let Self { incarnation, context, state, known, .. } = self;
        let mailbox = context.mailbox();
        mailbox.take();
        let kind = msg.kind();
        let mut handling = mailbox.begin(kind, known);
        let work = incarnation.actor.handle(context, msg, state);
        #[cfg(feature = "failpoints")]
        let work = incarnation.between([Moment::Handling(kind), Moment::Handled(kind)], work);
        // In place, so that what an actor does is not moved from one wrapping to the next.
        let mut work = pin!(work);
        let mut span = receive_span(&trace, &incarnation.child.path, kind);
        let mut first = true;
        // Entered for its polls only; `instrument` enters it once more to drop what is over.
        let inside = poll_fn(|context| {
            let polled = within(span.as_mut(), || work.as_mut().poll(context));
            if std::mem::take(&mut first) && matches!(polled, Poll::Ready(Ok(()))) {
                handling.ends(End::AtOnce);
            }
            polled
        });
        caught(inside).await.map_err(|reason| {
            let at = Instant::now();
            handling.ends(End::At(at));
            incarnation.fails(reason, &trace, at)
        })
    }

    /// Lets the actor clean up; then nothing is left of it.
    pub(crate) async fn stop(mut self) -> Result<(), Recorded> {
        let stopping = self.incarnation.actor.stop(&self.context, &mut self.state);
        #[cfg(feature = "failpoints")]
        let stopping = self.incarnation.between([Moment::Stopping, Moment::Stopped], stopping);
        self.incarnation.recorded(&None, stopping).await
    }
}
