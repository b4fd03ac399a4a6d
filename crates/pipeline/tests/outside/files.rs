//! What an attempt may read and change in its worktree.

use std::os::unix::fs::symlink;

use glitchlab_pipeline::workspace::{Hit, Workspace, WorkspaceError};

use crate::support::{World, file_in, spec, write};

#[tokio::test]
async fn the_list_names_tracked_and_new_files_and_no_ignored_ones() {
    let world = World::new();
    let workspace = world.workspace_with(|options| options.max_listed = 3).await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("src/new.rs"), "");
    write(&at.path.join("ignored/x"), "");
    assert_eq!(workspace.list(&at).await.unwrap(), [".gitignore", "README.md", "src/new.rs"]);
    workspace.remove_file(&at, "README.md").await.unwrap();
    write(&at.path.join("src/other.rs"), "");
    write(&at.path.join("z"), "");
    assert_eq!(workspace.list(&at).await.unwrap(), [".gitignore", "src/new.rs", "src/other.rs"]);
}

#[tokio::test]
async fn a_search_finds_fixed_text_in_new_files_too() {
    let world = World::new();
    let workspace = world.workspace_with(|options| options.max_hits = 3).await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join("a b.txt"), "no\nt.o here\n");
    write(&at.path.join("ignored/x"), "t.o\n");
    write(&at.path.join("binary"), "t.o\0\n");
    let hit = Hit { path: "a b.txt".into(), line: 2, text: "t.o here".into() };
    assert_eq!(workspace.search(&at, "t.o").await.unwrap(), [hit]);
    assert_eq!(workspace.search(&at, "nowhere").await.unwrap(), []);
    assert_eq!(workspace.search(&at, "--help").await.unwrap(), []);
    write(&at.path.join("many"), &"same\n".repeat(10));
    assert_eq!(workspace.search(&at, "same").await.unwrap().len(), 3);
    for pattern in ["", "a\nb"] {
        assert!(matches!(workspace.search(&at, pattern).await, Err(WorkspaceError::Pattern { .. })));
    }
}

#[tokio::test]
async fn a_flood_of_hits_is_bounded() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    for n in 0..20 {
        write(&at.path.join(format!("f{n}")), &format!("needle{}\n", "x".repeat(200_000)));
    }
    let hits = workspace.search(&at, "needle").await.unwrap();
    assert!(!hits.is_empty() && hits.iter().all(|hit| hit.text.len() <= 300));
}

#[tokio::test]
async fn files_are_written_replaced_and_removed() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    workspace.write(&at, "src/deep/a.rs", "fn old() {}\n").await.unwrap();
    workspace.replace(&at, "src/deep/a.rs", "old", "new").await.unwrap();
    assert_eq!(workspace.read(&at, "src/deep/a.rs").await.unwrap(), "fn new() {}\n");
    assert!(matches!(
        workspace.replace(&at, "README.md", "o", "0").await,
        Err(WorkspaceError::NotOnce { found: 2, .. })
    ));
    workspace.remove_file(&at, "README.md").await.unwrap();
    assert!(matches!(workspace.read(&at, "README.md").await, Err(WorkspaceError::NotFound { .. })));
}

#[tokio::test]
async fn no_path_leads_out_of_the_worktree() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    symlink(&world.repo, at.path.join("way-out")).unwrap();
    for path in ["../x", "/etc/passwd", "way-out/README.md", "way-out/new"] {
        let outside = |error: WorkspaceError| {
            assert!(matches!(error, WorkspaceError::Outside { .. }), "{path}: {error}");
        };
        outside(workspace.read(&at, path).await.unwrap_err());
        outside(workspace.write(&at, path, "x").await.unwrap_err());
        outside(workspace.replace(&at, path, "one", "x").await.unwrap_err());
        outside(workspace.remove_file(&at, path).await.unwrap_err());
    }
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn protected_paths_are_not_written_under_any_name() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    write(&at.path.join(".github/workflows/ci.yml"), "on: push\n");
    symlink(".github", at.path.join("alias")).unwrap();
    for path in [
        ".github/workflows/ci.yml",
        "alias/workflows/ci.yml",
        ".beads/x",
        ".git",
        ".git/config",
        "./.glitchlab/x",
    ] {
        let refused = |error: WorkspaceError| {
            assert!(matches!(error, WorkspaceError::Protected { .. }), "{path}: {error}");
        };
        refused(workspace.write(&at, path, "x").await.unwrap_err());
        refused(workspace.replace(&at, path, "push", "x").await.unwrap_err());
    }
    let error = workspace.remove_file(&at, "alias/workflows/ci.yml").await.unwrap_err();
    assert!(matches!(error, WorkspaceError::Protected { .. }), "{error}");
    assert_eq!(file_in(&at, ".github/workflows/ci.yml"), "on: push\n");
}

#[tokio::test]
async fn a_write_that_loses_most_of_a_file_is_refused_and_a_replacement_is_not() {
    let world = World::new();
    let workspace = world.workspace().await;
    let at = workspace.open(&spec("attempt1")).await.unwrap();
    let long = format!("start\n{}end\n", "line\n".repeat(1000));
    workspace.write(&at, "long", &long).await.unwrap();
    let error = workspace.write(&at, "long", "// rest unchanged\n").await.unwrap_err();
    assert!(matches!(error, WorkspaceError::Shrinks { .. }), "{error}");
    assert_eq!(file_in(&at, "long"), long);
    workspace.replace(&at, "long", &"line\n".repeat(1000), "").await.unwrap();
    assert_eq!(file_in(&at, "long"), "start\nend\n");
}
