//! The same commands give the same answers, rows and events in memory and in a file, and after the file was opened again.

use glitchlab_domain::id::{BootId, TaskKey};
use glitchlab_domain::ledger::{Unit, counted};
use glitchlab_store::Reader;

use crate::open::{Hands, Open, START_MS};
use crate::script::Client;

const SEEDS: u64 = 24;
const WAVES: u32 = 40;
/// An instant after everything, so that both ledgers are read at the same time.
const LATER_MS: i64 = START_MS + 10_000_000_000;

#[tokio::test]
async fn memory_and_file_give_the_same_answers_rows_and_events() {
    let mut seen = Vec::new();
    for seed in 0..SEEDS {
        let hands = Hands::new();
        let memory = Open::memory("b1", &hands);
        let expected = Client::new(seed).play(&memory, WAVES).await;
        let expected_rows = everything(&memory.close().await).await;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let file = Open::sqlite(&path, "b1", &Hands::new()).await;
        let answers = Client::new(seed).play(&file, WAVES).await;
        same(seed, &expected, &answers);
        same(seed, &expected_rows, &everything(&file.close().await).await);

        let again = Open::sqlite(&path, "b1", &Hands::new()).await;
        same(seed, &expected_rows, &everything(&again.close().await).await);
        seen.extend(answers);
    }
    let meant = [
        "Granted",
        "Memo",
        "CapReached",
        "AfterSettlement",
        "ExceedsCap",
        "TokenCapReached",
        "ExceedsTokens",
        "Paced",
        "StepDone",
        "EffectDone",
        "Evaluated { firing: Firing { critical: 0, warning: 2",
    ];
    for answer in meant {
        assert!(seen.iter().any(|line| line.contains(answer)), "no script led to {answer}");
    }
}

#[tokio::test]
async fn a_file_that_is_opened_again_between_commands_answers_as_one_that_stayed_open() {
    for seed in 100..106 {
        let memory = Open::memory("b1", &Hands::new());
        let mut client = Client::new(seed);
        let mut expected = Vec::new();
        for _ in 0..6 {
            expected.extend(client.play(&memory, 6).await);
        }
        let rows = everything(&memory.close().await).await;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let (mut client, hands) = (Client::new(seed), Hands::new());
        let mut answers = Vec::new();
        let mut last = None;
        for _ in 0..6 {
            let file = Open::sqlite(&path, "b1", &hands).await;
            answers.extend(client.play(&file, 6).await);
            last = Some(file.close().await);
        }
        same(seed, &expected, &answers);
        same(seed, &rows, &everything(&last.expect("six rounds")).await);
    }
}

fn same(seed: u64, expected: &[String], found: &[String]) {
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(expected, found, "seed {seed}");
    }
    assert_eq!(expected.len(), found.len(), "seed {seed}");
}

/// Everything that readers say, one line for each row.
async fn everything(reader: &Reader) -> Vec<String> {
    let mut lines = Vec::new();
    let tasks = reader.tasks("repo").await.unwrap();
    for task in &tasks {
        assert_eq!(reader.task(&task.key).await.unwrap().as_ref(), Some(task));
        let attempts = reader.attempts(&task.key).await.unwrap();
        for attempt in &attempts {
            lines.extend(told(&reader.steps(&attempt.attempt_id).await.unwrap()));
        }
        lines.extend(told(&attempts));
    }
    assert_eq!(reader.task(&TaskKey::from("unknown")).await.unwrap(), None);
    lines.extend(told(&tasks));
    lines.extend(told(&reader.claims("repo").await.unwrap()));
    lines.extend(told(&reader.running_attempts().await.unwrap()));
    lines.extend(told(&reader.open_calls().await.unwrap()));
    lines.extend(told(&reader.running_children().await.unwrap()));
    lines.extend(told(&reader.alive_processes().await.unwrap()));
    lines.extend(told(&reader.alerts("repo", 1_000).await.unwrap()));
    lines.extend(told(&reader.deliveries("repo", 1_000).await.unwrap()));
    lines.extend(told(&reader.queued("repo").await.unwrap()));
    lines.extend(told(&reader.tasks_that_wait("repo").await.unwrap()));
    lines.extend(told(&[reader.boots_of("repo").await.unwrap()]));
    lines.extend(told(&[reader.cursor("repo", &BootId::from("b1")).await.unwrap()]));
    for after in [0, 17, 1_000] {
        let kinds = ["alert.firing", "task.claimed"];
        let new = reader.events_after(&BootId::from("b1"), after, &kinds, 50).await.unwrap();
        lines.push(format!("after {after}: {new:?}"));
    }
    for scope in ["real", "real#tokens", "simulated:repo", "simulated:repo#tokens", "nobody's"] {
        lines.extend(money(reader, scope).await);
    }
    lines.sort();
    let mut events = reader.last_events(100_000).await.unwrap();
    // Two events of one instant may be read in either order when the clock was turned back.
    events.sort_by(|a, b| a.id.cmp(&b.id));
    lines.extend(told(&events));
    lines
}

/// The ledger without its nonce, as it stands, in the midst of things and when all has left.
async fn money(reader: &Reader, scope: &str) -> Vec<String> {
    let mut lines = told(&reader.calls(scope).await.unwrap());
    if counted(scope).1 == Unit::Money {
        lines.extend(told(&reader.spend_by_hour(scope, START_MS).await.unwrap()));
    }
    for at_ms in [0, START_MS + 40_000_000, LATER_MS] {
        let mut ledger = reader.ledger_and_departures(scope, at_ms).await.unwrap();
        if let Some((head, departures)) = &mut ledger {
            head.nonce.clear();
            // What was settled in one instant leaves in one instant, in whichever order it is listed.
            departures.hour.sort_unstable();
            departures.day.sort_unstable();
        }
        lines.push(format!("{scope} at {at_ms}: {ledger:?}"));
    }
    lines
}

fn told<T: std::fmt::Debug>(rows: &[T]) -> Vec<String> {
    rows.iter().map(|row| format!("{row:?}")).collect()
}
