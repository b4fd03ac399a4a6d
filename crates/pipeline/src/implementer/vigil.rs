//! Watches over a program that works in a worktree: what it says and changes, and whether that is enough to let it go on.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use glitchlab_domain::agent::{Clocks, Overdue, Seen};
use tokio::time::{Instant, sleep_until};

use crate::durable::{Durable, Vital};
use crate::process::output::Capture;
use crate::process::{ChildProcess, ChildWatch, Stream, WatchError};
use crate::workspace::{Workspace, Worktree};

/// How much of the end of the output is searched for a report.
const REPORT_BYTES: usize = 256 * 1024;
/// How often the worktree is looked at within the time in which it has to change, and the bounds of that.
const LOOKS: u64 = 10;
const LEAST_LOOK_MS: u64 = 100;
const MOST_LOOK_MS: u64 = 60_000;

/// One watch over one run.
pub(super) struct Vigil<'a> {
    durable: &'a dyn Durable,
    workspace: &'a dyn Workspace,
    at: &'a Worktree,
    clocks: Clocks,
    began: Instant,
    sight: Mutex<Sight>,
    overdue: OnceLock<Overdue>,
}

struct Sight {
    seen: Seen,
    stdout: Capture,
}

impl<'a> Vigil<'a> {
    pub(super) fn new(
        durable: &'a dyn Durable,
        workspace: &'a dyn Workspace,
        at: &'a Worktree,
        clocks: Clocks,
    ) -> Self {
        let sight = Sight { seen: Seen::begin(0), stdout: Capture::head_and_tail(REPORT_BYTES) };
        let (sight, overdue) = (Mutex::new(sight), OnceLock::new());
        Self { durable, workspace, at, clocks, began: Instant::now(), sight, overdue }
    }

    /// Returns why it asked for the end of the run; none when it did not.
    pub(super) fn overdue(&self) -> Option<Overdue> {
        self.overdue.get().copied()
    }

    /// Gives up the end of what the program wrote to its output.
    pub(super) fn into_stdout(self) -> String {
        self.sight.into_inner().unwrap_or_else(PoisonError::into_inner).stdout.into_text()
    }

    /// Returns when the run has to end in any case.
    pub(super) const fn wall(&self) -> Duration {
        Duration::from_millis(self.clocks.wall_ms)
    }

    async fn until_overdue(&self) -> Overdue {
        let look_ms = (self.clocks.idle_ms / LOOKS).clamp(LEAST_LOOK_MS, MOST_LOOK_MS);
        let mut known = self.workspace.fingerprint(self.at).await.ok();
        loop {
            let (seen, now_ms) = (self.sight().seen, self.now_ms());
            if let Some(overdue) = self.clocks.judge(&seen, now_ms) {
                return overdue;
            }
            let wake_ms = self.clocks.due_ms(&seen).min(now_ms + look_ms);
            sleep_until(self.began + Duration::from_millis(wake_ms)).await;
            self.look(&mut known).await;
        }
    }

    /// A look that fails, for git is at work there itself, sees nothing new.
    async fn look(&self, known: &mut Option<String>) {
        let Ok(found) = self.workspace.fingerprint(self.at).await else { return };
        if known.as_ref() != Some(&found) {
            *known = Some(found);
            self.sight().seen.changed_ms = self.now_ms();
            self.durable.vital(Vital::WorkProduct);
            self.durable.progress();
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn sight(&self) -> MutexGuard<'_, Sight> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ChildWatch for Vigil<'_> {
    async fn started(&self, process: &ChildProcess) -> Result<(), WatchError> {
        self.durable.child_watch().started(process).await?;
        self.durable.vital(Vital::AgentStarted);
        self.sight().seen = Seen::begin(self.now_ms());
        Ok(())
    }

    async fn ended(&self, process: &ChildProcess) {
        self.durable.vital(Vital::AgentEnded);
        self.durable.child_watch().ended(process).await;
    }

    fn progress(&self) {
        self.durable.progress();
    }

    fn heard(&self, from: Stream, bytes: &[u8]) {
        let now_ms = self.now_ms();
        let mut sight = self.sight();
        sight.seen.spoke_ms = now_ms;
        if from == Stream::Out {
            sight.stdout.push(bytes);
        }
        drop(sight);
        self.durable.vital(Vital::AgentSpoke);
        self.durable.child_watch().heard(from, bytes);
    }

    async fn stop_requested(&self) {
        tokio::select! {
            () = self.durable.child_watch().stop_requested() => {}
            overdue = self.until_overdue() => {
                // Asked for once in a run, so nothing was set before.
                let _ = self.overdue.set(overdue);
            }
        }
    }
}
