//! The list of providers: which model a name means, and how it is opened.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::account::{Account, Clock};
use crate::port::Model;
use crate::scripted::{Script, ScriptError, Scripted};
use crate::simulated::{Profile, Simulated};

/// The names that are known.
pub const KNOWN: &str = "`simulated/fast`, `simulated/realistic`, `simulated/subscription`, `simulated/drill-awaits`, `simulated/drill-blocks`, `simulated/drill-blocks-all` (all with `?seed=N`), `scripted/demo`, `scripted/<file>`";

/// A model by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Draws everything from a seed.
    Simulated {
        /// How it behaves.
        profile: Profile,
        /// What it draws from.
        seed: u64,
    },
    /// Replays the script that the caller brings along.
    Demo,
    /// Replays a script of a file.
    Scripted {
        /// The file.
        path: PathBuf,
    },
}

/// Why a name is no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// Nothing has this name.
    #[error("there is no model `{name}`; known are {KNOWN}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The part behind the `?` is wrong.
    #[error("`{text}` in the model's name is not a setting; write `?seed=` and a whole number")]
    Setting {
        /// The part.
        text: String,
    },
    /// The script cannot be used.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The provider's account cannot be opened.
    #[error("cannot open the provider's account {}: {source}", path.display())]
    Account {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The demo's script is part of the demo only.
    #[error("`scripted/demo` belongs to `--demo`; give `scripted/<file>` to replay a script of your own")]
    NoDemo,
}

/// Reads `simulated/fast`, `simulated/fast?seed=7`, `scripted/demo` or `scripted/<file>`.
impl FromStr for Choice {
    type Err = CatalogError;

    fn from_str(name: &str) -> Result<Self, CatalogError> {
        let unknown = || CatalogError::Unknown { name: name.to_owned() };
        match name.split_once('/').ok_or_else(unknown)? {
            ("scripted", "demo") => Ok(Self::Demo),
            ("scripted", path) if !path.is_empty() => Ok(Self::Scripted { path: path.into() }),
            ("simulated", rest) => {
                let (profile, setting) = rest.split_once('?').map_or((rest, None), |(p, s)| (p, Some(s)));
                let profile = Profile::named(profile).ok_or_else(unknown)?;
                Ok(Self::Simulated { profile, seed: setting.map_or(Ok(0), seed)? })
            }
            _ => Err(unknown()),
        }
    }
}

fn seed(setting: &str) -> Result<u64, CatalogError> {
    let number = setting.strip_prefix("seed=").and_then(|text| text.parse().ok());
    number.ok_or_else(|| CatalogError::Setting { text: setting.to_owned() })
}

/// Opens a model by its name; it appends what it bills to the file `account`.
///
/// # Errors
///
/// Fails when nothing has this name, when its script cannot be read, or when its account cannot be written.
pub fn open(name: &str, account: &Path, clock: Clock) -> Result<Arc<dyn Model>, CatalogError> {
    let choice: Choice = name.parse()?;
    let opened = Account::file(account, clock);
    let account = opened.map_err(|source| CatalogError::Account { path: account.to_owned(), source })?;
    choice.open(account, None)
}

impl Choice {
    /// Says whether its money and work are pretended.
    #[must_use]
    pub const fn simulated(&self) -> bool {
        match self {
            Self::Simulated { .. } | Self::Demo | Self::Scripted { .. } => true,
        }
    }

    /// Opens the model; `demo` is the script of the demo, where there is one.
    ///
    /// # Errors
    ///
    /// Fails when a script is missing or cannot be read.
    pub fn open(&self, account: Account, demo: Option<Script>) -> Result<Arc<dyn Model>, CatalogError> {
        Ok(match self {
            Self::Simulated { profile, seed } => Arc::new(Simulated::new(*profile, *seed, account)),
            Self::Demo => {
                Arc::new(Scripted::new("scripted/demo", demo.ok_or(CatalogError::NoDemo)?, account))
            }
            Self::Scripted { path } => {
                let id = format!("scripted/{}", path.display());
                Arc::new(Scripted::new(id, Script::read(path)?, account))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str) -> String {
        name.parse::<Choice>().unwrap_err().to_string()
    }

    #[test]
    fn each_known_name_means_its_model() {
        let fast = |seed| Choice::Simulated { profile: Profile::Fast, seed };
        assert_eq!("simulated/fast".parse::<Choice>().unwrap(), fast(0));
        assert_eq!("simulated/fast?seed=7".parse::<Choice>().unwrap(), fast(7));
        assert_eq!("scripted/demo".parse::<Choice>().unwrap(), Choice::Demo);
        let script = Choice::Scripted { path: "a/b.json".into() };
        assert_eq!("scripted/a/b.json".parse::<Choice>().unwrap(), script);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        for name in ["", "fast", "simulated/slow", "scripted/", "gpt/5"] {
            assert!(message(name).contains("known are `simulated/fast`"), "{name}: {}", message(name));
        }
        assert!(message("simulated/fast?seed=x").contains("`?seed=`"));
    }

    #[test]
    fn a_model_is_opened_by_its_name_and_a_missing_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let clock: Clock = Arc::new(|| 0);
        let model = open("simulated/fast", &dir.path().join("a.jsonl"), Arc::clone(&clock)).unwrap();
        assert_eq!((model.id(), model.simulated()), ("simulated/fast", true));
        let error = open("simulated/fast", &dir.path().join("none/a.jsonl"), clock).err().unwrap();
        assert!(error.to_string().contains("none/a.jsonl"), "{error}");
    }

    #[test]
    fn the_demo_cannot_be_opened_without_its_script() {
        let account = Account::memory(Arc::new(|| 0));
        let error = Choice::Demo.open(account, None).err().unwrap();
        assert!(error.to_string().contains("--demo"));
    }
}
