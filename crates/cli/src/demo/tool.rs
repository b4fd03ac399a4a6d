//! The programs that the demo needs, and what to tell a person who lacks one.

use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A program, and how to get it.
#[derive(Debug)]
pub(super) struct Tool {
    program: &'static str,
    advice: &'static str,
}

/// The git command.
pub(super) const GIT: Tool = Tool {
    program: "git",
    advice: "install git 2.38 or newer, such as with `apt install git` or `brew install git`",
};

/// Cargo, with a compiler and a linker behind it.
pub(super) const CARGO: Tool = Tool {
    program: "cargo",
    advice: "install a Rust toolchain with rustup, and a C compiler as its linker, such as with `apt install gcc`",
};

/// Something that the demo needs is not there or does not work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unavailable {
    /// The program cannot be started.
    #[error("the demo needs {program}, which cannot be started ({why}): {advice}")]
    Missing {
        /// Its name.
        program: &'static str,
        /// How to get it.
        advice: &'static str,
        /// Why not.
        why: io::Error,
    },
    /// The program fails.
    #[error("the demo needs {program}, but `{call}` fails: {said}\n{advice}")]
    Fails {
        /// Its name.
        program: &'static str,
        /// How to get one that works.
        advice: &'static str,
        /// What was called.
        call: String,
        /// What it printed.
        said: String,
    },
}

/// Variables that lead git to another repository than the one it is called in.
const GIT_PLACES: [&str; 10] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
];

/// Prepares a call in a folder.
pub(super) fn command(tool: &Tool, folder: &Path) -> Command {
    let mut command = Command::new(tool.program);
    command.current_dir(folder).stdin(Stdio::null());
    for name in GIT_PLACES {
        command.env_remove(name);
    }
    command
}

/// Checks that a program can be started.
pub(super) fn require(tool: &Tool) -> Result<(), Unavailable> {
    let mut command = command(tool, Path::new("."));
    command.arg("--version");
    run(tool, command)
}

/// Builds the tests once, without running them: that a compiler or linker is missing is better known now than told by
/// every task.
pub(super) fn try_build(repo: &Path) -> Result<(), Unavailable> {
    let mut command = command(&CARGO, repo);
    command.args(["test", "--offline", "--quiet", "--no-run", "--target-dir", "target"]);
    run(&CARGO, command)
}

/// Runs a call to its end.
pub(super) fn run(tool: &Tool, mut command: Command) -> Result<(), Unavailable> {
    let (program, advice) = (tool.program, tool.advice);
    let output = command.output().map_err(|why| Unavailable::Missing { program, advice, why })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Unavailable::Fails { program, advice, call: words(&command), said: said(&output) })
}

fn words(command: &Command) -> String {
    let all = std::iter::once(command.get_program()).chain(command.get_args());
    all.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// What it printed as errors, or else how it ended.
fn said(output: &Output) -> String {
    match String::from_utf8_lossy(&output.stderr).trim() {
        "" => output.status.to_string(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_the_way_to_get_it() {
        let tool = Tool { program: "no-such-program-here", advice: "install it" };
        let told = require(&tool).unwrap_err().to_string();
        assert!(told.contains("needs no-such-program-here") && told.ends_with("install it"), "{told}");
    }

    #[test]
    fn a_program_that_fails_is_told_with_what_it_said() {
        let mut command = command(&GIT, Path::new("."));
        command.arg("no-such-command");
        let told = run(&GIT, command).unwrap_err().to_string();
        assert!(told.contains("`git no-such-command` fails") && told.contains("install git"), "{told}");
    }
}
