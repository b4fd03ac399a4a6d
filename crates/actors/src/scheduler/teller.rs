//! Says why nothing starts, while anybody wants to know: at most once a second, and only when something was looked at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::ledger::Head;
use glitchlab_domain::reason::{Reason, ReasonKind, Wait};
use glitchlab_domain::rows::AttemptRow;
use glitchlab_domain::why::{Facts, LINES, Obstacle, Why, explain};
use glitchlab_runtime::{Context, Failure};
use tokio::time::Instant;

use super::{SchedulerMsg, SchedulerState};

/// The shortest time between two explanations.
const PACE: Duration = Duration::from_secs(1);

/// What is remembered between two explanations.
#[derive(Default)]
pub(super) struct Teller {
    told_at: Option<Instant>,
    is_planned: bool,
    /// Since when each obstacle is in the way, ms UTC.
    since: BTreeMap<ReasonKind, i64>,
    head: Option<Head>,
    attempts: Vec<AttemptRow>,
}

impl SchedulerState {
    /// Plans the next explanation: at once when the last one is old enough.
    pub(super) fn plan_to_tell(&mut self, context: &Context<SchedulerMsg>) {
        if self.teller.is_planned || self.engine.why.receiver_count() == 0 {
            return;
        }
        self.teller.is_planned = true;
        let rest = self.teller.told_at.and_then(|at| PACE.checked_sub(at.elapsed())).unwrap_or_default();
        context.send_after(rest, SchedulerMsg::Tell);
    }

    /// Explains and publishes. A store that does not answer leaves what was read before.
    pub(super) async fn tell(&mut self, context: &Context<SchedulerMsg>) -> Result<(), Failure> {
        self.teller.is_planned = false;
        self.teller.told_at = Some(Instant::now());
        let engine = Arc::clone(&self.engine);
        let now_ms = engine.now_ms();
        if let Ok(ledger) = engine.reader.ledger(&engine.scope, now_ms).await {
            self.teller.head = ledger;
        }
        if let Ok(attempts) = engine.reader.running_attempts().await {
            let is_here = |attempt: &AttemptRow| engine.slots.find(&attempt.attempt_id).is_some();
            self.teller.attempts = attempts.into_iter().filter(is_here).collect();
        }
        let why = Arc::new(self.explained(now_ms));
        engine.why.send_if_modified(|known| {
            let is_new = Why { as_of_ms: why.as_of_ms, ..Why::clone(known) } != *why;
            *known = why;
            is_new
        });
        context.gauges().progress();
        Ok(())
    }

    fn explained(&mut self, now_ms: i64) -> Why {
        let obstacles = self.obstacles(now_ms);
        let facts = Facts {
            board: &self.board,
            gate: Some(&self.gate),
            obstacles,
            ledger: self.teller.head.as_ref(),
            attempts: &self.teller.attempts,
            rules: self.engine.rules(),
            begun: &self.begun,
            said: &[],
            is_running: true,
            read_ms: self.read_ms,
            now_ms,
        };
        explain(&facts, LINES)
    }

    /// What keeps every task from starting, each with the instant at which it was first seen.
    fn obstacles(&mut self, now_ms: i64) -> Vec<Obstacle> {
        let draining = self.engine.gate.is_draining().then_some(Reason::ShuttingDown);
        let reasons: Vec<Reason> = draining.into_iter().chain(self.engine.gate.obstacles()).collect();
        let since = &mut self.teller.since;
        since.retain(|kind, _| reasons.iter().any(|reason| reason.kind() == *kind));
        let obstacle = |reason: Reason| {
            let since_ms = Some(*since.entry(reason.kind()).or_insert(now_ms));
            Obstacle { wait: Wait { reason, until_ms: None }, since_ms }
        };
        reasons.into_iter().map(obstacle).collect()
    }
}
