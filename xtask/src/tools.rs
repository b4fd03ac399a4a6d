//! `cargo xtask tools`: installs what the suite needs beside a Rust toolchain, once, by the ordinary package managers.
//!
//! Nothing here downloads a browser or a program by its address. Where a package manager can't be used, the command
//! to run by hand is printed.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::process::{cargo, command, output_of, run as run_command, succeeds};
use crate::test::Outcome;
use crate::workspace::{self, find_program};

const CARGO_DENY_VERSION: &str = "0.20.2";
/// The same as in `tests/data/otelcol-builder.yaml`.
const COLLECTOR_VERSION: &str = "v0.165.0";
const OTELTEST_VERSION: &str = "0.49.0";
const CHROMIUM: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const OLDEST_NODE: u32 = 20;

struct Tool {
    name: &'static str,
    needed_for: &'static str,
    is_present: fn() -> bool,
    source: Source,
}

/// Where a tool comes from, in the order in which they are installed.
enum Source {
    /// Comes with the Rust toolchain; the words are the command to run.
    Toolchain(&'static str),
    /// A package of Debian and its relatives.
    Debian(&'static str),
    /// A function installs it from a registry.
    Registry(fn() -> Result<()>),
}

const TOOLS: [Tool; 13] = [
    Tool {
        name: "rustfmt",
        needed_for: "the format check",
        is_present: || succeeds("cargo", &["fmt", "--version"]),
        source: Source::Toolchain("rustup component add rustfmt"),
    },
    Tool {
        name: "clippy",
        needed_for: "the lints",
        is_present: || succeeds("cargo", &["clippy", "--version"]),
        source: Source::Toolchain("rustup component add clippy"),
    },
    Tool {
        name: "git",
        needed_for: "the tests",
        is_present: || find_program(&["git"]).is_some(),
        source: Source::Debian("git"),
    },
    Tool {
        name: "Node.js 20 or newer",
        needed_for: "the browser tests",
        is_present: || node().is_some(),
        source: Source::Debian("nodejs"),
    },
    Tool {
        name: "npm",
        needed_for: "the browser tests",
        is_present: || find_program(&["npm"]).is_some(),
        source: Source::Debian("npm"),
    },
    Tool {
        name: "Chromium",
        needed_for: "the browser tests",
        is_present: || chromium().is_some(),
        source: Source::Debian("chromium"),
    },
    Tool {
        name: "Alertmanager",
        needed_for: "the test that it takes our alerts",
        is_present: || find_program(&["prometheus-alertmanager"]).is_some(),
        source: Source::Debian("prometheus-alertmanager"),
    },
    Tool {
        name: "Prometheus",
        needed_for: "the test that it scrapes us, and that its rules are right",
        is_present: || find_program(&["prometheus"]).is_some() && find_program(&["promtool"]).is_some(),
        source: Source::Debian("prometheus"),
    },
    Tool {
        name: "the font Inter",
        needed_for: "the screenshots",
        is_present: || output_of("fc-list", &[":family=Inter"]).is_some_and(|fonts| !fonts.is_empty()),
        source: Source::Debian("fonts-inter"),
    },
    Tool {
        name: "the packages of tests/e2e",
        needed_for: "the browser tests",
        is_present: has_e2e_packages,
        source: Source::Registry(install_e2e_packages),
    },
    Tool {
        name: "the OpenTelemetry Collector",
        needed_for: "the test that it takes our telemetry",
        is_present: || tools_folder().join("otelcol").is_file(),
        source: Source::Registry(install_collector),
    },
    Tool {
        name: "otelsink",
        needed_for: "the test that it takes our telemetry",
        is_present: || tools_folder().join("python/bin/otelsink").is_file(),
        source: Source::Registry(install_otelsink),
    },
    Tool {
        name: "cargo-deny",
        needed_for: "the dependency check",
        is_present: || cargo_deny().is_some(),
        source: Source::Registry(install_cargo_deny),
    },
];

/// Installs what is missing; the exit code is a failure when something still is.
pub(crate) fn run() -> Result<ExitCode> {
    let missing = install();
    missing.iter().for_each(|note| println!("{note}"));
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Installs what is missing as a step of the suite: the steps that miss something say so themselves.
pub(crate) fn step() -> Result<Outcome> {
    Ok(Outcome { notes: install(), ..Outcome::default() })
}

/// Returns Node.js, when it is new enough.
pub(crate) fn node() -> Option<PathBuf> {
    let node = find_program(&["node", "nodejs"])?;
    let version = output_of(&node, &["--version"])?;
    (major_version(&version)? >= OLDEST_NODE).then_some(node)
}

/// Returns the browser.
pub(crate) fn chromium() -> Option<PathBuf> {
    find_program(&CHROMIUM)
}

/// Returns cargo-deny in the version that the suite pins: our own, or the one on the search path.
pub(crate) fn cargo_deny() -> Option<PathBuf> {
    let own = tools_folder().join("bin/cargo-deny");
    let candidates = [own.is_file().then_some(own), find_program(&["cargo-deny"])];
    candidates.into_iter().flatten().find(|program| {
        output_of(program, &["--version"]).is_some_and(|version| version.trim().ends_with(CARGO_DENY_VERSION))
    })
}

/// Returns whether the packages of `tests/e2e` are those of its lock file.
pub(crate) fn has_e2e_packages() -> bool {
    let lock = fs::read(workspace::e2e().join("package-lock.json"));
    matches!((lock, fs::read(installed_lock())), (Ok(lock), Ok(installed)) if lock == installed)
}

/// Tries to install all that is missing and returns one line for each tool that still is.
fn install() -> Vec<String> {
    let absent: Vec<&Tool> = TOOLS.iter().filter(|tool| !(tool.is_present)()).collect();
    if absent.is_empty() {
        println!("all tools are there");
        return Vec::new();
    }
    install_debian_packages(&absent);
    absent.into_iter().filter_map(install_one).collect()
}

fn install_debian_packages(absent: &[&Tool]) {
    let packages = absent.iter().filter_map(|tool| match tool.source {
        Source::Debian(package) => Some(package),
        _ => None,
    });
    let packages: Vec<&str> = packages.collect();
    if packages.is_empty() || find_program(&["apt-get"]).is_none() || !is_root() {
        return;
    }
    println!("installing by apt-get: {}", packages.join(" "));
    if let Err(error) = apt_get(&packages) {
        println!("{error:#}");
    }
}

fn apt_get(packages: &[&str]) -> Result<()> {
    run_command(command("apt-get").args(["update", "-qq"]))?;
    let mut install = command("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(["install", "--yes", "-qq", "--no-install-recommends", "-o=Dpkg::Use-Pty=0"]).args(packages);
    run_command(&mut install)
}

fn install_one(tool: &Tool) -> Option<String> {
    let failure = match tool.source {
        Source::Registry(install) if !(tool.is_present)() => install().err(),
        _ => None,
    };
    if (tool.is_present)() {
        println!("{}: installed", tool.name);
        return None;
    }
    Some(format!("MISSING: {}, needed for {}: {}", tool.name, tool.needed_for, advice(&tool.source, failure)))
}

fn advice(source: &Source, failure: Option<anyhow::Error>) -> String {
    match (source, failure) {
        (_, Some(error)) => format!("{error:#}"),
        (Source::Toolchain(words), None) => format!("run `{words}`"),
        (Source::Debian(package), None) => {
            format!(
                "as root run `apt-get update && apt-get install {package}`, or install it your system's way"
            )
        }
        (Source::Registry(_), None) => {
            "it was installed and does not work; remove it and try again".to_owned()
        }
    }
}

fn install_e2e_packages() -> Result<()> {
    println!("installing the packages of tests/e2e by npm");
    let mut npm = command("npm");
    npm.current_dir(workspace::e2e()).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1").arg("ci");
    run_command(&mut npm)?;
    let lock = workspace::e2e().join("package-lock.json");
    fs::copy(&lock, installed_lock())
        .with_context(|| format!("can't note that {} is installed", lock.display()))?;
    Ok(())
}

/// Builds cargo-deny, in about three minutes on two cores; its build leaves nothing behind but the program.
fn install_cargo_deny() -> Result<()> {
    println!("building cargo-deny {CARGO_DENY_VERSION}, which takes some minutes the first time");
    let mut install =
        cargo(&["install", "--quiet", "--locked", "--version", CARGO_DENY_VERSION, "cargo-deny"]);
    run_command(install.arg("--root").arg(tools_folder()).env_remove("CARGO_TARGET_DIR"))
}

/// Builds a Collector from the parts that the tests need, in about two minutes on two cores.
fn install_collector() -> Result<()> {
    println!(
        "building the OpenTelemetry Collector {COLLECTOR_VERSION}, which takes some minutes the first time"
    );
    if find_program(&["go"]).is_none() {
        bail!("install Go 1.25 or newer, from which it is built");
    }
    let folder = tools_folder().join("collector");
    let builder = format!("go.opentelemetry.io/collector/cmd/builder@{COLLECTOR_VERSION}");
    fs::create_dir_all(tools_folder()).context("the folder of tools cannot be made")?;
    let mut build = command("go");
    build.current_dir(tools_folder()).args(["run", &builder, "--config"]);
    run_command(build.arg(workspace::root().join("tests/data/otelcol-builder.yaml")))?;
    fs::copy(folder.join("otelcol"), tools_folder().join("otelcol"))
        .context("the Collector was not built")?;
    fs::remove_dir_all(&folder).with_context(|| format!("can't remove {}", folder.display()))
}

fn install_otelsink() -> Result<()> {
    println!("installing oteltest {OTELTEST_VERSION} by pip, in an environment of its own");
    let folder = tools_folder().join("python");
    run_command(command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let package = format!("oteltest=={OTELTEST_VERSION}");
    run_command(command(folder.join("bin/pip")).args(["install", "--quiet", &package]))
}

fn tools_folder() -> PathBuf {
    workspace::target().join("tools")
}

/// A copy of the lock file that the packages were installed from: npm leaves none that could be compared.
fn installed_lock() -> PathBuf {
    workspace::e2e().join("node_modules/.installed-lock.json")
}

fn is_root() -> bool {
    output_of("id", &["-u"]).is_some_and(|id| id.trim() == "0")
}

fn major_version(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_node_is_read_from_what_it_prints() {
        assert_eq!(major_version("v20.20.2\n"), Some(20));
        assert_eq!(major_version("18"), Some(18));
        assert_eq!(major_version("unknown"), None);
    }

    #[test]
    fn a_missing_tool_is_named_with_its_use_and_with_what_to_do() {
        let tool = Tool {
            name: "a tool",
            needed_for: "a test",
            is_present: || false,
            source: Source::Debian("some-package"),
        };
        let note = install_one(&tool).expect("the tool is never present");
        assert!(
            note.starts_with("MISSING: a tool, needed for a test: as root run `apt-get update"),
            "{note}"
        );
        assert!(note.contains("some-package"), "{note}");
    }

    #[test]
    fn a_failed_installation_says_why() {
        let tool = Tool {
            name: "a tool",
            needed_for: "a test",
            is_present: || false,
            source: Source::Registry(|| anyhow::bail!("the registry is away")),
        };
        let note = install_one(&tool).expect("the tool is never present");
        assert_eq!(note, "MISSING: a tool, needed for a test: the registry is away");
    }

    #[test]
    fn the_lock_file_of_the_browser_tests_names_no_download_address() {
        let lock = fs::read_to_string(workspace::e2e().join("package-lock.json")).unwrap();
        assert!(!lock.contains("\"resolved\""));
        assert!(!lock.contains("://"));
    }
}
