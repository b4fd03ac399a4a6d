//! `glitchlab doctor`: looks at everything that an engine needs and says of each thing whether it is in order, and what
//! to do when it is not. It writes nothing to the store.

mod ledger;
mod place;
mod store;

use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use super::alone;
use crate::agents;
use crate::args::{self, Continuous};
use crate::config::{Config, telemetry as settings};
use crate::exit::{Code, Stop};
use crate::output::{one_line, say};

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Ok,
    /// Work can go on, and somebody should look.
    Warning,
    /// An engine would not start, or would not be right.
    Failed,
}

/// What was found of one thing; its JSON is stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    name: &'static str,
    status: Status,
    found: String,
    /// What to do about it.
    #[serde(rename = "do")]
    advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, found: found.into(), advice: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, status: Status::Warning, found: found.into(), advice: Some(advice.into()) }
    }

    fn failed(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, status: Status::Failed, found: found.into(), advice: Some(advice.into()) }
    }

    /// Takes an error whose message says what to do itself.
    fn broken(name: &'static str, error: &dyn std::fmt::Display) -> Self {
        Self { name, status: Status::Failed, found: format!("{error:#}"), advice: None }
    }
}

/// Everything that was found; its JSON is stable.
#[derive(Debug, Serialize)]
struct Report {
    /// The worst of all.
    status: Status,
    checks: Vec<Check>,
}

/// Runs the command.
///
/// # Errors
///
/// Fails when there is no runtime; whatever is wrong with the repository is a finding.
pub(crate) fn run(flags: &args::Doctor) -> Result<ExitCode, Stop> {
    let checks = alone(checks(flags))?;
    let worst = checks.iter().map(|check| check.status).max_by_key(|status| *status as u8);
    let report = Report { status: worst.unwrap_or(Status::Ok), checks };
    if flags.json {
        say(&serde_json::to_string_pretty(&report).context("the report is plain data")?);
    } else {
        say(&text(&report));
    }
    Ok(if report.status == Status::Failed { Code::Configuration } else { Code::Done }.into())
}

async fn checks(flags: &args::Doctor) -> Vec<Check> {
    let given = Continuous { repo: flags.repo.clone(), keys: flags.keys.clone(), ..Continuous::default() };
    let config = match Config::load(&given) {
        Ok(config) => config,
        // Nothing else can be known without the settings.
        Err(error) => return vec![Check::broken("configuration", &error)],
    };
    let mut checks = vec![configuration(&config)];
    let repo = place::repository(&config, &mut checks).await;
    checks.push(place::backlog(&config).await);
    checks.push(tests(&config));
    checks.push(model(&config));
    checks.extend(agents::is_command(&config).then(|| agent(&config)));
    checks.push(telemetry(&config));
    checks.push(place::disk(&config, repo.as_ref()));
    store::look(&config, repo.as_ref(), &mut checks).await;
    checks
}

fn configuration(config: &Config) -> Check {
    let set =
        config.effective.settings.iter().filter(|setting| setting.value.to_string() != setting.key.default);
    let found = format!("sound, {} settings differ from their defaults", set.count());
    match config.effective.notes.first() {
        Some(note) => Check::warning(
            "configuration",
            note.clone(),
            "ask for less, or raise the ceiling in your own file",
        ),
        None => Check::ok("configuration", found),
    }
}

fn tests(config: &Config) -> Check {
    let advice = "name the repository's own with --test or `test` under [work], such as `cargo test`";
    match &config.test {
        Some(test) => Check::ok("tests", format!("`{test}`")),
        None if config.allow_untested => Check::warning("tests", "none: changes are UNTESTED", advice),
        None => Check::failed("tests", "there is no test command", advice),
    }
}

fn model(config: &Config) -> Check {
    use glitchlab_models::catalog::{Choice, KNOWN};
    if config.model.is_empty() {
        let advice = format!("name one with --model or `default` under [models]: {KNOWN}");
        return Check::failed("model", "no model is chosen", advice);
    }
    match config.model.parse::<Choice>() {
        Ok(choice) if choice.simulated() => {
            Check::ok("model", format!("{}: it brings its prices, and its money is pretended", config.model))
        }
        Ok(_) => Check::ok("model", config.model.clone()),
        Err(error) => Check::broken("model", &error),
    }
}

fn agent(config: &Config) -> Check {
    match agents::found(config) {
        Ok(agent) => Check::ok("agent", format!("{}, UNBOUNDED: nothing here meters it", agent.name)),
        Err(error) => Check::broken("agent", &error),
    }
}

/// Where telemetry would go; whether it arrives there is seen while an engine runs.
fn telemetry(config: &Config) -> Check {
    let wanted = match settings::read(&config.effective, &config.sources) {
        Ok(wanted) => wanted,
        Err(error) => return Check::broken("telemetry", &error),
    };
    match (wanted.is_on(), wanted.notes.first()) {
        (_, Some(note)) => Check::warning("telemetry", note.clone(), "unset the variable, or change it"),
        (true, None) => Check::ok("telemetry", wanted.to_string()),
        (false, None) => Check::ok("telemetry", "none is sent"),
    }
}

fn text(report: &Report) -> String {
    let width = report.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let lines = report.checks.iter().flat_map(|check| {
        let word = match check.status {
            Status::Ok => "ok     ",
            Status::Warning => "warning",
            Status::Failed => "FAILED ",
        };
        let advice = check
            .advice
            .iter()
            .map(move |advice| format!("{:width$}           do: {}", "", one_line(advice)));
        std::iter::once(format!("{word}  {:width$}  {}", check.name, one_line(&check.found))).chain(advice)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests_of_text {
    use super::*;

    #[test]
    fn each_thing_is_a_line_and_what_is_wrong_has_its_advice_below() {
        let checks = vec![Check::ok("git", "fine"), Check::failed("tests", "none", "name one")];
        let text = text(&Report { status: Status::Failed, checks });
        assert_eq!(text, "ok       git    fine\nFAILED   tests  none\n                do: name one");
    }
}
