//! `.glitchlab/config.toml`: its keys, and errors that name the file, the line and the nearest key.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::args::Merge;

/// The file as it is written; what is absent is not set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) config_version: Option<u32>,
    pub(crate) backlog: Backlog,
    pub(crate) work: Work,
    pub(crate) budget: Budget,
    pub(crate) models: Models,
    pub(crate) forge: Forge,
    pub(crate) web: Web,
    pub(crate) shutdown: Shutdown,
    pub(crate) store: Store,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Backlog {
    pub(crate) path: Option<PathBuf>,
    pub(crate) include_labels: Option<Vec<String>>,
    pub(crate) exclude_labels: Option<Vec<String>>,
    pub(crate) work_types: Option<Vec<String>>,
    pub(crate) max_priority: Option<i64>,
    pub(crate) poll_interval: Option<String>,
    pub(crate) close_epics: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Work {
    pub(crate) workers: Option<u32>,
    pub(crate) base: Option<String>,
    pub(crate) setup: Option<String>,
    pub(crate) test: Option<String>,
    pub(crate) allow_untested: Option<bool>,
    pub(crate) test_timeout: Option<String>,
    pub(crate) attempts: Option<u32>,
    pub(crate) protected: Option<Vec<String>>,
    pub(crate) author: Option<String>,
    pub(crate) max_diff_lines: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Budget {
    pub(crate) per_hour: Option<String>,
    pub(crate) per_day: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Models {
    pub(crate) default: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Forge {
    pub(crate) merge: Option<Merge>,
    pub(crate) max_open: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Web {
    pub(crate) listen: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Shutdown {
    pub(crate) drain: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) url: Option<String>,
    pub(crate) min_free_disk: Option<String>,
}

/// Reads the file of a repository; one that is not there sets nothing.
///
/// # Errors
///
/// Returns what is wrong, with file and line, and the nearest key for one that is not known.
pub(crate) fn read(path: &Path) -> anyhow::Result<File> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => anyhow::bail!("{} cannot be read: {error}", path.display()),
    };
    let file: File = toml::from_str(&text).map_err(|error| explained(path, &text, &error))?;
    if file.config_version.is_some_and(|version| version != 1) {
        anyhow::bail!(
            "{}: config_version is not 1, the only version that this glitchlab knows",
            path.display()
        );
    }
    Ok(file)
}

fn explained(path: &Path, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let hint = suggestion(error.message()).map(|key| format!("; did you mean `{key}`?")).unwrap_or_default();
    anyhow::anyhow!("{}:{line}: {}{hint}", path.display(), error.message())
}

/// Finds the nearest of the keys that serde's message lists after the unknown one.
fn suggestion(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| message.starts_with("unknown field"))?;
    let nearest = quoted.map(|key| (distance(unknown, key), key)).min()?;
    (nearest.0 <= unknown.len().div_ceil(2)).then(|| nearest.1.to_owned())
}

/// Counts the insertions, removals and changes between two words (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).expect("the file is written");
        read(&path).expect_err("the text is wrong").to_string()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
        let error = error_of("config_version = 1\n[work]\nworkrs = 2\n");
        assert!(error.contains("config.toml:3:") && error.contains("did you mean `workers`?"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_with_its_line() {
        let error = error_of("[work]\nworkers = \"two\"\n");
        assert!(error.contains("config.toml:2:"), "{error}");
    }

    #[test]
    fn a_later_configuration_version_is_refused() {
        assert!(error_of("config_version = 2\n").contains("config_version"));
    }

    #[test]
    fn a_missing_file_sets_nothing() {
        let file = read(Path::new("/nonexistent/config.toml")).expect("nothing is set");
        assert!(file.work.workers.is_none());
    }
}
