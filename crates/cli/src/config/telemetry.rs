//! What the settings and the standard variables say of telemetry.

use std::io::IsTerminal as _;

use glitchlab_telemetry::config::{Config, Given};

use super::effective::Effective;
use super::effective::Sources;
use super::layer::Layer;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Human,
    /// For programs: an object on each line.
    Json,
}

/// Returns how log lines are written, on a terminal as people read them.
pub(crate) fn log_format(effective: &Effective) -> LogFormat {
    match effective.text("telemetry.log_format") {
        "human" => LogFormat::Human,
        "json" => LogFormat::Json,
        _ if std::io::stderr().is_terminal() => LogFormat::Human,
        _ => LogFormat::Json,
    }
}

/// Returns where telemetry goes.
///
/// # Errors
///
/// Names the settings and variables that are wrong, and what to write instead.
pub(crate) fn read(effective: &Effective, sources: &Sources) -> anyhow::Result<Config> {
    const ENDPOINT: &str = "telemetry.otlp_endpoint";
    let endpoint = effective.some(ENDPOINT);
    let is_firm = effective.get(ENDPOINT).origin.layer >= Layer::Environment;
    let (firm, fallback) = if is_firm { (endpoint, None) } else { (None, endpoint) };
    let messages = effective.small("telemetry.messages");
    Ok(Config::read(&Given { firm, fallback, messages, variables: sources.standard.clone() })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::flags::Flags;

    fn sources(file: Option<&str>, flag: Option<&str>, variable: Option<&str>) -> Sources {
        let own = file.map(|file| ("GLITCHLAB_TELEMETRY_OTLP_ENDPOINT".to_owned(), file.to_owned()));
        let flags =
            flag.map_or_else(Flags::default, |flag| Flags::default().or("telemetry.otlp_endpoint", flag));
        let standard = variable.map(|text| ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), text.to_owned()));
        Sources {
            environment: own.into_iter().collect(),
            standard: standard.into_iter().collect(),
            flags,
            ..Sources::default()
        }
    }

    fn traces(sources: &Sources) -> Option<String> {
        let effective = sources.read().expect("sound");
        let config = read(&effective, sources).expect("sound");
        config.traces.map(|to| to.endpoint.to_string())
    }

    #[test]
    fn the_flag_and_our_own_variable_win_over_the_standard_ones() {
        let to = |text: &str| Some(format!("http://{text}/v1/traces"));
        assert_eq!(traces(&sources(None, None, None)), None);
        assert_eq!(traces(&sources(None, None, Some("http://theirs:1"))), to("theirs:1"));
        assert_eq!(traces(&sources(Some("ours:1"), None, Some("http://theirs:1"))), to("ours:1"));
        assert_eq!(traces(&sources(Some("ours:1"), Some("flag:1"), Some("http://theirs:1"))), to("flag:1"));
    }

    #[test]
    fn the_standard_variables_win_over_a_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "[telemetry]\notlp_endpoint = \"file:1\"\n").expect("written");
        let with = |variable| Sources { repo_file: Some(file.clone()), ..sources(None, None, variable) };
        assert_eq!(traces(&with(None)).as_deref(), Some("http://file:1/v1/traces"));
        assert_eq!(traces(&with(Some("http://theirs:1"))).as_deref(), Some("http://theirs:1/v1/traces"));
    }
}
