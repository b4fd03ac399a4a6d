//! An attempt over real git, real processes and real files.

use std::path::Path;
use std::process::Command;

use glitchlab_domain::command::Claimed;
use glitchlab_domain::outcome::Outcome;
use serde_json::json;

use super::super::*;
use super::world::World;
use crate::fakes::Fuse;
use crate::forge::local::LocalForge;
use crate::git::{GitRepo, RepoOptions};
use crate::process::Environment;
use crate::workspace::git::{GitWorkspace, WorkspaceOptions};

fn git(at: &Path, arguments: &[&str]) -> String {
    let said = Command::new("git")
        .args(arguments)
        .current_dir(at)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(said.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// A repository with a script whose test wants the word `green`.
fn repository(at: &Path) {
    git(at, &["init", "--quiet", "--initial-branch=main"]);
    git(at, &["config", "user.name", "Ada"]);
    git(at, &["config", "user.email", "ada@example.org"]);
    std::fs::write(at.join("sum.rs"), "red\n").unwrap();
    std::fs::write(at.join("check.sh"), "grep -q green sum.rs || { echo it is red; exit 3; }\n").unwrap();
    git(at, &["add", "."]);
    git(at, &["commit", "--quiet", "-m", "Begin"]);
}

fn environment(home: &Path) -> Environment {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    Environment::new([("PATH", path), ("GIT_CONFIG_GLOBAL", "/dev/null")]).with("HOME", home)
}

struct Real {
    world: World,
    dir: tempfile::TempDir,
}

impl Real {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("repo")).unwrap();
        repository(&dir.path().join("repo"));
        let mut world = World::new()
            .reply("implement", json!({
                "actions": [{"tool": "replace", "path": "sum.rs", "old": "red", "new": "blue"}],
                "done": true, "summary": "painted",
            }))
            .reply("debug", json!({
                "actions": [{"tool": "write", "path": "sum.rs", "content": "green\n"}], "done": true, "summary": "painted",
            }));
        world.settings.test = Some("sh check.sh".to_owned());
        Self { world, dir }
    }

    fn repo(&self) -> std::path::PathBuf {
        self.dir.path().join("repo")
    }

    async fn job(&self, claimed: &Claimed, fuse: &Fuse) -> Job {
        let mut job = self.world.job(claimed, fuse);
        let environment = environment(self.dir.path());
        let repo = GitRepo::open(&self.repo(), &RepoOptions::new(environment.clone())).await.unwrap();
        let worktrees = self.dir.path().join("worktrees");
        let options = WorkspaceOptions::new(environment);
        job.workspace = Arc::new(GitWorkspace::new(repo.clone(), &worktrees, options).unwrap());
        job.forge = Arc::new(LocalForge::new(repo));
        job
    }

    fn check_merged(&self, ended: &Ended) {
        assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
        let merges = git(
            &self.repo(),
            &["log", "--merges", "--format=%(trailers:key=Glitchlab-Task,valueonly)", "main"],
        );
        assert_eq!(merges.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>(), ["gl-1"]);
        assert_eq!(git(&self.repo(), &["show", "main:sum.rs"]), "green");
        assert_eq!(git(&self.repo(), &["status", "--porcelain"]), "");
        assert_eq!(std::fs::read_to_string(self.repo().join("sum.rs")).unwrap(), "green\n");
    }
}

#[tokio::test]
async fn red_turns_green_in_a_worktree_and_is_merged_into_the_checkout() {
    let real = Real::new();
    let claimed = real.world.claim();
    let job = real.job(&claimed, &Fuse::never()).await;
    let ended = run(&job).await.unwrap();
    real.check_merged(&ended);
    assert!(real.world.last_turn(3).contains("it is red"), "{}", real.world.last_turn(3));
    tidy(&job.workspace, &claimed.task, &claimed.attempt, ended.keep_worktree).await;
    assert_eq!(git(&real.repo(), &["worktree", "list"]).lines().count(), 1);
    assert_eq!(git(&real.repo(), &["branch", "--list", "glitchlab/*"]), "");
}

#[tokio::test]
async fn an_attempt_over_real_git_goes_on_where_it_was_interrupted() {
    for point in (3..70).step_by(7) {
        let real = Real::new();
        let mut claimed = real.world.claim();
        let fuse = Fuse::at(point);
        let job = real.job(&claimed, &fuse).await;
        let ended = tokio::select! {
            ended = run(&job) => Some(ended.unwrap()),
            () = fuse.blown() => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                claimed = real.world.log.take_over(&claimed);
                run(&real.job(&claimed, &Fuse::never()).await).await.unwrap()
            }
        };
        real.check_merged(&ended);
    }
}

#[tokio::test]
async fn a_change_is_refused_before_it_is_made_as_it_would_be_when_it_is() {
    let real = Real::new();
    let claimed = real.world.claim();
    std::fs::write(real.repo().join("long.txt"), "long\n".repeat(1_000)).unwrap();
    git(&real.repo(), &["add", "."]);
    git(&real.repo(), &["commit", "--quiet", "-m", "Go on"]);
    let job = real.job(&claimed, &Fuse::never()).await;
    let at = crate::run::Run::new(&job).worktree().await.unwrap();
    for (path, content) in [
        (".github/ci.yml", "x"),
        (".git/config", "x"),
        ("../out", "x"),
        ("long.txt", "short"),
        ("sum.rs", "green"),
        ("new/file.rs", "new"),
    ] {
        let asked =
            job.workspace.check_change(&at, path, Some(content)).await.map_err(|error| error.to_string());
        let made = job.workspace.write(&at, path, content).await;
        assert_eq!(asked, made.map_err(|error| error.to_string()), "{path}");
    }
    assert!(job.workspace.check_change(&at, "long.txt", None).await.is_ok());
}
