use super::*;
use crate::event::About;
use crate::outcome::Status;
use crate::reason::{Reason, Window};

fn event(seq: u64, at_ms: i64, attempt: &str, kind: EventKind) -> Event {
    let about = About {
        task_key: Some(TaskKey::from("t")),
        bead_id: Some(BeadId::from("bead")),
        attempt_id: Some(AttemptId::from(attempt)),
        trace_id: None,
    };
    Event { id: EventId { boot_id: BootId::from("b"), seq }, at_ms, about, kind }
}

fn claimed(slot: &str) -> EventKind {
    EventKind::TaskClaimed {
        title: "a task".to_owned(),
        n: 1,
        max_attempts: 3,
        slot: slot.to_owned(),
        model: "m".to_owned(),
        simulated: false,
    }
}

fn resumed(slot: &str) -> EventKind {
    EventKind::AttemptResumed {
        title: "a task".to_owned(),
        n: 1,
        max_attempts: 3,
        slot: slot.to_owned(),
        model: "m".to_owned(),
        simulated: false,
        from: BootId::from("b"),
    }
}

fn usage(reserved: i64, hour: i64) -> Usage {
    Usage { reserved: MicroUsd::new(reserved), hour: MicroUsd::new(hour), ..Usage::default() }
}

fn reserved(bound: i64) -> EventKind {
    EventKind::BudgetReserved { model: "m".to_owned(), bound: MicroUsd::new(bound), usage: usage(bound, 0) }
}

fn settled(bound: i64, actual: i64) -> EventKind {
    EventKind::BudgetSettled {
        model: "m".to_owned(),
        stage: None,
        bound: MicroUsd::new(bound),
        actual: MicroUsd::new(actual),
        input_tokens: 3,
        output_tokens: 4,
        charged_tokens: 7,
        latency_ms: 5,
        ok: true,
        unknown: false,
        usage: usage(0, actual),
        key: None,
    }
}

fn finished() -> EventKind {
    EventKind::TaskFinished {
        status: Status::Completed,
        detail: "merged".to_owned(),
        until_ms: None,
        tokens: 7,
        cost: MicroUsd::new(1),
        took_ms: 1,
        attempts: 1,
        failure: None,
        size: None,
    }
}

fn folded(kinds: impl IntoIterator<Item = EventKind>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (seq, kind) in (1..).zip(kinds) {
        snapshot.apply(&event(seq, i64::try_from(seq).unwrap() * 1_000, "a", kind));
    }
    snapshot
}

fn tasks(snapshot: &Snapshot) -> Vec<(&str, Option<&str>)> {
    let lanes = snapshot.lanes.iter();
    lanes.map(|lane| (lane.slot.as_str(), lane.task.as_ref().map(|task| task.attempt_id.as_str()))).collect()
}

#[test]
fn a_claim_fills_its_lane_and_the_end_of_the_attempt_empties_it() {
    let snapshot = folded([claimed("worker-2")]);
    assert_eq!(tasks(&snapshot), [("worker-2", Some("a"))]);
    assert_eq!(tasks(&folded([claimed("worker-2"), finished()])), [("worker-2", None)]);
    assert_eq!(tasks(&folded([claimed("worker-2"), EventKind::AttemptSuspended])), [("worker-2", None)]);
}

#[test]
fn the_end_of_another_attempt_leaves_a_lane_alone() {
    let mut snapshot = folded([claimed("worker-1")]);
    snapshot.apply(&event(2, 0, "another", finished()));
    assert_eq!(tasks(&snapshot), [("worker-1", Some("a"))]);
}

#[test]
fn money_of_an_attempt_is_counted_while_it_runs() {
    let snapshot = folded([claimed("worker-1"), reserved(50), reserved(30), settled(50, 20)]);
    let task = snapshot.lanes[0].task.as_ref().unwrap();
    assert_eq!((task.reserved.micro(), task.cost.micro(), task.tokens), (30, 20, 7));
    assert_eq!(snapshot.money.usage, usage(0, 20), "the windows are those of the last event");
}

#[test]
fn an_attempt_that_another_slot_goes_on_with_moves_with_what_it_has_spent() {
    let kinds = [claimed("worker-1"), reserved(50), settled(50, 20), resumed("worker-2")];
    let snapshot = folded(kinds);
    assert_eq!(tasks(&snapshot), [("worker-1", None), ("worker-2", Some("a"))]);
    let task = snapshot.lanes[1].task.as_ref().unwrap();
    assert_eq!((task.cost.micro(), task.tokens, task.claimed_ms), (20, 7, 1_000));
}

#[test]
fn stages_waits_and_size_show_on_the_lane() {
    let started = |stage, n| EventKind::StageStarted { stage, n };
    let done = EventKind::StageFinished {
        stage: Stage::ArchitectTriage,
        n: 0,
        ok: true,
        summary: "small".to_owned(),
        took_ms: 1,
        size: Some(Size::S),
        decision: None,
    };
    let wait = Wait { reason: Reason::CapReached { window: Window::Hour }, until_ms: Some(9) };
    let waiting = EventKind::CallWaiting { wait: wait.clone() };
    let begun = [claimed("w"), started(Stage::ArchitectTriage, 0), done, started(Stage::Planner, 1), waiting];
    let snapshot = folded(begun.clone());
    let task = snapshot.lanes[0].task.as_ref().unwrap();
    assert_eq!((task.stage, task.stage_since_ms), (Some(Stage::Planner), 4_000));
    assert_eq!((task.last_stage, task.size), (Some((Stage::ArchitectTriage, true)), Some(Size::S)));
    assert_eq!(task.waiting, Some(wait));
    let snapshot = folded(begun.into_iter().chain([reserved(1)]));
    assert_eq!(snapshot.lanes[0].task.as_ref().unwrap().waiting, None, "money ends the wait");
}

#[test]
fn an_event_that_is_known_changes_nothing() {
    let once = folded([claimed("w"), reserved(50), settled(50, 20)]);
    let mut twice = once.clone();
    twice.apply(&event(3, 3_000, "a", settled(50, 20)));
    twice.apply(&event(1, 1_000, "a", claimed("other")));
    assert_eq!(twice, once);
}

#[test]
fn the_first_event_of_another_boot_counts() {
    let mut snapshot = folded([claimed("w"), reserved(50)]);
    let mut other = event(1, 5_000, "a", settled(50, 20));
    other.id.boot_id = BootId::from("b2");
    snapshot.apply(&other);
    assert_eq!(snapshot.last, Some(other.id));
    assert_eq!(snapshot.money.usage.hour.micro(), 20);
}

#[test]
fn the_feed_is_newest_first_and_keeps_only_what_has_a_sentence() {
    let closed = |n: u64| EventKind::TaskClosed { why: n.to_string(), merged: false };
    let kinds = (0..FEED as u64 + 5).flat_map(|n| [closed(n), reserved(1)]);
    let snapshot = folded(kinds);
    assert_eq!(snapshot.feed.len(), FEED);
    assert_eq!(snapshot.feed[0].kind, closed(FEED as u64 + 4));
    assert_eq!(snapshot.feed[FEED - 1].kind, closed(5));
}

#[test]
fn what_refuses_admission_is_told_until_something_is_admitted() {
    let wait = Wait { reason: Reason::CapReached { window: Window::Day }, until_ms: Some(9) };
    let refused = EventKind::AdmissionRefused { wait: wait.clone() };
    assert_eq!(folded([refused.clone()]).admission, Some(wait));
    assert_eq!(folded([refused.clone(), claimed("w")]).admission, None);
    assert_eq!(folded([refused, EventKind::AdmissionResumed]).admission, None);
}

#[test]
fn spending_by_the_hour_is_left_to_the_query_that_has_all_of_it() {
    let queried = vec![(0, MicroUsd::new(20))];
    let money = Money { by_hour: queried.clone(), ..Money::default() };
    let mut snapshot = Snapshot { money, ..Snapshot::default() };
    snapshot.apply(&event(1, 1_000, "a", settled(50, 20)));
    assert_eq!(snapshot.money.by_hour, queried);
}

#[test]
fn a_snapshot_never_becomes_older_whatever_the_clock_does() {
    let mut snapshot = folded([claimed("w"), reserved(50)]);
    snapshot.apply(&event(3, 5, "a", settled(50, 20)));
    assert_eq!(snapshot.as_of_ms, 2_000);
}

#[test]
fn rows_tell_of_a_lane_what_its_events_would() {
    let text = |value: &str| value.to_owned();
    let task = crate::task::SourceTask {
        key: TaskKey::from("t"),
        repo_id: text("r"),
        bead_id: BeadId::from("bead"),
        source: text("file"),
        parent: None,
        title: text("a task"),
        body: String::new(),
        priority: 1,
        kind: text("task"),
        labels: Vec::new(),
        created_ms: 0,
        state: text("open"),
        rev: String::new(),
    };
    let row = serde_json::json!({
        "attempt_id": "a", "task_key": "t", "root_key": "t", "n": 1, "generation": 0, "slot": "w", "boot_id": "b",
        "model": "m", "simulated": false, "size": "S", "branch": "", "hold": 0, "tokens": 7, "cost": 20,
        "status": null, "failure": null, "detail": "", "files_changed": 0, "crashes": 0, "waiting": null,
        "started_ms": 1_000, "ended_ms": null
    });
    let step = |n: u32, stage: Stage, started_ms: i64, ended_ms: Option<i64>| StepRow {
        attempt_id: AttemptId::from("a"),
        n,
        stage,
        input_hash: String::new(),
        output: None,
        ok: true,
        summary: String::new(),
        started_ms,
        ended_ms,
    };
    let steps = [step(0, Stage::ArchitectTriage, 2_000, Some(5_000)), step(1, Stage::Planner, 6_000, None)];
    let told =
        LaneTask::of(&task.into_row(0), &serde_json::from_value(row).unwrap(), &steps, MicroUsd::new(30), 3);
    let done = EventKind::StageFinished {
        stage: Stage::ArchitectTriage,
        n: 0,
        ok: true,
        summary: String::new(),
        took_ms: 1,
        size: Some(Size::S),
        decision: None,
    };
    let started = |stage, n| EventKind::StageStarted { stage, n };
    let begin = [claimed("w"), started(Stage::ArchitectTriage, 0), reserved(50), settled(50, 20), done];
    let snapshot = folded(begin.into_iter().chain([started(Stage::Planner, 1), reserved(30)]));
    assert_eq!(snapshot.lanes[0].task.as_ref(), Some(&told));
}
