//! What can be seen of one run of an attempt from outside: its stage, what it waits for, its processes, its agent. The
//! attempt reports here, the watchdog reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_domain::stage::Stage;
use glitchlab_domain::watchdog;
use glitchlab_pipeline::durable::Vital;

/// The signs of life of one run of an attempt. A run that was fenced off keeps its own and disturbs no other.
#[derive(Debug, Default)]
pub struct Vitals(Mutex<Signs>);

#[derive(Clone, Debug, Default)]
struct Signs {
    stage: Option<(u32, Stage)>,
    waits: Option<Reason>,
    processes: u32,
    agent: Option<watchdog::Agent>,
}

impl Vitals {
    /// Notes that a stage has begun.
    pub fn begin(&self, n: u32, stage: Stage) {
        self.lock().stage = Some((n, stage));
    }

    /// Notes that no stage is under way.
    pub fn finish(&self) {
        self.lock().stage = None;
    }

    /// Returns the stage that is under way.
    #[cfg(feature = "failpoints")]
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.lock().stage.map(|(_, stage)| stage)
    }

    /// Notes what it waits for on purpose, until the guard is dropped.
    #[must_use]
    pub fn waits(self: &Arc<Self>, wait: &Wait) -> WaitNoted {
        self.lock().waits = Some(wait.reason.clone());
        WaitNoted(Arc::clone(self))
    }

    /// Notes that a process with a time limit of its own runs for it.
    pub fn process_started(&self) {
        self.lock().processes += 1;
    }

    /// Notes that one of them is gone.
    pub fn process_ended(&self) {
        let mut signs = self.lock();
        signs.processes = signs.processes.saturating_sub(1);
    }

    /// Notes what its agent does.
    pub fn vital(&self, vital: Vital) {
        let mut signs = self.lock();
        match (vital, &mut signs.agent) {
            (Vital::AgentStarted, agent) => *agent = Some(watchdog::Agent::default()),
            (Vital::AgentSpoke, Some(agent)) => agent.words += 1,
            (Vital::WorkProduct, Some(agent)) => agent.products += 1,
            (Vital::AgentEnded, agent) => *agent = None,
            (Vital::AgentSpoke | Vital::WorkProduct, None) => {}
        }
    }

    /// Writes them into a look at the attempt.
    pub(super) fn fill(&self, attempt: &mut watchdog::Attempt) {
        let Signs { stage, waits, processes, agent } = self.lock().clone();
        attempt.stage = stage;
        attempt.waits = waits;
        attempt.has_process = processes > 0;
        attempt.agent = agent;
    }

    fn lock(&self) -> MutexGuard<'_, Signs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that waits on purpose.
#[derive(Debug)]
pub struct WaitNoted(Arc<Vitals>);

impl Drop for WaitNoted {
    fn drop(&mut self) {
        self.0.lock().waits = None;
    }
}
