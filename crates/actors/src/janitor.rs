//! The process's heartbeat, the disk guard, and what the windows of the budget hold while nothing happens. Owns no state
//! that matters: each tick looks anew.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::command::Command;
use glitchlab_domain::event::{About, EventKind};
use glitchlab_domain::policy::LEASE_MS;
use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_runtime::{Actor, Context, Failure, MessageKind};

use crate::admission::Keeper;
use crate::engine::Engine;

/// How often the disks and the ledger are looked at.
const TICK: Duration = Duration::from_secs(5);
/// The process row beats at every so manieth tick.
const BEAT_TICKS: u64 = 4;

/// What the janitor understands.
#[derive(Debug)]
pub enum JanitorMsg {
    /// Time has passed.
    Tick,
    /// What the engine is set to has changed.
    Beat,
}

impl MessageKind for JanitorMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::Beat => "beat",
        }
    }
}

/// The actor.
pub struct Janitor;

/// What an incarnation remembers.
pub struct JanitorState {
    engine: Arc<Engine>,
    ticks: u64,
}

impl Actor for Janitor {
    type Msg = JanitorMsg;
    type Arguments = Arc<Engine>;
    type State = JanitorState;

    async fn start(
        &self,
        context: &Context<JanitorMsg>,
        engine: Arc<Engine>,
    ) -> Result<JanitorState, Failure> {
        context.send_self(JanitorMsg::Tick)?;
        Ok(JanitorState { engine, ticks: 0 })
    }

    async fn handle(
        &self,
        context: &Context<JanitorMsg>,
        msg: JanitorMsg,
        state: &mut JanitorState,
    ) -> Result<(), Failure> {
        match msg {
            JanitorMsg::Tick => {
                state.tick().await?;
                context.send_after(TICK, JanitorMsg::Tick);
            }
            JanitorMsg::Beat => state.beat().await?,
        }
        context.gauges().progress();
        Ok(())
    }
}

impl JanitorState {
    async fn tick(&mut self) -> Result<(), Failure> {
        self.guard_disk().await;
        self.tell_budget().await;
        if self.ticks.is_multiple_of(BEAT_TICKS) {
            self.beat().await?;
        }
        self.ticks += 1;
        Ok(())
    }

    /// Says that the process lives; a store that answers opens the gate that its outage closed.
    ///
    /// A boot that the store calls dead can do nothing more: its claims are another's. It ends by breach.
    async fn beat(&self) -> Result<(), Failure> {
        let engine = &self.engine;
        let (by, rules) = (engine.boot.clone(), engine.rules());
        let beat = Command::Beat { by, lease_until_ms: engine.now_ms() + LEASE_MS, rules };
        match engine.queue.submit(beat).await {
            Ok(Ok(_)) => {
                if engine.gate.open(Keeper::Store) {
                    self.resumed().await;
                }
            }
            Ok(Err(refusal)) => return Err(refusal.into()),
            Err(error) => {
                let reason = Reason::StoreUnavailable { why: error.to_string() };
                if engine.gate.close(Keeper::Store, reason) {
                    // Nothing is committed that would wake anybody.
                    engine.handles.look.fire();
                }
            }
        }
        Ok(())
    }

    /// Money leaves a window without any event. A store that does not answer leaves what was told.
    async fn tell_budget(&self) {
        let engine = &self.engine;
        if let Ok(Some(head)) = engine.reader.ledger(&engine.scope, engine.now_ms()).await {
            engine.metrics.levels().budget(&head.usage());
        }
    }

    async fn guard_disk(&self) {
        let settings = &self.engine.settings;
        let free = settings.watched_disks.iter().filter_map(|folder| free_bytes(folder)).min();
        let Some(free_bytes) = free else { return };
        if free_bytes < settings.min_free_bytes {
            let reason = Reason::DiskLow { free_bytes, limit_bytes: settings.min_free_bytes };
            if self.engine.gate.close(Keeper::Disk, reason.clone()) {
                self.note(EventKind::AdmissionStopped { wait: Wait { reason, until_ms: None } }).await;
            }
        } else if self.engine.gate.open(Keeper::Disk) {
            self.resumed().await;
        }
    }

    async fn resumed(&self) {
        self.note(EventKind::AdmissionResumed).await;
        self.engine.handles.look.fire();
    }

    /// A store that cannot take the note has said so on stderr; the gate is closed all the same.
    async fn note(&self, kind: EventKind) {
        let _ = self.engine.queue.submit(Command::Note { about: About::default(), kind }).await;
    }
}

/// Returns the bytes that an ordinary user can still write on the disk of a folder.
#[must_use]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}
