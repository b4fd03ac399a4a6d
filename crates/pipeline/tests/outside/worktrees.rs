//! Each attempt has a worktree of its own, and finds it again.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use glitchlab_pipeline::workspace::git::{GitWorkspace, WorkspaceOptions};
use glitchlab_pipeline::workspace::{Workspace, WorkspaceError, Worktree, WorktreeSpec, name};

use crate::support::{World, file_in, message, spec, write};

#[tokio::test]
async fn a_worktree_starts_from_the_base_outside_of_the_checkout() {
    let world = World::new();
    world.write("README.md", "not committed\n");
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    assert!(at.created && !at.path.starts_with(&world.repo));
    assert_eq!(
        (at.branch.as_str(), at.base_commit.as_str()),
        ("glitchlab/gl-1-attempt1", world.main().as_str())
    );
    assert_eq!(file_in(&at, "README.md"), "one\ntwo\nthree\n");
    assert_eq!(world.read("README.md"), "not committed\n");
}

#[tokio::test]
async fn a_worktree_is_found_again_with_its_uncommitted_work() {
    let world = World::new();
    let before = world.workspace().await.open(&spec("attempt1")).await.unwrap();
    write(&before.path.join("README.md"), "half done\n");
    write(&before.path.join("new.txt"), "new\n");
    let again = world.workspace().await.open(&spec("attempt1")).await.unwrap();
    assert_eq!(again, Worktree { created: false, ..before });
    assert_eq!(
        (file_in(&again, "README.md"), file_in(&again, "new.txt")),
        ("half done\n".into(), "new\n".into())
    );
}

#[tokio::test]
async fn what_a_kill_left_of_saving_work_goes_when_the_worktree_is_found_again_or_kept() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    let admin = world.repo.join(".git/worktrees").join(at.path.file_name().unwrap());
    let left = ["glitchlab-index-1-0", "glitchlab-index-1-0.lock"].map(|name| admin.join(name));
    let are_there = || left.iter().any(|path| path.exists());
    left.iter().for_each(|path| write(path, ""));
    world.workspace().await.open(&spec("attempt1")).await.unwrap();
    assert!(!are_there(), "in a container the next engine has the same process id");
    left.iter().for_each(|path| write(path, ""));
    workspace.close(&at, true).await.unwrap();
    assert!(!are_there() && at.path.exists());
}

#[tokio::test]
async fn two_attempts_do_not_see_each_other() {
    let world = World::new();
    let workspace = world.workspace().await;
    let (first, second) = tokio::join!(async { workspace.open(&spec("attempt1")).await.unwrap() }, async {
        workspace.open(&spec("attempt2")).await.unwrap()
    });
    write(&first.path.join("only-here"), "");
    assert_ne!(first.path, second.path);
    assert!(!second.path.join("only-here").exists());
}

#[tokio::test]
async fn a_worktree_that_a_crash_left_half_made_is_made_anew() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    let admin = world.repo.join(".git/worktrees").join(at.path.file_name().unwrap());
    for lost in [vec![admin.join("glitchlab.json")], vec![admin.join("glitchlab.json"), admin.join("gitdir")]]
    {
        lost.iter().for_each(|file| fs::remove_file(file).unwrap());
        write(&admin.join("locked"), "initializing");
        let again = workspace.open(&spec("attempt1")).await.unwrap();
        assert!(again.created);
        assert_eq!(file_in(&again, "README.md"), "one\ntwo\nthree\n");
    }
}

#[tokio::test]
async fn a_worktree_that_is_lost_comes_back_with_its_commits_and_what_was_saved() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("done.txt"), "done\n");
    workspace.commit(&at, &message("gl-1")).await.unwrap();
    write(&at.path.join("doing.txt"), "doing\n");
    fs::remove_file(at.path.join("README.md")).unwrap();
    let head = world.git_in(&at.path, &["rev-parse", "HEAD"]);
    workspace.checkpoint(&at, "attempt1").await.unwrap();
    assert_eq!(world.git_in(&at.path, &["rev-parse", "HEAD"]), head);
    fs::remove_dir_all(&at.path).unwrap();
    world.commit_all("The base goes on");
    let again = workspace.open(&spec("attempt1")).await.unwrap();
    assert_eq!(again, Worktree { created: true, ..at });
    assert_eq!(
        (file_in(&again, "done.txt"), file_in(&again, "doing.txt")),
        ("done\n".into(), "doing\n".into())
    );
    assert!(!again.path.join("README.md").exists());
    assert_eq!(world.git_in(&again.path, &["rev-parse", "HEAD"]), head);
}

#[tokio::test]
async fn setup_runs_once_and_its_failure_is_told() {
    let world = World::new();
    let workspace = world.workspace().await;
    let with = |line: &str| WorktreeSpec { setup: Some(line.into()), ..spec("attempt1") };
    let error = workspace.open(&with("echo no compiler; exit 3")).await.unwrap_err();
    assert!(matches!(error, WorkspaceError::Setup { .. }), "{error}");
    assert!(error.to_string().contains("no compiler") && error.to_string().contains("exit code 3"));
    workspace.open(&with("echo once >>ignored-setup")).await.unwrap();
    let at = workspace.open(&with("echo once >>ignored-setup")).await.unwrap();
    assert_eq!(file_in(&at, "ignored-setup"), "once\n");
}

#[tokio::test]
async fn a_base_that_is_gone_is_told() {
    let world = World::new();
    let spec = WorktreeSpec { base: "gone".into(), ..spec("attempt1") };
    let error = world.workspace().await.open(&spec).await.unwrap_err();
    assert!(matches!(error, WorkspaceError::NoBase { .. }), "{error}");
}

#[tokio::test]
async fn worktrees_inside_the_checkout_are_refused() {
    let world = World::new();
    let options = WorkspaceOptions::new(world.environment());
    let error =
        GitWorkspace::new(world.open().await, &world.repo.join("target/worktrees"), options).unwrap_err();
    assert!(matches!(error, WorkspaceError::InsideCheckout { .. }), "{error}");
}

#[tokio::test]
async fn a_closed_worktree_leaves_nothing_when_nothing_was_done() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("scrap"), "scrap\n");
    workspace.checkpoint(&at, "attempt1").await.unwrap();
    workspace.close(&at, false).await.unwrap();
    workspace.close(&at, false).await.unwrap();
    assert!(!at.path.exists());
    assert_eq!(world.branches(), ["main"]);
    assert_eq!(world.git(&["for-each-ref", "refs/glitchlab"]), "");
    assert_eq!(world.git(&["worktree", "list"]).lines().count(), 1);
}

#[tokio::test]
async fn a_closed_worktree_leaves_a_branch_with_work_that_is_not_merged() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("new.txt"), "new\n");
    workspace.commit(&at, &message("gl-1")).await.unwrap();
    workspace.close(&at, false).await.unwrap();
    assert_eq!(world.branches(), [at.branch.as_str(), "main"]);
    world.git(&["merge", "--quiet", "--no-ff", "--no-edit", &at.branch]);
    workspace.close(&at, false).await.unwrap();
    assert_eq!(world.branches(), ["main"]);
}

#[tokio::test]
async fn a_worktree_with_read_only_directories_can_be_removed() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("ignored/cache/module"), "");
    fs::set_permissions(at.path.join("ignored/cache"), fs::Permissions::from_mode(0o555)).unwrap();
    workspace.close(&at, false).await.unwrap();
    assert!(!at.path.exists());
}

#[tokio::test]
async fn a_worktree_that_was_led_to_another_repository_is_not_used() {
    let (world, other) = (World::new(), World::new());
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    fs::write(at.path.join(".git"), format!("gitdir: {}\n", other.repo.join(".git").display())).unwrap();
    let error = workspace.commit(&at, &message("gl-1")).await.unwrap_err();
    assert!(matches!(error, WorkspaceError::NotOurs { .. }), "{error}");
    let elsewhere = Worktree { path: world.repo.clone(), ..at };
    let error = workspace.write(&elsewhere, "README.md", "x").await.unwrap_err();
    assert!(matches!(error, WorkspaceError::NotOurs { .. }), "{error}");
    let error = workspace.close(&elsewhere, false).await.unwrap_err();
    assert!(matches!(error, WorkspaceError::NotOurs { .. }), "{error}");
    assert!(world.repo.join("README.md").exists());
}

#[tokio::test]
async fn a_worktree_that_left_its_branch_is_not_used() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    world.git_in(&at.path, &["checkout", "--quiet", "-b", "other"]);
    let error = workspace.commit(&at, &message("gl-1")).await.unwrap_err();
    assert!(matches!(error, WorkspaceError::NotOurs { .. }), "{error}");
}

#[tokio::test]
async fn a_branch_that_somebody_looks_at_is_not_deleted() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    let linked = world.top().join("linked");
    world.git(&["worktree", "add", "--quiet", "--force", linked.to_str().unwrap(), &at.branch]);
    workspace.close(&at, false).await.unwrap();
    assert_eq!(world.git_in(&linked, &["rev-parse", "HEAD"]), world.main());
}

#[tokio::test]
async fn git_takes_the_branch_of_any_id() {
    let world = World::new();
    let workspace = world.workspace().await;
    let long = "x".repeat(255);
    for id in ["a/b", "..", "größe 日本", "-rf", "x.lock", "@{-1}", "refs/heads/main", long.as_str()] {
        let branch = name::branch_name(id, "attempt1");
        let spec = WorktreeSpec { bead_id: id.into(), branch: branch.clone(), ..spec("attempt1") };
        let at = workspace.open(&spec).await.unwrap();
        assert!(at.path.starts_with(world.top().join("worktrees")));
        workspace.close(&at, false).await.unwrap();
    }
}
