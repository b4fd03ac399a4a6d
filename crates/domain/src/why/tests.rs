use super::*;
use crate::bead::{Bead, Dependency, DependencyKind, Status};
use crate::id::TaskKey;
use crate::outcome::{FailureKind, HumanReason};
use crate::policy::WorkFilter;
use crate::reason::{ReasonKind, Window};
use crate::task::{SourceTask, TaskRow, TaskState};

const NOW_MS: i64 = 1_000_000;
const RULES: Rules = Rules { workers: 3, max_open: 5, merges_here: true, max_tasks: 0 };

fn bead(id: &str) -> Bead {
    Bead {
        title: format!("Title of {id}"),
        issue_type: "task".to_owned(),
        ..Bead::new(BeadId::from(id), "t")
    }
}

fn row(bead: &Bead) -> TaskRow {
    SourceTask::of("r", "jsonl", bead).into_row(NOW_MS - 5_000)
}

fn board(beads: &[Bead], change: impl Fn(&mut TaskRow)) -> Board {
    let mut board = Board::new(WorkFilter::default(), NOW_MS);
    for bead in beads {
        let mut row = row(bead);
        change(&mut row);
        board.take_task(row);
        board.take_bead(bead);
    }
    board
}

fn facts(board: &Board) -> Facts<'_> {
    Facts {
        board,
        gate: None,
        obstacles: Vec::new(),
        ledger: None,
        attempts: &[],
        begun: &[],
        said: &[],
        rules: RULES,
        is_running: true,
        read_ms: Some(NOW_MS),
        now_ms: NOW_MS,
    }
}

fn closed(reason: Reason, until_ms: Option<i64>) -> Obstacle {
    Obstacle { wait: Wait { reason, until_ms }, since_ms: Some(NOW_MS - 22_000) }
}

fn states(why: &Why) -> Vec<(&str, GateState)> {
    why.gates.iter().map(|gate| (gate.name.as_str(), gate.state)).collect()
}

#[test]
fn an_open_way_says_which_task_starts_next() {
    let why = explain(&facts(&board(&[bead("a"), bead("b")], |_| ())), LINES);
    assert_eq!((why.headline.text.as_str(), why.headline.mark), ("a starts next", Mark::Run));
    assert!(why.held().is_none() && why.groups.is_empty(), "{why:?}");
}

#[test]
fn a_wait_for_money_holds_all_that_are_ready_and_tells_only_the_first_an_instant() {
    let reason = Reason::CapReached { window: Window::Hour };
    let board = board(&[bead("a"), bead("b")], |row| {
        row.rest(TaskState::Open, Some(reason.clone()), Some(NOW_MS + 108_000));
    });
    let why = explain(&facts(&board), LINES);
    assert_eq!(why.headline.text, "The next task waits for money");
    assert_eq!(why.headline.until_ms, Some(NOW_MS + 108_000));
    let held = why.held().expect("a gate is held");
    assert_eq!((held.name.as_str(), held.count.as_str()), ("Money, hour", "2 held here"));
    let lines = why.lines(Group::Engine).expect("both wait");
    let told: Vec<_> = lines.entries.iter().map(|entry| (entry.place, entry.until_ms)).collect();
    assert_eq!(told, [(Some(1), Some(NOW_MS + 108_000)), (Some(2), None)]);
    assert_eq!(states(&why).last(), Some(&("Money, day", GateState::NotReached)));
}

#[test]
fn a_wait_for_money_whose_instant_has_come_holds_nothing() {
    let reason = Reason::CapReached { window: Window::Hour };
    let board = board(&[bead("a")], |row| {
        row.rest(TaskState::Open, Some(reason.clone()), Some(NOW_MS));
    });
    assert!(explain(&facts(&board), LINES).held().is_none());
}

#[test]
fn a_pause_is_said_with_who_paused_and_how_to_go_on() {
    let board = board(&[bead("a")], |_| ());
    let paused = Reason::Paused { by: "ana".to_owned(), why: "a migration".to_owned() };
    let why = explain(&Facts { obstacles: vec![closed(paused, None)], ..facts(&board) }, LINES);
    assert_eq!((why.headline.mark, why.headline.text.as_str()), (Mark::Pause, "Paused by ana"));
    let entry = &why.lines(Group::Engine).expect("it waits").entries[0];
    assert_eq!((entry.what.as_str(), entry.since_ms), ("The engine", Some(NOW_MS - 22_000)));
    assert_eq!(
        (entry.says.as_str(), entry.unblocks.as_str()),
        ("paused by ana: a migration", "`glitchlab resume`")
    );
}

#[test]
fn a_pause_by_the_loss_limit_waits_for_a_person() {
    let board = board(&[], |_| ());
    let paused = Reason::Paused { by: crate::gate::STOP_LOSS.to_owned(), why: String::new() };
    let why = explain(&Facts { obstacles: vec![closed(paused, None)], ..facts(&board) }, LINES);
    assert_eq!(why.needs_you(), 1);
}

#[test]
fn without_anything_ready_it_is_idle_and_counts_what_is_left() {
    let epic = Bead { issue_type: "epic".to_owned(), ..bead("e") };
    let mut blocked = bead("b");
    blocked.dependencies.push(Dependency { on: BeadId::from("x"), kind: DependencyKind::Blocks });
    let held = Bead { status: Status::InProgress, ..bead("x") };
    let why = explain(&facts(&board(&[blocked, held, epic], |_| ())), LINES);
    assert_eq!(why.headline.mark, Mark::Idle);
    let tasks = why.lines(Group::Tasks).expect("one is blocked");
    assert_eq!(tasks.entries[0].chip, "BlockedBy: x");
    assert_eq!(tasks.entries[0].unblocks, "x waits: its status in the backlog is `in_progress`");
    let skipped = why.lines(Group::Skipped).expect("two are skipped");
    assert_eq!(skipped.total, 2);
}

#[test]
fn a_backlog_that_is_done_says_so() {
    let done = Bead { status: Status::Closed, ..bead("a") };
    assert_eq!(
        explain(&facts(&board(&[done], |_| ())), LINES).headline.text,
        "Everything in the backlog is done"
    );
    assert_eq!(explain(&facts(&board(&[], |_| ())), LINES).headline.text, "The backlog is empty");
}

#[test]
fn what_is_skipped_for_the_same_fact_is_one_line() {
    let epics: Vec<Bead> =
        (0..13).map(|n| Bead { issue_type: "convoy".to_owned(), ..bead(&format!("e{n}")) }).collect();
    let why = explain(&facts(&board(&epics, |_| ())), LINES);
    let skipped = why.lines(Group::Skipped).expect("they are skipped");
    assert_eq!((skipped.total, skipped.entries.len()), (13, 1));
    let entry = &skipped.entries[0];
    assert_eq!(
        (entry.what.as_str(), entry.chip.as_str(), &entry.task),
        ("13 tasks", "NotWork: convoy", &None)
    );
    assert_eq!(why.held().map(|gate| gate.name.as_str()), Some("Filters"));
    assert_eq!(why.headline.text, "Nothing is ready but 13 tasks skipped on purpose");
}

#[test]
fn the_lines_of_a_group_are_bounded_and_its_total_is_not() {
    let beads: Vec<Bead> = (0..9).map(|n| bead(&format!("t{n}"))).collect();
    let needs =
        Reason::NeedsHuman { reason: HumanReason::AttemptsUsed { failure: FailureKind::TestsFailed } };
    let board = board(&beads, |row| row.rest(TaskState::Failed, Some(needs.clone()), None));
    let why = explain(&facts(&board), 4);
    let you = why.lines(Group::You).expect("they wait for a person");
    assert_eq!((you.total, you.entries.len(), why.needs_you()), (9, 4, 9));
    assert!(you.entries[0].unblocks.contains("`glitchlab retry t0`"), "{you:?}");
}

#[test]
fn without_an_engine_it_says_what_would_be() {
    let board = board(&[bead("a")], |_| ());
    let why = explain(&Facts { is_running: false, ..facts(&board) }, LINES);
    assert_eq!((why.headline.text.as_str(), why.headline.mark), ("No engine runs", Mark::Stop));
    assert!(why.headline.detail.contains("If one ran: a starts next."), "{}", why.headline.detail);
}

#[test]
fn resting_tasks_hold_the_queue_until_the_first_rest_ends() {
    let failed = Reason::Backoff { failure: FailureKind::Parse, attempts: 1 };
    let board = board(&[bead("a"), bead("b")], |row| {
        let until = if row.bead_id.as_str() == "a" { 9_000 } else { 4_000 };
        row.rest(TaskState::Open, Some(failed.clone()), Some(NOW_MS + until));
    });
    let why = explain(&facts(&board), LINES);
    assert_eq!(
        (why.headline.text.as_str(), why.headline.until_ms),
        ("Everything that is ready rests", Some(NOW_MS + 4_000))
    );
    let lines = why.lines(Group::Engine).expect("both rest");
    assert_eq!(lines.entries[0].task, Some(BeadId::from("b")), "the one that ends first");
}

#[test]
fn a_circle_waits_for_a_person() {
    let on = |id: &str| Dependency { on: BeadId::from(id), kind: DependencyKind::Blocks };
    let beads =
        [("a", "b"), ("b", "a")].map(|(id, other)| Bead { dependencies: vec![on(other)], ..bead(id) });
    let why = explain(&facts(&board(&beads, |_| ())), LINES);
    let you = why.lines(Group::You).expect("only a person can break it");
    assert_eq!((you.total, you.entries[0].reason.kind()), (2, ReasonKind::Cycle));
}

#[test]
fn one_task_is_told_its_place_its_attempts_and_its_chain_of_blockers() {
    let on = |id: &str| Dependency { on: BeadId::from(id), kind: DependencyKind::Blocks };
    let middle = Bead { dependencies: vec![on("a")], ..bead("m") };
    let last = Bead { dependencies: vec![on("m")], ..bead("z") };
    let board = board(&[bead("a"), bead("b"), middle, last], |row| row.runs = 2);
    let second = explain_task(&facts(&board), &BeadId::from("b")).expect("it is known");
    assert_eq!((second.place, second.ahead, second.attempts), (Some(2), vec![BeadId::from("a")], 2));
    let blocked = explain_task(&facts(&board), &BeadId::from("z")).expect("it is known");
    assert_eq!(blocked.headline, "z does not start: blocked by m");
    let chain: Vec<_> = blocked.blockers.iter().map(|its| (its.depth, its.stands.as_str())).collect();
    assert_eq!(chain, [(1, "m waits: blocked by a"), (2, "a is ready and waits its turn")]);
    assert_eq!(explain_task(&facts(&board), &BeadId::from("bb")), Err(vec![BeadId::from("b")]));
}

#[test]
fn a_wait_inside_an_attempt_is_a_line_of_its_own() {
    let board = board(&[bead("a")], |row| row.state = TaskState::Running);
    let wait = Wait { reason: Reason::AfterSettlement { window: Window::Hour }, until_ms: None };
    let attempts = [attempt(&wait)];
    let why = explain(&Facts { attempts: &attempts, ..facts(&board) }, LINES);
    let entry = &why.lines(Group::Engine).expect("it waits").entries[0];
    assert_eq!((entry.what.as_str(), entry.ends.as_str()), ("inside attempt 2, in worker-1", "a call ends"));
}

fn attempt(wait: &Wait) -> AttemptRow {
    let json = serde_json::json!({
        "attempt_id": "x", "task_key": TaskKey::of("r", &BeadId::from("a")), "bead_id": "a", "root_key": "a",
        "n": 2, "generation": 0, "slot": "worker-1", "boot_id": "b", "model": "m", "simulated": true, "size": null,
        "branch": "", "hold": 0, "tokens": 0, "cost": 0, "status": null, "failure": null,
        "detail": "", "files_changed": 0, "crashes": 0, "waiting": wait, "started_ms": 0, "ended_ms": null,
    });
    serde_json::from_value(json).expect("it is a row")
}

#[test]
fn a_limit_that_a_person_must_lift_is_one_line_for_that_person() {
    let board = board(&[bead("a"), bead("b"), bead("r")], |row| {
        if row.bead_id.as_str() == "r" {
            row.rest(TaskState::InReview, Some(Reason::InReview), None);
        }
    });
    let why = explain(&Facts { rules: Rules { max_open: 1, ..RULES }, ..facts(&board) }, LINES);
    assert_eq!(why.headline.text, "The next task waits for merges");
    assert_eq!(why.needs_you(), 2, "the limit, and the branch in review");
    assert_eq!(why.lines(Group::Engine).map(|lines| lines.total), Some(2), "what waits behind it");
}
