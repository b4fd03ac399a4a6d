//! What stays of a program's run beside the store: what it was told, and what it said.

use std::fs;
use std::io;
use std::path::PathBuf;

use tokio::task::spawn_blocking;

/// The most attempts whose files are kept.
const KEPT: usize = 500;

/// What the names of transcripts end with.
const TRANSCRIPT: &str = "-output.txt";

/// A folder with a folder for each attempt.
#[derive(Clone, Debug)]
pub struct Artifacts {
    folder: PathBuf,
}

impl Artifacts {
    /// Keeps files below a folder, which is made with the first of them.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Names the file with what a program was told in a step.
    #[must_use]
    pub fn prompt(&self, attempt_id: &str, step_n: u32) -> PathBuf {
        self.of(attempt_id).join(format!("{step_n}-prompt.md"))
    }

    /// Names the file with what it said.
    #[must_use]
    pub fn transcript(&self, attempt_id: &str, step_n: u32) -> PathBuf {
        self.of(attempt_id).join(format!("{step_n}{TRANSCRIPT}"))
    }

    /// Writes one of the files.
    ///
    /// # Errors
    ///
    /// Returns what the file system says.
    pub async fn write(&self, path: PathBuf, text: String) -> io::Result<()> {
        let write = move || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, text)
        };
        spawn_blocking(write).await.map_err(io::Error::other)?
    }

    /// Reads what a program said in a step; none when nothing is kept of it.
    ///
    /// # Errors
    ///
    /// Returns what the file system says.
    pub async fn read_transcript(&self, attempt_id: &str, step_n: u32) -> io::Result<Option<String>> {
        let path = self.transcript(attempt_id, step_n);
        let read = move || match fs::read(path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        spawn_blocking(read).await.map_err(io::Error::other)?
    }

    /// Lists the transcripts of an attempt, by step.
    #[must_use]
    pub fn transcripts(&self, attempt_id: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.of(attempt_id)).into_iter().flatten().flatten();
        let is_one = |path: &PathBuf| path.to_string_lossy().ends_with(TRANSCRIPT);
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_one).collect();
        found.sort_unstable();
        found
    }

    /// Removes the files of all attempts but the newest.
    ///
    /// # Errors
    ///
    /// Returns what the file system says.
    pub fn prune(&self) -> io::Result<()> {
        let folders = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let dated = folders
            .flatten()
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
        let mut dated: Vec<_> = dated.collect();
        dated.sort_unstable_by(|a, b| b.cmp(a));
        dated.iter().skip(KEPT).try_for_each(|(_, path)| fs::remove_dir_all(path))
    }

    /// An id that is no plain name never leads elsewhere.
    fn of(&self, attempt_id: &str) -> PathBuf {
        let is_plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_');
        let name: String = attempt_id.chars().filter(|sign| is_plain(*sign)).collect();
        self.folder.join(if name.is_empty() { "attempt" } else { &name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_found_by_attempt_and_step_and_never_outside() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::new(folder.path().join("agents"));
        let path = artifacts.transcript("../../x", 3);
        assert!(path.starts_with(folder.path().join("agents/x")), "{}", path.display());
        artifacts.write(path.clone(), "said\n".into()).await.unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "said\n");
        assert_eq!(artifacts.transcripts("x"), [artifacts.transcript("x", 3)]);
        assert_eq!(artifacts.read_transcript("x", 3).await.unwrap().as_deref(), Some("said\n"));
        assert_eq!(artifacts.read_transcript("x", 4).await.unwrap(), None);
        artifacts.prune().unwrap();
        assert!(artifacts.transcript("x", 3).exists());
    }
}
