//! The supervisor: an actor whose state is its children.
//!
//! It owns the start, the restart and the stop of its children and emits a
//! [`LifecycleEvent`](crate::LifecycleEvent) for each. Like OTP's it starts a child again as soon as it hears of its
//! end, and waits for a child to start or to stop. A restart that failed is tried again by a message to itself, so that
//! between two of them it can be stopped, and so is one that has to wait: for a back-off, or for the states of siblings
//! that were killed, which lie in its mailbox.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};

use crate::actor::stop_reason;
use crate::child::{ChildId, ChildSpec};
use crate::children::Children;
use crate::control::{ControlError, Started};
use crate::door::AnyDoor;
use crate::exit::{Breach, ExitReason, ExitRecord, caught};
use crate::group::Shared;
use crate::handle::ReplyPort;
use crate::intensity::Intensity;
use crate::node::Node;
use crate::significance::AutoShutdown;
use crate::strategy::Strategy;
use crate::template::Template;

/// Describes a supervisor: its children in start order, who shares whose fate, and how much it tolerates.
#[derive(Debug, Clone, Default)]
pub struct SupervisorSpec {
    /// Which children are restarted together.
    pub strategy: Strategy,
    /// How many restarts are tolerated.
    pub intensity: Intensity,
    /// The children, in start order.
    pub children: Vec<ChildSpec>,
    /// What makes its children at run time, with the strategy that goes with it.
    pub template: Option<Template>,
    /// Whether the end of significant children is its own.
    pub auto_shutdown: AutoShutdown,
    /// Seeds the jitter of back-offs; the same seed gives the same waits.
    pub jitter_seed: u64,
}

impl SupervisorSpec {
    /// Describes a supervisor without children that tolerates one restart in five seconds.
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        Self { strategy, ..Self::default() }
    }

    /// Describes a supervisor whose children are all made from a template, at run time.
    #[must_use]
    pub fn dynamic(template: Template) -> Self {
        Self { template: Some(template), ..Self::new(Strategy::SimpleOneForOne) }
    }

    /// Sets how many restarts are tolerated in which window.
    #[must_use]
    pub fn intensity(self, max: u32, within: Duration) -> Self {
        Self { intensity: Intensity { max, within }, ..self }
    }

    /// Adds a child after the others.
    #[must_use]
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    /// Sets whether the end of significant children is its own.
    #[must_use]
    pub fn auto_shutdown(self, auto_shutdown: AutoShutdown) -> Self {
        Self { auto_shutdown, ..self }
    }

    /// Seeds the jitter of back-offs.
    #[must_use]
    pub fn jitter_seed(self, jitter_seed: u64) -> Self {
        Self { jitter_seed, ..self }
    }
}

/// What a supervisor is asked, by itself and by the tree's handle.
#[derive(Debug)]
pub(crate) enum SupervisorMsg {
    /// A restart is due.
    Restart { pending: u64 },
    /// An incarnation has failed and left this host.
    Vacated { host: ActorId, incarnation: u32, door: AnyDoor },
    /// Kill an incarnation of a child, and go on without it if that does not help.
    Kill { child: ChildId, incarnation: u32 },
    /// The grace after a kill is over.
    KillExpired { actor: ActorId },
    /// Carry out what somebody waits for.
    Order(Order),
}

#[cfg(feature = "failpoints")]
impl SupervisorMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Restart { .. } => "restart",
            Self::Vacated { .. } => "exit",
            Self::Kill { .. } => "kill",
            Self::KillExpired { .. } => "kill expired",
            Self::Order(_) => "order",
        }
    }
}

/// What somebody asks of a supervisor and waits for.
#[derive(Debug)]
pub(crate) enum Order {
    /// Start a child that is not in the spec.
    Start { child: ChildSpec, reply: ReplyPort<Result<Started, ControlError>> },
    /// Stop a child for good.
    Terminate { child: ChildId, reply: ReplyPort<Result<(), ControlError>> },
    /// Start a child that rests.
    Restart { child: ChildId, reply: ReplyPort<Result<Started, ControlError>> },
    /// Forget a child that rests.
    Delete { child: ChildId, reply: ReplyPort<Result<(), ControlError>> },
    /// Give a sign of life.
    Beat { reply: ReplyPort<()> },
}

/// The actor.
pub(crate) struct Supervisor;

/// What one incarnation of a supervisor is started with.
pub(crate) struct Boot {
    pub(crate) spec: Arc<SupervisorSpec>,
    pub(crate) node: Arc<Node>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) exit: ExitRecord,
}

impl ractor::Actor for Supervisor {
    type Msg = SupervisorMsg;
    type State = Children;
    type Arguments = Boot;

    async fn pre_start(
        &self,
        myself: ActorRef<SupervisorMsg>,
        boot: Boot,
    ) -> Result<Children, ActorProcessingErr> {
        let mut children = Children::new(boot, myself);
        children.start_all().await?;
        Ok(children)
    }

    async fn handle(
        &self,
        _myself: ActorRef<SupervisorMsg>,
        msg: SupervisorMsg,
        children: &mut Children,
    ) -> Result<(), ActorProcessingErr> {
        let exit = children.exit.clone();
        recorded(&exit, pin!(children.take(msg))).await
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<SupervisorMsg>,
        event: SupervisionEvent,
        children: &mut Children,
    ) -> Result<(), ActorProcessingErr> {
        let exit = children.exit.clone();
        recorded(&exit, pin!(children.hear(event))).await
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<SupervisorMsg>,
        children: &mut Children,
    ) -> Result<(), ActorProcessingErr> {
        // Here and not left to ractor, which kills all descendants in no order once this actor is gone.
        children.shut_down().await;
        Ok(())
    }
}

impl Children {
    async fn take(&mut self, msg: SupervisorMsg) -> Result<(), Breach> {
        #[cfg(feature = "failpoints")]
        self.reach(msg.kind());
        match msg {
            SupervisorMsg::Restart { pending } => return self.restart(pending).await,
            SupervisorMsg::Vacated { host, incarnation, door } => {
                return self.vacated(host, incarnation, door).await;
            }
            SupervisorMsg::Kill { child, incarnation } => self.kill(&child, incarnation),
            SupervisorMsg::KillExpired { actor } => return self.kill_expired(actor).await,
            SupervisorMsg::Order(order) => self.carry_out(order).await,
        }
        Ok(())
    }

    async fn hear(&mut self, event: SupervisionEvent) -> Result<(), Breach> {
        match event {
            SupervisionEvent::ActorTerminated(cell, state, reason) => {
                #[cfg(feature = "failpoints")]
                self.reach("exit");
                // Nothing of an incarnation is left when the next one starts.
                drop(state);
                self.exited(cell.get_id(), || terminated(reason.as_deref())).await
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                #[cfg(feature = "failpoints")]
                self.reach("exit");
                self.exited(cell.get_id(), || ExitReason::Panicked(error.to_string())).await
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => Ok(()),
        }
    }
}

/// Runs a piece of a supervisor, which is large and stays where it is. Its panic is recorded here, since above the root
/// nobody would learn of it.
async fn recorded(
    exit: &ExitRecord,
    work: impl Future<Output = Result<(), Breach>> + Send,
) -> Result<(), ActorProcessingErr> {
    caught(async { work.await.map_err(Into::into) }).await.map_err(|reason| {
        exit.set(reason.clone());
        reason.to_string().into()
    })
}

/// Reads the reasons that `ractor` and our own stops put into a string.
fn terminated(reason: Option<&str>) -> ExitReason {
    match reason {
        None | Some(stop_reason::NORMAL) => ExitReason::Normal,
        Some("killed") => ExitReason::Killed,
        Some("actor_task_cancelled") => ExitReason::Vanished,
        Some("Drained") => ExitReason::Drained,
        Some(_) => ExitReason::Shutdown,
    }
}
