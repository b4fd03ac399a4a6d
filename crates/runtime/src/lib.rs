//! Supervision over `ractor`, in the words and with the semantics of OTP.
//!
//! - [`Actor`]: a state that only its own messages change. [`Context`] is what an incarnation knows of itself.
//! - [`Handle`]: a typed reference that survives restarts, with [`Gauges`] that anyone may read.
//! - [`ChildSpec`], [`SupervisorSpec`], [`start_tree`]: who is started, restarted and stopped how. Children start in
//!   order and stop in reverse; a failure restarts a group ([`Strategy`]) until it happens too often ([`Intensity`]),
//!   which is a typed [`Breach`].
//! - [`TaskSlot`]: long work beside an actor, that outlives the actor's restarts and is fenced off when it cannot be
//!   ended.
//! - [`TreeHandle`]: [`TreeSnapshot`]s and [`LifecycleEvent`]s, from anywhere and without asking an actor.
//!
//! All waiting uses tokio's clock, so a paused clock tests an hour of back-off in no time.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//!
//! use glitchlab_runtime::{
//!     Actor, ChildSpec, Context, ExitReason, Failure, Handle, MessageKind, ReplyPort, Strategy, SupervisorSpec,
//!     start_tree,
//! };
//!
//! enum CounterMsg {
//!     Add(u64),
//!     Total(ReplyPort<u64>),
//! }
//!
//! impl MessageKind for CounterMsg {
//!     fn kind(&self) -> &'static str {
//!         match self {
//!             Self::Add(_) => "add",
//!             Self::Total(_) => "total",
//!         }
//!     }
//! }
//!
//! struct Counter;
//!
//! impl Actor for Counter {
//!     type Msg = CounterMsg;
//!     type Arguments = u64;
//!     type State = u64;
//!
//!     async fn start(&self, _context: &Context<CounterMsg>, first: u64) -> Result<u64, Failure> {
//!         Ok(first)
//!     }
//!
//!     async fn handle(
//!         &self,
//!         _context: &Context<CounterMsg>,
//!         msg: CounterMsg,
//!         total: &mut u64,
//!     ) -> Result<(), Failure> {
//!         match msg {
//!             CounterMsg::Add(n) => *total = total.checked_add(n).ok_or("the total is full")?,
//!             CounterMsg::Total(reply) => reply.send(*total),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Failure> {
//! let counter = Handle::new("counter");
//! let spec = SupervisorSpec::new(Strategy::OneForOne)
//!     .intensity(3, Duration::from_secs(60))
//!     .child(ChildSpec::worker("counter", &counter, |_child| (Counter, 40)));
//! let tree = start_tree("app", spec).await?;
//!
//! counter.send(CounterMsg::Add(2))?;
//! assert_eq!(counter.call(CounterMsg::Total, Duration::from_secs(1)).await?, 42);
//! assert_eq!(tree.snapshot().root.children[0].path, "app/counter");
//! assert_eq!(tree.stop().await, ExitReason::Shutdown);
//! # Ok(())
//! # }
//! ```
//!
//! # Where it differs from OTP
//!
//! - A supervisor that gives up ends with [`ExitReason::Breach`], which is abnormal: its parent restarts it when it is
//!   transient, where OTP's `shutdown` would leave it down.
//! - A restart can wait ([`Backoff`]). The siblings that share it are stopped before the wait.
//! - A child that a kill does not end is a zombie after a grace: unlinked, reported, shown, and replaced.

mod actor;
mod backoff;
mod check;
mod child;
mod children;
mod control;
mod endings;
mod envelope;
mod exit;
mod gauges;
mod group;
mod handle;
mod hang;
mod intensity;
mod lifecycle;
mod mailbox;
mod member;
mod node;
mod ordered;
mod orders;
mod pending;
mod run;
mod shutdown;
mod significance;
mod slot;
mod snapshot;
mod start;
mod strategy;
mod supervised;
mod supervisor;
mod sync;
mod task;
mod template;
mod tree;
mod worker;

pub use actor::{Actor, Context, Ignore, MessageKind};
pub use backoff::Backoff;
pub use child::{ChildContext, ChildId, ChildKind, ChildSpec, KILL_GRACE, Restart, Shutdown};
pub use control::{ChildCounts, ChildInfo, ControlError, Started};
pub use envelope::{Propagator, PropagatorInstalled, TraceContext, install_propagator};
pub use exit::{Breach, ExitReason, Failure};
pub use gauges::{Gauges, GaugesReading, Handling, LastError};
pub use handle::{CallError, Gone, Handle, ReplyPort};
pub use hang::{Budgets, Overdue};
pub use intensity::{Intensity, RestartLog};
pub use lifecycle::{LifecycleEvent, LifecycleEvents};
pub use significance::AutoShutdown;
pub use snapshot::{
    Activity, CurrentHandler, ErrorSnapshot, NodeSnapshot, NodeState, RunningTask, Supervision, TaskSnapshot,
    TreeSnapshot,
};
pub use start::{StartError, start_tree, start_tree_with};
pub use strategy::Strategy;
pub use supervisor::SupervisorSpec;
pub use task::{Grace, Occupied, Task, TaskExit, TaskFailure, TaskInfo, TaskScope, TaskSlot};
pub use template::Template;
pub use tree::{Tree, TreeHandle};
