//! The lists of tasks and the story of each, read from maps and from a file, page by page.

use glitchlab_domain::history::{EndedFilter, OrderBy, TaskFilter, TaskLine, TaskOrder, TaskQuestion};
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::Size;
use glitchlab_domain::task::TaskState;
use glitchlab_store::{Reader, Sqlite};
use sqlx::{Connection, SqliteConnection};

use crate::open::{Hands, Open, START_MS};
use crate::script::Client;

const SEEDS: u64 = 16;
const WAVES: u32 = 30;
const ORDERS: [OrderBy; 5] =
    [OrderBy::Ended, OrderBy::Attempts, OrderBy::Tokens, OrderBy::Cost, OrderBy::Took];
const MIGRATIONS: [&str; 2] = [
    include_str!("../../migrations/0004_history.sql"),
    include_str!("../../migrations/0007_list_without_triggers.sql"),
];
/// What the migrations before those leave.
const BEFORE: &str = "DROP TABLE history; DROP INDEX attempt_ended; DROP INDEX task_root";
/// More tasks than a list counts, each attempted once; few values of each number, so that many lines are equal.
const MANY: &str = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 1500) \
    INSERT INTO history (task_key, repo_id, words, state, model, attempts, own_tokens, own_micro, took_ms, started_ms, claimed_ms, ended_ms) \
    SELECT 'many' || i, 'many', 'words', 'completed', 'm', 1 + i % 3, i % 7, i % 11, i % 5, 1, 1, 1 + i % 13 FROM n; \
    INSERT INTO task SELECT 'many' || i, 'many', 'bead', 'many' || i, 'completed', NULL, 0, \
    json_set((SELECT body FROM task WHERE task_key = 't0'), '$.key', 'many' || i, '$.repo_id', 'many') \
    FROM (SELECT CAST(substr(task_key, 5) AS INTEGER) AS i FROM history WHERE repo_id = 'many')";

#[tokio::test]
async fn memory_and_file_list_the_same_tasks_in_every_order_and_tell_the_same_stories() {
    let mut most_below = MicroUsd::ZERO;
    for seed in 0..SEEDS {
        let (memory, file) = played(seed).await;
        let lines = listed(&memory, seed).await;
        assert_eq!(lines, listed(&file.reader, seed).await, "seed {seed}");
        assert_eq!(told(&memory).await, told(&file.reader).await, "seed {seed}");
        for line in &lines {
            most_below = most_below.max(line.cost);
        }
    }
    assert!(most_below > MicroUsd::ZERO, "no script spent anything");
}

#[tokio::test]
async fn a_store_of_before_gets_the_same_list_by_its_migration() {
    for seed in 0..4 {
        let (memory, file) = played(seed).await;
        let mut raw = SqliteConnection::connect(&format!("sqlite:{}", file.path.display())).await.unwrap();
        sqlx::raw_sql(BEFORE).execute(&mut raw).await.unwrap();
        for migration in MIGRATIONS {
            sqlx::raw_sql(migration).execute(&mut raw).await.unwrap();
        }
        raw.close().await.unwrap();
        let reader = Reader::Sqlite(Sqlite::readers(&file.path).await.unwrap());
        assert_eq!(listed(&memory, seed).await, listed(&reader, seed).await, "seed {seed}");
    }
}

#[tokio::test]
async fn a_list_of_more_than_it_counts_is_read_to_its_end_in_every_order() {
    let (_, file) = played(1).await;
    let mut raw = SqliteConnection::connect(&format!("sqlite:{}", file.path.display())).await.unwrap();
    sqlx::raw_sql(MANY).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    let reader = Reader::Sqlite(Sqlite::readers(&file.path).await.unwrap());
    for (by, ascending) in ORDERS.into_iter().flat_map(|by| [(by, false), (by, true)]) {
        let filter = TaskFilter { words: "WORD".to_owned(), since_ms: Some(1), ..TaskFilter::default() };
        let mut question = TaskQuestion { limit: 400, ..question(filter, by, ascending) };
        let mut keys = Vec::new();
        loop {
            let page = reader.task_page("many", &question).await.unwrap();
            assert!(page.tally.is_cut && page.tally.count(TaskState::Completed) == 1_000);
            keys.extend(page.lines.into_iter().map(|line| line.task_key));
            question.after = page.next;
            if question.after.is_none() {
                break;
            }
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 1_500, "{by:?}, ascending: {ascending}");
    }
}

#[tokio::test]
async fn a_filter_that_nothing_passes_is_an_empty_page_without_an_end() {
    let (memory, file) = played(1).await;
    for reader in [&memory, &file.reader] {
        let filter = TaskFilter { words: "no such words".to_owned(), ..TaskFilter::default() };
        let page = reader.task_page("repo", &question(filter, OrderBy::Ended, false)).await.unwrap();
        assert!(page.lines.is_empty() && page.next.is_none() && page.tally.states.is_empty());
        assert!(!page.models.is_empty(), "one can still choose another model");
        let all = question(TaskFilter::default(), OrderBy::Ended, false);
        let elsewhere = reader.task_page("another", &all).await.unwrap();
        assert!(elsewhere.lines.is_empty(), "a repository sees its own tasks");
    }
}

struct File {
    reader: Reader,
    path: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

/// Plays the same script on maps and on a file.
async fn played(seed: u64) -> (Reader, File) {
    let memory = Open::memory("b1", &Hands::new());
    Client::new(seed).play(&memory, WAVES).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let file = Open::sqlite(&path, "b1", &Hands::new()).await;
    Client::new(seed).play(&file, WAVES).await;
    (memory.close().await, File { reader: file.close().await, path, _folder: folder })
}

fn question(filter: TaskFilter, by: OrderBy, ascending: bool) -> TaskQuestion {
    TaskQuestion { filter, order: TaskOrder { by, ascending }, after: None, limit: 3 }
}

fn filters() -> Vec<TaskFilter> {
    let none = TaskFilter::default;
    let states = [TaskState::Running, TaskState::Open, TaskState::Completed, TaskState::Decomposed];
    let mut filters: Vec<_> =
        states.into_iter().map(|state| TaskFilter { state: Some(state), ..none() }).collect();
    filters.push(none());
    filters.push(TaskFilter { words: "BEAD-t3".to_owned(), ..none() });
    filters.push(TaskFilter { size: Some(Size::M), ..none() });
    filters.push(TaskFilter { model: Some("simulated/fast".to_owned()), ..none() });
    filters.push(TaskFilter { since_ms: Some(START_MS + 3_000_000), ..none() });
    filters
}

/// Reads every list to its end; each line is in it once, in order.
async fn listed(reader: &Reader, seed: u64) -> Vec<TaskLine> {
    let mut all = Vec::new();
    for filter in filters() {
        for (by, ascending) in ORDERS.into_iter().flat_map(|by| [(by, false), (by, true)]) {
            let mut question = question(filter.clone(), by, ascending);
            let mut lines = Vec::new();
            loop {
                let page = reader.task_page("repo", &question).await.unwrap();
                assert!(page.lines.len() <= 3);
                lines.extend(page.lines);
                question.after = page.next;
                if question.after.is_none() {
                    assert_eq!(lines.len() as u64, page.tally.states.values().sum::<u64>(), "seed {seed}");
                    break;
                }
            }
            let mut keys: Vec<_> = lines.iter().map(|line| &line.task_key).collect();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), lines.len(), "seed {seed}: a line came twice");
            all.extend(lines);
        }
    }
    all
}

async fn told(reader: &Reader) -> Vec<String> {
    let mut told = Vec::new();
    let mut tasks = reader.tasks("repo").await.unwrap();
    tasks.sort_by(|a, b| a.key.cmp(&b.key));
    for task in &tasks {
        let story = reader.story(&task.key).await.unwrap().expect("it is there");
        assert_eq!(story.attempts.len() + story.earlier_attempts as usize, story.runs as usize);
        told.push(format!("{story:?}"));
    }
    assert_eq!(reader.story(&TaskKey::from("unknown")).await.unwrap(), None);
    let ended = reader.ended_attempts("repo", &EndedFilter::default(), 1_000).await.unwrap();
    let mut ids = reader.ended_ids("repo").await.unwrap();
    ids.reverse();
    assert_eq!(ended.iter().map(|it| it.attempt_id.clone()).collect::<Vec<_>>(), ids);
    for attempt in &ended {
        assert_eq!(reader.ended_attempt(&attempt.attempt_id).await.unwrap().as_ref(), Some(attempt));
    }
    let some = EndedFilter { since_ms: Some(START_MS + 1_000_000), bead_id: Some("bead-t2".into()) };
    told.push(format!("{:?}", reader.ended_attempts("repo", &some, 2).await.unwrap()));
    told.push(format!("{ended:?}"));
    told.push(format!("{:?}", reader.spend("repo", START_MS).await.unwrap()));
    told
}
