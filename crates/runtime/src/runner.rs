//! A worker whose whole duty is one task.

use std::sync::Arc;

use crate::actor::{Actor, Context, MessageKind};
use crate::child::{ChildId, ChildSpec};
use crate::exit::Failure;
use crate::handle::Handle;
use crate::task::{Grace, Task, TaskExit, TaskSlot};

/// Makes the task of one incarnation.
type Make = dyn Fn() -> Result<Task<()>, Failure> + Send + Sync;

/// Describes the worker; [`ChildSpec::task`] says what it promises.
pub(crate) fn spec(
    id: ChildId,
    make: impl Fn() -> Result<Task<()>, Failure> + Send + Sync + 'static,
) -> ChildSpec {
    let handle: Handle<RunnerMsg> = Handle::new(id.as_str());
    let woken = handle.clone();
    // A runner that is restarting looks into its slot when it starts.
    let slot = TaskSlot::new(id.as_str(), Grace::default(), move || drop(woken.send(RunnerMsg::Look)));
    let runner = Runner { slot: slot.clone(), make: Arc::new(make) };
    ChildSpec::worker(id, &handle, move |_| (runner.clone(), ())).attach(&slot)
}

enum RunnerMsg {
    /// The task has ended.
    Look,
}

impl MessageKind for RunnerMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Look => "look",
        }
    }
}

#[derive(Clone)]
struct Runner {
    slot: TaskSlot<()>,
    make: Arc<Make>,
}

impl Actor for Runner {
    type Msg = RunnerMsg;
    type Arguments = ();
    type State = ();

    async fn start(&self, _context: &Context<RunnerMsg>, (): ()) -> Result<(), Failure> {
        let _how_it_ended_was_told = self.slot.settle().await;
        self.slot.spawn((self.make)()?)?;
        Ok(())
    }

    async fn handle(
        &self,
        context: &Context<RunnerMsg>,
        RunnerMsg::Look: RunnerMsg,
        (): &mut (),
    ) -> Result<(), Failure> {
        match self.slot.take_exit() {
            None => {}
            Some(TaskExit::Done(())) => context.stop(),
            Some(exit) => exit.into_result()?,
        }
        Ok(())
    }

    async fn stop(&self, _context: &Context<RunnerMsg>, (): &mut ()) -> Result<(), Failure> {
        self.slot.end();
        Ok(())
    }
}
