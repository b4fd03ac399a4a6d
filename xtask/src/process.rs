//! Runs other programs: their output stays visible, and a failure names the command.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// Starts to describe a command that runs at the root of the checkout and reads no input.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

/// Starts to describe a Cargo command.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = command("cargo");
    command.args(arguments);
    command
}

/// Runs a command to its end; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("can't start `{}`", shown(command)))?;
    must_succeed(command, status)
}

/// Runs a command, shows each line that it prints on its standard output and hands it to `on_line`.
pub(crate) fn run_lines(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start `{}`", shown(command)))?;
    let stdout = child.stdout.take().expect("the standard output was asked for");
    for_each_line(stdout, |line| {
        println!("{line}");
        on_line(line);
    });
    child.wait().with_context(|| format!("lost sight of `{}`", shown(command)))
}

/// Hands on each line of a stream until it ends or breaks; bytes that are no text are replaced.
pub(crate) fn for_each_line(stream: impl Read, mut on_line: impl FnMut(&str)) {
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        on_line(String::from_utf8_lossy(&line).trim_end_matches('\r'));
    }
}

/// Returns whether a command runs and succeeds; what it prints is thrown away.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    output_of(program, arguments).is_some()
}

/// Returns what a command printed, or nothing when it can't be started or fails.
pub(crate) fn output_of(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = command(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Turns an exit status that is not success into an error that names the command.
pub(crate) fn must_succeed(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` ended with {status}", shown(command));
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_named_with_its_status() {
        let error = run(command("sh").args(["-c", "exit 3"])).expect_err("the shell was told to fail");
        assert_eq!(error.to_string(), "`sh -c exit 3` ended with exit status: 3");
    }

    #[test]
    fn every_line_is_seen_even_one_without_an_end_or_with_bytes_that_are_no_text() {
        let mut seen = Vec::new();
        for_each_line(&b"one\r\n\xfftwo\nthree"[..], |line| seen.push(line.to_owned()));
        assert_eq!(seen, ["one", "\u{fffd}two", "three"]);
    }

    #[test]
    fn the_output_of_a_command_that_fails_is_no_output() {
        assert_eq!(output_of("sh", &["-c", "echo hello"]).as_deref(), Some("hello\n"));
        assert_eq!(output_of("sh", &["-c", "echo hello; exit 1"]), None);
    }
}
