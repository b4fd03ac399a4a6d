//! The layers put together: for every key the value that counts and where it was set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use glitchlab_domain::agent::Template;
use glitchlab_domain::money::MicroUsd;

use super::flags::Flags;
use super::keys::{KEYS, Key};
use super::kind::Value;
use super::layer::{self, Found, Layer, Origin, Reading};
use super::receivers::Webhook;
use super::values;

/// Where the settings of one run are read from, as often as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The file of the repository's main checkout, whether it is there or not.
    pub(crate) repo_file: Option<PathBuf>,
    /// The user's own file, whether it is there or not.
    pub(crate) user_file: Option<PathBuf>,
    /// The variables of the environment.
    pub(crate) environment: Vec<(String, String)>,
    /// The standard variables of OpenTelemetry in it.
    pub(crate) standard: BTreeMap<String, String>,
    /// The flags.
    pub(crate) flags: Flags,
}

/// Every setting with its origin.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    /// In the table's order, one for each key.
    pub(crate) settings: Vec<Setting>,
    /// What was asked for and does not count, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// One setting as it counts.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static Key,
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

impl Sources {
    /// Reads all layers.
    ///
    /// # Errors
    ///
    /// Returns everything that is wrong, a line for each.
    pub(crate) fn read(&self) -> anyhow::Result<Effective> {
        let layers = self.layers();
        let wrong: Vec<&str> = layers.iter().flat_map(|reading| &reading.wrong).map(String::as_str).collect();
        anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        let found: Vec<Found> = layers.into_iter().flat_map(|reading| reading.found).collect();
        let effective = Effective::of(&found);
        effective.check()?;
        Ok(effective)
    }

    /// Takes what is sound of all layers: for what must be known although something else is wrong.
    pub(crate) fn read_what_is_sound(&self) -> Effective {
        let found: Vec<Found> = self.layers().into_iter().flat_map(|reading| reading.found).collect();
        Effective::of(&found)
    }

    fn layers(&self) -> [Reading; 4] {
        [
            file(Layer::User, self.user_file.as_deref()),
            file(Layer::Repository, self.repo_file.as_deref()),
            layer::of_environment(&self.environment),
            layer::of_flags(&self.flags),
        ]
    }
}

fn file(layer: Layer, path: Option<&Path>) -> Reading {
    let Some(path) = path else { return Reading::default() };
    match std::fs::read_to_string(path) {
        Ok(text) => layer::of_file(layer, path, &text),
        Err(error) if is_absent(&error) => Reading::default(),
        Err(error) => {
            let wrong = vec![format!("{} cannot be read: {error}", path.display())];
            Reading { wrong, ..Reading::default() }
        }
    }
}

/// A file in a folder that is none is not there either.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

impl Effective {
    /// Takes for each key the last value that was found, from the weakest layer to the strongest.
    pub(crate) fn of(found: &[Found]) -> Self {
        let mut notes = Vec::new();
        let settings = KEYS.iter().map(|key| settle(key, found, &mut notes)).collect();
        Self { settings, notes }
    }

    /// Checks what one key alone cannot tell.
    ///
    /// # Errors
    ///
    /// Returns which keys do not go together and what to write.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let billing = self.get("budget.billing");
        anyhow::ensure!(
            self.text("budget.billing") != "subscription" || self.whole("budget.tokens_per_day") > 0,
            "{}: budget.billing is \"subscription\", which needs a limit of tokens: set budget.tokens_per_day, too",
            billing.origin
        );
        if self.text("agent.kind") == "command" {
            self.agent_command()?;
        }
        Ok(())
    }

    /// Returns how the agent's program is started.
    ///
    /// # Errors
    ///
    /// Says what the command line lacks.
    pub(crate) fn agent_command(&self) -> anyhow::Result<Template> {
        let origin = &self.get("agent.command").origin;
        Template::new(self.words("agent.command"))
            .with_context(|| format!("{origin}: agent.command cannot be used"))
    }

    /// Returns a setting.
    pub(crate) fn get(&self, name: &str) -> &Setting {
        let mut all = self.settings.iter();
        all.find(|setting| setting.key.name == name)
            .expect("the table has every key that the program reads; a test reads them all")
    }

    /// Returns a text; for most keys an empty one is not set.
    pub(crate) fn text(&self, name: &str) -> &str {
        match &self.get(name).value {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// Returns a text that is set.
    pub(crate) fn some(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.trim().is_empty()).map(str::to_owned)
    }

    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        match &self.get(name).value {
            Value::Words(words) => words.clone(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn webhooks(&self, name: &str) -> Vec<Webhook> {
        match &self.get(name).value {
            Value::Webhooks(webhooks) => webhooks.clone(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn whole(&self, name: &str) -> u64 {
        match self.get(name).value {
            Value::Whole(number) => number,
            _ => 0,
        }
    }

    /// Returns a number of which the table allows no more than fits.
    pub(crate) fn small(&self, name: &str) -> u32 {
        u32::try_from(self.whole(name)).unwrap_or(u32::MAX)
    }

    pub(crate) fn switch(&self, name: &str) -> bool {
        self.get(name).value == Value::Switch(true)
    }

    pub(crate) fn sizes(&self, name: &str) -> [u64; 3] {
        match &self.get(name).value {
            Value::Sizes(list) => list.as_slice().try_into().unwrap_or_default(),
            _ => Default::default(),
        }
    }

    pub(crate) fn time(&self, name: &str) -> Duration {
        values::time(self.text(name)).unwrap_or_default()
    }

    pub(crate) fn bytes(&self, name: &str) -> u64 {
        values::bytes(self.text(name)).unwrap_or_default()
    }

    /// Returns an amount; one of 0 and an empty one are none.
    pub(crate) fn dollars(&self, name: &str) -> Option<MicroUsd> {
        self.text(name).parse().ok().filter(|amount| *amount > MicroUsd::ZERO)
    }
}

fn settle(key: &'static Key, found: &[Found], notes: &mut Vec<String>) -> Setting {
    let set = || found.iter().filter(|found| std::ptr::eq(found.key, key));
    let Some(wins) = set().max_by_key(|found| found.origin.layer) else { return default(key) };
    let users = set().find(|found| found.origin.layer == Layer::User);
    let ceiling = users.filter(|users| key.is_ceiling && amount(wins) > amount(users));
    let counts = ceiling.unwrap_or(wins);
    if ceiling.is_some() {
        notes.push(format!(
            "{}: {} asks for {}; your own file allows at most {} ({}), which counts",
            key.name, wins.origin, wins.value, counts.value, counts.origin
        ));
    }
    Setting { key, value: counts.value.clone(), origin: counts.origin.clone() }
}

/// How much is asked for: none at all and 0 mean without limit.
fn amount(found: &Found) -> i64 {
    let amount = match &found.value {
        Value::Text(text) => text.parse().ok().map(MicroUsd::micro),
        Value::Whole(number) => i64::try_from(*number).ok(),
        _ => None,
    };
    amount.filter(|amount| *amount > 0).unwrap_or(i64::MAX)
}

fn default(key: &'static Key) -> Setting {
    Setting {
        key,
        value: default_value(key),
        origin: Origin { layer: Layer::Default, place: "default".to_owned() },
    }
}

/// Returns the value of a key that nobody sets.
pub(crate) fn default_value(key: &Key) -> Value {
    let value = toml::de::DeValue::parse(key.default).ok();
    let taken = value.and_then(|value| key.kind.take(value.get_ref()).ok());
    taken.expect("the default of every key is a value of its kind; a test reads them all")
}

/// Tells whether two settings say the same.
pub(crate) fn differ(one: &Effective, other: &Effective) -> Vec<&'static Key> {
    let pairs = one.settings.iter().zip(&other.settings);
    pairs.filter(|(one, other)| one.value != other.value).map(|(one, _)| one.key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    /// A layer of each kind that sets one key.
    fn found(name: &str, layers: &[(Layer, &str)]) -> Vec<Found> {
        let key = keys::find(name).expect("a key");
        let found = |(layer, word): &(Layer, &str)| Found {
            key,
            value: key.kind.take_word(word).expect("a value"),
            origin: Origin { layer: *layer, place: format!("{layer:?}") },
        };
        layers.iter().map(found).collect()
    }

    /// What each layer sets a key to.
    type Set = &'static [(Layer, &'static str)];

    fn effective(name: &str, layers: &[(Layer, &str)]) -> (String, Layer, usize) {
        let effective = Effective::of(&found(name, layers));
        let setting = effective.get(name);
        (setting.value.to_string(), setting.origin.layer, effective.notes.len())
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for key in KEYS {
            assert_eq!(default_value(key).to_string(), key.default, "{}", key.name);
        }
    }

    #[test]
    fn a_stronger_layer_wins_whatever_their_order_and_says_who_it_was() {
        use Layer::{Environment, Flag, Repository, User};
        let table: [(Set, (&str, Layer)); 7] = [
            (&[], ("1", Layer::Default)),
            (&[(User, "2")], ("2", User)),
            (&[(User, "2"), (Repository, "3")], ("3", Repository)),
            (&[(Repository, "3"), (User, "2")], ("3", Repository)),
            (&[(User, "2"), (Repository, "3"), (Environment, "4")], ("4", Environment)),
            (&[(User, "2"), (Repository, "3"), (Environment, "4"), (Flag, "5")], ("5", Flag)),
            (&[(Flag, "5"), (User, "2")], ("5", Flag)),
        ];
        for (layers, (value, layer)) in table {
            let (got, from, _) = effective("work.workers", layers);
            assert_eq!((got.as_str(), from), (value, layer), "{layers:?}");
        }
    }

    #[test]
    fn the_users_own_caps_are_a_ceiling_for_everyone_else() {
        use Layer::{Environment, Flag, Repository, User};
        let table: [(&str, Set, (&str, Layer, usize)); 8] = [
            ("budget.per_hour", &[(User, "2"), (Repository, "5")], (r#""2""#, User, 1)),
            ("budget.per_hour", &[(User, "2"), (Environment, "5")], (r#""2""#, User, 1)),
            ("budget.per_hour", &[(User, "2"), (Flag, "5")], (r#""2""#, User, 1)),
            ("budget.per_hour", &[(User, "2"), (Flag, "1.50")], (r#""1.50""#, Flag, 0)),
            ("budget.per_day", &[(User, "20"), (Repository, "")], (r#""20""#, User, 1)),
            ("budget.per_task", &[(User, "3"), (Repository, "0")], (r#""3""#, User, 1)),
            ("budget.tokens_per_day", &[(User, "9"), (Repository, "10")], ("9", User, 1)),
            ("work.workers", &[(User, "2"), (Repository, "5")], ("5", Repository, 0)),
        ];
        for (key, layers, (value, layer, notes)) in table {
            let (got, from, said) = effective(key, layers);
            assert_eq!((got.as_str(), from, said), (value, layer, notes), "{key} {layers:?}");
        }
    }

    #[test]
    fn a_subscription_needs_a_limit_of_tokens() {
        let sources = |flags: Flags| Sources { flags, ..Sources::default() };
        let billing = Flags::default().or("budget.billing", "subscription");
        let error = sources(billing.clone()).read().expect_err("no limit").to_string();
        assert!(error.contains("budget.tokens_per_day"), "{error}");
        assert!(sources(billing.or("budget.tokens_per_day", "1000")).read().is_ok());
    }
}
