//! One case for each reason: the code that says it, made to say it.

use glitchlab_domain::bead::{Bead, BeadId, Dependency, DependencyKind, Status};
use glitchlab_domain::board::{Board, Stand};
use glitchlab_domain::breaker::{BreakerRules, Verdict};
use glitchlab_domain::command::{Command, Reply, TaskCaps};
use glitchlab_domain::dispatch::{after, full_of_requests};
use glitchlab_domain::id::{AttemptId, TaskKey};
use glitchlab_domain::ledger::{Departures, Head, Terms, tokens_scope};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{FailureKind, HumanReason, Outcome, SubTask};
use glitchlab_domain::policy::{RetryRules, WorkFilter};
use glitchlab_domain::reason::{Reason, ReasonKind, Wait};
use glitchlab_domain::rows::{GateRow, Pause};
use glitchlab_domain::task::{SourceTask, TaskRow, TaskState};
use glitchlab_domain::why::{Facts, LINES, Rules, explain};

use crate::desk::Desk;
use crate::world::SCOPE;

/// Where a reason is caused.
pub(crate) enum Case {
    /// Here: what the code has said.
    Caused(Wait),
    /// By the real program, in this test of `tests/why.rs`.
    Scenario(&'static str),
}

const NOW_MS: i64 = 1_700_000_000_000;

/// Causes a reason. A kind without a case does not compile.
pub(crate) fn case(kind: ReasonKind) -> Case {
    let wait = match kind {
        ReasonKind::DiskLow => return Case::Scenario("a_full_disk_is_said"),
        ReasonKind::StoreUnavailable => return Case::Scenario("a_store_that_takes_no_writes_is_said"),
        ReasonKind::ShuttingDown => return Case::Scenario("a_drain_is_said"),
        ReasonKind::CapReached => cap_reached(),
        ReasonKind::AfterSettlement => after_settlement(),
        ReasonKind::Paced => paced(),
        ReasonKind::TokenCapReached => token_cap_reached(),
        ReasonKind::TokensAfterSettlement => tokens_after_settlement(),
        ReasonKind::TaskAfterSettlement => task_after_settlement(),
        ReasonKind::ModelOverran => model_overran(),
        ReasonKind::Backoff => {
            outcome(&Outcome::Retryable { failure: FailureKind::Parse, message: String::new() })
        }
        ReasonKind::CoolDown => outcome(&Outcome::Deferred { why: "it is larger than it looked".to_owned() }),
        ReasonKind::Snoozed => outcome(&Outcome::Snoozed {
            failure: FailureKind::RateLimited,
            until_ms: NOW_MS + 30_000,
            message: String::new(),
        }),
        ReasonKind::BlockedBy => outcome(&Outcome::Blocked { on: BeadId::from("gl-2") }),
        ReasonKind::ChildrenOpen => outcome(&Outcome::Decomposed { subtasks: vec![part()] }),
        ReasonKind::InReview => outcome(&Outcome::InReview { request: "branch".to_owned(), held: None }),
        ReasonKind::BaseCheckedOutDirty => outcome(&Outcome::InReview {
            request: "branch".to_owned(),
            held: Some(Reason::BaseCheckedOutDirty { files: vec!["src/lib.rs".to_owned()] }),
        }),
        ReasonKind::NeedsHuman => outcome(&Outcome::NeedsHuman { reason: HumanReason::TooDeep }),
        ReasonKind::Paused => paused(),
        ReasonKind::BreakerOpen => breaker_open(),
        ReasonKind::TooManyOpenRequests => {
            Wait { reason: full_of_requests(5, 5).expect("as many as allowed"), until_ms: None }
        }
        ReasonKind::TaskLimit => task_limit(),
        ReasonKind::NoFreeWorker => no_free_worker(),
        ReasonKind::NotWork => board_says(&Bead { issue_type: "convoy".to_owned(), ..bead("gl-1") }),
        ReasonKind::Label => board_says(&Bead { labels: vec!["human".to_owned()], ..bead("gl-1") }),
        ReasonKind::LowPriority => board_says(&Bead { priority: 9, ..bead("gl-1") }),
        ReasonKind::SourceStatus => board_says(&Bead { status: Status::InProgress, ..bead("gl-1") }),
        ReasonKind::DeferredUntil => board_says(&Bead { defer_until_ms: Some(NOW_MS + 1), ..bead("gl-1") }),
        ReasonKind::NotOffered => board_says(&Bead { ephemeral: true, ..bead("gl-1") }),
        ReasonKind::Cycle => cycle(),
        ReasonKind::Dropped => stands(&bead("gl-1"), |row| row.rest(TaskState::Dropped, None, None)),
    };
    Case::Caused(wait)
}

/// The hour's cap is spent; an hour later the settlement has left.
fn cap_reached() -> Wait {
    let mut desk = Desk::open(1_000, 10_000);
    let by = desk.work("a1");
    desk.spend(&by, 0, 1_000);
    waits(desk.reserve(&by, 1, 100))
}

/// An open reservation fills the hour's cap.
fn after_settlement() -> Wait {
    let mut desk = Desk::open(1_000, 10_000);
    let by = desk.work("a1");
    assert!(matches!(desk.reserve(&by, 0, 1_000), Ok(Reply::Granted(_))), "the cap has room");
    waits(desk.reserve(&by, 1, 100))
}

/// A first task takes the whole bucket.
fn paced() -> Wait {
    let mut desk = Desk::open(10_000, 100_000);
    let by = desk.work("a1");
    desk.spend(&by, 0, 2_000);
    desk.finish(&by, Outcome::Cancelled { why: String::new() }).expect("it ends");
    waits(desk.claim("a2", 500))
}

/// A subscription's day is used up; a day later the settlement has left.
fn token_cap_reached() -> Wait {
    let tokens = MicroUsd::new(2);
    let mut head = Head::new(tokens_scope(SCOPE), tokens, tokens);
    head.sum_day = tokens;
    let departures = Departures { day: vec![(NOW_MS, tokens)], ..Departures::default() };
    head.wait_for(MicroUsd::new(1), &departures).expect("nothing is left")
}

/// A subscription's day is set aside by an open reservation.
fn tokens_after_settlement() -> Wait {
    let mut desk = Desk::open(1_000_000, 10_000_000);
    let start = Command::StartBoot {
        process: desk.world.rows.processes.values().next().expect("a boot").clone(),
        scope: SCOPE.to_owned(),
        cap_hour: MicroUsd::new(1_000_000),
        cap_day: MicroUsd::new(10_000_000),
        terms: Terms { tokens_per_day: Some(2), ..Terms::default() },
        dead: Vec::new(),
    };
    desk.ask(&start).expect("a start is never refused");
    let by = desk.work("a1");
    assert!(matches!(desk.reserve(&by, 0, 2), Ok(Reply::Granted(_))), "the cap has room");
    waits(desk.reserve(&by, 1, 1))
}

/// Another call of the same task has set aside what is left of the task's cap.
fn task_after_settlement() -> Wait {
    let mut desk = Desk::open(1_000_000, 10_000_000);
    desk.task_caps = TaskCaps { money: Some(MicroUsd::new(1_000)), ..TaskCaps::default() };
    let by = desk.work("a1");
    assert!(matches!(desk.reserve(&by, 0, 1_000), Ok(Reply::Granted(_))), "the cap has room");
    waits(desk.reserve(&by, 1, 500))
}

/// A run that may begin one task has begun another.
fn task_limit() -> Wait {
    let mut desk = Desk::open(1_000_000, 10_000_000);
    for process in desk.world.rows.processes.values_mut() {
        process.rules = Some(Rules { workers: 1, max_open: 0, merges_here: true, max_tasks: 1 });
        process.begun = vec![TaskKey::from("another")];
    }
    waits(desk.claim("a1", 1))
}

/// A provider bills more than the bound of a try.
fn model_overran() -> Wait {
    let mut desk = Desk::open(1_000_000, 10_000_000);
    let by = desk.work("a1");
    assert!(matches!(desk.reserve(&by, 0, 100), Ok(Reply::Granted(_))), "the cap has room");
    desk.settle(&by, 0, Some(500)).expect("a settlement");
    desk.finish(&by, Outcome::Cancelled { why: String::new() }).expect("it ends");
    waits(desk.claim("a2", 1))
}

fn waits(answer: crate::desk::Answer) -> Wait {
    match answer {
        Ok(Reply::Wait(wait)) => wait,
        other => panic!("it does not wait: {other:?}"),
    }
}

fn outcome(outcome: &Outcome) -> Wait {
    stands(&bead("gl-1"), |row| after(row, outcome, &RetryRules::default(), NOW_MS, 1))
}

fn paused() -> Wait {
    let pause = Pause {
        since_ms: NOW_MS,
        until_ms: None,
        why: "a migration".to_owned(),
        by: "ana".to_owned(),
        now: false,
    };
    GateRow { pause: Some(pause), ..GateRow::default() }.wait(NOW_MS).expect("paused")
}

fn breaker_open() -> Wait {
    let mut gate = GateRow::default();
    let rules = BreakerRules::default();
    for n in 0..rules.failures {
        let verdict = Verdict::Failed(FailureKind::Provider);
        gate.breaker.take(&AttemptId::new(format!("a{n}")), verdict, NOW_MS, &rules);
    }
    gate.wait(NOW_MS).expect("it has opened")
}

fn no_free_worker() -> Wait {
    let board = board(&[bead("gl-1")], |_| ());
    let facts = Facts {
        board: &board,
        gate: None,
        obstacles: Vec::new(),
        ledger: None,
        attempts: &[],
        begun: &[],
        said: &[],
        rules: Rules { workers: 0, max_open: 0, merges_here: true, max_tasks: 0 },
        is_running: true,
        read_ms: Some(NOW_MS),
        now_ms: NOW_MS,
    };
    let why = explain(&facts, LINES);
    Wait { reason: why.headline.reason.expect("no worker is free"), until_ms: why.headline.until_ms }
}

fn cycle() -> Wait {
    let on = |id: &str| vec![Dependency { on: BeadId::from(id), kind: DependencyKind::Blocks }];
    let beads =
        [("gl-1", "gl-2"), ("gl-2", "gl-1")].map(|(id, other)| Bead { dependencies: on(other), ..bead(id) });
    first(&board(&beads, |_| ()))
}

fn board_says(bead: &Bead) -> Wait {
    stands(bead, |_| ())
}

fn stands(bead: &Bead, change: impl Fn(&mut TaskRow)) -> Wait {
    first(&board(std::slice::from_ref(bead), change))
}

fn first(board: &Board) -> Wait {
    let task = board.find(&BeadId::from("gl-1")).expect("it is there");
    match board.stand_of(task, &board.circles()) {
        Stand::Waits(wait) => wait,
        other => panic!("it does not wait: {other:?}"),
    }
}

fn board(beads: &[Bead], change: impl Fn(&mut TaskRow)) -> Board {
    let mut board = Board::new(WorkFilter::default(), NOW_MS);
    for bead in beads {
        let mut row = SourceTask::of("r", "jsonl", bead).into_row(NOW_MS);
        change(&mut row);
        board.take_task(row);
        board.take_bead(bead);
    }
    board
}

fn bead(id: &str) -> Bead {
    Bead { issue_type: "task".to_owned(), ..Bead::new(BeadId::from(id), "a task") }
}

fn part() -> SubTask {
    SubTask { title: "a part".to_owned(), description: String::new(), after: Vec::new() }
}
