use glitchlab_domain::reason::{Reason, Wait, Window};

use super::*;
use crate::sample::live;
use crate::view::NOW_MS;

fn first_task() -> LaneTask {
    live(NOW_MS).lanes.remove(0).task.expect("the first lane is busy")
}

fn drawn(task: &LaneTask) -> String {
    let mark = |part: &StagePart| match (part.glyph, part.current) {
        (Glyph::Ok, false) => '+',
        (Glyph::Fail, false) => 'x',
        (Glyph::Todo, false) => '.',
        (Glyph::Run, true) => 'R',
        (Glyph::Wait, true) => 'W',
        other => panic!("{other:?} is not a state of a stage"),
    };
    stages(task).iter().map(mark).collect()
}

#[test]
fn stages_show_what_is_done_where_it_stands_and_what_went_red() {
    let at = |stage, last_stage| drawn(&LaneTask { stage, last_stage, ..first_task() });
    assert_eq!(at(None, None), ".......");
    assert_eq!(at(Some(Stage::ArchitectTriage), None), "R......");
    assert_eq!(at(Some(Stage::Implement), Some((Stage::BudgetGate, true))), "+++R...");
    assert_eq!(at(Some(Stage::Debug), Some((Stage::Test, false))), "+++Rx..");
    assert_eq!(at(None, Some((Stage::Test, true))), "+++++..");
    assert_eq!(at(None, Some((Stage::Test, false))), "++++x..");
    assert_eq!(at(None, Some((Stage::PullRequest, true))), "+++++++");
}

#[test]
fn a_stage_that_waits_says_so_with_its_reason() {
    let waiting = Some(Wait { reason: Reason::AfterSettlement { window: Window::Hour }, until_ms: None });
    let task = LaneTask { waiting, ..first_task() };
    assert_eq!(drawn(&task), "+++W...");
    let wait = lane_wait(&task, NOW_MS).expect("it waits");
    assert_eq!((wait.chip.as_str(), wait.until), ("AfterSettlement: hour", None));
}

#[test]
fn a_debug_stage_stands_where_implement_does_and_under_its_own_name() {
    let parts = stages(&LaneTask { stage: Some(Stage::Debug), ..first_task() });
    assert_eq!(parts[3].word, "debug");
}

#[test]
fn a_task_whose_size_is_unknown_has_no_token_budget() {
    let mut snapshot = live(NOW_MS);
    snapshot.lanes[0].task = Some(LaneTask { size: None, ..first_task() });
    let lane = task_lane(&snapshot, &snapshot.lanes[0], snapshot.lanes[0].task.as_ref().unwrap(), NOW_MS);
    assert_eq!((lane.tokens.as_str(), lane.meter.bar), ("41.2k of —", None));
}

#[test]
fn a_pool_of_many_workers_is_drawn_in_part_and_counted_in_full() {
    let mut snapshot = live(NOW_MS);
    let busy = |n| Lane { slot: format!("worker-{n}"), task: Some(first_task()) };
    snapshot.lanes = (1..=64).map(busy).collect();
    let now = Now::new(&crate::view::moment(snapshot));
    assert_eq!((now.lanes.len(), now.hidden), (LANES, 48));
    assert!(now.free.is_none());
}
