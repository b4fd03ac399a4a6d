//! A merge is made once, never over anybody's work.

use glitchlab_pipeline::forge::local::LocalForge;
use glitchlab_pipeline::forge::{Forge, ForgeError, Merge, MergeResult, Merged};
use glitchlab_pipeline::git::{GitRepo, RepoOptions};

use crate::support::{World, merge_of, script};

async fn merge(world: &World, merge: &Merge) -> MergeResult {
    world.forge().await.merge(merge).await.unwrap()
}

fn count_of(world: &World, task: &str) -> usize {
    let grep = format!("--grep=Glitchlab-Task: {task}");
    world.git(&["log", "--format=%H", "--fixed-strings", &grep, "main"]).lines().count()
}

/// Leaves `main` checked out nowhere.
fn leave_main(world: &World) {
    world.git(&["checkout", "--quiet", "-b", "elsewhere"]);
}

#[tokio::test]
async fn a_merge_is_made_without_a_checkout() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    leave_main(&world);
    let before = world.main();
    let MergeResult::Merged { commit } = merge(&world, &merge_of("gl-1 g1", &branch)).await else {
        panic!("not merged")
    };
    assert_eq!(world.main(), commit);
    assert_eq!(
        world.git(&["rev-parse", "main^1", "main^2"]),
        format!("{before}\n{}", world.git(&["rev-parse", &branch]))
    );
    assert_eq!(world.git(&["show", "main:new.txt"]), "new");
    let trailers = world.git(&["show", "--no-patch", "--format=%an%n%(trailers:only,unfold)", "main"]);
    assert_eq!(trailers, "Ada\nGlitchlab-Task: gl-1 g1\nCo-authored-by: GLITCHLAB <glitchlab@localhost>");
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn the_same_merge_twice_makes_one_commit() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    let MergeResult::Merged { commit } = merge(&world, &merge_of("gl-1 g1", &branch)).await else {
        panic!("not merged")
    };
    let again = merge(&world, &merge_of("gl-1 g1", &branch)).await;
    assert_eq!(again, MergeResult::AlreadyMerged { commit: commit.clone() });
    let other_attempt = world.branch_with("attempt2", "new2.txt", "new\n").await;
    let again = merge(&world, &merge_of("gl-1 g1", &other_attempt)).await;
    assert_eq!(again, MergeResult::AlreadyMerged { commit });
    assert_eq!(count_of(&world, "gl-1 g1"), 1);
}

#[tokio::test]
async fn many_engines_at_once_merge_each_task_once() {
    let world = World::new();
    let mut branches = Vec::new();
    for n in 1..=4 {
        branches.push(world.branch_with(&format!("attempt{n}"), &format!("f{n}"), "x\n").await);
    }
    let repo = world.open().await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let forge = LocalForge::new(repo.clone());
        let branches = branches.clone();
        running.spawn(async move {
            for branch in branches {
                forge.merge(&merge_of(&branch, &branch)).await.unwrap();
            }
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    for branch in &branches {
        assert_eq!(count_of(&world, branch), 1, "{branch}");
    }
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_base_that_moved_since_the_tests_is_told_and_not_merged() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    let tested = world.main();
    let base_commit = world.commit_all("Someone else");
    let request = Merge { expected_base: Some(tested), ..merge_of("gl-1 g1", &branch) };
    assert_eq!(merge(&world, &request).await, MergeResult::BaseMoved { base_commit: base_commit.clone() });
    let request = Merge { expected_base: Some(base_commit), ..request };
    assert!(matches!(merge(&world, &request).await, MergeResult::Merged { .. }));
}

/// Puts a git before the real one that lets somebody else move `main` just before it does `command` for us.
async fn forge_with_a_rival(world: &World, command: &str) -> LocalForge {
    let rival = format!(
        "for a in \"$@\"; do [ \"$a\" = {command} ] && [ ! -e {top}/moved ] && touch {top}/moved && \
         (unset GIT_DIR; cd {repo} && PATH=${{PATH#*:}} git update-ref refs/heads/main $(cat {top}/rival)); done\n\
         PATH=${{PATH#*:}} exec git \"$@\"",
        top = world.top().display(),
        repo = world.repo.display(),
    );
    script(&world.top().join("bin/git"), &rival);
    let base = world.git(&["commit-tree", "main^{tree}", "-p", "main", "-m", "Rival"]);
    crate::support::write(&world.top().join("rival"), &base);
    let (_, path) = std::env::vars_os().find(|(name, _)| name == "PATH").unwrap();
    let mut with_rival = world.top().join("bin").into_os_string();
    with_rival.push(":");
    with_rival.push(path);
    let options = RepoOptions::new(world.environment().with("PATH", with_rival));
    LocalForge::new(GitRepo::open(&world.repo, &options).await.unwrap())
}

#[tokio::test]
async fn a_base_that_moves_at_the_last_moment_wins() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    leave_main(&world);
    let forge = forge_with_a_rival(&world, "update-ref").await;
    let base_commit = world.git(&["rev-parse", "main"]);
    let result = forge.merge(&merge_of("gl-1 g1", &branch)).await.unwrap();
    let rival = std::fs::read_to_string(world.top().join("rival")).unwrap();
    assert_ne!(rival, base_commit);
    assert_eq!(result, MergeResult::BaseMoved { base_commit: rival.clone() });
    assert_eq!(world.main(), rival);
}

#[tokio::test]
async fn a_checked_out_base_that_moves_at_the_last_moment_wins() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    let forge = forge_with_a_rival(&world, "merge").await;
    let result = forge.merge(&merge_of("gl-1 g1", &branch)).await.unwrap();
    let rival = std::fs::read_to_string(world.top().join("rival")).unwrap();
    assert_eq!(result, MergeResult::BaseMoved { base_commit: rival.clone() });
    assert_eq!(world.main(), rival);
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_checked_out_base_is_fast_forwarded_and_other_changes_stay() {
    let world = World::new();
    world.write("mine.txt", "mine\n");
    world.commit_all("Mine");
    let branch = world.branch_with("attempt1", "src/new.txt", "new\n").await;
    world.write("README.md", "one\ntwo\nthree\nstaged\n");
    world.git(&["add", "README.md"]);
    world.write("mine.txt", "mine, changed\n");
    world.write("untracked.txt", "untracked\n");
    let before = world.git(&["status", "--porcelain"]);
    let MergeResult::Merged { commit } = merge(&world, &merge_of("gl-1 g1", &branch)).await else {
        panic!("not merged")
    };
    assert_eq!((world.main(), world.git(&["rev-parse", "HEAD"])), (commit.clone(), commit));
    assert_eq!(world.read("src/new.txt"), "new\n");
    assert_eq!(world.read("mine.txt"), "mine, changed\n");
    assert_eq!(world.git(&["status", "--porcelain"]), before);
}

#[tokio::test]
async fn a_base_in_a_linked_checkout_of_the_user_is_fast_forwarded_there() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    leave_main(&world);
    let linked = world.top().join("linked");
    world.git(&["worktree", "add", "--quiet", linked.to_str().unwrap(), "main"]);
    assert!(matches!(merge(&world, &merge_of("gl-1 g1", &branch)).await, MergeResult::Merged { .. }));
    assert!(linked.join("new.txt").exists() && !world.repo.join("new.txt").exists());
    assert_eq!(world.git_in(&linked, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn overlapping_changes_of_the_user_stop_the_merge() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "README.md", "one\n2\nthree\n").await;
    let base = world.main();
    let request = merge_of("gl-1 g1", &branch);
    let refused = MergeResult::BaseCheckedOutDirty { files: vec!["README.md".into()] };
    world.write("README.md", "one\ntwo\nthree\nmine\n");
    assert_eq!(merge(&world, &request).await, refused);
    world.git(&["add", "README.md"]);
    assert_eq!(merge(&world, &request).await, refused);
    assert_eq!(world.main(), base);
    assert_eq!(world.read("README.md"), "one\ntwo\nthree\nmine\n");
    world.git(&["reset", "--quiet", "--hard"]);
    assert!(matches!(merge(&world, &request).await, MergeResult::Merged { .. }));
}

#[tokio::test]
async fn a_file_that_git_ignores_for_the_user_is_not_overwritten() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "secrets.env", "theirs\n").await;
    crate::support::write(&world.repo.join(".git/info/exclude"), "secrets.env\n");
    world.write("secrets.env", "mine\n");
    let result = merge(&world, &merge_of("gl-1 g1", &branch)).await;
    assert_eq!(result, MergeResult::BaseCheckedOutDirty { files: vec!["secrets.env".into()] });
    assert_eq!(world.read("secrets.env"), "mine\n");
}

#[tokio::test]
async fn an_unfinished_merge_of_the_user_is_not_disturbed() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    world.git(&["branch", "side"]);
    world.write("side.txt", "side\n");
    world.commit_all("On main");
    world.git(&["checkout", "--quiet", "side"]);
    world.write("other.txt", "other\n");
    world.commit_all("On side");
    world.git(&["checkout", "--quiet", "main"]);
    world.git(&["merge", "--quiet", "--no-commit", "--no-ff", "side"]);
    let base = world.main();
    let error = world.forge().await.merge(&merge_of("gl-1 g1", &branch)).await.unwrap_err();
    assert!(matches!(error, ForgeError::CheckoutBusy { .. }), "{error}");
    assert_eq!(world.main(), base);
    assert!(world.repo.join(".git/MERGE_HEAD").exists());
}

#[tokio::test]
async fn a_branch_that_the_user_is_rebasing_is_not_moved() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    world.git(&["branch", "side"]);
    world.write("README.md", "mine\n");
    world.commit_all("On main");
    world.git(&["checkout", "--quiet", "side"]);
    world.write("README.md", "theirs\n");
    world.commit_all("On side");
    world.git(&["checkout", "--quiet", "main"]);
    assert!(!world.try_git(&world.repo, &["rebase", "side"]).0);
    let base = world.main();
    let repo = RepoOptions { base: Some("main".into()), ..RepoOptions::new(world.environment()) };
    let forge = LocalForge::new(GitRepo::open(&world.repo, &repo).await.unwrap());
    let error = forge.merge(&merge_of("gl-1 g1", &branch)).await.unwrap_err();
    assert!(error.to_string().contains("being rebased"), "{error}");
    assert_eq!(world.main(), base);
}

#[tokio::test]
async fn a_conflict_names_the_files() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "README.md", "one\n2\nthree\n").await;
    world.write("README.md", "one\nzwei\nthree\n");
    let base = world.commit_all("Someone else");
    let result = merge(&world, &merge_of("gl-1 g1", &branch)).await;
    assert_eq!(result, MergeResult::Conflict { files: vec!["README.md".into()] });
    assert_eq!(world.main(), base);
}

#[tokio::test]
async fn a_branch_that_brings_nothing_is_not_merged() {
    let world = World::new();
    world.git(&["branch", "glitchlab/empty"]);
    assert_eq!(merge(&world, &merge_of("gl-1 g1", "glitchlab/empty")).await, MergeResult::NothingToMerge);
    let same = world.branch_with("attempt1", "new.txt", "new\n").await;
    world.write("new.txt", "new\n");
    world.commit_all("The same by someone else");
    assert_eq!(merge(&world, &merge_of("gl-1 g1", &same)).await, MergeResult::NothingToMerge);
}

#[tokio::test]
async fn a_branch_that_is_gone_is_told() {
    let world = World::new();
    let error = world.forge().await.merge(&merge_of("gl-1 g1", "glitchlab/gone")).await.unwrap_err();
    assert!(matches!(error, ForgeError::NoBranch { .. }), "{error}");
    let error = world.forge().await.merge(&merge_of("gl-1\nSigned-off-by: x", "main")).await.unwrap_err();
    assert!(matches!(error, ForgeError::TaskId { .. }), "{error}");
}

#[tokio::test]
async fn a_merge_into_a_bare_repository_works() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    let bare = world.top().join("bare.git");
    world.git_in(&world.top(), &["clone", "--quiet", "--bare", "repo", "bare.git"]);
    let options = RepoOptions { author: Some("Ada <a@b.c>".into()), ..RepoOptions::new(world.environment()) };
    let forge = LocalForge::new(GitRepo::open(&bare, &options).await.unwrap());
    let MergeResult::Merged { commit } = forge.merge(&merge_of("gl-1 g1", &branch)).await.unwrap() else {
        panic!("not merged")
    };
    assert_eq!(world.git_in(&bare, &["rev-parse", "main"]), commit);
}

#[tokio::test]
async fn a_hook_that_fails_after_the_merge_does_not_undo_it() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    script(&world.repo.join(".git/hooks/post-merge"), "touch ../hook-ran; exit 1");
    assert!(matches!(merge(&world, &merge_of("gl-1 g1", &branch)).await, MergeResult::Merged { .. }));
    assert!(world.top().join("hook-ran").exists());
}

#[tokio::test]
async fn a_merge_is_found_by_its_trailer_whoever_made_it_and_whatever_follows() {
    let world = World::new();
    let branch = world.branch_with("attempt1", "new.txt", "new\n").await;
    let forge = world.forge().await;
    assert_eq!(forge.find_merge("gl-1 g1", "main").await.unwrap(), None);
    let MergeResult::Merged { commit } = forge.merge(&merge_of("gl-1 g1", &branch)).await.unwrap() else {
        panic!("not merged")
    };
    world.commit_all("Later");
    assert_eq!(forge.find_merge("gl-1 g1", "main").await.unwrap(), Some(Merged { commit: commit.clone() }));
    assert_eq!(world.forge().await.find_merge("gl-1 g1", "main").await.unwrap(), Some(Merged { commit }));
    assert_eq!(forge.find_merge("gl-1 g2", "main").await.unwrap(), None);
    assert_eq!(forge.find_merge("gl-1", "main").await.unwrap(), None);
    world.git(&["reset", "--quiet", "--hard", "HEAD~2"]);
    assert_eq!(forge.find_merge("gl-1 g1", "main").await.unwrap(), None);
}
