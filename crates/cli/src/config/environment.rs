//! The only reader of the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;
use glitchlab_pipeline::process::Environment;

use super::keys::PREFIX;

/// Returns the user's folder for state.
///
/// # Errors
///
/// Fails when neither XDG_STATE_HOME nor HOME is set.
pub(crate) fn state_folder() -> anyhow::Result<PathBuf> {
    folder("XDG_STATE_HOME", ".local/state")
        .context("there is no place for the store: set HOME, or name a file with --store")
}

/// Returns the user's own configuration file, whether it is there or not; none when there is no place for one.
#[must_use]
pub(crate) fn user_file() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("config.toml"))
}

/// Returns where the user's own systemd units are.
///
/// # Errors
///
/// Fails when neither XDG_CONFIG_HOME nor HOME is set.
pub(crate) fn unit_folder() -> anyhow::Result<PathBuf> {
    base("XDG_CONFIG_HOME", ".config")
        .map(|base| base.join("systemd/user"))
        .context("there is no place for the unit: set HOME, or see it with --print")
}

/// Returns where programs are looked for, if that is text.
#[expect(clippy::disallowed_methods, reason = "this is the reader of the environment")]
#[must_use]
pub(crate) fn search_path() -> Option<String> {
    std::env::var("PATH").ok()
}

fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    base(variable, below_home).map(|base| base.join("glitchlab"))
}

#[expect(clippy::disallowed_methods, reason = "this is the reader of the environment")]
fn base(variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set(variable).filter(|path| path.is_absolute());
    base.or_else(|| set("HOME").map(|home| home.join(below_home)))
}

/// Returns the variables that are meant for this program. What is no text cannot be a setting; it stays and is refused
/// as one.
#[must_use]
pub(crate) fn own_variables() -> Vec<(String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let all = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    let mut ours: Vec<_> = all.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    ours
}

/// Returns the standard variables of OpenTelemetry. What is no text is left out, as if it were not set.
#[must_use]
pub(crate) fn standard_variables() -> BTreeMap<String, String> {
    let all = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    all.filter(|(name, _)| name.starts_with("OTEL_")).collect()
}

/// Returns which log lines are wanted.
#[expect(clippy::disallowed_methods, reason = "this is the reader of the environment")]
#[must_use]
pub(crate) fn log_filter() -> Option<String> {
    std::env::var("GLITCHLAB_LOG").ok()
}

/// Returns the name of the person who runs this program, as far as the system says.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the reader of the environment")]
pub(crate) fn user() -> String {
    let named = |name| std::env::var(name).ok().filter(|user| !user.trim().is_empty());
    named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(|| "somebody".to_owned())
}

/// Returns what this process was started with, without its own name.
#[must_use]
pub(crate) fn own_arguments() -> Vec<OsString> {
    std::env::args_os().skip(1).collect()
}

/// Tells whether a service manager has started this process, and starts it again when it ends.
#[expect(clippy::disallowed_methods, reason = "this is the reader of the environment")]
#[must_use]
pub(crate) fn is_managed_service() -> bool {
    ["INVOCATION_ID", "NOTIFY_SOCKET"].into_iter().any(|name| std::env::var_os(name).is_some())
}

/// Returns what a variable that the settings name holds.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the reader of the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Returns the folder for temporary files.
#[must_use]
pub(crate) fn temporary_folder() -> PathBuf {
    std::env::temp_dir()
}

/// Takes the environment of this process.
#[must_use]
pub(crate) fn environment() -> Environment {
    Environment::new(std::env::vars_os())
}
