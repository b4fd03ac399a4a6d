//! A made-up queue that stops at the money of the hour, with every group of waits.

use glitchlab_domain::bead::{Bead, BeadId, Dependency, DependencyKind};
use glitchlab_domain::board::Board;
use glitchlab_domain::ledger::Head;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{FailureKind, HumanReason};
use glitchlab_domain::policy::WorkFilter;
use glitchlab_domain::reason::{Reason, Window};
use glitchlab_domain::task::{SourceTask, TaskRow, TaskState};
use glitchlab_domain::why::{Facts, LINES, Rules, Why, explain};

/// Explains the made-up queue.
pub(crate) fn why(now_ms: i64) -> Why {
    let board = board(now_ms);
    let dollar = |micro| MicroUsd::new(micro);
    let mut head = Head::new("real", dollar(5_000_000), dollar(40_000_000));
    (head.sum_hour, head.sum_day, head.reserved) = (dollar(2_410_000), dollar(14_860_000), dollar(900_000));
    let facts = Facts {
        board: &board,
        gate: None,
        obstacles: Vec::new(),
        ledger: Some(&head),
        attempts: &[],
        begun: &[],
        said: &[],
        rules: Rules { workers: 3, max_open: 5, merges_here: false, max_tasks: 0 },
        is_running: true,
        read_ms: Some(now_ms),
        now_ms,
    };
    explain(&facts, LINES)
}

fn board(now_ms: i64) -> Board {
    let mut board = Board::new(WorkFilter::default(), now_ms);
    for (bead, change) in tasks(now_ms) {
        let mut row = SourceTask::of("r", "jsonl", &bead).into_row(now_ms - 720_000);
        row.since_ms = Some(now_ms - 720_000);
        change(&mut row);
        board.take_task(row);
        board.take_bead(&bead);
    }
    board
}

type Change = Box<dyn Fn(&mut TaskRow)>;

fn tasks(now_ms: i64) -> Vec<(Bead, Change)> {
    let money = Reason::CapReached { window: Window::Hour };
    let person =
        Reason::NeedsHuman { reason: HumanReason::GateRejected { why: "it edits <main>".to_owned() } };
    let failed = Reason::Backoff { failure: FailureKind::TestsFailed, attempts: 1 };
    let blocked = Dependency { on: BeadId::from("gl-9f2.4"), kind: DependencyKind::Blocks };
    vec![
        (
            bead("gl-9f2.4", "Spread spending over the hour"),
            at(TaskState::Open, money, Some(now_ms + 108_000)),
        ),
        (
            bead("gl-0ac.7", "Show the age of the <b>backlog</b>"),
            at(TaskState::InReview, Reason::InReview, None),
        ),
        (bead("gl-9qk.2", "Move the ledger into its own crate"), at(TaskState::NeedsHuman, person, None)),
        (bead("gl-5tt", "Nightly review"), at(TaskState::Open, failed, Some(now_ms + 20_000))),
        (
            Bead { dependencies: vec![blocked], ..bead("gl-77a", "Say which file it came from") },
            Box::new(|_| ()),
        ),
        (Bead { labels: vec!["human".to_owned()], ..bead("gl-cae.4", "Choose a name") }, Box::new(|_| ())),
        (bead("gl-k2v", "Port the reviewer"), Box::new(|row| row.state = TaskState::Running)),
    ]
}

fn at(state: TaskState, reason: Reason, until_ms: Option<i64>) -> Change {
    Box::new(move |row| row.rest(state, Some(reason.clone()), until_ms))
}

fn bead(id: &str, title: &str) -> Bead {
    Bead { issue_type: "task".to_owned(), ..Bead::new(BeadId::from(id), title) }
}
