//! The first moments of a boot: this repository is ours, the dead are known, what they left is ended and paid for.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use glitchlab_actors::{Engine, durable, recovery};
use glitchlab_domain::command::Command;
use glitchlab_domain::ledger::Usage;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::{AttemptRow, ChildRow, ProcessRow};
use glitchlab_pipeline::git::GitRepo;
use glitchlab_pipeline::git::sweep::{SETTLE, sweep_own_locks};
use glitchlab_pipeline::process::engine::Engine as Process;
use glitchlab_pipeline::process::{ChildProcess, leftovers};
use glitchlab_pipeline::workspace::git::GitWorkspace;
use glitchlab_pipeline::workspace::prune::KeepPolicy;
use glitchlab_runtime::Failure;

/// How long a start waits for whoever holds the repository.
const PATIENCE: Duration = Duration::from_secs(1);

/// Holds the repository for this process; another engine on it is refused.
#[derive(Debug)]
pub(crate) struct RepoHold {
    _file: File,
}

impl RepoHold {
    /// Takes the repository.
    ///
    /// # Errors
    ///
    /// Returns who holds it.
    pub(crate) async fn take(repo: &GitRepo) -> anyhow::Result<Self> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            match Self::try_take(repo)? {
                Ok(hold) => return Ok(hold),
                Err(holder) if tokio::time::Instant::now() >= until => {
                    anyhow::bail!("another engine works on this repository (process {holder}); stop it first")
                }
                // A command that says a word to an engine that is not there holds it for a moment.
                Err(_) => tokio::time::sleep(PATIENCE / 20).await,
            }
        }
    }

    /// Takes the repository if nobody holds it, otherwise returns who does.
    ///
    /// # Errors
    ///
    /// Returns why the lock's file cannot be opened.
    pub(crate) fn try_take(repo: &GitRepo) -> anyhow::Result<Result<Self, String>> {
        let folder = repo.own_dir();
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("engine.lock");
        let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = opened.with_context(|| format!("cannot open {}", path.display()))?;
        if file.try_lock().is_err() {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Ok(Err(holder.trim().to_owned()));
        }
        // The content only tells people; the lock itself ends with the process.
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(Ok(Self { _file: file }))
    }
}

/// What a boot found and did before it took work.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    /// Earlier boots that had not ended in order.
    pub(crate) dead_boots: usize,
    /// Processes of theirs that still ran.
    pub(crate) processes: usize,
    /// Reservations of theirs that were open.
    pub(crate) open_calls: usize,
    /// Attempts that go on.
    pub(crate) resumed: usize,
    /// git locks of theirs.
    pub(crate) locks: usize,
    /// Worktrees of attempts that had ended.
    pub(crate) worktrees: usize,
    /// The caps as they now stand in the store, and what the windows hold.
    pub(crate) usage: Usage,
}

/// Writes the process row, ends and pays for what dead boots left, and clears the repository.
///
/// # Errors
///
/// Returns what the store or git says.
pub(crate) async fn begin(
    engine: &Arc<Engine>,
    process: ProcessRow,
    caps: (MicroUsd, MicroUsd),
    repo: &GitRepo,
    workspace: &GitWorkspace,
) -> anyhow::Result<Found> {
    said(recovery::writing(engine, recover(engine, process, caps, repo, workspace)).await)?
}

/// Takes a failure of the engine as an error of the program.
fn said<T>(result: Result<T, Failure>) -> anyhow::Result<T> {
    result.map_err(|failure| anyhow::anyhow!(failure))
}

async fn recover(
    engine: &Arc<Engine>,
    process: ProcessRow,
    caps: (MicroUsd, MicroUsd),
    repo: &GitRepo,
    workspace: &GitWorkspace,
) -> anyhow::Result<Found> {
    let dead_boots = said(recovery::announce(engine, process, caps, is_alive).await)?;
    let mut found = Found { dead_boots, ..Found::default() };
    found.usage = engine
        .reader
        .ledger(&engine.scope, engine.now_ms())
        .await?
        .map(|head| head.usage())
        .unwrap_or_default();
    found.processes = end_leftovers(engine).await?;
    found.open_calls = recovery::settle_open(&engine.reader, &engine.queue).await?;
    found.locks = sweep_own_locks(repo, SETTLE).await?.removed.len();
    let claims = engine.reader.claims(&engine.repo_id).await?;
    let running: HashSet<String> = claims.iter().map(|claim| claim.attempt_id.to_string()).collect();
    let put_down = engine.reader.running_attempts().await?.into_iter().filter(AttemptRow::asks_a_person);
    let put_down: HashSet<String> = put_down.map(|attempt| attempt.attempt_id.to_string()).collect();
    found.resumed = running.difference(&put_down).count();
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(engine.now_ms()).unwrap_or(0));
    found.worktrees = workspace.prune_worktrees(&running, KeepPolicy::usual(now)).await?.len();
    Ok(found)
}

fn is_alive(row: &ProcessRow) -> bool {
    Process { host: row.host.clone(), pid: row.pid, start_ticks: row.start_ticks }.is_alive()
}

/// Ends what dead boots left running, before anything new may spend.
async fn end_leftovers(engine: &Engine) -> anyhow::Result<usize> {
    let rows = recovery::leftovers(&engine.reader, &engine.host).await?;
    let recorded: Vec<ChildProcess> = rows.iter().map(child).collect();
    let swept = leftovers::kill(&recorded).await;
    anyhow::ensure!(
        swept.survivors.is_empty(),
        "processes of an earlier run cannot be ended: {:?}; end them by hand, they may still spend",
        swept.survivors
    );
    for row in rows {
        let ended = Command::EndChild { attempt_id: row.attempt_id, n: row.n };
        durable::insist(&engine.queue, ended).await??;
    }
    Ok(swept.found)
}

fn child(row: &ChildRow) -> ChildProcess {
    ChildProcess { pid: row.pid, pgid: row.pgid, start_ticks: row.start_ticks, host: row.host.clone() }
}
