//! What people ask for from another terminal, and the gate that they and the outcomes open and close.

use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::id::TaskKey;
use glitchlab_domain::reason::Wait;
use glitchlab_domain::rows::{GateRow, Verb};
use glitchlab_runtime::{Context, Failure, Task};

use super::closings::tidy_ended;
use super::{SchedulerMsg, SchedulerState};
use crate::carrying::{Carried, Carrier};
use crate::engine::Engine;
use crate::shutdown::close_admission;
use crate::slots::Ending;

/// How often it is looked whether somebody has asked for something.
const LOOK: Duration = Duration::from_millis(500);
/// How long to rest when the store does not answer.
const OUTAGE_REST: Duration = Duration::from_secs(5);

/// Carries out what is asked for. It ends with the first look that found something, so that the scheduler hears of it;
/// `at_once` also with one that found nothing.
pub(super) fn hearing(engine: &Arc<Engine>, at_once: bool) -> Task<Vec<Carried>> {
    let engine = Arc::clone(engine);
    Task::new("control poll", move |scope| async move {
        loop {
            let heard = match Carrier::of(&engine).carry_open().await {
                Ok(done) => tidy(&engine, &done).await.map(|()| done),
                Err(error) => Err(error),
            };
            let rest = match heard {
                Ok(done) if at_once || !done.is_empty() => return Ok(done),
                Ok(_) => LOOK,
                Err(error) if at_once => return Err(error),
                Err(error) => {
                    tracing::warn!(event = "control.unheard", "what people ask for is not heard: {error}");
                    OUTAGE_REST
                }
            };
            tokio::select! {
                () = scope.cancelled() => return Ok(Vec::new()),
                () = tokio::time::sleep(rest) => {}
            }
        }
    })
}

/// Removes what is left of attempts that were put down and are called back now.
async fn tidy(engine: &Engine, carried: &[Carried]) -> Result<(), Failure> {
    let ends = |verb: &Verb| matches!(verb, Verb::Drop { .. } | Verb::Retry { .. });
    let ended = carried.iter().filter(|carried| carried.ok && ends(&carried.verb));
    for bead_id in ended.filter_map(|carried| carried.verb.bead_id()) {
        tidy_ended(engine, &TaskKey::of(&engine.repo_id, bead_id)).await?;
    }
    Ok(())
}

impl SchedulerState {
    /// Takes what was carried out, and goes on listening.
    pub(super) fn listen(&mut self) -> Result<(), Failure> {
        if let Some(exit) = self.tasks.controls.take_exit() {
            let carried = exit.into_result()?;
            self.has_heard = true;
            if carried.iter().any(|carried| carried.ok && carried.verb == Verb::Stop) {
                close_admission(&self.engine);
            }
        }
        if self.tasks.controls.running().is_none() {
            self.tasks.controls.spawn(hearing(&self.engine, !self.has_heard))?;
        }
        Ok(())
    }

    /// Takes the present form of the gate.
    pub(super) fn take_gate(&mut self, gate: &GateRow) {
        if gate.repo_id == self.engine.repo_id {
            self.gate = gate.clone();
        }
    }

    /// Says why the gate lets nothing start, or `None` when it does.
    pub(super) fn gate_wait(&self) -> Option<Wait> {
        self.gate.wait(self.engine.now_ms())
    }

    /// Returns how many tasks the gate lets start at once.
    pub(super) fn gate_room(&self) -> usize {
        match self.gate_wait() {
            Some(_) => 0,
            None if self.gate.admits_one() => 1,
            None => usize::MAX,
        }
    }

    /// Puts down what runs while a pause asks for that, and has what was put down looked for when it is over.
    pub(super) fn put_down(&mut self, context: &Context<SchedulerMsg>) -> Result<(), Failure> {
        if self.gate.puts_down(self.engine.now_ms()) {
            self.puts_down = true;
            self.lost.clear();
            for slot in self.engine.slots.iter() {
                slot.end(Ending::Suspend);
            }
        } else if self.puts_down && !self.engine.slots.have_suspended() {
            self.puts_down = false;
            // Nothing new takes the slots before it is known what was put down.
            self.has_inspected = false;
            context.send_self(SchedulerMsg::Inspect)?;
        }
        Ok(())
    }
}
