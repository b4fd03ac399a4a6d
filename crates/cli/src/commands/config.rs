//! `glitchlab config`: the settings that count and where each was set.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use crate::args;
use crate::config::effective::{Effective, Setting, Sources, default_value};
use crate::config::keys::Reload;
use crate::config::kind::Value;
use crate::config::layer::Layer;
use crate::config::{self, document, schema};
use crate::exit::{Code, OrStop, Stop};
use crate::output::{one_line, say};
use crate::table::{Side, table};

/// What the command says; its JSON is stable.
#[derive(Debug, Serialize)]
struct Report {
    files: Vec<FileReport>,
    settings: Vec<SettingReport>,
    /// What was asked for and does not count.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FileReport {
    layer: Layer,
    path: PathBuf,
    exists: bool,
}

/// A setting as JSON says it.
#[derive(Debug, Serialize)]
pub(crate) struct SettingReport {
    key: &'static str,
    value: Value,
    default: Value,
    layer: Layer,
    origin: String,
    reload: &'static str,
}

impl From<&Setting> for SettingReport {
    fn from(setting: &Setting) -> Self {
        Self {
            key: setting.key.name,
            value: setting.value.clone(),
            default: default_value(setting.key),
            layer: setting.origin.layer,
            origin: setting.origin.to_string(),
            reload: match setting.key.reload {
                Reload::Never => "never",
                Reload::Live => "live",
                Reload::Lowered => "lowered",
            },
        }
    }
}

/// Runs the command.
///
/// # Errors
///
/// Returns every setting that is wrong.
pub(crate) fn run(flags: &args::Config) -> Result<ExitCode, Stop> {
    if flags.schema {
        say(&schema::text());
    } else if flags.markdown {
        say(&document::markdown());
    } else {
        let repo = config::repo(flags.repo.as_deref()).or_stop(Code::Configuration)?;
        let sources = config::sources(&repo, flags.keys.clone());
        let effective = sources.read().or_stop(Code::Configuration)?;
        tell(flags.json, &sources, &effective)?;
    }
    Ok(Code::Done.into())
}

fn tell(as_json: bool, sources: &Sources, effective: &Effective) -> Result<(), Stop> {
    let report =
        Report { files: files(sources), settings: reports(effective), notes: effective.notes.clone() };
    if as_json {
        say(&serde_json::to_string_pretty(&report).context("the report is plain data")?);
        return Ok(());
    }
    for file in &report.files {
        say(&format!("{}{}", file.path.display(), if file.exists { "" } else { " (not there)" }));
    }
    say(&format!("\n{}", text(effective)));
    Ok(())
}

/// Says every setting for JSON.
pub(crate) fn reports(effective: &Effective) -> Vec<SettingReport> {
    effective.settings.iter().map(SettingReport::from).collect()
}

/// Writes every setting with its value and origin, and what does not count.
pub(crate) fn text(effective: &Effective) -> String {
    let head = ["KEY", "VALUE", "ORIGIN"].map(|name| (name.to_owned(), Side::Left));
    let row = |setting: &Setting| {
        vec![setting.key.name.to_owned(), setting.value.to_string(), one_line(&setting.origin.to_string())]
    };
    let rows: Vec<Vec<String>> = effective.settings.iter().map(row).collect();
    let notes = effective.notes.iter().map(|note| format!("\n{}", one_line(note)));
    table(&head, &rows) + &notes.collect::<String>()
}

fn files(sources: &Sources) -> Vec<FileReport> {
    let file = |layer, path: &Path| FileReport { layer, path: path.to_owned(), exists: path.is_file() };
    let own = sources.user_file.as_deref().map(|path| file(Layer::User, path));
    let repo = sources.repo_file.as_deref().map(|path| file(Layer::Repository, path));
    repo.into_iter().chain(own).collect()
}
