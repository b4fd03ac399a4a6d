//! A second engine, which tests kill: this program once more, with a part to play.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use glitchlab_pipeline::forge::{Forge, MergeResult};
use glitchlab_pipeline::process::{
    ChildProcess, ChildWatch, Command as Program, RunLimits, WatchError, contained, leftovers,
};
use glitchlab_pipeline::workspace::{Workspace, WorktreeSpec, name};

use crate::support::{World, environment, merge_of, message, spec, write};

const PART: &str = "GLITCHLAB_TEST_PART";
const PLACE: &str = "GLITCHLAB_TEST_PLACE";

/// A running second engine, killed at the latest when it is dropped.
pub(crate) struct Engine(Child);

impl Engine {
    /// Starts one that plays `part` in the directory of a [`World`].
    pub(crate) fn play(part: &str, place: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "engine::plays_a_part_when_it_is_told_to"])
            .env(PART, part)
            .env(PLACE, place);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Says whether it played its part to the end.
    pub(crate) fn is_done(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a proof by itself: the part that the second process plays. Without one there is nothing to do.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the variables are how a test tells its second process what to do"
)]
async fn plays_a_part_when_it_is_told_to() {
    let (Ok(part), Ok(place)) = (std::env::var(PART), std::env::var(PLACE)) else { return };
    let place = PathBuf::from(place);
    match part.as_str() {
        "never opens the gate" => {
            let watch = Recorder { place: place.clone(), opens: false };
            run(&place, "echo ran >ran", &watch).await;
        }
        "runs daemons" => {
            let line = "trap '' TERM; echo $$ >>pids; setsid sh -c 'echo $$ >>pids; exec sleep 1000' & \
                        (env -i setsid /bin/sh -c 'echo $$ >>pids; exec /bin/sleep 1000' &); sleep 1000";
            run(&place, line, &Recorder { place: place.clone(), opens: true }).await;
        }
        "kills its guard" => {
            // The guard is the shim's other child.
            let line = "for kid in $(cat /proc/$PPID/task/*/children); do [ $kid = $$ ] || kill -KILL $kid; done; \
                        echo $$ >>pids; (env -i setsid /bin/sh -c 'echo $$ >>pids; exec /bin/sleep 1000' &); exec sleep 1000";
            run(&place, line, &Recorder { place: place.clone(), opens: true }).await;
        }
        "merges" => {
            let world = World::at(&place);
            let branch = spec("attempt1").branch;
            world.forge().await.merge(&merge_of("gl-1 g1", &branch)).await.unwrap();
        }
        "commits" => {
            let world = World::at(&place);
            let workspace = world.workspace().await;
            let at = workspace.open(&spec("attempt1")).await.unwrap();
            workspace.commit(&at, &message("attempt1")).await.unwrap();
        }
        "works through ten tasks" => work_through_ten_tasks(&World::at(&place)).await,
        other => panic!("there is no part {other:?}"),
    }
}

/// What an engine does from its start on: what was left is swept, what is merged is not done again.
pub(crate) async fn work_through_ten_tasks(world: &World) {
    leftovers::kill(&[]).await;
    let (forge, workspace) = (world.forge().await, world.workspace().await);
    for n in 0..10 {
        let (task, attempt) = (format!("task{n}"), format!("attempt{n}"));
        let spec = WorktreeSpec {
            bead_id: task.clone(),
            branch: name::branch_name(&task, &attempt),
            ..spec(&attempt)
        };
        let at = match workspace.find(&attempt, &task).await.unwrap() {
            Some(at) => at,
            None if forge.find_merge(&task, "main").await.unwrap().is_some() => continue,
            None => workspace.open(&spec).await.unwrap(),
        };
        write(&at.path.join(format!("src/{task}.txt")), &format!("{task}\n").repeat(1000));
        workspace.commit(&at, &message(&task)).await.unwrap();
        let merged = forge.merge(&merge_of(&task, &at.branch)).await.unwrap();
        assert!(
            matches!(merged, MergeResult::Merged { .. } | MergeResult::AlreadyMerged { .. }),
            "{merged:?}"
        );
        workspace.close(&at, false).await.unwrap();
    }
}

async fn run(place: &Path, line: &str, watch: &Recorder) {
    let program = Program::shell(line, place, environment(place));
    let limits = RunLimits { timeout: Duration::from_secs(600), max_output_bytes: 1024 };
    contained::run(&program, &limits, Duration::from_millis(100), watch).await.unwrap();
}

/// Writes down the shim's process id.
struct Recorder {
    place: PathBuf,
    opens: bool,
}

#[async_trait]
impl ChildWatch for Recorder {
    async fn started(&self, process: &ChildProcess) -> Result<(), WatchError> {
        std::fs::write(self.place.join("shim.new"), process.pid.to_string()).unwrap();
        std::fs::rename(self.place.join("shim.new"), self.place.join("shim")).unwrap();
        if !self.opens {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn ended(&self, _: &ChildProcess) {}

    fn progress(&self) {}
}
