use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use glitchlab_domain::stage::Stage;

use super::page::{Page, code};
use super::{attribute, span};

#[test]
fn the_documented_spans_attributes_and_events_are_those_of_the_code() {
    let spans =
        span::ALL.iter().map(|(name, above, says)| vec![code(name), (*above).to_owned(), (*says).to_owned()]);
    let stages = Stage::ALL.into_iter().zip(documented(&source("stage.rs"), "pub enum Stage {"));
    let stages = stages.map(|(stage, says)| vec![code(stage.name()), code(span::ATTEMPT), says]);
    let attributes = attribute::ALL.iter().map(|(name, says)| vec![code(name), (*says).to_owned()]);
    let committed = committed().into_iter().map(|(name, says)| vec![code(&name), says]);
    let told = told().into_iter().map(|(name, (level, places))| vec![code(&name), level, places.join(", ")]);
    Page::open("telemetry.md")
        .with("spans", "| span | lies in | what it is |", spans.chain(stages))
        .with("attributes", "| attribute | what it says |", attributes)
        .with("committed events", "| event | what happened |", committed)
        .with("other events", "| event | level | where |", told)
        .is_so();
}

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn source(name: &str) -> String {
    std::fs::read_to_string(crates().join("domain/src").join(name)).unwrap()
}

/// What the variants of an enumeration say of themselves, in order.
fn documented(source: &str, head: &str) -> Vec<String> {
    let (_, body) = source.split_once(head).expect("the enumeration");
    let lines = body.lines().map(str::trim).take_while(|line| *line != "}");
    let says = lines.filter_map(|line| line.strip_prefix("/// "));
    says.map(|says| says.trim_end_matches('.').to_owned()).collect()
}

/// The events of the store: their names with their first line of documentation.
fn committed() -> BTreeMap<String, String> {
    let text = source("event.rs");
    let mut events = BTreeMap::new();
    let mut says = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("/// ") {
            says = doc.trim_end_matches('.').to_owned();
        } else if let Some(name) =
            line.strip_prefix("#[serde(rename = \"").and_then(|rest| rest.split('"').next())
        {
            events.insert(name.to_owned(), says.clone());
        }
    }
    assert!(events.len() > 30 && events.contains_key("task.claimed"), "{events:?}");
    events
}

/// The other named lines of the log: their level and the crates that write them.
fn told() -> BTreeMap<String, (String, Vec<String>)> {
    let mut events: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for folder in std::fs::read_dir(crates()).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let mut files = Vec::new();
        sources(&folder.join("src"), &mut files);
        for file in files {
            for (event, level) in named_lines(&std::fs::read_to_string(&file).unwrap()) {
                let (_, places) = events.entry(event).or_insert((level, Vec::new()));
                if !places.contains(&name) {
                    places.push(name.clone());
                    places.sort();
                }
            }
        }
    }
    assert!(events.len() > 30 && events.contains_key("telemetry.degraded"), "{:?}", events.keys());
    events
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        let is_test = entry.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
        match entry.extension() {
            _ if is_test => {}
            None if entry.is_dir() => sources(&entry, files),
            Some(extension) if extension == "rs" => files.push(entry),
            _ => {}
        }
    }
}

/// What a source has of `tracing::warn!(event = "a.b", ..)` and `tracing::warn!(name: "a.b", ..)`.
fn named_lines(text: &str) -> Vec<(String, String)> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let calls = code.match_indices("tracing::").filter_map(|(place, _)| {
        let (level, rest) = code[place + "tracing::".len()..].split_once("!(")?;
        let is_level = ["error", "warn", "info", "debug", "trace"].contains(&level);
        let rest = rest.trim_start();
        let rest = rest.strip_prefix("event = \"").or_else(|| rest.strip_prefix("name: \""))?;
        let name = rest.split('"').next()?;
        is_level.then(|| (name.to_owned(), level.to_uppercase()))
    });
    calls.collect()
}
