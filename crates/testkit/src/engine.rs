//! Puts an engine together as the program does, from parts that a scenario or a benchmark chooses, and boots it.

use std::sync::Arc;

use glitchlab_actors::admission::Gate;
use glitchlab_actors::feed::Feed;
use glitchlab_actors::slots::Slots;
use glitchlab_actors::{BoardView, Engine, Handles, Tools, durable, recovery, tree};
use glitchlab_backlog::Source;
use glitchlab_domain::command::{BootBearer, Command};
use glitchlab_domain::id::{BootId, Fence};
use glitchlab_domain::rows::ProcessRow;
use glitchlab_domain::snapshot::Snapshot;
use glitchlab_models::Model;
use glitchlab_pipeline::forge::Forge;
use glitchlab_pipeline::workspace::Workspace;
use glitchlab_runtime::{Failure, Tree, TreeHandle};
use glitchlab_store::clock::Clock;
use glitchlab_store::{Backend, Reader, Writer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::settings::{REPO, SCOPE, Setup};

/// Commands that may wait for the writer.
const QUEUE: usize = 1_024;

/// What an engine is made of.
pub struct Parts<'a> {
    /// Its settings.
    pub setup: &'a Setup,
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
}

/// Puts an engine together, with ids of its own.
#[must_use]
pub fn compose(parts: Parts<'_>) -> Arc<Engine> {
    let boot = BootBearer { boot_id: BootId::new(random()), fence: Fence::new(random()) };
    let (writer, queue) = Writer::new(parts.backend, boot.boot_id.clone(), parts.writer_clock, QUEUE);
    let settings = parts.setup.engine(&boot.boot_id, parts.model.id(), (parts.clock)());
    let first = Snapshot { engine: settings.about.clone(), ..Snapshot::default() };
    Arc::new(Engine {
        boot,
        host: "world".to_owned(),
        repo_id: REPO.to_owned(),
        scope: SCOPE.to_owned(),
        settings,
        clock: parts.clock,
        writer,
        queue,
        reader: parts.reader,
        source: parts.source,
        tools: Tools {
            workspace: parts.workspace,
            forge: parts.forge,
            model: parts.model,
            stages: Arc::new(parts.setup.stages()),
        },
        feed: Feed::default(),
        slots: Slots::new(parts.setup.workers, parts.setup.grace),
        gate: Gate::default(),
        board: watch::Sender::new(BoardView::default()),
        snapshot: watch::Sender::new(Arc::new(first)),
        tree: TreeHandle::new(),
        handles: Handles::default(),
    })
}

/// Does what the program does: this boot is written, the dead are known, what they left open is paid, the tree starts.
///
/// # Errors
///
/// Returns why the process would not have come up.
pub async fn start(engine: &Arc<Engine>, setup: &Setup) -> Result<Tree, Failure> {
    let writing = CancellationToken::new();
    let (writer, feed, stop) = (engine.writer.clone(), engine.feed.clone(), writing.clone());
    let mut running =
        tokio::spawn(async move { writer.run(stop, |committed| feed.publish(committed)).await });
    tokio::select! {
        recovered = recover(engine, setup) => recovered?,
        // Whoever waits for a writer that is gone would wait for ever.
        ended = &mut running => return Err(format!("its writer ended: {ended:?}").into()),
    }
    writing.cancel();
    running.await??;
    Ok(tree::start(engine, Vec::new()).await?)
}

/// No process but this one is alive in a world.
async fn recover(engine: &Arc<Engine>, setup: &Setup) -> Result<(), Failure> {
    let dead = recovery::dead_boots(&engine.reader, &engine.host, &engine.repo_id, |_| false).await?;
    let (scope, process) = (engine.scope.clone(), row(engine));
    let (cap_hour, cap_day) = (setup.per_hour, setup.per_day);
    let start = Command::StartBoot { process, scope, cap_hour, cap_day, dead };
    durable::insist(&engine.queue, start).await??;
    recovery::settle_open(&engine.reader, &engine.queue).await?;
    Ok(())
}

fn row(engine: &Engine) -> ProcessRow {
    let now_ms = engine.now_ms();
    ProcessRow {
        boot_id: engine.boot.boot_id.clone(),
        fence: engine.boot.fence.clone(),
        host: engine.host.clone(),
        pid: 1,
        start_ticks: 0,
        repo_id: engine.repo_id.clone(),
        scope: engine.scope.clone(),
        listen: String::new(),
        started_ms: now_ms,
        lease_until_ms: now_ms + 60_000,
        alive: true,
    }
}

fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
