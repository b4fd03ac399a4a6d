//! Owns the store's writer and runs it as its attached task; a kill in mid-commit would lose replies, and an actor gets
//! one message at a time and could not batch. Counts each commit and publishes it to the feed.

use std::sync::Arc;

use glitchlab_runtime::{Actor, Context, Failure, Grace, MessageKind, Task, TaskExit, TaskSlot};
use glitchlab_store::Committed;

use crate::engine::Engine;
use crate::scheduler::SchedulerMsg;

/// What the journal understands.
#[derive(Debug)]
pub enum JournalMsg {
    /// Its writer has ended.
    Look,
}

impl MessageKind for JournalMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Look => "look",
        }
    }
}

/// The actor.
pub struct Journal;

/// What an incarnation is given.
pub struct JournalArguments {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Where the writer runs.
    pub slot: TaskSlot<()>,
}

/// Makes the slot of the writer, which wakes the journal when it ends.
#[must_use]
pub fn writer_slot(engine: &Engine) -> TaskSlot<()> {
    let journal = engine.handles.journal.clone();
    TaskSlot::new("writer", Grace::default(), move || drop(journal.send(JournalMsg::Look)))
}

impl Actor for Journal {
    type Msg = JournalMsg;
    type Arguments = JournalArguments;
    type State = JournalArguments;

    async fn start(
        &self,
        context: &Context<JournalMsg>,
        arguments: JournalArguments,
    ) -> Result<JournalArguments, Failure> {
        // A writer that outlived its shell goes on: what it has queued is not lost.
        if arguments.slot.running().is_none() {
            let _how_it_ended_was_told = arguments.slot.take_exit();
            arguments.slot.spawn(writing(&arguments.engine))?;
            if context.incarnation() > 0 {
                // The writer that ended may have committed what it did not publish. One that is restarting reads anew.
                let _ = arguments.engine.handles.scheduler.send(SchedulerMsg::Rebuild);
            }
        }
        Ok(arguments)
    }

    async fn handle(
        &self,
        _context: &Context<JournalMsg>,
        msg: JournalMsg,
        state: &mut JournalArguments,
    ) -> Result<(), Failure> {
        match msg {
            JournalMsg::Look => match state.slot.take_exit() {
                None | Some(TaskExit::Done(())) => Ok(()),
                Some(exit) => exit.into_result().map_err(Into::into),
            },
        }
    }
}

fn writing(engine: &Engine) -> Task<()> {
    let (writer, publish) = (engine.writer.clone(), publishing(engine));
    Task::new("writer", move |scope| async move {
        writer.run(scope.token().clone(), publish).await?;
        Ok(())
    })
}

/// Returns what is done with each commit of this process: its events are counted, at once and each time, and handed out.
pub(crate) fn publishing(engine: &Engine) -> impl FnMut(Committed) + Send + use<> {
    let (feed, metrics) = (engine.feed.clone(), Arc::clone(&engine.metrics));
    move |committed| {
        committed.events.iter().for_each(|event| metrics.observe(event));
        feed.publish(committed);
    }
}
