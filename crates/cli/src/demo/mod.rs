//! The demo: a repository of its own in a temporary folder, with a small real program that is mostly wrong, a backlog
//! that says what is wrong, and a script of what a model answers.
//!
//! The program prints the page of a wall calendar. Each bead mends one of its modules, and wakes the tests of that
//! module, which are marked `#[ignore]` until then: so the suite is green on every base, and a change that is not right
//! turns it red. Everything but the model is real. Nothing is read from the person's own repositories or settings.

mod content;
mod repository;
mod script;
#[cfg(test)]
mod tests;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use glitchlab_domain::money::MicroUsd;
use glitchlab_models::scripted::Script;

/// The repository's test command. The build folder is named: one that the person's environment names would be shared
/// by all worktrees, which would then wait for each other and take each other's results for their own.
const TEST_COMMAND: &str = "cargo test --offline --quiet --target-dir target";

/// A demo that is ready to be worked on. Its folder stays, so that the result can be looked at.
#[derive(Clone, Debug)]
pub(crate) struct Demo {
    /// The new folder that holds everything else.
    pub(crate) folder: PathBuf,
    /// The repository, with `main` checked out and clean.
    pub(crate) repo: PathBuf,
    /// The beads file, in the repository.
    pub(crate) backlog: PathBuf,
    /// Where the store is to be, in a folder that the engine makes; there is none yet.
    pub(crate) store: PathBuf,
    /// Who commits, as `Name <mail>`.
    pub(crate) author: String,
    /// The repository's test command, run by `sh`.
    pub(crate) test_command: String,
    /// What the model replies, and what that costs.
    pub(crate) script: Script,
    /// How many tasks are worked on at once.
    pub(crate) workers: u32,
    /// The cap of any rolling hour. All of the demo costs about a dollar, which is pretended.
    pub(crate) cap_hour: MicroUsd,
    /// The cap of any rolling 24 hours.
    pub(crate) cap_day: MicroUsd,
}

/// Makes a new folder in `parent` and puts everything there, committed.
///
/// # Errors
///
/// Fails when git or a Rust toolchain is missing or does not work, saying how to get it, and when the folder cannot be
/// written. What was written until then is removed.
pub(crate) fn prepare(parent: &Path) -> anyhow::Result<Demo> {
    tool::require(&tool::GIT)?;
    tool::require(&tool::CARGO)?;
    let made = tempfile::Builder::new().prefix("glitchlab-demo-").tempdir_in(parent);
    let made = made.with_context(|| {
        format!(
            "the demo needs a folder in {}: make room there or set TMPDIR to another place",
            parent.display()
        )
    })?;
    let folder = made.path().canonicalize().context("the demo's folder went away as it was made")?;
    let demo = Demo::in_folder(folder)?;
    write(&demo.repo)?;
    repository::commit(&demo.repo)?;
    tool::try_build(&demo.repo)?;
    // From here on it belongs to the person.
    let _ = made.keep();
    Ok(demo)
}

impl Demo {
    fn in_folder(folder: PathBuf) -> anyhow::Result<Self> {
        let repo = folder.join("almanac");
        Ok(Self {
            backlog: repo.join(content::BACKLOG),
            store: folder.join("engine/state.db"),
            author: repository::AUTHOR.to_string(),
            test_command: TEST_COMMAND.to_owned(),
            script: script::script()?,
            workers: 3,
            // A tenth of it is there at once: the demo spends what others do in a quarter of an hour within a minute.
            cap_hour: MicroUsd::new(20_000_000),
            cap_day: MicroUsd::new(80_000_000),
            repo,
            folder,
        })
    }
}

fn write(repo: &Path) -> anyhow::Result<()> {
    for (path, text) in content::FILES {
        let path = repo.join(path);
        let folder = path.parent().unwrap_or(repo);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("the demo cannot write {}: make room there", path.display()))?;
    }
    Ok(())
}
