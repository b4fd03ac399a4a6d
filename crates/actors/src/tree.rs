//! The only list of children and policies. `docs/supervision.md` says the same in prose; a test compares them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::command::{Breached, Command};
use glitchlab_domain::event::{About, EventKind};
use glitchlab_domain::stage::Role;
use glitchlab_runtime::{
    Backoff, Breach, ChildSpec, LifecycleEvent, NodeSnapshot, Shutdown, StartError, Strategy, SupervisorSpec,
    Tree, start_tree_with,
};
use glitchlab_telemetry::metrics::Expected;

use crate::budget_pacer::BudgetPacer;
use crate::dashboard_hub::DashboardHub;
use crate::engine::Engine;
use crate::janitor::Janitor;
use crate::journal::{Journal, JournalArguments, writer_slot};
use crate::scheduler::{Scheduler, SchedulerArguments, SchedulerMsg, SchedulerTasks};
use crate::tqm_alerter::{AlerterArguments, TqmAlerter, delivery_slot};
use crate::watchdog::{Watchdog, WatchdogArguments};
use crate::worker::{Worker, WorkerArguments};

/// The window of every intensity.
const MINUTE: Duration = Duration::from_secs(60);

/// Starts the tree; `beside` are further children beside the hub, without which work goes on.
///
/// # Errors
///
/// Returns a [`StartError`] when a child does not come up; what was started is stopped again.
pub async fn start(engine: &Arc<Engine>, beside: Vec<ChildSpec>) -> Result<Tree, StartError> {
    let mut events = engine.tree.events();
    let tree = start_tree_with("glitchlab", root(engine, beside), &engine.tree).await?;
    expect(engine, &tree);
    let engine = Arc::clone(engine);
    tokio::spawn(async move {
        let mut causes = HashMap::new();
        while let Some(event) = events.next().await {
            told(&engine, &mut causes, event).await;
        }
    });
    Ok(tree)
}

/// Lets what this engine will likely count begin at nothing.
fn expect(engine: &Engine, tree: &Tree) {
    let tools = &engine.tools;
    let program =
        tools.stages.implementer.agent().map(|agent| (agent.name.as_str(), &[Role::Implementer][..]));
    let models: Vec<_> = std::iter::once((tools.model.id(), &Role::ALL[..])).chain(program).collect();
    let root = tree.snapshot().root;
    engine.metrics.expect(&Expected { models: &models, supervisors: &supervisors(&root) });
}

/// The paths of all supervisors from this one on.
fn supervisors(node: &NodeSnapshot) -> Vec<&str> {
    let below = node.children.iter().flat_map(supervisors);
    node.supervision.iter().map(|_| node.path.as_str()).chain(below).collect()
}

fn root(engine: &Arc<Engine>, beside: Vec<ChildSpec>) -> SupervisorSpec {
    SupervisorSpec::new(Strategy::OneForOne)
        .intensity(3, MINUTE)
        .child(journal(engine))
        .child(budget_pacer(engine))
        .child(tqm_alerter(engine))
        .child(ChildSpec::supervisor("work", work(engine)))
        .child(janitor(engine))
        .child(ChildSpec::supervisor("views", views(engine, beside)))
        .child(watchdog(engine))
}

fn journal(engine: &Arc<Engine>) -> ChildSpec {
    let (engine, slot) = (Arc::clone(engine), writer_slot(engine));
    let attached = slot.clone();
    let handle = engine.handles.journal.clone();
    let make = move |_| (Journal, JournalArguments { engine: Arc::clone(&engine), slot: slot.clone() });
    ChildSpec::worker("journal", &handle, make).attach(&attached).shutdown(Shutdown::Timeout(MINUTE / 2))
}

fn budget_pacer(engine: &Arc<Engine>) -> ChildSpec {
    let engine = Arc::clone(engine);
    let handle = engine.handles.pacer.clone();
    ChildSpec::worker("budget_pacer", &handle, move |_| (BudgetPacer, Arc::clone(&engine)))
}

fn tqm_alerter(engine: &Arc<Engine>) -> ChildSpec {
    let (engine, delivery) = (Arc::clone(engine), delivery_slot(engine));
    let (handle, attached) = (engine.handles.alerter.clone(), delivery.clone());
    let make =
        move |_| (TqmAlerter, AlerterArguments { engine: Arc::clone(&engine), delivery: delivery.clone() });
    ChildSpec::worker("tqm_alerter", &handle, make).attach(&attached)
}

/// Workers first: a scheduler bug must not kill paid work, and a broken pool takes the scheduler with it.
fn work(engine: &Arc<Engine>) -> SupervisorSpec {
    SupervisorSpec::new(Strategy::RestForOne)
        .intensity(2, MINUTE)
        .child(ChildSpec::supervisor("workers", workers(engine)))
        .child(scheduler(engine))
}

/// Two panics of two tasks must not end all paid work: three restarts and one for each slot.
fn workers(engine: &Arc<Engine>) -> SupervisorSpec {
    let count = u32::try_from(engine.slots.iter().count()).unwrap_or(u32::MAX);
    let spec = SupervisorSpec::new(Strategy::OneForOne).intensity(count.saturating_add(3), MINUTE);
    engine.slots.iter().fold(spec, |spec, slot| {
        let (engine, given) = (Arc::clone(engine), Arc::clone(slot));
        let make =
            move |_| (Worker, WorkerArguments { engine: Arc::clone(&engine), slot: Arc::clone(&given) });
        let child = ChildSpec::worker(slot.name.as_str(), &slot.worker, make).attach(&slot.task);
        spec.child(child)
    })
}

fn scheduler(engine: &Arc<Engine>) -> ChildSpec {
    let (engine, tasks) = (Arc::clone(engine), SchedulerTasks::new(engine));
    let handle = engine.handles.scheduler.clone();
    let attached = tasks.clone();
    let make = move |_| (Scheduler, SchedulerArguments { engine: Arc::clone(&engine), tasks: tasks.clone() });
    ChildSpec::worker("scheduler", &handle, make)
        .attach(&attached.backlog)
        .attach(&attached.reviews)
        .attach(&attached.closings)
        .attach(&attached.claims)
        .attach(&attached.controls)
}

fn janitor(engine: &Arc<Engine>) -> ChildSpec {
    let engine = Arc::clone(engine);
    let handle = engine.handles.janitor.clone();
    ChildSpec::worker("janitor", &handle, move |_| (Janitor, Arc::clone(&engine)))
}

/// Last, so that it watches over everything else, and ends first.
fn watchdog(engine: &Arc<Engine>) -> ChildSpec {
    let handle = engine.handles.watchdog.clone();
    let arguments = WatchdogArguments::new(engine, &handle);
    let attached = arguments.slot.clone();
    ChildSpec::worker("watchdog", &handle, move |_| (Watchdog, arguments.clone())).attach(&attached)
}

/// Isolated: a failure here never stops work.
fn views(engine: &Arc<Engine>, beside: Vec<ChildSpec>) -> SupervisorSpec {
    let hub = {
        let engine = Arc::clone(engine);
        let handle = engine.handles.hub.clone();
        ChildSpec::worker("dashboard_hub", &handle, move |_| (DashboardHub, Arc::clone(&engine)))
    };
    let backoff = || Backoff::new(Duration::from_millis(200), MINUTE / 2);
    let spec = SupervisorSpec::new(Strategy::OneForOne).intensity(30, MINUTE).child(hub.backoff(backoff()));
    beside.into_iter().fold(spec, |spec, child| spec.child(child.backoff(backoff())))
}

/// Makes a restart and a breach durable, and has claims compared with slots after each.
async fn told(engine: &Engine, causes: &mut HashMap<String, String>, event: LifecycleEvent) {
    match event {
        LifecycleEvent::Exited { path, incarnation, cause } if !cause.is_normal() => {
            tracing::error!(event = "actor.failed", path, incarnation, "{cause}");
            causes.insert(path, cause.to_string());
        }
        LifecycleEvent::Restarted { path, incarnation } => {
            // One that is restarting itself inspects when it starts.
            let _ = engine.handles.scheduler.send(SchedulerMsg::Inspect);
            let reason = causes.remove(&path).unwrap_or_else(|| "restarted with its group".to_owned());
            note(engine, EventKind::ActorRestarted { path, incarnation, reason }).await;
        }
        LifecycleEvent::Breach(breach) => breached(engine, breach).await,
        LifecycleEvent::Zombie { path, incarnation } => {
            tracing::error!(
                event = "actor.zombie",
                path,
                incarnation,
                "told to end and did not; no longer waited for"
            );
        }
        _ => {}
    }
}

async fn breached(engine: &Engine, breach: Breach) {
    tracing::error!(event = "supervisor.breach", "{breach}");
    let breached = Breached {
        repo_id: engine.repo_id.clone(),
        rules: engine.settings.gate.breaker,
        supervisor: breach.supervisor,
        child: breach.child,
        reasons: breach.reasons.iter().map(ToString::to_string).collect(),
        within_ms: breach.window_ms,
    };
    tell(engine, Command::Breach(Box::new(breached))).await;
}

async fn note(engine: &Engine, kind: EventKind) {
    tell(engine, Command::Note { about: About::default(), kind }).await;
}

async fn tell(engine: &Engine, command: Command) {
    // A journal that is down itself cannot take it: the log has it.
    let _ = tokio::time::timeout(Duration::from_secs(5), engine.queue.submit(command)).await;
}
