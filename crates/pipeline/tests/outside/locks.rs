//! Locks of a dead engine's git go, those of anybody else stay, and a checkout left half changed is set back.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use glitchlab_pipeline::forge::{Forge, MergeResult};
use glitchlab_pipeline::git::sweep::sweep_own_locks;
use glitchlab_pipeline::process::leftovers;
use glitchlab_pipeline::workspace::Workspace;

use crate::engine::Engine;
use crate::support::{World, merge_of, message, script, spec, until, write};

const SETTLE: Duration = Duration::from_millis(50);

/// A filter that git calls for `*.slow` files, which never ends while the stopper is there; a look at the changes by
/// an index of its own takes no lock and is let through.
fn add_slow_filter(world: &World) {
    let top = world.top().display().to_string();
    script(
        &world.top().join("slow"),
        &format!(
            "[ -n \"$GIT_INDEX_FILE\" ] && exec cat; touch {top}/reached; while [ -e {top}/stopper ]; do sleep 0.01; done; cat"
        ),
    );
    world.git(&["config", "filter.slow.smudge", &format!("{top}/slow")]);
    world.git(&["config", "filter.slow.clean", &format!("{top}/slow")]);
    world.write(".gitattributes", "*.slow filter=slow\n");
    world.write("a.txt", "old a\n");
    world.write("dropped.txt", "dropped\n");
    world.commit_all("Use a filter");
}

/// A branch to merge, whose last file takes git for ever to write.
async fn slow_to_merge() -> World {
    let world = World::new();
    add_slow_filter(&world);
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    for (path, content) in [("a.txt", "new a\n"), ("b/added.txt", "added\n"), ("z.slow", "slow\n")] {
        write(&at.path.join(path), content);
    }
    fs::remove_file(at.path.join("dropped.txt")).unwrap();
    workspace.commit(&at, &message("gl-1")).await.unwrap();
    fs::remove_file(world.top().join("reached")).unwrap();
    write(&world.top().join("stopper"), "");
    world
}

async fn until_half_written(world: &World) {
    until("git writes the user's files", || world.top().join("reached").exists()).await;
}

/// Kills an engine while its git fast-forwards the user's checkout, with the index locked and files half written.
async fn killed_in_fast_forward() -> World {
    let world = slow_to_merge().await;
    let mut engine = Engine::play("merges", &world.top());
    until_half_written(&world).await;
    engine.kill();
    assert_eq!(leftovers::kill(&[]).await.survivors, Vec::<u32>::new());
    fs::remove_file(world.top().join("stopper")).unwrap();
    world
}

fn index_lock(world: &World) -> PathBuf {
    world.repo.join(".git/index.lock")
}

#[tokio::test]
async fn a_fast_forward_that_was_killed_is_set_back_and_made_again() {
    let world = killed_in_fast_forward().await;
    assert!(index_lock(&world).exists());
    assert_ne!(world.git(&["status", "--porcelain"]), "", "the kill came too early to show anything");
    write(&world.repo.join(".git/refs/heads/main.lock"), "");
    let swept = sweep_own_locks(&world.open().await, SETTLE).await.unwrap();
    assert_eq!(swept.removed.len(), 2, "{swept:?}");
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    assert_eq!((world.read("a.txt"), world.read("dropped.txt")), ("old a\n".into(), "dropped\n".into()));
    assert!(!world.repo.join("b").exists());
    let again = world.forge().await.merge(&merge_of("gl-1 g1", &spec("attempt1").branch)).await.unwrap();
    assert!(matches!(again, MergeResult::Merged { .. }), "{again:?}");
    assert_eq!((world.read("a.txt"), world.read("z.slow")), ("new a\n".into(), "slow\n".into()));
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_merge_that_was_dropped_is_made_again_by_the_same_engine() {
    let world = slow_to_merge().await;
    let forge = Arc::new(world.forge().await);
    let request = merge_of("gl-1 g1", &spec("attempt1").branch);
    let dropped = tokio::spawn({
        let (forge, request) = (forge.clone(), request.clone());
        async move { forge.merge(&request).await }
    });
    until_half_written(&world).await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    fs::remove_file(world.top().join("stopper")).unwrap();
    let again = forge.merge(&request).await.unwrap();
    assert!(matches!(again, MergeResult::Merged { .. }), "{again:?}");
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn what_the_user_did_after_the_kill_is_not_set_back() {
    let world = killed_in_fast_forward().await;
    world.write("a.txt", "the user's own\n");
    let swept = sweep_own_locks(&world.open().await, SETTLE).await.unwrap();
    assert!(!swept.restored.contains(&"a.txt".to_owned()), "{swept:?}");
    assert_eq!(world.read("a.txt"), "the user's own\n");
    assert_eq!(world.git(&["status", "--porcelain"]), " M a.txt");
}

/// A git of the user's that stays at work in his checkout.
fn git_at_work(world: &World) -> Child {
    let mut git = Command::new("git");
    git.args(["cat-file", "--batch"]).current_dir(&world.repo).stdin(Stdio::piped()).stdout(Stdio::null());
    git.spawn().unwrap()
}

#[tokio::test]
async fn no_lock_is_removed_while_another_git_is_at_work() {
    let world = killed_in_fast_forward().await;
    let mut git = git_at_work(&world);
    let swept = sweep_own_locks(&world.open().await, SETTLE).await.unwrap();
    assert_eq!((swept.removed, swept.kept), (vec![], vec![index_lock(&world)]));
    assert!(index_lock(&world).exists());
    git.kill().unwrap();
    git.wait().unwrap();
    let swept = sweep_own_locks(&world.open().await, SETTLE).await.unwrap();
    assert_eq!(swept.removed, [index_lock(&world)]);
}

#[tokio::test]
async fn a_lock_that_no_note_of_ours_names_is_never_touched() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    write(&index_lock(&world), "");
    let swept = sweep_own_locks(&world.open().await, SETTLE).await.unwrap();
    assert_eq!((swept.removed, swept.kept), (vec![], vec![]));
    let error = world.forge().await.merge(&merge_of("gl-1 g1", &branch)).await.unwrap_err();
    assert!(error.to_string().contains("busy"), "{error}");
    assert!(index_lock(&world).exists());
}

#[tokio::test]
async fn a_lock_from_another_time_than_our_call_is_not_ours() {
    let world = killed_in_fast_forward().await;
    let lock = fs::File::open(index_lock(&world)).unwrap();
    let made = lock.metadata().unwrap().modified().unwrap();
    let hour = Duration::from_secs(60 * 60);
    for other_time in [made - hour, made + hour] {
        lock.set_modified(other_time).unwrap();
        let swept = sweep_own_locks(&world.open().await, SETTLE).await.unwrap();
        assert_eq!((swept.removed, swept.kept), (vec![], vec![index_lock(&world)]));
        assert!(index_lock(&world).exists());
    }
}

#[tokio::test]
async fn a_worktree_whose_commit_was_killed_goes_on_at_the_next_start() {
    let world = World::new();
    add_slow_filter(&world);
    let at = world.workspace().await.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("new.slow"), "slow\n");
    let _ = fs::remove_file(world.top().join("reached"));
    write(&world.top().join("stopper"), "");
    let lock = world.repo.join(".git/worktrees").join(at.path.file_name().unwrap()).join("index.lock");
    let mut engine = Engine::play("commits", &world.top());
    until("git adds the file", || world.top().join("reached").exists()).await;
    engine.kill();
    leftovers::kill(&[]).await;
    fs::remove_file(world.top().join("stopper")).unwrap();
    assert!(lock.exists());
    let workspace = world.workspace().await;
    let again = workspace.open(&spec("attempt1")).await.unwrap();
    assert!(!again.created);
    assert!(!lock.exists());
    assert!(workspace.commit(&again, &message("gl-1")).await.unwrap().is_some());
}
