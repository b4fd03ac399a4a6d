//! Puts an engine together and boots it as the program does, from parts that a scenario or a benchmark chooses.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_actors::watchdog::OwnProcess;
use glitchlab_actors::{Engine, Parts, Tools, ids, recovery, tree};
use glitchlab_backlog::Source;
use glitchlab_models::Model;
use glitchlab_pipeline::forge::Forge;
use glitchlab_pipeline::workspace::Workspace;
use glitchlab_runtime::{ChildSpec, Failure, Restart, Task, TaskScope, Tree};
use glitchlab_store::clock::Clock;
use glitchlab_store::{Backend, Reader};
use glitchlab_telemetry::metrics::Metrics;
use tokio::runtime::Handle;

use crate::settings::{REPO, SCOPE, Setup};

/// What a scenario's engine is made of, beside its set-up.
pub struct Surroundings {
    /// Where it writes.
    pub backend: Backend,
    /// How it reads.
    pub reader: Reader,
    /// The backlog.
    pub source: Arc<dyn Source>,
    /// Worktrees.
    pub workspace: Arc<dyn Workspace>,
    /// Requests and merges.
    pub forge: Arc<dyn Forge>,
    /// The provider.
    pub model: Arc<dyn Model>,
    /// Tells the time, ms UTC.
    pub clock: Clock,
    /// Tells the store's writer the time of each batch.
    pub writer_clock: Clock,
    /// Where committed events are counted.
    pub metrics: Arc<Metrics>,
    /// Where the watchdog keeps its records.
    pub folder: PathBuf,
    /// What the watchdog can do to the process.
    pub own: Arc<dyn OwnProcess>,
    /// Where the watchdog runs; none is where the tree runs.
    pub watch_on: Option<Handle>,
}

/// Puts an engine together, with ids of its own.
#[must_use]
pub fn compose(setup: &Setup, around: Surroundings) -> Arc<Engine> {
    let Surroundings { workspace, forge, model, .. } = around;
    Engine::new(Parts {
        boot_id: ids::boot(),
        host: "world".to_owned(),
        repo_id: REPO.to_owned(),
        scope: SCOPE.to_owned(),
        settings: setup.engine(),
        live: setup.live(),
        workers: setup.workers,
        backend: around.backend,
        reader: around.reader,
        source: around.source,
        tools: Tools { workspace, forge, model, stages: Arc::new(setup.stages()) },
        receivers: setup.receivers.clone(),
        clock: around.clock,
        writer_clock: around.writer_clock,
        metrics: around.metrics,
        folder: around.folder,
        own: around.own,
        watch_on: around.watch_on,
    })
}

/// Does what the program does: this boot is written, the dead are known, what they left open is paid, the tree starts.
///
/// # Errors
///
/// Returns why the process would not have come up.
pub async fn start(engine: &Arc<Engine>, setup: &Setup) -> Result<Tree, Failure> {
    start_with(engine, setup, Vec::new()).await
}

/// The same, with children without which work goes on.
///
/// # Errors
///
/// Returns why the process would not have come up.
pub async fn start_with(
    engine: &Arc<Engine>,
    setup: &Setup,
    beside: Vec<ChildSpec>,
) -> Result<Tree, Failure> {
    recovery::writing(engine, recover(engine, setup)).await??;
    let pages = if setup.has_pages { pages() } else { Vec::new() };
    let beside = pages.into_iter().chain(beside).collect();
    Ok(tree::start(engine, beside).await?)
}

/// What the program has beside the hub, as the tree sees it: tasks that go on until they are told to end.
fn pages() -> Vec<ChildSpec> {
    let child = |id: &'static str| {
        ChildSpec::task(id, move || {
            Ok(Task::new(id, |scope: TaskScope| async move {
                while tokio::time::timeout(Duration::from_secs(1), scope.cancelled()).await.is_err() {}
                Ok(())
            }))
        })
    };
    vec![child("web"), child("configuration").restart(Restart::Transient)]
}

/// No process but this one is alive in a world.
async fn recover(engine: &Arc<Engine>, setup: &Setup) -> Result<(), Failure> {
    let process = engine.process_row(1, 0, String::new());
    recovery::announce(engine, process, (setup.per_hour, setup.per_day), |_| false).await?;
    recovery::settle_open(&engine.reader, &engine.queue).await?;
    Ok(())
}
