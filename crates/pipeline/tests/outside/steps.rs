//! What a program did in the worktree is taken as it is, and put back when it was cut off.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use glitchlab_pipeline::process::redact::Redactor;
use glitchlab_pipeline::workspace::{Snapshot, Workspace, WorkspaceError, Worktree};

use crate::support::{World, message, spec};

const ATTEMPT: &str = "attempt1";

/// What a program does by itself: git as a person would use it.
fn git(at: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=Agent", "-c", "user.email=agent@example.org"];
    let status = Command::new("git").current_dir(at).args(who).args(arguments).status().unwrap();
    assert!(status.success(), "git {arguments:?}");
}

fn write(at: &Worktree, path: &str, content: impl AsRef<[u8]>) {
    let file = at.path.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

async fn take(workspace: &impl Workspace, at: &Worktree, n: u32) -> Result<Snapshot, WorkspaceError> {
    workspace.take(at, ATTEMPT, n, &Redactor::new(["hunter2hunter2".to_owned()])).await
}

#[tokio::test]
async fn bytes_modes_links_and_removals_are_taken_and_come_back_in_a_new_worktree() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec(ATTEMPT)).await.unwrap();
    workspace.mark(&at, ATTEMPT, 3).await.unwrap();
    write(&at, "bin/run", "#!/bin/sh\n");
    fs::set_permissions(at.path.join("bin/run"), fs::Permissions::from_mode(0o755)).unwrap();
    write(&at, "logo.bin", b"a\0\xff");
    symlink("logo.bin", at.path.join("link")).unwrap();
    let tracked = world.git(&["ls-files"]);
    let gone = tracked.lines().next().unwrap().to_owned();
    fs::remove_file(at.path.join(&gone)).unwrap();

    let taken = take(&workspace, &at, 3).await.unwrap();
    let expected = [("bin/run", false), ("link", false), ("logo.bin", false), (&*gone, true)];
    let mut expected: Vec<_> = expected.map(|(path, is_gone)| (path.to_owned(), is_gone)).to_vec();
    expected.sort();
    assert_eq!(taken.touched.clone().into_iter().collect::<Vec<_>>(), expected);

    fs::remove_dir_all(&at.path).unwrap();
    let at = workspace.open(&spec(ATTEMPT)).await.unwrap();
    assert!(!at.path.join("logo.bin").exists());
    workspace.restore(&at, &taken.tree).await.unwrap();
    assert_eq!(fs::read(at.path.join("link")).unwrap(), b"a\0\xff");
    assert_eq!(fs::metadata(at.path.join("bin/run")).unwrap().permissions().mode() & 0o111, 0o111);
    assert!(!at.path.join(&gone).exists());
    let commit = workspace.commit(&at, &message(ATTEMPT)).await.unwrap().unwrap();
    assert_eq!(world.git(&["rev-parse", &format!("{commit}^{{tree}}")]), taken.tree);
}

#[tokio::test]
async fn commits_branches_and_a_spoilt_index_are_put_back_and_the_content_stays() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec(ATTEMPT)).await.unwrap();
    workspace.mark(&at, ATTEMPT, 0).await.unwrap();
    write(&at, "one", "1\n");
    git(&at.path, &["add", "."]);
    git(&at.path, &["commit", "-qm", "mine"]);
    git(&at.path, &["switch", "-qc", "elsewhere"]);
    write(&at, "one", "2\n");
    git(&at.path, &["update-index", "--assume-unchanged", "one"]);
    assert!(!workspace.fingerprint(&at).await.unwrap().is_empty(), "a look does not mind the branch");

    let taken = take(&workspace, &at, 0).await.unwrap();
    assert!(taken.touched.contains_key("one"));
    let commit = workspace.commit(&at, &message(ATTEMPT)).await.unwrap().unwrap();
    assert_eq!(world.git(&["show", &format!("{commit}:one")]), "2");
    assert_eq!(world.git(&["rev-parse", &format!("{commit}^")]), at.base_commit);
}

#[tokio::test]
async fn a_step_that_was_cut_off_begins_where_it_began_before() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec(ATTEMPT)).await.unwrap();
    write(&at, "before", "from the setup\n");
    workspace.mark(&at, ATTEMPT, 2).await.unwrap();
    let begun = workspace.fingerprint(&at).await.unwrap();
    write(&at, "half", "done\n");
    fs::remove_file(at.path.join("before")).unwrap();
    git(&at.path, &["add", "."]);
    git(&at.path, &["commit", "-qm", "mine"]);
    fs::write(world.repo.join(".git/worktrees").join(at.path.file_name().unwrap()).join("index.lock"), "")
        .unwrap();

    let workspace = world.workspace().await;
    let at = workspace.open(&spec(ATTEMPT)).await.unwrap();
    workspace.mark(&at, ATTEMPT, 2).await.unwrap();
    assert_eq!(workspace.fingerprint(&at).await.unwrap(), begun);
    assert!(at.path.join("before").exists() && !at.path.join("half").exists());

    write(&at, "whole", "done\n");
    let taken = take(&workspace, &at, 2).await.unwrap();
    assert_eq!(taken.touched.keys().collect::<Vec<_>>(), ["whole"]);
    // Taken, and then cut off before that was written down: the step is done again from its beginning.
    workspace.mark(&at, ATTEMPT, 2).await.unwrap();
    assert_eq!(workspace.fingerprint(&at).await.unwrap(), begun);
    workspace.mark(&at, ATTEMPT, 4).await.unwrap();
    write(&at, "next", "");
    assert_eq!(take(&workspace, &at, 4).await.unwrap().touched.keys().collect::<Vec<_>>(), ["next"]);
}

#[tokio::test]
async fn secrets_inner_repositories_and_masses_are_refused() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec(ATTEMPT)).await.unwrap();
    workspace.mark(&at, ATTEMPT, 0).await.unwrap();
    write(&at, "notes/env.txt", "LOGIN=hunter2hunter2\n");
    let error = take(&workspace, &at, 0).await.unwrap_err();
    assert!(matches!(&error, WorkspaceError::Secret { path } if path == "notes/env.txt"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");

    workspace.mark(&at, ATTEMPT, 0).await.unwrap();
    fs::create_dir(at.path.join("inner")).unwrap();
    git(&at.path.join("inner"), &["init", "-q"]);
    git(&at.path.join("inner"), &["commit", "-q", "--allow-empty", "-m", "x"]);
    let error = take(&workspace, &at, 0).await.unwrap_err();
    assert!(matches!(&error, WorkspaceError::Nested { path } if path == "inner"), "{error}");

    workspace.mark(&at, ATTEMPT, 0).await.unwrap();
    assert!(!at.path.join("inner").exists());
    fs::File::create(at.path.join("mass")).unwrap().set_len(65 * 1024 * 1024).unwrap();
    let error = take(&workspace, &at, 0).await.unwrap_err();
    assert!(matches!(&error, WorkspaceError::TooMuch { path, .. } if path == "mass"), "{error}");
}

#[tokio::test]
async fn what_was_kept_of_steps_goes_with_the_worktree() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec(ATTEMPT)).await.unwrap();
    workspace.mark(&at, ATTEMPT, 0).await.unwrap();
    assert_ne!(world.git(&["for-each-ref", "refs/glitchlab"]), "");
    workspace.close(&at, false).await.unwrap();
    assert_eq!(world.git(&["for-each-ref", "refs/glitchlab"]), "");
}
