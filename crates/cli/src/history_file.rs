//! `.glitchlab/history.jsonl` in the main checkout: one line for each attempt that has ended, each once.
//!
//! The store is the truth and this is its shadow for people and scripts. It follows the commits; what a crash, a full disk
//! or another machine left out is added when the file is next looked through. Nothing here can stop work: what cannot be
//! written is said once and made up for later.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use glitchlab_actors::Engine;
use glitchlab_actors::activation::Activation;
use glitchlab_domain::event::EventKind;
use glitchlab_domain::history::EndedAttempt;
use glitchlab_domain::id::AttemptId;
use glitchlab_pipeline::git::GitRepo;
use glitchlab_store::{Committed, Reader};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

/// Where the file is in a checkout.
const PLACE: &str = ".glitchlab/history.jsonl";
/// The line that keeps it out of `git status`, in a file of the repository that is never committed.
const EXCLUDE: &str = "/.glitchlab/history.jsonl";
/// How many attempts are read and written at once.
const CHUNK: usize = 200;
/// How long an end waits for the last lines.
const PATIENCE: Duration = Duration::from_secs(2);

/// Returns where the file of a checkout is.
pub(crate) fn path_in(checkout: &Path) -> PathBuf {
    checkout.join(PLACE)
}

/// Keeps the file until it is ended.
#[derive(Debug, Default)]
pub(crate) struct HistoryFile {
    stop: CancellationToken,
    keeper: Option<JoinHandle<()>>,
}

impl HistoryFile {
    /// Begins to follow the commits of an engine; a repository without a checkout has no such file, nor one that has it
    /// under version control: that one is not ours to change.
    pub(crate) async fn keep(engine: &Engine, repo: &GitRepo) -> Self {
        let Some(checkout) = repo.checkout.clone() else { return Self::default() };
        let path = path_in(&checkout);
        if let Err(error) = prepare(repo, &checkout).await {
            tracing::warn!(event = "history.off", "{} is not written: {error:#}", path.display());
            return Self::default();
        }
        let (reader, repo_id) = (engine.reader.clone(), engine.repo_id.clone());
        let keeper =
            Keeper { path, reader, repo_id, written: HashSet::new(), is_behind: true, is_said: false };
        let stop = CancellationToken::new();
        let commits = engine.feed.follow(Activation::new(|| true));
        let keeper = tokio::spawn(keeper.run(commits, stop.clone()));
        Self { stop, keeper: Some(keeper) }
    }

    /// Writes what was committed up to now, and ends.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        if let Some(keeper) = self.keeper
            && tokio::time::timeout(PATIENCE, keeper).await.is_err()
        {
            tracing::warn!(
                event = "history.behind",
                "{PLACE} lacks its last lines; the next start adds them"
            );
        }
    }
}

/// Sees to it that the file never makes the checkout dirty.
async fn prepare(repo: &GitRepo, checkout: &Path) -> anyhow::Result<()> {
    let tracked = repo.git.at(checkout, &["ls-files", "--", PLACE]).run().await?.text();
    anyhow::ensure!(
        tracked.trim().is_empty(),
        "it is under version control; `git rm --cached {PLACE}` ends that"
    );
    exclude(&repo.common_dir.join("info"))?;
    fs::create_dir_all(checkout.join(".glitchlab")).context("its folder cannot be made")
}

fn exclude(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join("exclude");
    let known = fs::read_to_string(&path).unwrap_or_default();
    if known.lines().any(|line| line.trim() == EXCLUDE) {
        return Ok(());
    }
    let line_break = if known.is_empty() || known.ends_with('\n') { "" } else { "\n" };
    fs::create_dir_all(folder)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(&path))
        .and_then(|mut file| file.write_all(format!("{line_break}{EXCLUDE}\n").as_bytes()))
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// The one who writes.
struct Keeper {
    path: PathBuf,
    reader: Reader,
    repo_id: String,
    /// What this process has written.
    written: HashSet<AttemptId>,
    /// The file may lack something.
    is_behind: bool,
    /// That it cannot be written was said.
    is_said: bool,
}

impl Keeper {
    async fn run(mut self, mut commits: mpsc::UnboundedReceiver<Arc<Committed>>, stop: CancellationToken) {
        self.note(&[]).await;
        while let Some(committed) = next(&mut commits, &stop).await {
            let ended =
                committed.events.iter().filter(|event| matches!(event.kind, EventKind::TaskFinished { .. }));
            let ids: Vec<_> = ended.filter_map(|event| event.about.attempt_id.clone()).collect();
            if !ids.is_empty() {
                self.note(&ids).await;
            }
        }
    }

    /// Writes what has just ended; after a failure, or at the start, everything that the file lacks.
    async fn note(&mut self, ids: &[AttemptId]) {
        let wrote = if self.is_behind { self.catch_up().await } else { self.add(ids).await };
        self.is_behind = wrote.is_err();
        match wrote {
            Ok(()) => self.is_said = false,
            Err(error) if !self.is_said => {
                self.is_said = true;
                let place = self.path.display();
                tracing::warn!(
                    event = "history.behind",
                    "{place} lacks attempts, they are added later: {error:#}"
                );
            }
            Err(_) => {}
        }
    }

    async fn catch_up(&mut self) -> anyhow::Result<()> {
        let path = self.path.clone();
        let known = spawn_blocking(move || ids_in(&path)).await??;
        let ended = self.reader.ended_ids(&self.repo_id).await?;
        let missing: Vec<_> = ended.into_iter().filter(|id| !known.contains(id)).collect();
        self.written.clear();
        self.add(&missing).await
    }

    async fn add(&mut self, ids: &[AttemptId]) -> anyhow::Result<()> {
        for chunk in ids.chunks(CHUNK) {
            let mut lines = String::new();
            let new: Vec<_> = chunk.iter().filter(|id| !self.written.contains(*id)).cloned().collect();
            for id in &new {
                if let Some(attempt) = self.reader.ended_attempt(id).await? {
                    lines.push_str(&serde_json::to_string(&attempt)?);
                    lines.push('\n');
                }
            }
            let path = self.path.clone();
            spawn_blocking(move || append(&path, &lines)).await??;
            self.written.extend(new);
        }
        Ok(())
    }
}

/// Waits for the next commit; once told to stop, takes only those that are there.
async fn next(
    commits: &mut mpsc::UnboundedReceiver<Arc<Committed>>,
    stop: &CancellationToken,
) -> Option<Arc<Committed>> {
    tokio::select! {
        biased;
        committed = commits.recv() => committed,
        () = stop.cancelled() => commits.try_recv().ok(),
    }
}

/// Appends whole lines. A line that a crash tore is cut off first, and so is one that does not fit on the disk, so that
/// every line of the file is whole.
fn append(path: &Path, lines: &str) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    let whole = end_of_last_line(&mut file)?;
    file.set_len(whole)?;
    file.seek(SeekFrom::Start(whole))?;
    let wrote = file.write_all(lines.as_bytes());
    if wrote.is_err() {
        file.set_len(whole)?;
    }
    wrote
}

/// Returns where the last whole line ends, looking backwards piece by piece.
fn end_of_last_line(file: &mut fs::File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut piece = [0_u8; 4_096];
    while end > 0 {
        let start = end.saturating_sub(piece.len() as u64);
        let size = usize::try_from(end - start).unwrap_or(piece.len());
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut piece[..size])?;
        if let Some(place) = piece[..size].iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn ids_in(path: &Path) -> io::Result<HashSet<AttemptId>> {
    #[derive(serde::Deserialize)]
    struct Line {
        attempt_id: AttemptId,
    }
    let id = |line: &str| serde_json::from_str::<Line>(line).ok().map(|line| line.attempt_id);
    Ok(text_of(path)?.lines().filter_map(id).collect())
}

/// Reads the attempts of a file, the newest line first; lines that cannot be read are left out and counted.
///
/// # Errors
///
/// Returns what the file system says; no file is an empty one.
pub(crate) fn read(path: &Path) -> io::Result<(Vec<EndedAttempt>, usize)> {
    let text = text_of(path)?;
    let lines: Vec<_> = text.lines().rev().map(serde_json::from_str).collect();
    let bad = lines.iter().filter(|line| line.is_err()).count();
    Ok((lines.into_iter().flatten().collect(), bad))
}

fn text_of(path: &Path) -> io::Result<String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_cut_off_before_the_next_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        for (before, after) in
            [("", "new\n"), ("one\n", "one\nnew\n"), ("one\ntor", "one\nnew\n"), ("torn", "new\n")]
        {
            fs::write(&path, before).unwrap();
            append(&path, "new\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after, "after {before:?}");
        }
        let long = format!("one\n{}", "x".repeat(10_000));
        fs::write(&path, long).unwrap();
        append(&path, "new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\nnew\n");
    }

    #[test]
    fn the_exclusion_is_written_once_and_after_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("exclude"), "*.tmp").unwrap();
        exclude(folder.path()).unwrap();
        exclude(folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join("exclude")).unwrap();
        assert_eq!(text, "*.tmp\n/.glitchlab/history.jsonl\n");
    }

    #[test]
    fn no_file_is_an_empty_history_and_a_bad_line_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        assert_eq!(read(&path).unwrap().0.len(), 0);
        fs::write(&path, "{\"attempt_id\":\"a\"}\nnonsense\n").unwrap();
        assert_eq!(ids_in(&path).unwrap(), HashSet::from([AttemptId::from("a")]));
        assert_eq!(read(&path).unwrap().1, 2);
    }
}
