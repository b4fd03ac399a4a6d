//! A repository is checked once, and each thing that is missing is said with the way to mend it.

use glitchlab_pipeline::git::{GitRepo, RepoError, RepoOptions};

use crate::support::World;

#[tokio::test]
async fn a_fresh_repository_is_ready_for_work() {
    let world = World::new();
    let repo = world.open().await;
    assert_eq!((repo.base.as_str(), repo.base_commit), ("main", world.main()));
    assert_eq!(repo.author.to_string(), "Ada <ada@example.org>");
    assert_eq!(repo.checkout, Some(world.repo.clone()));
    assert_eq!((repo.dirty_files, repo.shallow), (0, false));
}

#[tokio::test]
async fn a_repository_is_found_from_inside_it() {
    let world = World::new();
    world.write("src/a.rs", "");
    let repo = GitRepo::open(&world.repo.join("src"), &RepoOptions::new(world.environment())).await.unwrap();
    assert_eq!(repo.checkout, Some(world.repo.clone()));
}

#[tokio::test]
async fn a_directory_that_is_no_repository_is_refused() {
    let world = World::new();
    for path in [world.top(), world.top().join("nowhere")] {
        let error = GitRepo::open(&path, &RepoOptions::new(world.environment())).await.unwrap_err();
        assert!(matches!(error, RepoError::NotARepository { .. }), "{error}");
        assert!(error.to_string().contains("--repo"));
    }
}

#[tokio::test]
async fn a_repository_without_a_commit_is_refused() {
    let error = World::empty().try_open().await.unwrap_err();
    assert!(matches!(error, RepoError::NoCommit { .. }), "{error}");
    assert!(error.to_string().contains("git commit"));
}

#[tokio::test]
async fn a_base_that_is_not_there_is_refused_with_those_that_are() {
    let world = World::new();
    for base in ["mian", "main~0", "*", "-q", ""] {
        let options = RepoOptions { base: Some(base.into()), ..RepoOptions::new(world.environment()) };
        let error = GitRepo::open(&world.repo, &options).await.unwrap_err();
        assert!(matches!(error, RepoError::NoBase { .. }), "{base:?}: {error}");
        assert!(error.to_string().contains("main"), "{error}");
    }
}

#[tokio::test]
async fn without_a_branch_checked_out_the_base_must_be_named() {
    let world = World::new();
    world.git(&["checkout", "--quiet", "--detach"]);
    let error = world.try_open().await.unwrap_err();
    assert!(matches!(error, RepoError::NoBranch { .. }), "{error}");
    let options = RepoOptions { base: Some("main".into()), ..RepoOptions::new(world.environment()) };
    assert_eq!(GitRepo::open(&world.repo, &options).await.unwrap().base, "main");
}

#[tokio::test]
async fn the_default_base_is_that_of_the_remote() {
    let world = World::new();
    let clone = world.top().join("clone");
    world.git_in(&world.top(), &["clone", "--quiet", "repo", "clone"]);
    world.git_in(&clone, &["config", "user.name", "Ada"]);
    world.git_in(&clone, &["config", "user.email", "ada@example.org"]);
    world.git_in(&clone, &["checkout", "--quiet", "-b", "feature/x"]);
    let options = RepoOptions::new(world.environment());
    assert_eq!(GitRepo::open(&clone, &options).await.unwrap().base, "main");
    world.git_in(&clone, &["branch", "--quiet", "-D", "main"]);
    let error = GitRepo::open(&clone, &options).await.unwrap_err();
    assert!(error.to_string().contains("git branch main origin/main"), "{error}");
}

#[tokio::test]
async fn without_an_author_it_is_said_how_to_set_one() {
    let world = World::new();
    world.git(&["config", "--unset", "user.email"]);
    let error = world.try_open().await.unwrap_err();
    assert!(matches!(error, RepoError::NoIdentity { .. }), "{error}");
    assert!(error.to_string().contains("author = ") && error.to_string().contains("user.email"));
}

#[tokio::test]
async fn a_configured_author_is_used_when_it_is_one() {
    let world = World::new();
    world.git(&["config", "--unset", "user.email"]);
    let author =
        |text: &str| RepoOptions { author: Some(text.into()), ..RepoOptions::new(world.environment()) };
    let repo = GitRepo::open(&world.repo, &author("Grace <grace@example.org>")).await.unwrap();
    assert_eq!(repo.author.name(), "Grace");
    let error = GitRepo::open(&world.repo, &author("Grace")).await.unwrap_err();
    assert!(matches!(error, RepoError::BadAuthor(_)), "{error}");
}

#[tokio::test]
async fn a_dirty_checkout_is_counted_and_left_alone() {
    let world = World::new();
    world.write("README.md", "changed\n");
    world.write("new.txt", "new\n");
    world.write("ignored/x", "x\n");
    let before = world.git(&["status", "--porcelain"]);
    assert_eq!(world.open().await.dirty_files, 2);
    assert_eq!(world.git(&["status", "--porcelain"]), before);
}

#[tokio::test]
async fn a_bare_repository_has_no_checkout() {
    let world = World::new();
    world.git_in(&world.top(), &["clone", "--quiet", "--bare", "repo", "bare.git"]);
    let options = RepoOptions { author: Some("Ada <a@b.c>".into()), ..RepoOptions::new(world.environment()) };
    let repo = GitRepo::open(&world.top().join("bare.git"), &options).await.unwrap();
    assert!(repo.is_bare());
    assert_eq!(repo.base, "main");
}

#[tokio::test]
async fn the_repository_of_a_surrounding_hook_is_not_taken_for_this_one() {
    let (world, other) = (World::new(), World::new());
    let environment =
        world.environment().with("GIT_DIR", other.repo.join(".git")).with("GIT_INDEX_FILE", "/nowhere");
    let repo = GitRepo::open(&world.repo, &RepoOptions::new(environment)).await.unwrap();
    assert_eq!(repo.base_commit, world.main());
}

#[tokio::test]
async fn a_history_that_is_cut_off_is_noticed() {
    let world = World::new();
    world.commit_all("More");
    let source = format!("file://{}", world.repo.display());
    world.git_in(&world.top(), &["clone", "--quiet", "--depth=1", &source, "shallow"]);
    let options = RepoOptions { author: Some("Ada <a@b.c>".into()), ..RepoOptions::new(world.environment()) };
    assert!(GitRepo::open(&world.top().join("shallow"), &options).await.unwrap().shallow);
}

#[tokio::test]
async fn without_git_it_is_said_to_install_it() {
    let world = World::new();
    let options = RepoOptions::new(world.environment().with("PATH", world.top()));
    let error = GitRepo::open(&world.repo, &options).await.unwrap_err();
    assert!(matches!(error, RepoError::NoGit { .. }), "{error}");
    assert!(error.to_string().contains("install git"));
}

#[tokio::test]
async fn an_old_git_is_refused() {
    let world = World::new();
    crate::support::script(&world.top().join("bin/git"), "echo git version 2.30.2");
    let options = RepoOptions::new(world.environment().with("PATH", world.top().join("bin")));
    let error = GitRepo::open(&world.repo, &options).await.unwrap_err();
    assert!(matches!(error, RepoError::GitTooOld { .. }), "{error}");
    assert!(error.to_string().contains("2.38"));
}
