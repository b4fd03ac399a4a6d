#![doc = include_str!("../README.md")]

mod actor;
mod backoff;
mod check;
mod child;
mod children;
mod control;
mod door;
mod endings;
mod envelope;
mod exit;
#[cfg(feature = "failpoints")]
mod failpoint;
mod gate;
mod gauges;
mod group;
mod handle;
mod hang;
mod host;
mod intensity;
mod life;
mod lifecycle;
mod mailbox;
mod member;
mod node;
mod ordered;
mod orders;
mod pending;
mod run;
mod runner;
mod shutdown;
mod significance;
mod slot;
mod snapshot;
mod start;
mod strategy;
mod supervisor;
mod sync;
mod task;
mod template;
mod tree;
mod work;
mod worker;

pub use actor::{Actor, Context, Ignore, MessageKind};
pub use backoff::Backoff;
pub use child::{ChildContext, ChildId, ChildKind, ChildSpec, KILL_GRACE, Restart, Shutdown};
pub use control::{ChildCounts, ChildInfo, ControlError, Started};
pub use envelope::{MessageSpan, Propagator, PropagatorInstalled, TraceContext, install_propagator};
pub use exit::{Breach, ExitReason, Failure};
#[cfg(feature = "failpoints")]
pub use failpoint::{Failpoints, Moment};
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
