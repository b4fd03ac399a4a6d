//! The flags that set a configuration key. They are made from the table of keys, so that each key is written once.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches};

use super::keys::{self, KEYS, Key};
use super::kind::Kind;

/// The flags of one command line, each with its word.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags(Vec<(&'static Key, String)>);

impl Flags {
    /// Returns what was given, in the table's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static Key, &str)> {
        self.0.iter().map(|(key, word)| (*key, word.as_str()))
    }

    /// Returns what was given for a key.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| key.name == name).map(|(_, word)| word)
    }

    /// Sets a key as its flag would, unless its flag was given.
    #[must_use]
    pub(crate) fn or(mut self, name: &str, word: impl Into<String>) -> Self {
        if let Some(key) = keys::find(name).filter(|key| self.get(key.name).is_none()) {
            self.0.push((key, word.into()));
        }
        self
    }
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let given = KEYS.iter().filter_map(|key| Some((key, key.flag?)));
        given.fold(command, |command, (key, flag)| command.arg(arg(key, flag)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = |key: &'static Key| Some((key, word(matches, key)?));
        Ok(Self(KEYS.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn arg(key: &'static Key, (name, value): (&'static str, &'static str)) -> Arg {
    let arg = Arg::new(name).long(name).help(help(key));
    match key.kind {
        Kind::Switch => arg.action(ArgAction::SetTrue),
        Kind::Choice(words) => arg.value_name(value).value_parser(PossibleValuesParser::new(words)),
        Kind::Whole { .. } => arg.value_name(value).value_parser(whole),
        _ => arg.value_name(value),
    }
}

fn help(key: &Key) -> String {
    match key.default {
        r#""""# | "false" => key.doc.to_owned(),
        default => format!("{} [default: {}]", key.doc, default.trim_matches('"')),
    }
}

/// A number that is none is a usage error, told by clap.
fn whole(word: &str) -> Result<String, String> {
    word.parse::<u64>().map(|number| number.to_string()).map_err(|_| "write a whole number".to_owned())
}

fn word(matches: &ArgMatches, key: &Key) -> Option<String> {
    let (name, _) = key.flag?;
    match key.kind {
        Kind::Switch => matches.get_flag(name).then(|| "true".to_owned()),
        _ => matches.get_one::<String>(name).cloned(),
    }
}
