//! Where settings come from: a file, the environment, flags. Each layer says what it sets and where, and what is wrong
//! with it.

use std::fmt;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::flags::Flags;
use super::keys::{self, KEYS, Key, PLANNED, PREFIX};
use super::kind::{Kind, Value};
use super::suggest;

/// Who sets a value; a later one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layer {
    Default,
    User,
    Repository,
    Environment,
    Flag,
}

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) layer: Layer,
    /// The flag, the variable, or the file and its line.
    pub(crate) place: String,
}

/// Says it as people do: `flag --workers`, `environment GLITCHLAB_WORK_WORKERS`, `<file>:<line>` or `default`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Layer::Default => f.write_str("default"),
            Layer::User | Layer::Repository => f.write_str(&self.place),
            Layer::Environment => write!(f, "environment {}", self.place),
            Layer::Flag => write!(f, "flag {}", self.place),
        }
    }
}

/// A value that a layer sets.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) key: &'static Key,
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// What a layer sets, and what is wrong with it, one sentence each.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) found: Vec<Found>,
    pub(crate) wrong: Vec<String>,
}

impl Reading {
    fn take(&mut self, key: &'static Key, origin: Origin, taken: Result<Value, String>) {
        match taken {
            Ok(value) => self.found.push(Found { key, value, origin }),
            Err(what) => {
                let place = if origin.layer == Layer::Flag { String::new() } else { format!("{origin}: ") };
                self.wrong.push(format!("{place}{}: {what}", said(key, &origin)));
            }
        }
    }
}

/// Names a key as the person who set it knows it.
fn said(key: &Key, origin: &Origin) -> String {
    if origin.layer == Layer::Flag { format!("{} ({})", key.name, origin.place) } else { key.name.to_owned() }
}

/// Reads the text of a file.
pub(crate) fn of_file(layer: Layer, path: &Path, text: &str) -> Reading {
    let mut file = File { layer, path, text, reading: Reading::default() };
    match DeTable::parse(text) {
        Ok(table) => file.take_top(table.get_ref()),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            // The parser's message may have several lines; the first says what is wrong.
            let what = error.message().lines().next().unwrap_or("it is not TOML").to_owned();
            file.complain(at, &what);
        }
    }
    file.reading
}

struct File<'a> {
    layer: Layer,
    path: &'a Path,
    text: &'a str,
    reading: Reading,
}

impl File<'_> {
    fn take_top(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let at = name.span().start;
            match (keys::find(name.get_ref()), value.get_ref()) {
                (Some(key), _) => self.take(key, at, value),
                (None, DeValue::Table(section)) if keys::sections().contains(&name.get_ref().as_ref()) => {
                    self.take_section(name.get_ref(), section);
                }
                _ => self.refuse_top(at, name.get_ref()),
            }
        }
    }

    fn refuse_top(&mut self, at: usize, name: &str) {
        let sections = keys::sections();
        let what = if PLANNED.contains(&name) {
            not_yet(&format!("[{name}]"))
        } else if sections.contains(&name) {
            format!("{name} must be a section; write [{name}] and its keys below")
        } else {
            let known = sections.iter().copied().chain(["config_version"]);
            format!("there is no section or key `{name}`{}", suggest::hint(name, known))
        };
        self.complain(at, &what);
    }

    fn take_section(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let at = name.span().start;
            let full = format!("{section}.{}", name.get_ref());
            match keys::find(&full) {
                Some(key) => self.take(key, at, value),
                None if PLANNED.contains(&full.as_str()) => self.complain(at, &not_yet(&full)),
                None => {
                    let known = KEYS.iter().filter(|key| key.section() == section).map(Key::own_name);
                    let hint = suggest::hint(name.get_ref(), known);
                    self.complain(at, &format!("there is no key `{}` in [{section}]{hint}", name.get_ref()));
                }
            }
        }
    }

    fn take(&mut self, key: &'static Key, at: usize, value: &Spanned<DeValue<'_>>) {
        let origin = Origin { layer: self.layer, place: self.place(at) };
        self.reading.take(key, origin, key.kind.take(value.get_ref()));
    }

    fn complain(&mut self, at: usize, what: &str) {
        let place = self.place(at);
        self.reading.wrong.push(format!("{place}: {what}"));
    }

    fn place(&self, at: usize) -> String {
        let line = self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}", self.path.display())
    }
}

fn not_yet(what: &str) -> String {
    format!("this version does not support {what} yet; take it out")
}

/// Variables that are no settings: the log's filter, the mark of our child processes, and knobs of the tests.
const OTHERS: &[&str] =
    &["GLITCHLAB_LOG", "GLITCHLAB_CHILD", "GLITCHLAB_KILLS", "GLITCHLAB_SKIPS", "GLITCHLAB_HISTORIES"];

/// Reads the variables of the environment. An empty one sets nothing.
pub(crate) fn of_environment(variables: &[(String, String)]) -> Reading {
    let mut reading = Reading::default();
    for (name, word) in variables.iter().filter(|(name, _)| is_ours(name)) {
        match settable().find(|key| key.variable() == *name) {
            Some(_) if word.is_empty() => {}
            Some(key) => {
                let origin = Origin { layer: Layer::Environment, place: name.clone() };
                reading.take(key, origin, key.kind.take_word(word));
            }
            None => reading.wrong.push(unknown_variable(name)),
        }
    }
    reading
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) && !OTHERS.contains(&name)
}

/// The version of the keys belongs to a file.
fn settable() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(|key| key.kind != Kind::Version)
}

fn unknown_variable(name: &str) -> String {
    let planned = PLANNED.iter().find(|planned| {
        let prefix = format!("{PREFIX}{}", planned.replace('.', "_").to_uppercase());
        name == prefix || (!planned.contains('.') && name.starts_with(&format!("{prefix}_")))
    });
    if let Some(planned) = planned {
        return format!("environment {name}: {}", not_yet(planned));
    }
    let known: Vec<String> = settable().map(Key::variable).chain(["GLITCHLAB_LOG".to_owned()]).collect();
    let hint = suggest::hint(name, known.iter().map(String::as_str));
    format!("environment {name}: no setting has this name{hint}; unset it or write it right")
}

/// Reads the flags.
pub(crate) fn of_flags(flags: &Flags) -> Reading {
    let mut reading = Reading::default();
    for (key, word) in flags.iter() {
        let (name, _) = key.flag.unwrap_or((key.name, ""));
        let origin = Origin { layer: Layer::Flag, place: format!("--{name}") };
        reading.take(key, origin, key.kind.take_word(word));
    }
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        of_file(Layer::Repository, Path::new("config.toml"), text).wrong.join("\n")
    }

    fn variable(name: &str, word: &str) -> Reading {
        of_environment(&[(name.to_owned(), word.to_owned())])
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
        let error = wrong("config_version = 1\n[work]\nworkrs = 2\n");
        assert_eq!(error, "config.toml:3: there is no key `workrs` in [work]; did you mean `workers`?");
        assert!(wrong("[wrk]\nworkers = 2\n").contains("config.toml:1: there is no section or key `wrk`"));
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_with_its_line() {
        let error = wrong("[work]\nworkers = \"two\"\n");
        assert_eq!(error, "config.toml:2: work.workers: it must be a whole number from 1 to 256");
    }

    #[test]
    fn a_later_configuration_version_is_refused() {
        assert!(wrong("config_version = 2\n").contains("config_version: 2 is not 1"));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let error = wrong("[work]\nworkers = 0\ntests = \"\"\n[budget]\nper_hour = 5\n");
        assert_eq!(error.lines().count(), 3, "{error}");
    }

    #[test]
    fn what_is_no_toml_names_its_line() {
        assert!(wrong("[work]\nworkers = = 2\n").starts_with("config.toml:2: "));
    }

    #[test]
    fn what_is_planned_is_refused_as_not_supported_yet() {
        assert_eq!(
            wrong("[tqm]\ncreate_beads = true\n"),
            "config.toml:1: this version does not support [tqm] yet; take it out"
        );
        assert!(
            wrong("[forge]\nkind = \"github\"\n")
                .contains("config.toml:2: this version does not support forge.kind yet")
        );
        assert!(variable("GLITCHLAB_TQM_CREATE_BEADS", "true").wrong[0].contains("does not support tqm yet"));
    }

    #[test]
    fn an_unknown_variable_is_refused_with_a_suggestion_and_foreign_ones_are_left_alone() {
        let error = variable("GLITCHLAB_WORK_WORKER", "3").wrong.join("");
        assert!(error.contains("did you mean `GLITCHLAB_WORK_WORKERS`?"), "{error}");
        for name in ["GLITCHLAB_LOG", "GLITCHLAB_KILLS", "PATH"] {
            assert!(variable(name, "3").wrong.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_variable_sets_its_key_and_an_empty_one_sets_nothing() {
        let reading = variable("GLITCHLAB_WORK_WORKERS", "3");
        assert_eq!(reading.found[0].value, Value::Whole(3));
        assert_eq!(reading.found[0].origin.to_string(), "environment GLITCHLAB_WORK_WORKERS");
        assert!(variable("GLITCHLAB_WORK_WORKERS", "").found.is_empty());
    }
}
