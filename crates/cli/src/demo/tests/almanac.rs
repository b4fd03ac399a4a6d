//! A checkout of the program, changed as the script says.

use std::fs;
use std::path::Path;
use std::process::Command;

use glitchlab_domain::bead::BeadId;
use glitchlab_models::reply::{Action, EditRound};

use super::super::Demo;
use super::super::tool::{self, GIT};

/// The checkout, in which changes pile up as they would on the base.
pub(super) struct Almanac {
    demo: Demo,
}

/// What a test run came to.
pub(super) struct Run {
    pub(super) green: bool,
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) ignored: usize,
    pub(super) output: String,
}

impl Almanac {
    pub(super) fn new(demo: Demo) -> Self {
        Self { demo }
    }

    /// Runs the repository's test command.
    pub(super) fn test(&self) -> Run {
        self.run(&[])
    }

    /// Runs the repository's test command with more arguments.
    pub(super) fn run(&self, more: &[&str]) -> Run {
        let line = format!("{} {}", self.demo.test_command, more.join(" "));
        let output = Command::new("sh").args(["-c", &line]).current_dir(&self.demo.repo).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let warns = text.lines().any(|line| line.starts_with("warning"));
        assert!(!warns, "the compiler warns:\n{text}");
        let (passed, failed, ignored) =
            (count(&text, "passed"), count(&text, "failed"), count(&text, "ignored"));
        assert!(passed + failed > 0, "no tests ran:\n{text}");
        Run { green: output.status.success(), passed, failed, ignored, output: text }
    }

    /// Does what the rounds say; only what changes files counts.
    pub(super) fn apply(&self, rounds: &[EditRound]) {
        assert!(rounds.last().is_some_and(|round| round.done), "the last round must be done");
        for round in rounds {
            round.actions.iter().for_each(|action| self.act(action));
            let asks = round.actions.contains(&Action::RunTests);
            assert!(!asks || !self.test().green, "tests were asked for to see them red");
        }
    }

    fn act(&self, action: &Action) {
        match action {
            Action::Write { path, content } => fs::write(self.demo.repo.join(path), content).unwrap(),
            Action::Replace { path, old, new } => {
                let place = self.demo.repo.join(path);
                let text = fs::read_to_string(&place).unwrap();
                assert_eq!(text.matches(old).count(), 1, "{path} must contain once: {old}");
                fs::write(place, text.replace(old, new)).unwrap();
            }
            Action::Remove { path } => fs::remove_file(self.demo.repo.join(path)).unwrap(),
            Action::Read { path } => assert!(self.demo.repo.join(path).is_file(), "{path} is not there"),
            Action::List | Action::Search { .. } | Action::RunTests => {}
        }
    }

    pub(super) fn undo(&self) {
        self.git(&["restore", "."]);
    }

    pub(super) fn commit(&self, id: &BeadId) {
        self.git(&["commit", "--quiet", "--all", "-m", id.as_str()]);
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        let mut command = tool::command(&GIT, &self.demo.repo);
        let output = command.env("GIT_CONFIG_GLOBAL", "/dev/null").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Reads `3 failed;` and the like.
fn count(text: &str, word: &str) -> usize {
    let results = text.lines().filter_map(|line| line.strip_prefix("test result: "));
    let parts =
        results.flat_map(|line| line.split([';', '.'])).filter_map(|part| part.trim().split_once(' '));
    parts.filter(|(_, what)| *what == word).filter_map(|(number, _)| number.parse::<usize>().ok()).sum()
}

/// Names the files below a folder, relative to it.
pub(super) fn files(top: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(top).unwrap().display().to_string());
            }
        }
    }
    found
}
