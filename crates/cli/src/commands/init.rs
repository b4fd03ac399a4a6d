//! `glitchlab init`: finds out how the repository is tested and writes a commented configuration. It never overwrites.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::args;
use crate::config::{self, document, kind, place};
use crate::exit::{Code, OrStop, Stop};
use crate::output::say;

/// A sign of how a repository is tested: the file, what its text must have, and the command.
struct Sign {
    file: &'static str,
    shows: fn(&str) -> bool,
    command: &'static str,
}

const fn sign(file: &'static str, command: &'static str) -> Sign {
    Sign { file, shows: |_| true, command }
}

/// The signs, the surest first.
const SIGNS: &[Sign] = &[
    sign("Cargo.toml", "cargo test"),
    Sign { file: "package.json", shows: has_test_script, command: "npm test" },
    sign("go.mod", "go test ./..."),
    sign("pytest.ini", "python -m pytest"),
    Sign { file: "pyproject.toml", shows: |text| text.contains("pytest"), command: "python -m pytest" },
    Sign { file: "setup.cfg", shows: |text| text.contains("[tool:pytest]"), command: "python -m pytest" },
    sign("tox.ini", "tox"),
    sign("mix.exs", "mix test"),
    sign("pom.xml", "mvn --batch-mode test"),
    sign("gradlew", "./gradlew test"),
    sign(".rspec", "bundle exec rspec"),
    Sign { file: "Makefile", shows: has_test_target, command: "make test" },
    Sign { file: "justfile", shows: has_test_target, command: "just test" },
];

/// Runs the command.
///
/// # Errors
///
/// Returns why there is no repository, or that there is a configuration already.
pub(crate) fn run(flags: &args::Init) -> Result<ExitCode, Stop> {
    let repo = config::repo(flags.repo.as_deref()).or_stop(Code::Configuration)?;
    let top = place::main_checkout(&repo);
    is_repository(&top).or_stop(Code::Configuration)?;
    let found = detect(&top);
    let set: Vec<(&str, String)> =
        found.iter().take(1).map(|sign| ("work.test", kind::quoted(sign.command))).collect();
    let path = top.join(place::FILE);
    write(&path, &document::commented(&set)).or_stop(Code::Configuration)?;
    say(&told(&path, &found));
    Ok(Code::Done.into())
}

fn is_repository(top: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        top.join(".git").exists(),
        "{} is not in a git repository; name one with --repo, or run `git init` there",
        top.display()
    );
    Ok(())
}

/// Returns every sign that the repository has.
fn detect(top: &Path) -> Vec<&'static Sign> {
    let has =
        |sign: &&Sign| std::fs::read_to_string(top.join(sign.file)).is_ok_and(|text| (sign.shows)(&text));
    SIGNS.iter().filter(has).collect()
}

/// The script that `npm init` writes only says that there are no tests.
fn has_test_script(text: &str) -> bool {
    let package: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    package["scripts"]["test"].as_str().is_some_and(|script| !script.contains("no test specified"))
}

fn has_test_target(text: &str) -> bool {
    text.lines().any(|line| {
        line.strip_prefix("test")
            .is_some_and(|rest| rest.trim_start().starts_with(':') && !rest.contains(":="))
    })
}

/// Writes the file, which must not be there.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("the file is in a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => anyhow::bail!(
            "{} is there already and stays as it is; `glitchlab config` says what counts, `glitchlab config --markdown` lists every key",
            path.display()
        ),
        Err(error) => anyhow::bail!("cannot write {}: {error}", path.display()),
    }
}

fn told(path: &Path, found: &[&Sign]) -> String {
    let mut lines = vec![format!("Wrote {}", path.display())];
    lines.push(match found.first() {
        Some(sign) => format!("  Tests: `{}`, because there is a {}", sign.command, sign.file),
        None => "  Tests: none were found; set `test` under [work], or `allow_untested = true`".to_owned(),
    });
    let others: Vec<String> = found.iter().skip(1).map(|sign| format!("`{}`", sign.command)).collect();
    if !others.is_empty() {
        lines.push(format!("         it may as well be {}", others.join(" or ")));
    }
    lines.push(
        "Next: choose a model (`default` under [models]) and a budget, commit the file, then".to_owned(),
    );
    lines.push("  glitchlab doctor                 checks that everything is in place".to_owned());
    lines.push("  glitchlab continuous --dry-run   says what would be done and for how much".to_owned());
    lines.push("  glitchlab continuous             starts".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(files: &[(&str, &str)]) -> Vec<&'static str> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        detect(folder.path()).iter().map(|sign| sign.command).collect()
    }

    #[test]
    fn each_kind_of_repository_is_known_by_its_files() {
        let table: &[(&str, &str, &[&str])] = &[
            ("Cargo.toml", "[workspace]", &["cargo test"]),
            ("package.json", r#"{"scripts":{"test":"vitest run"}}"#, &["npm test"]),
            ("package.json", r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#, &[]),
            ("package.json", r#"{"scripts":{"build":"tsc"}}"#, &[]),
            ("package.json", "no json", &[]),
            ("go.mod", "module example", &["go test ./..."]),
            ("pyproject.toml", "[tool.pytest.ini_options]", &["python -m pytest"]),
            ("pyproject.toml", "[tool.black]", &[]),
            ("Makefile", "build:\n\ttrue\ntest: build\n\ttrue\n", &["make test"]),
            ("Makefile", "test := yes\nall:\n", &[]),
            ("README.md", "test:", &[]),
        ];
        for (name, text, commands) in table {
            assert_eq!(detected(&[(name, text)]), *commands, "{name} with {text}");
        }
    }

    #[test]
    fn the_surest_sign_comes_first() {
        let files = [("Makefile", "test:\n"), ("Cargo.toml", "[package]")];
        assert_eq!(detected(&files), ["cargo test", "make test"]);
    }
}
