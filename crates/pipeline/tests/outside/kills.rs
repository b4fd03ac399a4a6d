//! An engine that is killed again and again does its work once.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::engine::{Engine, work_through_ten_tasks};
use crate::support::World;

/// How long each engine lives: from before its first git call to somewhere within the work.
const LIVES_MS: [u64; 10] = [5, 30, 55, 90, 130, 170, 220, 280, 350, 430];

fn lock_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        match path.extension() {
            _ if path.is_dir() => found.extend(lock_files(&path)),
            Some(extension) if extension == "lock" => found.push(path),
            _ => {}
        }
    }
    found
}

#[tokio::test]
async fn each_task_is_merged_once_however_often_the_engine_is_killed() {
    let world = World::new();
    world.write("mine.txt", "mine\n");
    for life_ms in LIVES_MS {
        let mut engine = Engine::play("works through ten tasks", &world.top());
        // Not a wait for something: the instant of the kill itself.
        tokio::time::sleep(Duration::from_millis(life_ms)).await;
        if !engine.is_done() {
            engine.kill();
        }
    }
    work_through_ten_tasks(&world).await;
    let log = world.git(&[
        "log",
        "--first-parent",
        "--format=%(trailers:key=Glitchlab-Task,valueonly,separator=)",
        "main",
    ]);
    let mut merged: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
    merged.sort_unstable();
    let tasks: Vec<String> = (0..10).map(|n| format!("task{n}")).collect();
    assert_eq!(merged, tasks);
    assert_eq!(world.git(&["status", "--porcelain"]), "?? mine.txt");
    assert_eq!(world.branches(), ["main"]);
    assert_eq!(world.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(lock_files(&world.repo.join(".git")), Vec::<PathBuf>::new());
}
