//! Where `history` and `report` read from: the store, or the file of lines when there is no store.

use std::path::{Path, PathBuf};

use anyhow::Context;
use glitchlab_domain::history::{EndedAttempt, EndedFilter};
use glitchlab_store::{Reader, clock};

use crate::args::Place;
use crate::config::values;
use crate::exit::{Code, OrStop, Stop};
use crate::here::Here;
use crate::history_file;
use crate::output::remark;

/// What has ended.
pub(crate) enum Past {
    /// The store.
    Store(Reader, String),
    /// The lines of a file, the newest first.
    Lines(Vec<EndedAttempt>),
}

impl Past {
    /// Opens the store of a repository, or reads its file of lines and says so.
    ///
    /// # Errors
    ///
    /// Returns why the repository, the store or the file cannot be read.
    pub(crate) async fn open(place: &Place) -> Result<Self, Stop> {
        let Here { repo, repo_id, store, reader } = Here::open(place).await?;
        if let Some(reader) = reader {
            return Ok(Self::Store(reader, repo_id));
        }
        let file = repo.checkout.as_deref().map(history_file::path_in);
        Ok(Self::Lines(lines(&store, file).or_stop(Code::Configuration)?))
    }

    /// Returns the attempts that have ended, the newest first.
    ///
    /// # Errors
    ///
    /// Returns what the store says.
    pub(crate) async fn ended(&self, filter: &EndedFilter, limit: u32) -> anyhow::Result<Vec<EndedAttempt>> {
        match self {
            Self::Store(reader, repo_id) => Ok(reader.ended_attempts(repo_id, filter, limit).await?),
            Self::Lines(lines) => {
                let passes = |line: &&EndedAttempt| {
                    filter.since_ms.is_none_or(|since| line.ended_ms >= since)
                        && filter.bead_id.as_ref().is_none_or(|id| *id == line.bead_id)
                };
                let most = usize::try_from(limit).unwrap_or(usize::MAX);
                Ok(lines.iter().filter(passes).take(most).cloned().collect())
            }
        }
    }
}

fn lines(store: &Path, file: Option<PathBuf>) -> anyhow::Result<Vec<EndedAttempt>> {
    let missing = format!("There is no store at {}", store.display());
    let Some(file) = file.filter(|file| file.exists()) else {
        remark(&format!("{missing}: no engine has run here"));
        return Ok(Vec::new());
    };
    let (lines, bad) =
        history_file::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    remark(&format!("{missing}: this is what {} knows", file.display()));
    if bad > 0 {
        remark(&format!("{bad} lines of it cannot be read and are left out"));
    }
    Ok(lines)
}

/// Reads how far back, such as `7d` or `12h`, and returns that instant, ms UTC.
///
/// # Errors
///
/// Returns what to write instead.
pub(crate) fn since(text: &str) -> anyhow::Result<i64> {
    let days = text.trim().strip_suffix('d').and_then(|days| days.trim().parse::<i64>().ok());
    let ms = match days.filter(|days| (1..=36_500).contains(days)) {
        Some(days) => days * 86_400_000,
        None => values::duration("--since", text)
            .map_err(|_| {
                anyhow::anyhow!(
                    "--since `{text}` is not a time; write a number and a unit, such as 7d, 12h or 30m"
                )
            })?
            .as_millis()
            .try_into()
            .unwrap_or(i64::MAX),
    };
    Ok(clock::wall()().saturating_sub(ms))
}
