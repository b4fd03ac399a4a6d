//! What a setting may be: read from TOML or from a word of the command line or the environment, checked, and said to a
//! schema.

use std::fmt;

use serde::Serialize;
use serde_json::json;
use toml::de::{DeInteger, DeValue};

use super::receivers::{self, Webhook};
use super::values;

/// What may be written for a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The version of the keys, which is 1.
    Version,
    /// Any text.
    Text,
    /// A list of texts.
    Words,
    /// A whole number.
    Whole { least: u64, most: u64 },
    /// Token budgets for three sizes.
    Sizes,
    /// Yes or no.
    Switch,
    /// A time of at least so many ms, a power of ten.
    Time { least_ms: u64 },
    /// A size on disk.
    Bytes,
    /// A quoted decimal amount.
    Dollars { zero: bool, empty: bool },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, and others that a later version knows.
    Soon { now: &'static [&'static str], later: &'static [&'static str] },
    /// A JSON pointer, or nothing.
    Pointer,
    /// A list of receivers of alerts.
    Webhooks,
}

/// What is written for a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Switch(bool),
    Whole(u64),
    Text(String),
    Words(Vec<String>),
    Sizes(Vec<u64>),
    Webhooks(Vec<Webhook>),
}

/// The budgets of [`Kind::Sizes`].
const SIZES: usize = 3;
/// The largest of them.
const MOST_TOKENS: u64 = 1_000_000_000;

impl Kind {
    /// Takes a value of a file.
    ///
    /// # Errors
    ///
    /// Says what to write instead.
    pub(crate) fn take(self, value: &DeValue<'_>) -> Result<Value, String> {
        let taken = match (self, value) {
            (Self::Version | Self::Whole { .. }, DeValue::Integer(number)) => whole(number).map(Value::Whole),
            (Self::Switch, DeValue::Boolean(is_on)) => Some(Value::Switch(*is_on)),
            (Self::Words, DeValue::Array(list)) => {
                let text = |item: &DeValue<'_>| item.as_str().map(str::to_owned);
                list.iter().map(|item| text(item.get_ref())).collect::<Option<_>>().map(Value::Words)
            }
            (Self::Sizes, DeValue::Array(list)) => {
                let number = |item: &DeValue<'_>| item.as_integer().and_then(whole);
                list.iter().map(|item| number(item.get_ref())).collect::<Option<_>>().map(Value::Sizes)
            }
            (Self::Webhooks, DeValue::Array(list)) => list
                .iter()
                .map(|item| Webhook::take(item.get_ref()))
                .collect::<Option<_>>()
                .map(Value::Webhooks),
            (
                Self::Version
                | Self::Whole { .. }
                | Self::Switch
                | Self::Words
                | Self::Sizes
                | Self::Webhooks,
                _,
            ) => None,
            (_, value) => value.as_str().map(|text| Value::Text(text.to_owned())),
        };
        self.checked(taken.ok_or_else(|| format!("it must be {self}"))?)
    }

    /// Takes a word of the command line or the environment; a list is separated by commas, receivers are written as in a
    /// file.
    ///
    /// # Errors
    ///
    /// Says what to write instead.
    pub(crate) fn take_word(self, word: &str) -> Result<Value, String> {
        let items = || word.split(',').map(str::trim).filter(|item| !item.is_empty());
        let taken = match self {
            Self::Version | Self::Whole { .. } => word.parse().ok().map(Value::Whole),
            Self::Switch => word.parse().ok().map(Value::Switch),
            Self::Words => Some(Value::Words(items().map(str::to_owned).collect())),
            Self::Sizes => items().map(|item| item.parse().ok()).collect::<Option<_>>().map(Value::Sizes),
            Self::Webhooks => DeValue::parse(word).ok().and_then(|list| self.take(list.get_ref()).ok()),
            _ => Some(Value::Text(word.to_owned())),
        };
        self.checked(taken.ok_or_else(|| format!("`{word}` is not {self}"))?)
    }

    fn checked(self, value: Value) -> Result<Value, String> {
        match (self, &value) {
            (Self::Version, Value::Whole(version)) if *version != 1 => {
                Err(format!("{version} is not 1, the only version that this glitchlab knows"))
            }
            (Self::Whole { least, most }, Value::Whole(number)) if !(least..=most).contains(number) => {
                Err(format!("{number} is not {self}"))
            }
            (Self::Sizes, Value::Sizes(list)) if !are_sizes(list) => Err(format!("it must be {self}")),
            (_, Value::Text(text)) => self.check_text(text).map(|()| value),
            _ => Ok(value),
        }
    }

    fn check_text(self, text: &str) -> Result<(), String> {
        match self {
            Self::Time { least_ms } => {
                let time = values::time(text)?;
                let is_long = time.as_millis() >= u128::from(least_ms);
                if is_long {
                    Ok(())
                } else {
                    Err(format!("{text} is under {least_ms}ms, work would never end"))
                }
            }
            Self::Bytes => values::bytes(text).map(|_| ()),
            Self::Dollars { empty: true, .. } if text.is_empty() => Ok(()),
            Self::Dollars { zero, .. } => values::dollars(text, zero),
            Self::Choice(words) if !words.contains(&text) => Err(format!("`{text}` is not {self}")),
            Self::Soon { later, .. } if later.contains(&text) => {
                Err(format!("this version does not know `{text}` yet; write {self}"))
            }
            Self::Soon { now, .. } if !now.contains(&text) => Err(format!("`{text}` is not {self}")),
            Self::Pointer if !text.is_empty() && !text.starts_with('/') => {
                Err(format!("`{text}` is not {self}"))
            }
            _ => Ok(()),
        }
    }

    /// Says the same to a JSON Schema.
    pub(crate) fn schema(self) -> serde_json::Value {
        match self {
            Self::Version => json!({ "const": 1 }),
            Self::Text => json!({ "type": "string" }),
            Self::Words => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Whole { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Self::Sizes => json!({
                "type": "array", "minItems": SIZES, "maxItems": SIZES,
                "items": { "type": "integer", "minimum": 1, "maximum": MOST_TOKENS },
            }),
            Self::Switch => json!({ "type": "boolean" }),
            Self::Time { least_ms } => pattern(&values::time_pattern(least_ms)),
            Self::Bytes => pattern(values::BYTES_PATTERN),
            Self::Dollars { zero, empty } => pattern(&values::dollars_pattern(zero, empty)),
            Self::Choice(words) | Self::Soon { now: words, .. } => json!({ "enum": words }),
            Self::Pointer => pattern("^(/.*)?$"),
            Self::Webhooks => receivers::schema(),
        }
    }
}

fn pattern(text: &str) -> serde_json::Value {
    json!({ "type": "string", "pattern": text })
}

fn whole(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str().trim_start_matches('+'), number.radix()).ok()
}

fn are_sizes(list: &[u64]) -> bool {
    list.len() == SIZES && list.iter().all(|tokens| (1..=MOST_TOKENS).contains(tokens))
}

/// Says what may be written.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("1"),
            Self::Text => f.write_str("a quoted text"),
            Self::Words => f.write_str("a list of texts, such as [\"bug\", \"chore\"]"),
            Self::Whole { least, most } => write!(f, "a whole number from {least} to {most}"),
            Self::Sizes => f.write_str("a list of three numbers of tokens, such as [20000, 60000, 90000]"),
            Self::Switch => f.write_str("true or false"),
            Self::Time { .. } => f.write_str("a quoted time, such as \"30s\", \"5m\" or \"2h\""),
            Self::Bytes => f.write_str("a quoted size, such as \"500MiB\" or \"5GiB\""),
            Self::Dollars { .. } => f.write_str("a quoted amount of dollars, such as \"5.00\""),
            Self::Pointer => f.write_str("a quoted JSON pointer, such as \"/total_cost_usd\", or \"\""),
            Self::Choice(words) | Self::Soon { now: words, .. } => {
                write!(f, "one of \"{}\"", words.join("\", \""))
            }
            Self::Webhooks => f.write_str(
                "a list of receivers, such as [{ url_env = \"HOOK_URL\", secret_env = \"HOOK_SECRET\", format = \"json\" }], by the names of variables",
            ),
        }
    }
}

/// Writes the value as TOML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(is_on) => write!(f, "{is_on}"),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{}", quoted(text)),
            Self::Words(list) => {
                write!(f, "[{}]", list.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
            }
            Self::Sizes(list) => {
                write!(f, "[{}]", list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Webhooks(list) => {
                write!(f, "[{}]", list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Quotes a text so that it stays on its line.
pub(crate) fn quoted(text: &str) -> String {
    // What JSON writes for a text is a basic string of TOML, too.
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(kind: Kind, toml: &str) -> Result<Value, String> {
        let value = DeValue::parse(toml).expect("the value is TOML");
        kind.take(value.get_ref())
    }

    #[test]
    fn what_is_written_reads_back_as_itself() {
        let texts = [
            (Kind::Text, r#""a \"quoted\"\n text""#),
            (Kind::Words, r#"["a", "b,c"]"#),
            (Kind::Sizes, "[1, 2, 3]"),
            (Kind::Switch, "true"),
            (Kind::Whole { least: 0, most: 9 }, "9"),
        ];
        for (kind, text) in texts {
            assert_eq!(take(kind, text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_value_of_another_type_is_told_what_it_must_be() {
        let error = take(Kind::Whole { least: 1, most: 256 }, "\"two\"").expect_err("a text is no number");
        assert_eq!(error, "it must be a whole number from 1 to 256");
        assert!(take(Kind::Whole { least: 1, most: 256 }, "-1").is_err());
        assert!(take(Kind::Text, "5").is_err());
    }

    #[test]
    fn agents_of_later_versions_are_known_and_refused() {
        let kind = Kind::Soon { now: &["builtin", "command"], later: &["acp"] };
        assert!(take(kind, "\"command\"").is_ok());
        let error = take(kind, "\"acp\"").expect_err("not yet");
        assert_eq!(error, "this version does not know `acp` yet; write one of \"builtin\", \"command\"");
        assert!(take(kind, "\"other\"").expect_err("never").contains("is not one of"));
    }

    #[test]
    fn a_pointer_begins_with_a_slash() {
        assert!(take(Kind::Pointer, "\"/usage/cost\"").is_ok() && take(Kind::Pointer, "\"\"").is_ok());
        assert!(
            take(Kind::Pointer, "\"usage.cost\"")
                .expect_err("no pointer")
                .contains("is not a quoted JSON pointer")
        );
    }

    #[test]
    fn a_list_is_written_with_commas_in_a_word() {
        assert_eq!(
            Kind::Words.take_word("bug, chore"),
            Ok(Value::Words(vec!["bug".to_owned(), "chore".to_owned()]))
        );
        assert_eq!(Kind::Sizes.take_word("1,2,3"), Ok(Value::Sizes(vec![1, 2, 3])));
    }
}
