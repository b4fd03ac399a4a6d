//! The file in which tests say that they did not really run.
//!
//! Rust's test runner knows no "skipped at run time". A test that finds a tool missing appends one line
//! `SKIPPED: <test> because <reason>` to the file named by `GLITCHLAB_SKIPS`, prints it too, and returns.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::workspace;

/// The environment variable by which the tests are told of the file.
pub(crate) const VARIABLE: &str = "GLITCHLAB_SKIPS";

/// The file, empty at the start of a run.
pub(crate) struct Skips {
    file: PathBuf,
}

impl Skips {
    /// Makes the file empty; an error names its path.
    pub(crate) fn start() -> Result<Self> {
        let folder = workspace::target().join("xtask");
        fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
        let file = folder.join(format!("skips-{}", std::process::id()));
        fs::write(&file, "").with_context(|| format!("can't write {}", file.display()))?;
        Ok(Self { file })
    }

    /// Returns the path to hand to the tests.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.file
    }

    /// Returns the lines that the tests left, and removes the file.
    pub(crate) fn finish(self) -> Result<Vec<String>> {
        let text = match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(|| format!("can't read {}", self.file.display()))?,
        };
        // A file that stays behind is empty again at the next run that has this id.
        let _ = fs::remove_file(&self.file);
        Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_tests_appended_are_returned_once_and_the_file_is_gone() {
        let skips = Skips::start().unwrap();
        let path = skips.path().to_owned();
        fs::write(&path, "SKIPPED: a because b\n\nSKIPPED: c because d\n").unwrap();
        assert_eq!(skips.finish().unwrap(), ["SKIPPED: a because b", "SKIPPED: c because d"]);
        assert!(!path.exists());
    }
}
