//! Rows that only the row of a task can name: a file loads them as memory has them.

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{Bearer, Command, Finish, Reply};
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::history::{OrderBy, TaskFilter, TaskOrder, TaskQuestion};
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::outcome::{HumanReason, Outcome, SubTask};
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::reason::Reason;
use glitchlab_domain::task::SourceTask;

use crate::commands::{bead, bearer, boot, bounds, claim, reserve, settle, start};
use crate::open::{Hands, Open};

fn named(id: &str) -> SourceTask {
    let bead_id = BeadId::from(id);
    SourceTask { key: TaskKey::of("repo", &bead_id), bead_id, ..bead("", "an issue") }
}

fn finish(by: Bearer, outcome: Outcome) -> Command {
    let (detail, rules) = ("done".to_owned(), RetryRules::default());
    let (scope, repo_id, gate) = ("real".to_owned(), "repo".to_owned(), GateRules::NEVER);
    Command::Finish(Finish {
        by,
        outcome,
        detail,
        learned: None,
        files_changed: 0,
        rules,
        scope,
        repo_id,
        gate,
    })
}

async fn end(store: &Open, task: &TaskKey, attempt: &str, outcome: Outcome) {
    let claimed = store.ask(claim(&boot("b1"), task.as_str(), attempt, "real", 1)).await;
    assert!(matches!(claimed, Ok(Reply::Claimed(_))), "{claimed:?}");
    store.ask(finish(bearer(task.as_str(), attempt), outcome)).await.unwrap();
}

async fn ids_and_reason_of_the_whole(store: Open) -> (Vec<String>, Option<Reason>) {
    let (whole, issue) = (named("whole"), named("whole.s1"));
    let part = SubTask { title: "part".to_owned(), description: String::new(), after: Vec::new() };
    store.ask(start(&boot("b1"), "real", (1_000, 1_000), &[])).await.unwrap();
    store.ask(Command::Sync { beads: vec![whole.clone(), issue] }).await.unwrap();
    end(&store, &whole.key, "a1", Outcome::Decomposed { subtasks: vec![part.clone(), part] }).await;
    let person = Outcome::NeedsHuman { reason: HumanReason::TooDeep };
    end(&store, &TaskKey::of("repo", &"whole.s3".into()), "a2", person).await;
    let reader = store.close().await;
    let tasks = reader.tasks("repo").await.unwrap();
    let mut ids: Vec<String> = tasks.iter().map(|task| format!("{} {}", task.source, task.bead_id)).collect();
    ids.sort_unstable();
    (ids, reader.task(&whole.key).await.unwrap().and_then(|task| task.reason))
}

#[tokio::test]
async fn parts_leave_the_ids_of_issues_alone_and_their_whole_is_told_of_them_in_every_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = Open::sqlite(&folder.path().join("state.db"), "b1", &Hands::new()).await;
    let expected = [
        String::from("file whole"),
        "file whole.s1".into(),
        "subtask whole.s2".into(),
        "subtask whole.s3".into(),
    ];
    let reason = Some(Reason::BlockedBy { on: vec!["whole.s3".into()] });
    for store in [Open::memory("b1", &Hands::new()), file] {
        assert_eq!(ids_and_reason_of_the_whole(store).await, (expected.to_vec(), reason.clone()));
    }
}

/// Returns the bead and the cost of each line, the dearest first.
async fn costs(store: Open) -> Vec<(String, i64)> {
    let (order, filter) = (TaskOrder { by: OrderBy::Cost, ascending: false }, TaskFilter::default());
    let question = TaskQuestion { filter, order, after: None, limit: 10 };
    let page = store.close().await.task_page("repo", &question).await.unwrap();
    page.lines.into_iter().map(|line| (line.bead_id.to_string(), line.cost.micro())).collect()
}

async fn a_part_that_is_charged_after_its_end(store: Open) -> Vec<(String, i64)> {
    let (whole, part) = (named("whole"), TaskKey::of("repo", &"whole.s1".into()));
    store.ask(start(&boot("b1"), "real", (1_000_000, 1_000_000), &[])).await.unwrap();
    store.ask(Command::Sync { beads: vec![whole.clone()] }).await.unwrap();
    let subtask = SubTask { title: "part".to_owned(), description: String::new(), after: Vec::new() };
    end(&store, &whole.key, "a1", Outcome::Decomposed { subtasks: vec![subtask] }).await;
    let by = bearer(part.as_str(), "a2");
    store.ask(claim(&boot("b1"), part.as_str(), "a2", "real", 1)).await.unwrap();
    for call_no in [0, 1] {
        let mut ask = reserve(&by, call_no, "real", bounds(100, 100, 100));
        if let Command::Reserve(ask) = &mut ask {
            ask.root_key = whole.key.clone();
        }
        let answer = store.ask(ask).await;
        assert!(matches!(answer, Ok(Reply::Granted(_))), "{answer:?}");
    }
    let pay = |call_no, paid| match settle(&by, call_no, "real", Some(paid)) {
        Command::Settle(mut settle) => {
            settle.root_key = whole.key.clone();
            Command::Settle(settle)
        }
        other => other,
    };
    store.ask(pay(0, 7)).await.unwrap();
    store.ask(finish(by.clone(), Outcome::NeedsHuman { reason: HumanReason::TooDeep })).await.unwrap();
    store.ask(pay(1, 5)).await.unwrap();
    costs(store).await
}

#[tokio::test]
async fn what_a_part_is_charged_after_its_end_is_added_to_its_whole_in_every_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = Open::sqlite(&folder.path().join("state.db"), "b1", &Hands::new()).await;
    let expected = [("whole.s1".to_owned(), 12), ("whole".to_owned(), 12)];
    for store in [Open::memory("b1", &Hands::new()), file] {
        let mut costs = a_part_that_is_charged_after_its_end(store).await;
        costs.sort_by(|a, b| b.cmp(a));
        assert_eq!(costs, expected);
    }
}
