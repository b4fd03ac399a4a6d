use super::*;
use crate::id::TryKey;
use crate::rows::CallState;
use crate::stage::Stage;
use crate::task::{SUBTASK, SourceTask};

fn task(id: &str, parent: Option<&str>) -> TaskRow {
    let bead_id = BeadId::from(id);
    let source = SourceTask {
        key: TaskKey::of("repo", &bead_id),
        repo_id: "repo".to_owned(),
        bead_id,
        source: if parent.is_some() { SUBTASK.to_owned() } else { "file".to_owned() },
        parent: parent.map(BeadId::from),
        title: format!("Task {id}"),
        body: String::new(),
        priority: 2,
        kind: "task".to_owned(),
        labels: Vec::new(),
        created_ms: 0,
        state: "open".to_owned(),
        rev: String::new(),
    };
    source.into_row(0)
}

fn kin(id: &str, parent: Option<&str>, micro: i64) -> Kin {
    Kin { task: task(id, parent), attempts: 1, tokens: 10, cost: MicroUsd::new(micro), took_ms: Some(5) }
}

fn of(id: &str, kin: Vec<Kin>) -> Material {
    let task = kin.iter().find(|kin| kin.task.bead_id == BeadId::from(id)).expect("it is there").task.clone();
    Material { task, attempts: Vec::new(), steps: Vec::new(), calls: Vec::new(), kin }
}

fn call(step_n: u32, call_no: u32, reply: &str) -> CallRow {
    let attempt_id = AttemptId::from("a");
    CallRow {
        key: TryKey { attempt_id, step_n, call_no, try_no: 0 },
        scope: "real".to_owned(),
        task_key: TaskKey::from("t"),
        root_key: TaskKey::from("t"),
        stage: Stage::Implement,
        model: "m".to_owned(),
        boot_id: "b".into(),
        fence: "f".into(),
        input_hash: String::new(),
        reply: Some(reply.to_owned()),
        state: CallState::Settled,
        bound: MicroUsd::new(9),
        actual: Some(MicroUsd::new(3)),
        max_out: 1,
        bound_tokens: 0,
        input_tokens: 1,
        output_tokens: 1,
        response: None,
        prompt: Vec::new(),
        ok: true,
        error: None,
        latency_ms: 1,
        created_ms: 1,
        settled_ms: Some(2),
    }
}

#[test]
fn costs_roll_up_to_the_parent_and_parts_stand_in_order_below_it() {
    let all = || {
        vec![
            kin("x.s10", Some("x"), 1),
            kin("x.s2.s1", Some("x.s2"), 30),
            kin("x", None, 500),
            kin("x.s2", Some("x"), 7),
        ]
    };
    let story = tell(of("x.s2", all()));
    let lines: Vec<_> = story
        .tree
        .iter()
        .map(|it| (it.bead_id.as_str(), it.depth, it.whole_cost.micro(), it.is_last))
        .collect();
    assert_eq!(
        lines,
        [("x", 0, 538, true), ("x.s2", 1, 37, false), ("x.s2.s1", 2, 30, true), ("x.s10", 1, 1, true)]
    );
    assert_eq!((story.cost.micro(), story.whole_cost.micro(), story.is_part), (7, 37, true));
    assert_eq!(tell(of("x", all())).whole_cost.micro(), 538);
}

#[test]
fn a_task_that_was_never_split_has_no_tree() {
    let story = tell(of("x", vec![kin("x", None, 500)]));
    assert!(story.tree.is_empty());
    assert_eq!((story.cost.micro(), story.whole_cost.micro()), (500, 500));
}

#[test]
fn long_replies_are_cut_on_a_character_boundary_and_late_ones_are_left_out() {
    let step = StepRow {
        attempt_id: AttemptId::from("a"),
        n: 0,
        stage: Stage::Implement,
        input_hash: String::new(),
        output: None,
        ok: false,
        summary: String::new(),
        started_ms: 1,
        ended_ms: None,
    };
    let long = "ä".repeat(REPLY_BYTES);
    let calls: Vec<_> = (0..50).rev().map(|n| call(0, n, if n == 0 { &long } else { "short" })).collect();
    let mut left = REPLIES;
    let told = tell_step(step, calls, &mut left);
    let first = &told.calls[0];
    assert!(first.reply_is_cut && first.reply.as_ref().is_some_and(|reply| reply.len() == REPLY_BYTES));
    let kept = told.calls.iter().filter(|call| call.reply.is_some()).count();
    assert_eq!((told.calls.len(), kept, left), (50, REPLIES, 0));
}
