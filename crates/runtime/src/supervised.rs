//! Runs an [`Actor`] on `ractor`: opens envelopes, sets the gauges, records how it failed.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use ractor::{ActorCell, ActorProcessingErr, ActorRef, SpawnErr};

use crate::actor::{Actor, Context, Ignore, MessageKind};
use crate::child::ChildContext;
use crate::envelope::{Envelope, TraceContext, receive_span};
use crate::exit::{ExitReason, ExitRecord, Failure, caught};
#[cfg(feature = "failpoints")]
use crate::failpoint::Moment;
use crate::handle::Handle;
use crate::mailbox::Address;
use crate::shutdown::Spawned;
use crate::work::Known;

/// One incarnation of an actor.
pub(crate) struct Supervised<A: Actor> {
    pub(crate) actor: A,
    pub(crate) child: ChildContext,
    pub(crate) handle: Handle<A::Msg>,
    pub(crate) exit: ExitRecord,
}

/// What `ractor` keeps between messages.
pub(crate) struct Alive<A: Actor> {
    context: Context<A::Msg>,
    state: A::State,
    /// No message has been handled yet.
    fresh: bool,
    kinds: Known,
}

/// Ends the incarnation for `ractor`; the typed reason is in the [`ExitRecord`] already.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Recorded(ExitReason);

impl<A: Actor> Supervised<A> {
    /// Starts the incarnation under `supervisor`.
    pub(crate) async fn spawn(
        self,
        arguments: A::Arguments,
        supervisor: ActorCell,
    ) -> Result<Spawned, SpawnErr> {
        let (started, tokio_task) = ractor::Actor::spawn_linked(None, self, arguments, supervisor).await?;
        Ok(Spawned { cell: started.get_cell(), tokio_task })
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
        trace: Option<TraceContext>,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, ActorProcessingErr> {
        caught(work).await.map_err(|reason| {
            self.child.gauges.error(reason.to_string(), trace);
            self.exit.set(reason.clone());
            Recorded(reason).into()
        })
    }
}

impl<A: Actor> ractor::Actor for Supervised<A> {
    type Msg = Envelope<A::Msg>;
    type State = Alive<A>;
    type Arguments = A::Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        // Connected before the start, so that what the actor starts can already answer it.
        let address = Address::new(myself);
        let id = address.id();
        self.handle.connect(address.clone());
        let context = Context::new(self.child.clone(), self.handle.clone(), address);
        let started = self.recorded(None, self.begin(&context, arguments)).await;
        match started.and_then(|state| state.ok_or_else(|| Ignore.into())) {
            Ok(state) => Ok(Alive { context, state, fresh: true, kinds: Known::new() }),
            Err(failure) => {
                self.handle.retire(id);
                Err(failure)
            }
        }
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        envelope: Self::Msg,
        alive: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if std::mem::take(&mut alive.fresh) {
            // The news that this actor is up woke its supervisor into the one slot of this thread that no other
            // thread takes work from. A first message that blocks the thread would stop the supervisor with it.
            step_aside().await;
        }
        let mailbox = alive.context.mailbox();
        mailbox.take();
        let Envelope { msg, trace } = envelope;
        let kind = msg.kind();
        let _handling = mailbox.begin(kind, &mut alive.kinds);
        let work = self.actor.handle(&alive.context, msg, &mut alive.state);
        #[cfg(feature = "failpoints")]
        let work = self.between([Moment::Handling(kind), Moment::Handled(kind)], work);
        // In place, so that what an actor does is not moved from one wrapping to the next.
        let mut work = pin!(work);
        match receive_span(trace, &self.child.path, kind) {
            Some(span) => {
                // Entered for its polls only; `instrument` enters it once more to drop what is over.
                let inside = poll_fn(|context| span.in_scope(|| work.as_mut().poll(context)));
                self.recorded(trace, inside).await
            }
            None => self.recorded(trace, work).await,
        }
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Self::Msg>,
        alive: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let stopping = self.actor.stop(&alive.context, &mut alive.state);
        #[cfg(feature = "failpoints")]
        let stopping = self.between([Moment::Stopping, Moment::Stopped], stopping);
        self.recorded(None, stopping).await
    }
}

/// Goes to the end of this thread's queue once. Unlike `yield_now` it does not look for input first, which would cost
/// as much as a restart.
async fn step_aside() {
    let mut first = true;
    poll_fn(|context| {
        if std::mem::take(&mut first) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}
