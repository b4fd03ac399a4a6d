//! `glitchlab service install`: a systemd unit of the user's own for an engine on one repository.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser as _;

use crate::args::{self, Args};
use crate::config::{self, Config};
use crate::exit::{Code, OrStop, Stop};
use crate::output::say;

/// What is added to the drain before the service manager kills.
const AFTER_DRAIN: Duration = Duration::from_secs(60);

/// Runs the command.
///
/// # Errors
///
/// Returns which flag of the engine is wrong, or why the unit cannot be written.
pub(crate) fn run(flags: &args::Service) -> Result<ExitCode, Stop> {
    let args::ServiceCommand::Install(install) = &flags.command;
    let unit = Unit::of(install)?;
    if install.print {
        say(&unit.text());
        return Ok(Code::Done.into());
    }
    let folder = config::unit_folder().or_stop(Code::Configuration)?;
    let path = folder.join(&unit.name);
    write(&path, &unit.text(), install.force)?;
    let (name, path) = (&unit.name, path.display());
    say(&format!(
        "Written: {path}

Start it, now and after each login:
  systemctl --user daemon-reload
  systemctl --user enable --now {name}
Keep it when you are not logged in:
  loginctl enable-linger
See what it says, and stop it:
  journalctl --user -u {name} -f
  systemctl --user stop {name}"
    ));
    Ok(Code::Done.into())
}

/// Writes a unit; another one in its place is kept unless `force` says otherwise.
fn write(path: &Path, text: &str, force: bool) -> Result<(), Stop> {
    match fs::read_to_string(path) {
        Ok(there) if there == text => return Ok(()),
        Ok(_) if !force => {
            let error = anyhow::anyhow!(
                "{} is there already and says something else; see it with --print, replace it with --force, or take another --name",
                path.display()
            );
            return Err(Stop::new(Code::Configuration, error));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("{} cannot be read", path.display()))?;
        }
        Ok(_) | Err(_) => {}
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    Ok(written.with_context(|| format!("{} cannot be written", path.display()))?)
}

/// A unit of systemd.
#[derive(Debug)]
struct Unit {
    name: String,
    program: PathBuf,
    repo: PathBuf,
    flags: Vec<String>,
    search_path: Option<String>,
    drain: Duration,
}

impl Unit {
    fn of(install: &args::Install) -> Result<Self, Stop> {
        let repo = config::repo(install.repo.as_deref()).or_stop(Code::Configuration)?;
        let drain = checked(&repo, &install.flags)?;
        let program = std::env::current_exe().context("the path of this program is not known")?;
        let named = repo.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = install.name.clone().unwrap_or_else(|| format!("glitchlab-{named}"));
        Ok(Self {
            name: format!("{}.service", plain(&name)),
            program,
            repo,
            flags: install.flags.clone(),
            search_path: config::search_path(),
            drain,
        })
    }

    fn text(&self) -> String {
        let repo = self.repo.to_string_lossy();
        let program = self.program.to_string_lossy();
        let own = [program.as_ref(), "continuous", "--repo", repo.as_ref()].into_iter();
        let words: Vec<String> = own
            .chain(self.flags.iter().map(String::as_str))
            .map(|word| quoted(&word.replace('$', "$$")))
            .collect();
        let path = self.search_path.as_ref().map(|path| quoted(&format!("PATH={path}")));
        let environment = path.map(|path| format!("Environment={path}\n")).unwrap_or_default();
        let stop = (self.drain + AFTER_DRAIN).as_secs();
        format!(
            "[Unit]
Description=GLITCHLAB on {description}

[Service]
Type=notify
ExecStart={command}
WorkingDirectory={folder}
{environment}# 71: it hung and asks to be started again. The others need a person first.
Restart=on-failure
RestartForceExitStatus=71
RestartPreventExitStatus=2 69 70 75 77 78
RestartSec=5
TimeoutStartSec=300
# It says that it is alive only when its loop has advanced.
WatchdogSec=300
# The first signal lets what runs finish, as long as shutdown.drain says.
KillMode=mixed
TimeoutStopSec={stop}

[Install]
WantedBy=default.target
",
            description = specifiers(&one_word_lines(&repo)),
            command = words.join(" "),
            folder = specifiers(&repo),
        )
    }
}

/// Reads the flags as the engine would, and returns how long it drains.
fn checked(repo: &Path, flags: &[String]) -> Result<Duration, Stop> {
    let own = ["glitchlab", "continuous", "--repo"].map(OsString::from).into_iter();
    let words = own.chain([repo.as_os_str().to_owned()]).chain(flags.iter().map(OsString::from));
    let parsed = Args::try_parse_from(words).or_stop(Code::Usage)?;
    let args::Command::Continuous(continuous) = parsed.command else {
        return Err(Stop::new(Code::Usage, anyhow::anyhow!("these are no flags of `glitchlab continuous`")));
    };
    Ok(Config::load(&continuous).or_stop(Code::Configuration)?.drain)
}

/// Keeps the characters that a unit's name may have.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect()
}

fn one_word_lines(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Doubles what systemd would take as a specifier.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// Writes a word as one word of a unit's line: systemd.syntax(7), "Quoting".
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let escaped = specifiers(word).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(repo: &str, flags: &[&str]) -> Unit {
        Unit {
            name: "glitchlab-x.service".to_owned(),
            program: "/opt/glitchlab".into(),
            repo: repo.into(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            search_path: None,
            drain: Duration::from_secs(600),
        }
    }

    #[test]
    fn words_are_quoted_as_systemd_reads_them() {
        let text = unit("/home/ana/my 100% repo", &["--test", "cargo test \"a\" && echo $HOME"]).text();
        let command = text.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
        assert_eq!(
            command,
            r#"ExecStart=/opt/glitchlab continuous --repo "/home/ana/my 100%% repo" --test "cargo test \"a\" && echo $$HOME""#
        );
        assert!(text.contains("WorkingDirectory=/home/ana/my 100%% repo\n"), "{text}");
        assert!(text.contains("TimeoutStopSec=660\n"), "{text}");
    }

    #[test]
    fn a_unit_that_says_something_else_is_never_overwritten_without_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/glitchlab-x.service");
        assert!(write(&path, "one", false).is_ok());
        assert!(write(&path, "one", false).is_ok(), "the same is no change");
        assert!(write(&path, "two", false).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert!(write(&path, "two", true).is_ok());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    }

    #[test]
    fn a_name_has_only_what_a_unit_may_be_called() {
        assert_eq!(plain("glitchlab-my repo/ä"), "glitchlab-my-repo--");
    }
}
