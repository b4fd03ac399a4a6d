//! Worktrees of ended attempts go, those kept for a person stay for a while.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use glitchlab_pipeline::workspace::prune::KeepPolicy;
use glitchlab_pipeline::workspace::{Workspace, Worktree};

use crate::support::{World, message, spec, write};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn kept_mark(world: &World, at: &Worktree) -> std::path::PathBuf {
    world.repo.join(".git/worktrees").join(at.path.file_name().unwrap()).join("glitchlab-kept")
}

/// The file system's own time, which is what marks are made with.
fn now(place: &Path) -> SystemTime {
    write(&place.join("clock"), "");
    fs::metadata(place.join("clock")).unwrap().modified().unwrap()
}

#[tokio::test]
async fn worktrees_of_running_attempts_stay_and_those_of_ended_ones_go() {
    let world = World::new();
    let workspace = world.workspace().await;
    let running = workspace.open(&spec("running1")).await.unwrap();
    let ended = workspace.open(&spec("ended123")).await.unwrap();
    workspace.checkpoint(&running, "running1").await.unwrap();
    workspace.checkpoint(&ended, "ended123").await.unwrap();
    write(&world.top().join("worktrees/half-made/README.md"), "");
    let gone = workspace
        .prune_worktrees(&HashSet::from(["running1".into()]), KeepPolicy::usual(now(&world.top())))
        .await;
    assert_eq!(gone.unwrap().len(), 2);
    assert!(
        running.path.exists() && !ended.path.exists() && !world.top().join("worktrees/half-made").exists()
    );
    assert_eq!(
        world.git(&["for-each-ref", "--format=%(refname)", "refs/glitchlab"]),
        "refs/glitchlab/wip/running1"
    );
    assert_eq!(world.branches(), [running.branch.as_str(), "main"]);
}

/// Does what a kill in the middle of the removal of a worktree leaves.
fn cut_off(admin: &Path, at: &Worktree) {
    let record = fs::read_to_string(admin.join("glitchlab.json")).unwrap();
    let closing = record.replace("\"closing\":false", "\"closing\":true");
    assert_ne!(closing, record);
    write(&admin.join("glitchlab.json"), &closing);
    fs::remove_dir_all(&at.path).unwrap();
}

#[tokio::test]
async fn a_removal_that_was_cut_off_is_finished_though_the_directory_is_gone() {
    let world = World::new();
    let workspace = world.workspace().await;
    let open = async |id: &str| workspace.open(&spec(id)).await.unwrap();
    let admin = |at: &Worktree| world.repo.join(".git/worktrees").join(at.path.file_name().unwrap());
    let (half, broken, kept, running) =
        (open("cutoff12").await, open("broken12").await, open("kept1234").await, open("running1").await);
    workspace.close(&kept, true).await.unwrap();
    [&half, &broken, &kept, &running].into_iter().for_each(|at| cut_off(&admin(at), at));
    // git's files went in any order.
    fs::remove_file(admin(&broken).join("gitdir")).unwrap();
    fs::remove_file(admin(&broken).join("glitchlab.json")).unwrap();
    workspace
        .prune_worktrees(&HashSet::from(["running1".into()]), KeepPolicy::usual(now(&world.top())))
        .await
        .unwrap();
    let left = [&half, &broken, &kept, &running].map(|at| admin(at).exists());
    assert_eq!(left, [false, false, false, true], "a running one is made anew by its attempt");
    assert!(!world.branches().contains(&half.branch) && !world.branches().contains(&kept.branch));
}

#[tokio::test]
async fn what_a_person_moved_away_or_has_on_another_disk_stays() {
    let world = World::new();
    let workspace = world.workspace().await;
    let kept = workspace.open(&spec("attempt1")).await.unwrap();
    write(&kept.path.join("new.txt"), "new\n");
    workspace.commit(&kept, &message("gl-1")).await.unwrap();
    workspace.close(&kept, true).await.unwrap();
    let elsewhere = world.top().join("mine-0123456789ab");
    world.git(&["worktree", "add", "--quiet", "--no-checkout", "--detach", elsewhere.to_str().unwrap()]);
    for (path, to) in [(&kept.path, "rescued"), (&elsewhere, "other-disk")] {
        fs::rename(path, world.top().join(to)).unwrap();
    }
    let policy = KeepPolicy::usual(now(&world.top()) + 2 * DAY);
    assert_eq!(
        workspace.prune_worktrees(&HashSet::new(), policy).await.unwrap(),
        Vec::<std::path::PathBuf>::new()
    );
    let names = [&kept.path, &elsewhere].map(|path| path.file_name().unwrap());
    assert!(names.iter().all(|name| world.repo.join(".git/worktrees").join(name).join("HEAD").exists()));
    assert!(world.branches().contains(&kept.branch));
}

#[tokio::test]
async fn a_branch_with_unmerged_work_outlives_its_worktree() {
    let world = World::new();
    let branch = world.branch_with("inreview", "new.txt", "new\n").await;
    let workspace = world.workspace().await;
    workspace.prune_worktrees(&HashSet::new(), KeepPolicy::usual(now(&world.top()))).await.unwrap();
    assert_eq!(world.branches(), [branch.as_str(), "main"]);
    assert_eq!(world.git(&["worktree", "list"]).lines().count(), 1);
}

#[tokio::test]
async fn failures_are_kept_for_a_day_and_then_go_with_their_branch() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("new.txt"), "new\n");
    workspace.commit(&at, &message("gl-1")).await.unwrap();
    workspace.close(&at, true).await.unwrap();
    let now = now(&world.top());
    let later = |time: Duration| KeepPolicy::usual(now + time);
    workspace.prune_worktrees(&HashSet::new(), later(DAY - Duration::from_secs(60))).await.unwrap();
    assert!(at.path.join("new.txt").exists());
    workspace.prune_worktrees(&HashSet::new(), later(DAY + Duration::from_secs(60))).await.unwrap();
    assert!(!at.path.exists());
    assert_eq!(world.branches(), ["main"]);
}

#[tokio::test]
async fn only_the_newest_failures_are_kept() {
    let world = World::new();
    let workspace = world.workspace().await;
    let now = now(&world.top());
    let mut kept = Vec::new();
    for n in 0..4_u32 {
        let at = workspace.open(&spec(&format!("attempt{n}"))).await.unwrap();
        workspace.close(&at, true).await.unwrap();
        let mark = fs::File::options().write(true).open(kept_mark(&world, &at)).unwrap();
        mark.set_modified(now - Duration::from_secs(60) * n).unwrap();
        kept.push(at.path);
    }
    let policy = KeepPolicy { now, kept_for: DAY, kept_at_most: 2 };
    workspace.prune_worktrees(&HashSet::new(), policy).await.unwrap();
    let there: Vec<bool> = kept.iter().map(|path| path.exists()).collect();
    assert_eq!(there, [true, true, false, false]);
}
