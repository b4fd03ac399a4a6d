//! Runs an [`Actor`] on `ractor`: joins its supervisor, opens envelopes, sets the gauges, records how it failed.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use ractor::{ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use tokio::time::Instant;

use crate::actor::{Actor, Context, Ignore, MessageKind};
use crate::child::ChildContext;
use crate::envelope::{Envelope, Trace, receive_span, within};
use crate::exit::{ExitReason, ExitRecord, Failure, caught};
#[cfg(feature = "failpoints")]
use crate::failpoint::Moment;
use crate::handle::Handle;
use crate::mailbox::Address;
use crate::shutdown::Spawned;
use crate::work::{End, Known};

/// One incarnation of an actor.
pub(crate) struct Supervised<A: Actor> {
    pub(crate) actor: A,
    pub(crate) child: Arc<ChildContext>,
    pub(crate) handle: Handle<A::Msg>,
    pub(crate) exit: ExitRecord,
}

/// What `ractor` keeps between messages.
pub(crate) struct Alive<A: Actor> {
    context: Context<A::Msg>,
    /// Gone once the actor has cleaned up, so that `ractor` hands none of it to the supervisor. The record with it is
    /// for [`Remains`](crate::exit::Remains).
    state: Option<(A::State, ExitRecord)>,
    /// It has joined its supervisor.
    has_joined: bool,
    known: Known,
}

/// Ends the incarnation for `ractor`; the typed reason is in the [`ExitRecord`] already.
#[derive(Debug, thiserror::Error)]
#[error("it failed as it recorded")]
struct Recorded;

impl<A: Actor> Supervised<A> {
    /// Starts the incarnation, which then joins `supervisor`.
    pub(crate) async fn spawn(
        self,
        arguments: A::Arguments,
        supervisor: ActorCell,
    ) -> Result<Spawned, SpawnErr> {
        let (started, tokio_task) = ractor::Actor::spawn(None, self, (arguments, supervisor)).await?;
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
        trace: &Trace,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, ActorProcessingErr> {
        caught(work).await.map_err(|reason| self.fails(reason, trace, Instant::now()))
    }

    fn fails(&self, reason: ExitReason, trace: &Trace, at: Instant) -> ActorProcessingErr {
        self.child.gauges.failed(reason.clone(), at, trace.as_deref().copied());
        self.exit.set(reason);
        Recorded.into()
    }

    /// The supervisor is ending, or gone. As long as it holds this incarnation, it asks it to stop in its turn; once it has let
    /// go of it, nobody would end it.
    #[cold]
    fn end_when_let_go(&self, myself: ActorRef<Envelope<A::Msg>>) {
        let child = Arc::clone(&self.child);
        tokio::spawn(async move {
            child.ended.cancelled().await;
            myself.kill();
        });
    }

    /// Handles a message in the span of its sender.
    async fn take(&self, msg: A::Msg, trace: Trace, alive: &mut Alive<A>) -> Result<(), ActorProcessingErr> {
        let Alive { context, state: Some((state, _)), known, .. } = alive else { return Ok(()) };
        let mailbox = context.mailbox();
        mailbox.take();
        let kind = msg.kind();
        let mut handling = mailbox.begin(kind, known);
        let work = self.actor.handle(context, msg, state);
        #[cfg(feature = "failpoints")]
        let work = self.between([Moment::Handling(kind), Moment::Handled(kind)], work);
        // In place, so that what an actor does is not moved from one wrapping to the next.
        let mut work = pin!(work);
        let mut span = receive_span(&trace, &self.child.path, kind);
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
            self.fails(reason, &trace, at)
        })
    }
}

impl<A: Actor> ractor::Actor for Supervised<A> {
    type Msg = Envelope<A::Msg>;
    type State = Alive<A>;
    type Arguments = (A::Arguments, ActorCell);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (arguments, supervisor): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        // Connected before the start, so that what the actor starts can already answer it.
        let address = Address::new(myself.clone(), self.child.gauges.common());
        let id = address.id();
        self.handle.connect(address.clone());
        let context = Context::new(Arc::clone(&self.child), self.handle.clone(), address, supervisor);
        let started = self.recorded(&None, self.begin(&context, arguments)).await;
        match started.and_then(|state| state.ok_or_else(|| Ignore.into())) {
            Ok(state) => {
                if context.mailbox().waiting() == 0 {
                    myself.send_message(Envelope::Join).map_err(|_ended| Recorded)?;
                }
                let state = Some((state, self.exit.clone()));
                Ok(Alive { context, state, has_joined: false, known: Known::default() })
            }
            Err(failure) => {
                self.handle.retire(id);
                Err(failure)
            }
        }
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        envelope: Self::Msg,
        alive: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if !std::mem::replace(&mut alive.has_joined, true) && !alive.context.join() {
            self.end_when_let_go(myself);
        }
        match envelope {
            Envelope::Message(msg, trace) => self.take(msg, trace, alive).await,
            Envelope::Join => Ok(()),
        }
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Self::Msg>,
        alive: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let Some((mut state, _held)) = alive.state.take() else { return Ok(()) };
        let stopping = self.actor.stop(&alive.context, &mut state);
        #[cfg(feature = "failpoints")]
        let stopping = self.between([Moment::Stopping, Moment::Stopped], stopping);
        self.recorded(&None, stopping).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::child::ChildSpec;
    use crate::node::Node;
    use crate::worker::StartFn;

    struct Idle;
    struct Poke;

    impl MessageKind for Poke {
        fn kind(&self) -> &'static str {
            "poke"
        }
    }

    impl Actor for Idle {
        type Msg = Poke;
        type Arguments = ();
        type State = ();

        async fn start(&self, _: &Context<Poke>, (): ()) -> Result<(), Failure> {
            Ok(())
        }

        async fn handle(&self, _: &Context<Poke>, Poke: Poke, (): &mut ()) -> Result<(), Failure> {
            Ok(())
        }
    }

    struct Gone;

    impl ractor::Actor for Gone {
        type Msg = ();
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_incarnation_that_finds_no_supervisor_any_more_ends_when_it_is_let_go() {
        let (supervisor, tokio_task) = ractor::Actor::spawn(None, Gone, ()).await.unwrap();
        supervisor.kill();
        tokio_task.await.unwrap();
        for is_poked in [false, true] {
            let handle = Handle::new("idle");
            let spec = ChildSpec::worker("idle", &handle, |_child| (Idle, ()));
            let StartFn::Worker(worker) = &spec.start else { panic!("it is a worker") };
            let child = Arc::new(Node::child("root", &spec).begin());
            let started = worker.start(Arc::clone(&child), ExitRecord::default(), supervisor.get_cell());
            let mut spawned = started.await.unwrap();
            if is_poked {
                handle.send(Poke).unwrap();
            }
            assert!(!spawned.gone_within(Duration::from_secs(1)).await, "it may still be asked to stop");
            child.ended.cancel();
            assert!(spawned.gone_within(Duration::from_secs(1)).await, "it would stay for ever");
        }
    }
}
