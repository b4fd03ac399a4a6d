//! How an engine stands as the store has it: folded from its last events, with the ledger and the queue as they are.

use glitchlab_domain::event::{Event, EventKind};
use glitchlab_domain::ledger::{REAL, Usage, simulated_scope};
use glitchlab_domain::rows::ProcessRow;
use glitchlab_domain::snapshot::{Activity, Snapshot};
use glitchlab_domain::why::{LINES, Why, explain};
use glitchlab_store::Reader;

use crate::config::Config;
use crate::standing::Standing;

/// How many events the snapshot is folded from.
const EVENTS: u32 = 400;
/// How far back spend by hour is shown, ms.
const DAY_MS: i64 = 86_400_000;

/// The store and the settings of a repository.
pub(super) struct Past {
    pub(super) config: Config,
    pub(super) repo_id: String,
    pub(super) reader: Reader,
}

impl Past {
    /// Reads how it stands; `process` is the engine that runs and does not answer.
    ///
    /// # Errors
    ///
    /// Returns why the store or the backlog cannot be read.
    pub(super) async fn read(
        &self,
        process: Option<&ProcessRow>,
        now_ms: i64,
    ) -> anyhow::Result<(Snapshot, Why)> {
        let events = self.reader.last_events_of(&self.repo_id, EVENTS).await?;
        let standing = Standing::read(&self.config, &self.repo_id, Some(&self.reader), now_ms).await?;
        let mut snapshot = folded(&events);
        self.spend(&mut snapshot, process, now_ms).await?;
        let facts = standing.facts();
        snapshot.queue = facts.board.queue();
        snapshot.engine.repo =
            self.config.repo.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if process.is_some() {
            // What the store says is of now, although the engine does not say it itself.
            snapshot.as_of_ms = now_ms;
        } else {
            stop(&mut snapshot);
        }
        Ok((snapshot, explain(&facts, LINES)))
    }

    /// Takes the ledger that was used last: the simulated one has a name of its own.
    async fn spend(
        &self,
        snapshot: &mut Snapshot,
        process: Option<&ProcessRow>,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let own = simulated_scope(&self.repo_id);
        let scope = match process {
            Some(process) => process.scope.clone(),
            None if snapshot.engine.simulated => own,
            None => REAL.to_owned(),
        };
        let ledger = self.reader.ledger(&scope, now_ms).await?;
        snapshot.money.usage = ledger.map_or_else(Usage::default, |head| head.usage());
        snapshot.money.by_hour = self.reader.spend_by_hour(&scope, now_ms - DAY_MS).await?;
        Ok(())
    }
}

/// Folds the events, and finds in them what the engine was.
fn folded(events: &[Event]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for event in events {
        snapshot.apply(event);
        match &event.kind {
            EventKind::ProcessStarted { .. } => {
                snapshot.engine.boot_id = event.id.boot_id.clone();
                snapshot.engine.started_ms = event.at_ms;
            }
            EventKind::TaskClaimed { model, simulated, .. }
            | EventKind::AttemptResumed { model, simulated, .. } => {
                snapshot.engine.model.clone_from(model);
                snapshot.engine.simulated = *simulated;
            }
            _ => {}
        }
    }
    snapshot.engine.version = env!("CARGO_PKG_VERSION").to_owned();
    let runs = snapshot.lanes.iter().any(|lane| lane.task.is_some());
    snapshot.activity = if runs { Activity::Running } else { Activity::Idle };
    snapshot
}

/// Nothing runs any more, and what was true last was true at the last event.
fn stop(snapshot: &mut Snapshot) {
    snapshot.activity = Activity::Stopped;
    snapshot.admission = None;
    snapshot.lanes.iter_mut().for_each(|lane| lane.task = None);
}
