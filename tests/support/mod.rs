//! A scratch repository, the program run on it, and what can be seen of it afterwards.

pub(crate) mod receiver;
pub(crate) mod server;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use glitchlab_domain::event::Event;
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Reason;
use glitchlab_domain::rows::{AttemptRow, CallRow, ClaimRow};
use glitchlab_domain::task::TaskRow;
use glitchlab_store::{Reader, Sqlite};
use tempfile::TempDir;

/// The longest that any run of a scenario may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// A folder with a repository and a store of its own; nothing of the user's is read or written.
pub(crate) struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// Makes a repository with one commit on `main`.
    pub(crate) fn new() -> Self {
        let scratch = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(scratch.repo()).expect("the repository's folder is made");
        scratch.git(&["init", "--quiet", "-b", "main"]);
        scratch.git(&["config", "user.name", "Test Person"]);
        scratch.git(&["config", "user.email", "person@example.invalid"]);
        fs::write(scratch.repo().join("README.md"), "scratch\n").expect("a file is written");
        // How full the disk of this machine is must not decide what a scenario shows.
        scratch.own_settings("[store]\nmin_free_disk = \"64MiB\"\n");
        scratch.git(&["add", "."]);
        scratch.git(&["commit", "--quiet", "-m", "start"]);
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.path().join("repo")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path().join("state/state.db")
    }

    /// Writes a backlog file outside of the repository.
    pub(crate) fn backlog(&self, text: &str) -> PathBuf {
        let path = self.path().join("backlog.jsonl");
        fs::write(&path, text).expect("the backlog is written");
        path
    }

    /// Writes the repository's configuration as an editor does: beside it, then over it. Returns its path.
    pub(crate) fn configure(&self, text: &str) -> PathBuf {
        let folder = self.repo().join(".glitchlab");
        fs::create_dir_all(&folder).expect("a folder");
        let (draft, path) = (folder.join("config.toml.new"), folder.join("config.toml"));
        fs::write(&draft, text).expect("a file");
        fs::rename(&draft, &path).expect("replaced");
        path
    }

    /// Writes the user's own configuration.
    pub(crate) fn own_settings(&self, text: &str) {
        let folder = self.path().join("config-home/glitchlab");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("config.toml"), text).expect("a file");
    }

    /// Runs git in the repository and returns what it printed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        self.isolate(&mut command);
        let output = command.current_dir(self.repo()).args(arguments).output().expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn isolate(&self, command: &mut Command) {
        command
            .env("HOME", self.path())
            .env("XDG_STATE_HOME", self.path().join("state-home"))
            .env("XDG_CONFIG_HOME", self.path().join("config-home"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GLITCHLAB_LOG")
            // A receiver of this machine's telemetry gets none of the scenarios.
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .env_remove("OTEL_EXPORTER_OTLP_HEADERS")
            // What runs the tests is no service manager of ours.
            .env_remove("INVOCATION_ID")
            .env_remove("NOTIFY_SOCKET");
    }

    /// Prepares a run of the program; its output goes to files.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glitchlab"));
        self.isolate(&mut command);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Starts `continuous` on the repository, its store and a free port.
    pub(crate) fn start(&self, arguments: &[&str]) -> Run {
        let (repo, store) = (self.repo(), self.store());
        let own = ["continuous", "--repo", text(&repo), "--store", text(&store), "--listen", "127.0.0.1:0"];
        self.launch(&[&own, arguments].concat())
    }

    /// Starts `continuous` like [`Scratch::start`], under limits that a shell sets before.
    pub(crate) fn start_under(&self, limits: &str, arguments: &[&str]) -> Run {
        let (repo, store) = (self.repo(), self.store());
        let own = ["continuous", "--repo", text(&repo), "--store", text(&store), "--listen", "127.0.0.1:0"];
        let mut command = Command::new("sh");
        self.isolate(&mut command);
        command.arg("-c").arg(format!("{limits}; exec \"$0\" \"$@\"")).arg(env!("CARGO_BIN_EXE_glitchlab"));
        command.args([&own, arguments].concat()).current_dir(self.path()).stdin(Stdio::null());
        self.spawn(command)
    }

    /// Starts `continuous` like [`Scratch::start`], with more in its environment.
    pub(crate) fn start_with<V: AsRef<OsStr>>(&self, variables: &[(V, V)], arguments: &[&str]) -> Run {
        let (repo, store) = (self.repo(), self.store());
        let own = ["continuous", "--repo", text(&repo), "--store", text(&store), "--listen", "127.0.0.1:0"];
        let mut command = self.program(&[&own, arguments].concat());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        self.spawn(command)
    }

    /// Runs a command beside the engine and returns what it printed.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let (repo, store) = (self.repo(), self.store());
        let place = ["--repo", text(&repo), "--store", text(&store)];
        let output = self.program(&[words, &place].concat()).output().expect("the program runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Returns every event of a kind, by its name.
    pub(crate) fn events_named(&self, name: &str) -> Vec<Event> {
        let events = self.read(async |reader| reader.last_events(10_000).await.expect("events are read"));
        events.into_iter().filter(|event| event.kind.name() == name).collect()
    }

    /// Starts the program with exactly these arguments.
    pub(crate) fn launch(&self, arguments: &[&str]) -> Run {
        self.spawn(self.program(arguments))
    }

    /// Starts the program like [`Scratch::launch`], with more in its environment.
    pub(crate) fn launch_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
        let mut command = self.program(arguments);
        command.envs(variables.iter().copied());
        self.spawn(command)
    }

    /// Starts the program like [`Scratch::launch`], beside another; what it prints goes to files of that folder.
    pub(crate) fn launch_into(&self, folder: &Path, arguments: &[&str]) -> Run {
        spawn_into(folder, self.program(arguments))
    }

    fn spawn(&self, command: Command) -> Run {
        spawn_into(self.path(), command)
    }

    /// Reads the store.
    pub(crate) fn read<T>(&self, read: impl AsyncFnOnce(Reader) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let pool = Sqlite::readers(&self.store()).await.expect("the store opens");
            read(Reader::Sqlite(pool)).await
        })
    }

    /// Returns every task.
    pub(crate) fn tasks(&self) -> Vec<TaskRow> {
        let repo_id = self.repo_id();
        self.read(async |reader| reader.tasks(&repo_id).await.expect("tasks are read"))
    }

    /// Returns every task, or nothing while the store is only being made.
    pub(crate) fn try_tasks(&self) -> Option<Vec<TaskRow>> {
        let worktrees = self.path().join("state/worktrees");
        fs::read_dir(worktrees).ok()?.next()?.ok()?;
        let repo_id = self.repo_id();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let pool = Sqlite::readers(&self.store()).await.ok()?;
            Reader::Sqlite(pool).tasks(&repo_id).await.ok()
        })
    }

    /// Returns every claim.
    pub(crate) fn claims(&self) -> Vec<ClaimRow> {
        let repo_id = self.repo_id();
        self.read(async |reader| reader.claims(&repo_id).await.expect("claims are read"))
    }

    /// Returns the attempts at a task.
    pub(crate) fn attempts_of(&self, id: &str) -> Vec<AttemptRow> {
        let key = TaskKey::of(&self.repo_id(), &id.into());
        self.read(async |reader| reader.attempts(&key).await.expect("attempts are read"))
    }

    /// Returns every model call of the simulated ledger.
    pub(crate) fn calls(&self) -> Vec<CallRow> {
        self.calls_of(&format!("simulated:{}", self.repo_id()))
    }

    /// Returns every call of a ledger.
    pub(crate) fn calls_of(&self, scope: &str) -> Vec<CallRow> {
        self.read(async |reader| reader.calls(scope).await.expect("calls are read"))
    }

    /// Tells whether something waits for money although no call is under way: only time can bring it back then.
    pub(crate) fn is_out_of_money(&self) -> bool {
        let repo_id = self.repo_id();
        self.read(async |reader| {
            let ledger = reader.ledger(&format!("simulated:{repo_id}"), 0).await.expect("the ledger is read");
            let tasks = reader.tasks(&repo_id).await.expect("tasks are read");
            let attempts = reader.running_attempts().await.expect("attempts are read");
            let waits =
                attempts.iter().filter_map(|attempt| attempt.waiting.as_ref()).map(|wait| &wait.reason);
            let mut reasons = tasks.iter().filter_map(|task| task.reason.as_ref()).chain(waits);
            ledger.is_some_and(|head| head.usage().reserved == MicroUsd::ZERO)
                && reasons.any(|reason| matches!(reason, Reason::CapReached { .. } | Reason::Paced { .. }))
        })
    }

    pub(crate) fn repo_id(&self) -> String {
        let worktrees = self.path().join("state/worktrees");
        let mut names = fs::read_dir(worktrees).expect("worktrees are there").flatten();
        names.next().expect("one repository").file_name().into_string().expect("a plain name")
    }

    /// Returns what the provider itself says it billed: by try, in micro-dollars.
    pub(crate) fn account(&self) -> BTreeMap<String, i64> {
        let text = fs::read_to_string(self.path().join("state/provider-account.jsonl")).unwrap_or_default();
        let entry = |line: &str| {
            let entry: serde_json::Value = serde_json::from_str(line).expect("a line of the account");
            (entry["key"].as_str().expect("a key").to_owned(), entry["cost_micro"].as_i64().expect("a cost"))
        };
        text.lines().map(entry).collect()
    }

    /// Returns merge commits on the base by the task they carry.
    pub(crate) fn merges(&self) -> BTreeMap<String, usize> {
        let log =
            self.git(&["log", "--first-parent", "--format=%(trailers:key=Glitchlab-Task,valueonly)", "main"]);
        let mut merges = BTreeMap::new();
        for task in log.lines().map(str::trim).filter(|task| !task.is_empty()) {
            *merges.entry(task.to_owned()).or_default() += 1;
        }
        merges
    }

    /// Returns worktrees that are left beside the user's checkout, without those kept of attempts that failed.
    pub(crate) fn worktrees(&self) -> Vec<String> {
        let list = self.git(&["worktree", "list", "--porcelain"]);
        let paths = list.lines().filter_map(|line| line.strip_prefix("worktree ")).skip(1);
        let is_kept = |path: &str| {
            let link = fs::read_to_string(Path::new(path).join(".git")).unwrap_or_default();
            let admin = link.trim().strip_prefix("gitdir: ").map(PathBuf::from).unwrap_or_default();
            admin.join("glitchlab-kept").exists()
        };
        paths.filter(|path| !is_kept(path)).map(str::to_owned).collect()
    }

    /// Returns lock files that are left in the repository.
    pub(crate) fn locks(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, found);
                } else if path.extension().is_some_and(|ending| ending == "lock") {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.repo().join(".git"), &mut found);
        // Held by each engine in turn; it stays as a file and is no lock of git's.
        found.retain(|path| !path.ends_with("glitchlab/engine.lock"));
        found
    }
}

fn spawn_into(folder: &Path, mut command: Command) -> Run {
    let (out, err) = (folder.join("stdout"), folder.join("stderr"));
    command.stdout(File::create(&out).expect("a file")).stderr(File::create(&err).expect("a file"));
    Run { child: command.spawn().expect("the program starts"), out, err }
}

/// Returns the backlog's line of an open task, with `more` fields such as `,"dependencies":[..]`.
pub(crate) fn bead(id: &str, priority: u32, more: &str) -> String {
    let at = "2026-01-01T00:00:00Z";
    format!(
        r#"{{"id":"{id}","title":"Task {id}","priority":{priority},"issue_type":"task","status":"open","created_at":"{at}","updated_at":"{at}"{more}}}"#
    ) + "\n"
}

/// Returns the field by which `id` is blocked by `on`.
pub(crate) fn blocked_by(id: &str, on: &str) -> String {
    format!(r#","dependencies":[{{"issue_id":"{id}","depends_on_id":"{on}","type":"blocks"}}]"#)
}

/// Asks a page for a path, and returns the whole answer.
pub(crate) fn get(address: &str, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).expect("the pages are served");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    answer
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is plain text")
}

/// The program, running.
pub(crate) struct Run {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Run {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Waits until the banner names where the pages are, and returns that.
    pub(crate) fn address(&self) -> String {
        self.until_printed("http://");
        let lines = self.stdout();
        let address = lines.lines().find_map(|line| line.split("http://").nth(1)).expect("it is printed");
        address.trim().to_owned()
    }

    /// Waits for the end and returns the exit code; one that takes too long is killed and fails the test.
    pub(crate) fn wait(mut self) -> Ended {
        let status = wait_for(LIMIT, || self.child.try_wait().expect("the child is ours"));
        let Some(status) = status else {
            let _ = self.child.kill();
            panic!("it did not end within {LIMIT:?}\n{}\n{}", self.stdout(), self.stderr());
        };
        Ended { status, stdout: self.stdout(), stderr: self.stderr() }
    }

    /// Sends a signal by the process's own id.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success(), "the process is gone already\n{}", self.stderr());
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it has printed a text.
    pub(crate) fn until_printed(&self, wanted: &str) {
        let found = || (self.stdout().contains(wanted) || self.stderr().contains(wanted)).then_some(());
        assert!(
            wait_for(LIMIT, found).is_some(),
            "`{wanted}` was not printed\n{}\n{}",
            self.stdout(),
            self.stderr()
        );
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Checks the exit code and shows everything when it is another one.
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// Says that a test did not really run, so that the suite can tell.
#[expect(clippy::print_stdout, reason = "it is for the person who runs the tests")]
#[expect(clippy::disallowed_methods, reason = "the suite names the file by a variable")]
pub(crate) fn skipped(test: &str, reason: &str) {
    use std::io::Write as _;
    let line = format!("SKIPPED: {test} because {reason}\n");
    print!("{line}");
    if let Ok(file) = std::env::var("GLITCHLAB_SKIPS") {
        let mut file = File::options().append(true).create(true).open(file).expect("the file of skips");
        file.write_all(line.as_bytes()).expect("the file of skips is written");
    }
}

/// Looks again and again, for real processes only, until there is something or the time is over.
pub(crate) fn wait_for<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > until {
            return None;
        }
        pause(Duration::from_millis(20));
    }
}

#[expect(clippy::disallowed_methods, reason = "a real process has no virtual time")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// The sample backlog, 524 issues.
pub(crate) const SAMPLE: &str = include_str!("../../crates/backlog/tests/data/glitchlab-beads.jsonl");
