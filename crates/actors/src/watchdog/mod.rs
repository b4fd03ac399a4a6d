//! Finds what hangs and removes it: a supervisor handles death, the watchdog silence. The watching itself is the attached
//! task of a thin actor and runs on an OS thread and a runtime of its own, so that it goes on when every thread of the
//! main runtime is blocked. What is too long, and what is done then, is `domain::watchdog`'s.

mod eyes;
mod measures;
mod own_process;
mod record;
mod restarts;
mod thread;
mod vitals;
mod watching;

use std::sync::Arc;

use glitchlab_runtime::{Actor, Context, Failure, Grace, Handle, MessageKind, Task, TaskExit, TaskSlot};
use tokio::runtime;

pub use own_process::{OwnProcess, Said};
pub use thread::WatchThread;
pub use vitals::{Vitals, WaitNoted};

use crate::engine::Engine;
use watching::Watching;

/// What the watchdog understands.
#[derive(Debug)]
pub enum WatchdogMsg {
    /// Its watching has ended.
    Look,
}

impl MessageKind for WatchdogMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Look => "look",
        }
    }
}

/// The actor.
pub struct Watchdog;

/// What an incarnation is given.
#[derive(Clone)]
pub struct WatchdogArguments {
    engine: Arc<Engine>,
    /// Where it watches.
    pub(crate) slot: TaskSlot<()>,
}

impl WatchdogArguments {
    /// Makes the place of the watching, which wakes the actor when it has ended.
    #[must_use]
    pub fn new(engine: &Arc<Engine>, handle: &Handle<WatchdogMsg>) -> Self {
        let woken = handle.clone();
        let slot = TaskSlot::new("watch", Grace::default(), move || {
            // One that is restarting looks into its slot when it starts.
            let _ = woken.send(WatchdogMsg::Look);
        });
        Self { engine: Arc::clone(engine), slot }
    }

    /// Starts to watch, on the watchdog's own thread where it has one.
    fn watch(&self) -> Result<(), Failure> {
        let there = self.engine.watch_on.clone().unwrap_or_else(runtime::Handle::current);
        let _tasks_are_spawned_there = there.enter();
        let engine = Arc::clone(&self.engine);
        let watching = move |scope| async move {
            Watching::new(engine).run(&scope).await;
            Ok(())
        };
        self.slot.spawn(Task::new("watching", watching))?;
        Ok(())
    }

    fn take_exit(&self) -> Result<(), Failure> {
        match self.slot.take_exit() {
            None | Some(TaskExit::Done(())) => Ok(()),
            Some(exit) => exit.into_result().map_err(Into::into),
        }
    }
}

impl Actor for Watchdog {
    type Msg = WatchdogMsg;
    type Arguments = WatchdogArguments;
    type State = WatchdogArguments;

    async fn start(
        &self,
        _context: &Context<WatchdogMsg>,
        arguments: WatchdogArguments,
    ) -> Result<WatchdogArguments, Failure> {
        // Watching that outlived the shell goes on with what it remembers.
        if arguments.slot.running().is_none() {
            let _how_it_ended_was_told = arguments.slot.take_exit();
            arguments.watch()?;
        }
        Ok(arguments)
    }

    async fn handle(
        &self,
        _context: &Context<WatchdogMsg>,
        msg: WatchdogMsg,
        state: &mut WatchdogArguments,
    ) -> Result<(), Failure> {
        match msg {
            WatchdogMsg::Look => state.take_exit(),
        }
    }
}
