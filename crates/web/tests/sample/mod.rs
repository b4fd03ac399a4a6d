//! A made-up engine in full work: what the tests and the example page draw.

mod why;

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::event::{About, Event, EventId, EventKind};
use glitchlab_domain::id::{AttemptId, BootId, TaskKey};
use glitchlab_domain::ledger::Usage;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{Size, Status};
use glitchlab_domain::reason::{Reason, Wait, Window};
use glitchlab_domain::snapshot::{Activity, Engine, Lane, LaneTask, Money, Queue, Snapshot};
use glitchlab_domain::stage::Stage;
use glitchlab_runtime::{
    Activity as Doing, ChildKind, ErrorSnapshot, NodeSnapshot, NodeState, Restart, RunningTask, Strategy,
    Supervision, TaskSnapshot, TreeSnapshot,
};

pub(crate) use why::why;

/// Returns an engine with two running tasks and a third worker that waits for money.
pub(crate) fn live(now_ms: i64) -> Snapshot {
    let first = task(
        "gl-li2.1",
        "Reject budgets that are negative, not a number or above the ceiling",
        now_ms - 416_000,
    );
    let second = task("gl-7ux.3", "Make the JSONL reader tolerate tombstones", now_ms - 708_000);
    let first = LaneTask {
        n: 2,
        stage: Some(Stage::Implement),
        stage_since_ms: now_ms - 252_000,
        last_stage: Some((Stage::BudgetGate, true)),
        tokens: 41_200,
        cost: MicroUsd::new(380_000),
        ..first
    };
    let second = LaneTask {
        stage: Some(Stage::Review),
        stage_since_ms: now_ms - 6_000,
        last_stage: Some((Stage::Test, true)),
        tokens: 57_900,
        cost: MicroUsd::new(710_000),
        ..second
    };
    let lane = |n: u32, task| Lane { slot: format!("worker-{n}"), task };
    let mut snapshot = Snapshot {
        as_of_ms: now_ms,
        engine: engine(now_ms),
        activity: Activity::Running,
        lanes: vec![lane(1, Some(first)), lane(2, Some(second)), lane(3, None)],
        money: money(now_ms),
        queue: queue(now_ms),
        ..Snapshot::default()
    };
    for (seq, (back_ms, bead, kind)) in (1..).zip(history()) {
        snapshot.apply(&event(seq, now_ms - back_ms, bead, kind));
    }
    snapshot.as_of_ms = now_ms;
    snapshot.admission = Some(paced(now_ms + 108_000));
    snapshot
}

/// Returns the event with this place in the log; without a bead it is about the engine.
pub(crate) fn event(seq: u64, at_ms: i64, bead: &str, kind: EventKind) -> Event {
    let about = if bead.is_empty() {
        About::default()
    } else {
        About {
            task_key: Some(TaskKey::from(bead)),
            bead_id: Some(BeadId::from(bead)),
            attempt_id: Some(AttemptId::from(bead)),
            trace_id: None,
        }
    };
    Event { id: EventId { boot_id: BootId::from("boot"), seq }, at_ms, about, kind }
}

fn engine(now_ms: i64) -> Engine {
    Engine {
        version: "0.1.0".to_owned(),
        repo: "glitchlab".to_owned(),
        base: "main".to_owned(),
        boot_id: BootId::from("boot"),
        started_ms: now_ms - 273_600_000,
        model: "simulated".to_owned(),
        simulated: true,
        merge: "when_green".to_owned(),
        task_cap: Some(MicroUsd::new(4_000_000)),
        size_tokens: [20_000, 60_000, 150_000],
    }
}

fn task(bead: &str, title: &str, claimed_ms: i64) -> LaneTask {
    LaneTask {
        task_key: TaskKey::from(bead),
        bead_id: BeadId::from(bead),
        title: title.to_owned(),
        attempt_id: AttemptId::from(bead),
        n: 1,
        max_attempts: 3,
        claimed_ms,
        model: "anthropic/claude-sonnet-4.5".to_owned(),
        stage: None,
        stage_since_ms: claimed_ms,
        last_stage: None,
        size: Some(Size::M),
        tokens: 0,
        cost: MicroUsd::ZERO,
        reserved: MicroUsd::ZERO,
        waiting: None,
    }
}

fn money(now_ms: i64) -> Money {
    let cents =
        [0, 0, 5, 40, 60, 110, 190, 220, 120, 10, 0, 0, 0, 0, 5, 30, 70, 110, 125, 60, 35, 25, 30, 241];
    let current = now_ms - now_ms.rem_euclid(3_600_000);
    let hour = |(back, cents): (i64, i64)| (current - (23 - back) * 3_600_000, MicroUsd::new(cents * 10_000));
    Money {
        usage: Usage {
            reserved: MicroUsd::new(900_000),
            hour: MicroUsd::new(2_410_000),
            day: MicroUsd::new(14_860_000),
            total: MicroUsd::new(35_900_000),
            cap_hour: MicroUsd::new(5_000_000),
            cap_day: MicroUsd::new(40_000_000),
            debt: MicroUsd::ZERO,
        },
        hour_returns: Some((now_ms + 420_000, MicroUsd::new(420_000))),
        day_returns: Some((now_ms + 12_480_000, MicroUsd::new(400_000))),
        by_hour: (0..).zip(cents).map(hour).collect(),
    }
}

fn queue(now_ms: i64) -> Queue {
    Queue {
        pending: 336,
        in_progress: 2,
        in_review: 3,
        completed: 41,
        failed: 4,
        blocked: 91,
        skipped: 29,
        needs_you: 2,
        read_ms: Some(now_ms - 40_000),
    }
}

fn paced(until_ms: i64) -> Wait {
    Wait { reason: Reason::CapReached { window: Window::Hour }, until_ms: Some(until_ms) }
}

fn finished(stage: Stage, ok: bool, summary: &str) -> EventKind {
    let summary = summary.to_owned();
    EventKind::StageFinished { stage, n: 1, ok, summary, took_ms: 38_000, size: None, decision: None }
}

fn ended(status: Status, detail: &str, micro: i64) -> EventKind {
    EventKind::TaskFinished {
        status,
        detail: detail.to_owned(),
        until_ms: None,
        tokens: 52_000,
        cost: MicroUsd::new(micro),
        took_ms: 700_000,
        attempts: 1,
        failure: None,
        size: None,
    }
}

/// Events of tasks that have ended or go on, oldest first, each with how long ago it was in ms.
fn history() -> Vec<(i64, &'static str, EventKind)> {
    let text = str::to_owned;
    vec![
        (1_334_000, "gl-m4p", finished(Stage::Implement, true, "2 files, $0.22")),
        (972_000, "", EventKind::BacklogSynced { added: 3, changed: 1 }),
        (816_000, "gl-m4p", finished(Stage::Review, true, "approved, 11.4 s")),
        (724_000, "gl-9qk.2", EventKind::HumanNeeded { why: text("plan touches a protected path") }),
        (588_000, "gl-0ac.2", ended(Status::Retried, "tests_failed: 1 of 412", 90_000)),
        (447_000, "gl-m4p", ended(Status::Completed, "merged, 3 dependants freed", 610_000)),
        (369_000, "gl-k2v", EventKind::TaskDecomposed { subtasks: vec![BeadId::from("gl-k2v.1")], depth: 1 }),
        (347_000, "gl-x", finished(Stage::BudgetGate, true, "passed, size M, 60k tokens")),
        (245_000, "", EventKind::CallWaiting { wait: paced(0) }),
        (
            150_000,
            "",
            EventKind::ActorRestarted {
                path: text("work/workers/worker-3"),
                incarnation: 1,
                reason: text("panicked"),
            },
        ),
        (69_000, "gl-0ac.7", ended(Status::PrCreated, "branch glitchlab/gl-0ac.7", 1_240_000)),
        (47_000, "gl-x", finished(Stage::Implement, true, "6 files, $0.57")),
        (6_000, "gl-x", finished(Stage::Test, false, "3 of 412 failed in 38 s")),
    ]
}

/// Returns a tree with one restarting actor and one zombie.
pub(crate) fn tree() -> TreeSnapshot {
    let workers =
        vec![worker("worker-1", 4, "implement"), worker("worker-2", 2, "review"), restarting("worker-3")];
    let workers = supervisor("workers", Strategy::OneForOne, (2, 6), workers);
    let work = supervisor("work", Strategy::RestForOne, (1, 2), vec![workers, worker("scheduler", 2, "")]);
    let views = vec![worker("dashboard_hub", 1, ""), worker("web", 1, "")];
    let views = supervisor("views", Strategy::OneForOne, (0, 30), views);
    let children =
        vec![worker("journal", 1, ""), worker("budget_pacer", 1, ""), work, worker("janitor", 1, ""), views];
    let mut root = supervisor("glitchlab", Strategy::OneForOne, (0, 3), children);
    name_paths(&mut root, "");
    TreeSnapshot { as_of_ms: 273_600_000, root }
}

fn name_paths(node: &mut NodeSnapshot, above: &str) {
    node.path = format!("{above}{}", node.id);
    let below = format!("{}/", node.path);
    for child in &mut node.children {
        name_paths(child, &below);
    }
}

fn supervisor(
    id: &str,
    strategy: Strategy,
    (used, max): (usize, u32),
    children: Vec<NodeSnapshot>,
) -> NodeSnapshot {
    NodeSnapshot {
        id: id.to_owned(),
        path: String::new(),
        kind: ChildKind::Supervisor,
        restart: Restart::Permanent,
        state: NodeState::Running,
        incarnation: 1,
        restarts_total: u64::try_from(used).expect("a handful"),
        uptime_ms: Some(273_600_000),
        zombies: 0,
        supervision: Some(Supervision { strategy, restarts_in_window: used, max, window_ms: 60_000 }),
        activity: None,
        tasks: Vec::new(),
        children,
    }
}

fn worker(id: &str, incarnation: u32, task: &str) -> NodeSnapshot {
    let running = (!task.is_empty()).then(|| RunningTask {
        name: task.to_owned(),
        running_ms: 252_000,
        progress_total: 14,
        last_progress_ms: Some(900),
        ending: false,
    });
    let activity = Doing {
        mailbox: 2,
        messages_total: 1_000,
        busy_total_ms: 4_000,
        current: None,
        last_progress_ms: Some(1_200),
        last_error: None,
    };
    NodeSnapshot {
        kind: ChildKind::Worker,
        incarnation,
        restarts_total: u64::from(incarnation) - 1,
        supervision: None,
        activity: Some(activity),
        tasks: vec![TaskSnapshot { slot: "attempt".to_owned(), running, zombies: 0 }],
        ..supervisor(id, Strategy::OneForOne, (0, 0), Vec::new())
    }
}

fn restarting(id: &str) -> NodeSnapshot {
    let mut node = worker(id, 5, "");
    node.state = NodeState::Restarting { in_ms: 8_000 };
    node.uptime_ms = None;
    node.zombies = 1;
    if let Some(activity) = &mut node.activity {
        let message = "panicked: stream closed mid-frame".to_owned();
        activity.last_error = Some(ErrorSnapshot { message, age_ms: 9_000, trace_id: None });
    }
    node
}
