//! One process: an engine that boots on what the last one left, and its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_actors::watchdog::WatchThread;
use glitchlab_actors::{BoardView, Engine, shutdown};
use glitchlab_models::Model;
use glitchlab_pipeline::fakes::FakeForge;
use glitchlab_pipeline::forge::Forge;
use glitchlab_pipeline::workspace::Workspace;
use glitchlab_runtime::Tree;
use glitchlab_store::clock::Clock;
use glitchlab_store::{Backend, Reader};
use glitchlab_telemetry::spans::Redact;
use tokio::sync::watch;

use crate::act::{Act, Kill};
use crate::collector::Way;
use crate::engine::{Surroundings, compose, start_with};
use crate::mortal::Mortal;
use crate::probe;
use crate::tripwire::Place;
use crate::wired::Wired;
use crate::world::{Outside, Plan};

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
    // Real time has real threads, and what blocks all of them leaves the watchdog's alone.
    let thread = world.is_threaded.then(|| WatchThread::start().expect("one thread more"));
    let engine = composed(world, thread.as_ref());
    world.failures.install(engine.tree.failpoints(), &world.clock);
    let way = || Way {
        clock: world.clock.clone(),
        wire: world.wire.clone(),
        bookmark: world.folder.path().join("traces.json"),
        redact: world.setup.redactor().map(|known| Arc::new(move |text: &str| known.redact(text)) as Redact),
    };
    let exporter = world.collector.as_ref().map(|collector| collector.exporter(&engine, way()));
    let tree = match start_with(&engine, &world.setup, exporter.into_iter().collect()).await {
        Ok(tree) => tree,
        Err(error) => return Death::Stillborn(error.to_string()),
    };
    tokio::select! {
        biased;
        gave_up = world.wire.killed() => gave_up.map_or(Death::Killed, Death::Breach),
        death = work(world, plan, until, &engine, &tree) => death,
    }
}

/// The engine of a process: the outside world with its tripwires, and a writer that trips as well.
fn composed(world: &Outside, thread: Option<&WatchThread>) -> Arc<Engine> {
    let wire = &world.wire;
    let workspace = Arc::new(world.workspace.clone()) as Arc<dyn Workspace>;
    let forge = Arc::new(FakeForge::new(world.repo.clone())) as Arc<dyn Forge>;
    let around = Surroundings {
        backend: Backend::Memory(world.memory.clone()),
        reader: Reader::Memory(world.memory.clone()),
        source: Arc::new(world.backlog.clone()),
        workspace: Arc::new(Wired::<dyn Workspace>::new(workspace, wire)),
        forge: Arc::new(Wired::<dyn Forge>::new(forge, wire)),
        model: Arc::new(Wired::<dyn Model>::new(Arc::clone(&world.model), wire)),
        clock: world.clock.wall(),
        writer_clock: writer_clock(world),
        metrics: world.meters.metrics(),
        folder: world.folder.path().to_owned(),
        own: Arc::new(Mortal::new(wire)),
        watch_on: thread.map(|thread| thread.runtime().clone()),
    };
    compose(&world.setup, around)
}

/// The writer looks at its clock once for each batch, so that is where a batch can be disturbed.
fn writer_clock(world: &Outside) -> Clock {
    let (wire, clock) = (world.wire.clone(), world.clock.wall());
    Arc::new(move || {
        wire.strike(Place::Batch);
        clock()
    })
}

async fn work(world: &Outside, plan: &mut Plan, until: Duration, engine: &Arc<Engine>, tree: &Tree) -> Death {
    let mut board = engine.board.subscribe();
    let mut violation = pin!(violation(world, engine));
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
                return go_down(world, engine, tree, until, Death::Quiet).await;
            }
        }
    }
}

/// Where something is meant to hang, what could start does not always.
async fn violation(world: &Outside, engine: &Engine) -> String {
    if world.setup.may_stall {
        return std::future::pending().await;
    }
    probe::watch(engine, &world.backlog).await
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
        Act::Restart { drain } => return Some(go_down(world, engine, tree, drain, Death::Restarted).await),
        Act::Edit(edit) => edit(&world.backlog),
        Act::Jump(by_ms) => world.clock.jump(by_ms),
        Act::Look(look) => look(Arc::clone(engine)).await,
    }
    None
}

async fn go_down(world: &Outside, engine: &Arc<Engine>, tree: &Tree, drain: Duration, death: Death) -> Death {
    world.failures.go_down();
    shutdown::close_admission(engine);
    if !shutdown::drained(engine, drain).await {
        shutdown::suspend(engine).await;
    }
    shutdown::end(engine, tree, "the scenario says so").await;
    death
}
