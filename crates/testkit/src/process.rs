//! One process: an engine that boots on what the last one left, and its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_actors::admission::Gate;
use glitchlab_actors::feed::Feed;
use glitchlab_actors::slots::Slots;
use glitchlab_actors::{BoardView, Engine, Handles, Tools, durable, recovery, shutdown, tree};
use glitchlab_domain::command::{BootBearer, Command};
use glitchlab_domain::id::{BootId, Fence};
use glitchlab_domain::rows::ProcessRow;
use glitchlab_domain::snapshot::Snapshot;
use glitchlab_models::Model;
use glitchlab_pipeline::fakes::FakeForge;
use glitchlab_pipeline::forge::Forge;
use glitchlab_pipeline::workspace::Workspace;
use glitchlab_runtime::{Failure, Tree, TreeHandle};
use glitchlab_store::clock::Clock;
use glitchlab_store::{Backend, Reader, Writer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::act::{Act, Kill};
use crate::probe;
use crate::settings::{REPO, SCOPE};
use crate::tripwire::Place;
use crate::wired::Wired;
use crate::world::{Outside, Plan};

/// Commands that may wait for the writer.
const QUEUE: usize = 1_024;

/// How a process ended.
#[derive(Debug)]
pub(crate) enum Death {
    /// It was killed.
    Killed,
    /// It went down in order, to be started again.
    Restarted,
    /// It went down in order because nothing was left to do.
    Quiet,
    /// The scenario's time was over.
    OutOfTime,
    /// Its root supervisor gave up.
    Breach(String),
    /// It ended before its tree was up.
    Stillborn(String),
    /// Something that must always hold did not.
    Violated(String),
}

/// Lives until something ends it.
pub(crate) async fn live(world: &Outside, plan: &mut Plan, until: Duration) -> Death {
    let engine = Arc::new(compose(world));
    let tree = match start(world, &engine).await {
        Ok(tree) => tree,
        Err(error) => return Death::Stillborn(error.to_string()),
    };
    tokio::select! {
        biased;
        () = world.wire.killed() => Death::Killed,
        death = work(world, plan, until, &engine, &tree) => death,
    }
}

fn compose(world: &Outside) -> Engine {
    let boot = BootBearer { boot_id: BootId::new(random()), fence: Fence::new(random()) };
    let clock = world.clock.wall();
    let backend = Backend::Memory(world.memory.clone());
    let (writer, queue) = Writer::new(backend, boot.boot_id.clone(), writer_clock(world), QUEUE);
    let tools = tools(world);
    let settings = world.setup.engine(&boot.boot_id, tools.model.id(), clock());
    let first = Snapshot { engine: settings.about.clone(), ..Snapshot::default() };
    Engine {
        boot,
        host: "world".to_owned(),
        repo_id: REPO.to_owned(),
        scope: SCOPE.to_owned(),
        settings,
        clock,
        writer,
        queue,
        reader: Reader::Memory(world.memory.clone()),
        source: Arc::new(world.backlog.clone()),
        tools,
        feed: Feed::default(),
        slots: Slots::new(world.setup.workers, world.setup.grace),
        gate: Gate::default(),
        board: watch::Sender::new(BoardView::default()),
        snapshot: watch::Sender::new(Arc::new(first)),
        tree: TreeHandle::new(),
        handles: Handles::default(),
    }
}

/// The writer looks at its clock once for each batch, so that is where a batch can be disturbed.
fn writer_clock(world: &Outside) -> Clock {
    let (wire, clock) = (world.wire.clone(), world.clock.wall());
    Arc::new(move || {
        wire.strike(Place::Batch);
        clock()
    })
}

fn tools(world: &Outside) -> Tools {
    let wire = &world.wire;
    let workspace = Arc::new(world.workspace.clone()) as Arc<dyn Workspace>;
    let forge = Arc::new(FakeForge::new(world.repo.clone())) as Arc<dyn Forge>;
    Tools {
        workspace: Arc::new(Wired::<dyn Workspace>::new(workspace, wire)),
        forge: Arc::new(Wired::<dyn Forge>::new(forge, wire)),
        model: Arc::new(Wired::<dyn Model>::new(Arc::clone(&world.model), wire)),
        stages: Arc::new(world.setup.stages()),
    }
}

/// Does what the program does: this boot is written, the dead are known, what they left open is paid, the tree starts.
async fn start(world: &Outside, engine: &Arc<Engine>) -> Result<Tree, Failure> {
    let writing = CancellationToken::new();
    let (writer, feed, stop) = (engine.writer.clone(), engine.feed.clone(), writing.clone());
    let mut running =
        tokio::spawn(async move { writer.run(stop, |committed| feed.publish(committed)).await });
    tokio::select! {
        recovered = recover(world, engine) => recovered?,
        // Whoever waits for a writer that is gone would wait for ever.
        ended = &mut running => return Err(format!("its writer ended: {ended:?}").into()),
    }
    writing.cancel();
    running.await??;
    Ok(tree::start(engine, Vec::new()).await?)
}

/// No process but this one is alive in a world.
async fn recover(world: &Outside, engine: &Arc<Engine>) -> Result<(), Failure> {
    let dead = recovery::dead_boots(&engine.reader, &engine.host, &engine.repo_id, |_| false).await?;
    let (cap_hour, cap_day) = (world.setup.per_hour, world.setup.per_day);
    let start =
        Command::StartBoot { process: row(engine), scope: engine.scope.clone(), cap_hour, cap_day, dead };
    durable::insist(&engine.queue, start).await??;
    recovery::settle_open(&engine.reader, &engine.queue).await?;
    Ok(())
}

fn row(engine: &Engine) -> ProcessRow {
    ProcessRow {
        boot_id: engine.boot.boot_id.clone(),
        fence: engine.boot.fence.clone(),
        host: engine.host.clone(),
        pid: 1,
        start_ticks: 0,
        repo_id: engine.repo_id.clone(),
        scope: engine.scope.clone(),
        listen: String::new(),
        started_ms: engine.now_ms(),
        lease_until_ms: engine.now_ms() + 60_000,
        alive: true,
    }
}

async fn work(world: &Outside, plan: &mut Plan, until: Duration, engine: &Arc<Engine>, tree: &Tree) -> Death {
    let mut board = engine.board.subscribe();
    let mut violation = pin!(probe::watch(engine, &world.backlog));
    loop {
        let passed = world.clock.passed();
        let seen_from = plan.seen_from(world.setup.poll_interval).map(|at| at.min(until));
        let has_seen_all = seen_from.is_some_and(|at| passed >= at);
        let next = plan.next_at().or(seen_from.filter(|_| !has_seen_all)).unwrap_or(until).min(until);
        let rest = next.saturating_sub(passed);
        tokio::select! {
            biased;
            () = tokio::time::sleep(rest) => {
                if world.clock.passed() >= until {
                    return Death::OutOfTime;
                }
                if plan.next_at().is_some_and(|at| world.clock.passed() >= at)
                    && let Some(death) = act(world, plan, engine, tree).await
                {
                    return death;
                }
            }
            violation = &mut violation => return Death::Violated(violation),
            reason = tree.wait() => return Death::Breach(reason.to_string()),
            () = quiet(&mut board), if has_seen_all => {
                return go_down(engine, tree, until, Death::Quiet).await;
            }
        }
    }
}

/// Waits without keeping the view borrowed, which would hold up whoever publishes the next one.
async fn quiet(board: &mut watch::Receiver<BoardView>) {
    // The sender lives as long as the engine.
    drop(board.wait_for(|view| view.is_quiet).await);
}

async fn act(world: &Outside, plan: &mut Plan, engine: &Arc<Engine>, tree: &Tree) -> Option<Death> {
    match plan.take()? {
        Act::Kill(Kill::Process) => return Some(Death::Killed),
        Act::Kill(Kill::Actor(path)) => {
            if let Err(error) = tree.handle().kill(&path) {
                return Some(Death::Violated(format!("{path} cannot be killed: {error}")));
            }
        }
        Act::Restart { drain } => return Some(go_down(engine, tree, drain, Death::Restarted).await),
        Act::Edit(edit) => edit(&world.backlog),
        Act::Jump(by_ms) => world.clock.jump(by_ms),
        Act::Look(look) => look(Arc::clone(engine)).await,
    }
    None
}

async fn go_down(engine: &Arc<Engine>, tree: &Tree, drain: Duration, death: Death) -> Death {
    shutdown::close_admission(engine);
    if !shutdown::drained(engine, drain).await {
        shutdown::suspend(engine).await;
    }
    shutdown::end(engine, tree, "the scenario says so").await;
    death
}

fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
