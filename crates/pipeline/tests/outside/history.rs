//! Changes, commits, test runs, and a base that moves.

use std::time::Duration;

use glitchlab_pipeline::git::{GitRepo, RepoOptions};
use glitchlab_pipeline::process::{Exit, RunLimits, Unwatched};
use glitchlab_pipeline::workspace::git::{GitWorkspace, WorkspaceOptions};
use glitchlab_pipeline::workspace::{FileChange, Refreshed, Workspace, WorkspaceError, Worktree};

use crate::support::{World, file_in, message, script, spec, write};

const LIMITS: RunLimits = RunLimits { timeout: Duration::from_secs(60), max_output_bytes: 4096 };

fn change(path: &str, added: u64, removed: u64) -> FileChange {
    FileChange { path: path.into(), added, removed }
}

#[tokio::test]
async fn the_diff_tells_committed_and_uncommitted_work_and_leaves_the_index_alone() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    assert_eq!(workspace.diff(&at).await.unwrap().files, []);
    write(&at.path.join("README.md"), "one\n2\nthree\n");
    workspace.commit(&at, &message("gl-1")).await.unwrap();
    write(&at.path.join("src/größe.rs"), "a\nb\n");
    write(&at.path.join("ignored/x"), "x");
    let status = world.git_in(&at.path, &["status", "--porcelain"]);
    let diff = workspace.diff(&at).await.unwrap();
    assert_eq!(diff.files, [change("README.md", 1, 1), change("src/größe.rs", 2, 0)]);
    assert_eq!(diff.lines, 4);
    assert!(diff.patch_bytes > 50);
    assert_eq!(world.git_in(&at.path, &["status", "--porcelain"]), status);
}

#[tokio::test]
async fn the_tree_is_the_same_for_the_same_content_alone() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    let empty = workspace.diff(&at).await.unwrap().tree;
    write(&at.path.join("a"), "a\n");
    let with_a = workspace.diff(&at).await.unwrap().tree;
    assert_ne!(with_a, empty);
    workspace.commit(&at, &message("gl-1")).await.unwrap();
    assert_eq!(workspace.diff(&at).await.unwrap().tree, with_a);
    workspace.remove_file(&at, "a").await.unwrap();
    assert_eq!(workspace.diff(&at).await.unwrap().tree, empty);
}

#[tokio::test]
async fn a_commit_has_its_author_its_trailers_and_everything_but_ignored_files() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("new.txt"), "new\n");
    write(&at.path.join("ignored/x"), "x");
    std::fs::remove_file(at.path.join("README.md")).unwrap();
    let commit = workspace.commit(&at, &message("gl-1")).await.unwrap().unwrap();
    let show = |format: &str| world.git(&["show", "--no-patch", &format!("--format={format}"), &commit]);
    assert_eq!(show("%an <%ae> / %cn <%ce>"), "Ada <ada@example.org> / Ada <ada@example.org>");
    assert_eq!(show("%s"), "Do gl-1");
    assert_eq!(
        show("%(trailers:only,unfold)"),
        "Glitchlab-Attempt: gl-1\nCo-authored-by: GLITCHLAB <glitchlab@localhost>"
    );
    let files = world.git(&["diff-tree", "-r", "--name-status", "--no-commit-id", &commit]);
    assert_eq!(files, "D\tREADME.md\nA\tnew.txt");
    assert_eq!(world.git(&["rev-parse", &at.branch]), commit);
}

#[tokio::test]
async fn a_commit_is_made_once_and_nothing_is_no_commit() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    assert_eq!(workspace.commit(&at, &message("gl-1")).await.unwrap(), None);
    write(&at.path.join("new.txt"), "new\n");
    let commit = workspace.commit(&at, &message("gl-1")).await.unwrap();
    assert!(commit.is_some());
    assert_eq!(workspace.commit(&at, &message("gl-1")).await.unwrap(), commit);
    assert_eq!(workspace.commit(&at, &message("another")).await.unwrap(), None);
    assert_eq!(world.git(&["rev-list", "--count", &format!("main..{}", at.branch)]), "1");
}

#[tokio::test]
async fn protected_paths_are_told_by_the_diff_and_refused_by_the_commit() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join(".github/workflows/ci.yml"), "on: push\n");
    assert_eq!(workspace.diff(&at).await.unwrap().protected, [".github/workflows/ci.yml"]);
    let error = workspace.commit(&at, &message("gl-1")).await.unwrap_err();
    assert!(matches!(error, WorkspaceError::Protected { .. }), "{error}");
}

#[tokio::test]
async fn the_repositorys_hooks_check_commits_and_nothing_else() {
    let world = World::new();
    script(&world.repo.join(".git/hooks/pre-commit"), "echo style is bad; test ! -e bad");
    script(&world.repo.join(".git/hooks/post-checkout"), "exit 1");
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("bad"), "");
    let error = workspace.commit(&at, &message("gl-1")).await.unwrap_err();
    assert!(
        matches!(&error, WorkspaceError::CommitRefused { output } if output.contains("style is bad")),
        "{error}"
    );
    std::fs::remove_file(at.path.join("bad")).unwrap();
    write(&at.path.join("good"), "");
    assert!(workspace.commit(&at, &message("gl-1")).await.unwrap().is_some());
}

#[tokio::test]
async fn hooks_see_no_key_that_the_engine_has() {
    let world = World::new();
    script(&world.repo.join(".git/hooks/pre-commit"), "echo ${MODEL_API_KEY-none} >hook-saw");
    let environment = world.environment().with("MODEL_API_KEY", "secret");
    let options = RepoOptions::new(environment.clone());
    let repo = GitRepo::open(&world.repo, &options).await.unwrap();
    let root = world.top().join("worktrees");
    let workspace = GitWorkspace::new(repo, &root, WorkspaceOptions::new(environment)).unwrap();
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("new"), "");
    assert!(workspace.commit(&at, &message("gl-1")).await.unwrap().is_some());
    assert_eq!(file_in(&at, "hook-saw"), "none\n");
}

#[tokio::test]
async fn a_hook_that_hangs_is_ended() {
    let world = World::new();
    script(&world.repo.join(".git/hooks/pre-commit"), "exec sleep 1000");
    let workspace = world.workspace_with(|options| options.commit_timeout = Duration::from_secs(3)).await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("new"), "");
    let error = workspace.commit(&at, &message("gl-1")).await.unwrap_err();
    assert!(error.to_string().contains("was ended after"), "{error}");
    std::fs::remove_file(world.repo.join(".git/hooks/pre-commit")).unwrap();
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    assert!(workspace.commit(&at, &message("gl-1")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_signing_key_of_the_user_is_not_used() {
    let world = World::new();
    world.git(&["config", "commit.gpgSign", "true"]);
    world.git(&["config", "gpg.program", "false"]);
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("new"), "");
    assert!(workspace.commit(&at, &message("gl-1")).await.unwrap().is_some());
}

#[tokio::test]
async fn tests_run_in_the_worktree_and_say_how_they_ended() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    let green = workspace.run_tests(&at, "grep -c one README.md", &LIMITS, &Unwatched).await.unwrap();
    assert!(green.passed && green.output == "1\n");
    let red = workspace.run_tests(&at, "echo broken; exit 2", &LIMITS, &Unwatched).await.unwrap();
    assert!(!red.passed && red.exit == Exit::Code(2) && !red.timed_out);
    let limits = RunLimits { timeout: Duration::from_millis(300), ..LIMITS };
    let late = workspace
        .run_tests(&at, "trap 'exit 0' TERM; while :; do sleep 0.01; done", &limits, &Unwatched)
        .await
        .unwrap();
    assert!(!late.passed && late.timed_out && late.duration_ms >= 300);
}

#[tokio::test]
async fn tests_see_no_key_that_the_engine_has() {
    let world = World::new();
    let environment =
        world.environment().with("MODEL_API_KEY", "secret").with("WANTED", "yes").with("GIT_DIR", "/x");
    let workspace = world.workspace_with(|options| {
        options.environment = environment;
        options.pass_env = vec!["WANTED".into()];
    });
    let workspace = workspace.await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    let line = "echo ${MODEL_API_KEY-none} ${GIT_DIR-none} $WANTED";
    let run = workspace.run_tests(&at, line, &LIMITS, &Unwatched).await.unwrap();
    assert_eq!(run.output, "none none yes\n");
}

async fn committed(world: &World, path: &str, content: &str) -> (impl Workspace, Worktree) {
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join(path), content);
    workspace.commit(&at, &message("gl-1")).await.unwrap();
    (workspace, at)
}

#[tokio::test]
async fn a_base_that_moved_is_taken_in_and_compared_with_from_then_on() {
    let world = World::new();
    let (workspace, at) = committed(&world, "new.txt", "new\n").await;
    assert_eq!(workspace.refresh(&at, "main").await.unwrap(), Refreshed::UpToDate);
    world.write("theirs.txt", "theirs\n");
    let main = world.commit_all("The base goes on");
    let Refreshed::Merged(now) = workspace.refresh(&at, "main").await.unwrap() else { panic!("not merged") };
    assert_eq!(now.base_commit, main);
    assert_eq!((file_in(&now, "theirs.txt"), file_in(&now, "new.txt")), ("theirs\n".into(), "new\n".into()));
    assert_eq!(workspace.diff(&now).await.unwrap().files, [change("new.txt", 1, 0)]);
    assert_eq!(workspace.open(&spec("attempt1")).await.unwrap(), Worktree { created: false, ..now.clone() });
    assert_eq!(world.git_in(&now.path, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_conflict_with_the_base_names_the_files_and_changes_nothing() {
    let world = World::new();
    let (workspace, at) = committed(&world, "README.md", "one\nours\nthree\n").await;
    world.write("README.md", "one\ntheirs\nthree\n");
    world.commit_all("The base goes on");
    let expected = Refreshed::Conflict { files: vec!["README.md".into()] };
    assert_eq!(workspace.refresh(&at, "main").await.unwrap(), expected);
    assert_eq!(file_in(&at, "README.md"), "one\nours\nthree\n");
    assert_eq!(world.git_in(&at.path, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn uncommitted_work_is_never_mixed_with_a_newer_base() {
    let world = World::new();
    let (workspace, at) = committed(&world, "new.txt", "new\n").await;
    world.commit_all("The base goes on");
    write(&at.path.join("more.txt"), "more\n");
    let error = workspace.refresh(&at, "main").await.unwrap_err();
    assert!(matches!(error, WorkspaceError::Uncommitted { files: 1 }), "{error}");
    assert_eq!(file_in(&at, "more.txt"), "more\n");
}

#[tokio::test]
async fn a_refresh_that_was_cut_off_is_finished_when_the_worktree_is_found_again() {
    let world = World::new();
    let (workspace, at) = committed(&world, "new.txt", "new\n").await;
    world.write("README.md", "one\ntheirs\nthree\n");
    world.commit_all("The base goes on");
    let Refreshed::Merged(now) = workspace.refresh(&at, "main").await.unwrap() else { panic!("not merged") };
    // As a kill leaves it: the record says where to, the branch and half of the files are not there yet.
    let target = world.git_in(&now.path, &["rev-parse", "HEAD"]);
    world.git_in(&now.path, &["reset", "--quiet", "--hard", "HEAD~1"]);
    write(&now.path.join("README.md"), "one\nth");
    let record = world.repo.join(".git/worktrees").join(now.path.file_name().unwrap()).join("glitchlab.json");
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, text.replace("\"moving_to\":null", &format!("\"moving_to\":\"{target}\"")))
        .unwrap();
    let again = workspace.open(&spec("attempt1")).await.unwrap();
    assert_eq!(file_in(&again, "README.md"), "one\ntheirs\nthree\n");
    assert_eq!(world.git_in(&again.path, &["rev-parse", "HEAD"]), target);
    assert_eq!(world.git_in(&again.path, &["status", "--porcelain"]), "");
}
