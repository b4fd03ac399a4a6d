//! Runs incarnations on `ractor`: one of its actors hosts one incarnation after another.
//!
//! A host is spawned with its first incarnation. When that fails in a handler, or leaves since a sibling failed with which
//! it shares its fate, the host drops all that is left of it, tells the supervisor, and stays: the next incarnation moves
//! in, and nothing has to be spawned. With every other end, be it a stop, a kill or a zombie, the host ends as well, so that
//! its end says that nothing is left.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ractor::{ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use tokio::sync::oneshot;

use crate::actor::{Actor, stop_reason};
use crate::door::{AnyDoor, Door, Vacant};
use crate::envelope::Envelope;
use crate::gate::HeldBack;
use crate::life::{Incarnation, Life, Recorded};
use crate::shutdown::Spawned;
use crate::supervisor::SupervisorMsg;

/// Starts an incarnation in a host that is vacant, or spawns one, which then joins `supervisor`.
pub(crate) async fn start<A: Actor>(
    incarnation: Incarnation<A>,
    arguments: A::Arguments,
    supervisor: ActorCell,
    vacant: Option<Vacant>,
) -> Result<Spawned, SpawnErr> {
    if let Some(vacant) = vacant.filter(Vacant::is_up) {
        return move_in(incarnation, arguments, vacant).await;
    }
    let host = Host(PhantomData);
    let (started, tokio_task) =
        ractor::Actor::spawn(None, host, (incarnation, arguments, supervisor)).await?;
    Ok(Spawned { cell: started.get_cell(), tokio_task })
}

/// Starts an incarnation in a vacant host. Should that be killed meanwhile, its supervisor hears of it afterwards, as of
/// the end of any other.
async fn move_in<A: Actor>(
    incarnation: Incarnation<A>,
    arguments: A::Arguments,
    vacant: Vacant,
) -> Result<Spawned, SpawnErr> {
    let host: ActorRef<Envelope<A::Msg>> = vacant.cell().clone().into();
    let address = incarnation.address(host.clone());
    let held_back = HeldBack::at(&address.mailbox);
    let life = incarnation.start(arguments, address).await.map_err(SpawnErr::StartupFailed)?;
    vacant.let_in(life);
    if !held_back.open() {
        let _is_killed = host.send_message(Envelope::Look);
    }
    Ok(vacant.occupied())
}

/// Drops what is nothing to whoever lives in the host now, and must not end it by a panic.
fn discard<T>(what: T) {
    let _nobody_cares = catch_unwind(AssertUnwindSafe(|| drop(what)));
}

/// The actor that `ractor` runs.
struct Host<A>(PhantomData<fn() -> A>);

/// What `ractor` keeps between messages.
struct Berth<A: Actor> {
    /// Gone once the incarnation has failed or cleaned up, so that `ractor` hands none of it to the supervisor.
    life: Option<Life<A>>,
    /// There is one from the first time on that it is vacant.
    door: Option<Arc<Door<A>>>,
    supervisor: ActorCell,
    has_joined: bool,
}

impl<A: Actor> Berth<A> {
    /// Joins the supervisor, which hears of the end of this host from now on.
    ///
    /// It is the first that a running incarnation does, and nothing can go wrong before. Were it done with the start,
    /// `ractor` would tell the supervisor that the actor is up, and wake it for that into the one slot of this thread
    /// that no other thread takes work from: a first message that blocks the thread would stop the supervisor with it.
    fn join(&mut self, myself: &ActorRef<Envelope<A::Msg>>) {
        self.has_joined = true;
        myself.link(self.supervisor.clone());
        if myself.try_get_supervisor().is_none() {
            self.end_when_let_go(myself.clone());
        }
    }

    /// The supervisor is ending, or gone. As long as it holds the incarnation, it asks it to stop in its turn; once it has let
    /// go of it, nobody would end it.
    fn end_when_let_go(&self, myself: ActorRef<Envelope<A::Msg>>) {
        let Some(life) = &self.life else { return };
        let ended = life.ended().clone();
        tokio::spawn(async move {
            ended.cancelled().await;
            myself.kill();
        });
    }

    /// Returns whether a message for this incarnation is for who is there, and there is nothing else to see to before.
    fn serves(&self, to: u32) -> bool {
        let is_ready = |life: &Life<A>| life.number() == to && life.mailbox().is_asked_to_stop().is_none();
        self.has_joined && self.life.as_ref().is_some_and(is_ready)
    }

    /// Returns whether this incarnation is there.
    fn is(&self, number: u32) -> bool {
        self.life.as_ref().is_some_and(|life| life.number() == number)
    }

    /// Sees to whatever is due besides messages, and then to the envelope.
    async fn attend_to(
        &mut self,
        envelope: Envelope<A::Msg>,
        myself: &ActorRef<Envelope<A::Msg>>,
    ) -> Result<(), Recorded> {
        if !self.has_joined {
            self.join(myself);
        }
        self.let_in();
        let asked = self.life.as_ref().and_then(|life| life.mailbox().is_asked_to_stop());
        match (envelope, asked) {
            (Envelope::Leave(gone), None | Some(stop_reason::LEAVE)) => self.leave(gone).await,
            (Envelope::Message(msg, trace, to), None) if self.is(to) => {
                let Some(life) = &mut self.life else { return Ok(()) };
                if let Err(failed) = life.take(msg, trace).await {
                    return self.vacate(myself, failed);
                }
            }
            (other, asked) => {
                // On its way out it takes no message, and what is for one that was there before is nothing to it.
                discard(other);
                if let Some(reason) = asked.filter(|reason| *reason != stop_reason::LEAVE) {
                    myself.stop(Some(reason.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Lets in who stands at the door, if it is vacant.
    fn let_in(&mut self) {
        if self.life.is_none() {
            self.life = self.door.as_ref().and_then(|door| door.take());
        }
    }

    fn door(&mut self) -> AnyDoor {
        AnyDoor::new(self.door.get_or_insert_default())
    }

    /// Lets the incarnation clean up and go, and tells who waits for that.
    async fn leave(&mut self, gone: oneshot::Sender<AnyDoor>) {
        if let Some(life) = self.life.take() {
            life.mailbox().close();
            let _recorded = life.stop().await;
        }
        let _nobody_waits = gone.send(self.door());
    }

    /// Lets an incarnation that failed go, and tells its supervisor, or ends where there is none.
    fn vacate(&mut self, myself: &ActorRef<Envelope<A::Msg>>, failed: Recorded) -> Result<(), Recorded> {
        let Some(life) = self.life.take() else { return Ok(()) };
        life.mailbox().close();
        let door = self.door();
        let vacated = SupervisorMsg::Vacated { host: myself.get_id(), incarnation: life.number(), door };
        // Told before, so that the supervisor can go on when the drop of the state takes too long for it.
        self.supervisor.send_message(vacated).map_err(|_gone| failed)?;
        discard(life);
        Ok(())
    }
}

impl<A: Actor> ractor::Actor for Host<A> {
    type Msg = Envelope<A::Msg>;
    type State = Berth<A>;
    type Arguments = (Incarnation<A>, A::Arguments, ActorCell);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (incarnation, arguments, supervisor): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let address = incarnation.address(myself.clone());
        let life = incarnation.start(arguments, address).await?;
        if life.mailbox().waiting() == 0 {
            myself.send_message(Envelope::Look).map_err(|_ended| Recorded)?;
        }
        Ok(Berth { life: Some(life), door: None, supervisor, has_joined: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        envelope: Self::Msg,
        berth: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match envelope {
            Envelope::Message(msg, trace, to) if berth.serves(to) => {
                let Some(life) = &mut berth.life else { return Ok(()) };
                if let Err(failed) = life.take(msg, trace).await {
                    berth.vacate(&myself, failed)?;
                }
            }
            // Boxed, for it is rare, and what is awaited here is moved with each message.
            other => Box::pin(berth.attend_to(other, &myself)).await?,
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Self::Msg>,
        berth: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        berth.let_in();
        match berth.life.take() {
            Some(life) => Ok(life.stop().await?),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::actor::{Context, MessageKind};
    use crate::child::ChildSpec;
    use crate::exit::{ExitRecord, Failure};
    use crate::handle::Handle;
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
            let started =
                worker.start(Arc::clone(&child), ExitRecord::default(), supervisor.get_cell(), None);
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
