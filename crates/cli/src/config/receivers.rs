//! Who is told of alerts: the names of the variables that hold a receiver's address and its secret. The values themselves
//! are never written to a file, the store or a log.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Context;
use glitchlab_actors::tqm_alerter::webhook::{Receiver, Signer};
use glitchlab_domain::alert::delivery::Endpoint;
use glitchlab_domain::alert::format::Format;
use serde::Serialize;
use serde_json::json;
use toml::de::DeValue;

use super::environment::variable;
use super::kind::quoted;

/// One entry of `alerts.webhooks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Webhook {
    /// The variable that holds the address.
    pub(crate) url_env: String,
    /// The variable that holds the secret of its signature; empty for no signature.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) secret_env: String,
    /// How it wants to be told.
    pub(crate) format: Format,
}

impl Webhook {
    /// Takes an entry of a file; none when it is not one.
    pub(crate) fn take(value: &DeValue<'_>) -> Option<Self> {
        let DeValue::Table(table) = value else { return None };
        let mut webhook =
            Self { url_env: String::new(), secret_env: String::new(), format: Format::default() };
        for (name, value) in table {
            let text = value.get_ref().as_str()?;
            match name.get_ref().as_ref() {
                "url_env" => text.clone_into(&mut webhook.url_env),
                "secret_env" if is_variable(text) => text.clone_into(&mut webhook.secret_env),
                "format" => webhook.format = Format::parse(text)?,
                _ => return None,
            }
        }
        is_variable(&webhook.url_env).then_some(webhook)
    }

    /// Finds the values in the environment.
    fn receiver(&self) -> anyhow::Result<Receiver> {
        let url = set(&self.url_env, "the receiver's address")?;
        anyhow::ensure!(
            url.starts_with("https://") || url.starts_with("http://"),
            "alerts.webhooks: {} is not an address that begins with https:// or http://",
            self.url_env
        );
        let secret = Some(&self.secret_env).filter(|name| !name.is_empty());
        let signer = secret.map(|name| {
            Signer::new(&set(name, "the secret of the receiver")?)
                .with_context(|| format!("alerts.webhooks: {name}"))
        });
        let endpoint = Endpoint::new(&self.url_env, &url, self.format);
        Ok(Receiver { endpoint, url, signer: signer.transpose()? })
    }
}

/// Finds all receivers with their secrets.
///
/// # Errors
///
/// Names the variable that is not set, or does not hold what it should; never its value.
pub(crate) fn receivers(webhooks: &[Webhook]) -> anyhow::Result<Vec<Receiver>> {
    let names: BTreeSet<_> = webhooks.iter().map(|webhook| &webhook.url_env).collect();
    anyhow::ensure!(
        names.len() == webhooks.len(),
        "alerts.webhooks: two entries have the same url_env; give each receiver a variable of its own"
    );
    webhooks.iter().map(Webhook::receiver).collect()
}

fn set(name: &str, what: &str) -> anyhow::Result<String> {
    variable(name).with_context(|| {
        format!("alerts.webhooks: {name} is not set; put {what} into it, or take the entry out")
    })
}

/// The names of variables that a shell can set.
const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

fn is_variable(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Says the same to a JSON Schema.
pub(crate) fn schema() -> serde_json::Value {
    let name = json!({ "type": "string", "pattern": VARIABLE });
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": false,
            "required": ["url_env"],
            "properties": {
                "url_env": name,
                "secret_env": name,
                "format": { "enum": Format::ALL.map(Format::name) },
            },
        },
    })
}

/// Writes the entry as TOML.
impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ url_env = {}", quoted(&self.url_env))?;
        if !self.secret_env.is_empty() {
            write!(f, ", secret_env = {}", quoted(&self.secret_env))?;
        }
        write!(f, ", format = {} }}", quoted(self.format.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(toml: &str) -> Option<Webhook> {
        Webhook::take(DeValue::parse(toml).expect("the value is TOML").get_ref())
    }

    #[test]
    fn what_is_written_reads_back_as_itself() {
        let text = r#"{ url_env = "HOOK", secret_env = "SECRET", format = "json" }"#;
        assert_eq!(take(text).expect(text).to_string(), text);
        let least = take(r#"{ url_env = "HOOK" }"#).expect("an address will do");
        assert_eq!(least.to_string(), r#"{ url_env = "HOOK", format = "alertmanager" }"#);
    }

    #[test]
    fn an_address_in_the_place_of_its_variable_is_refused() {
        for wrong in [
            r#"{ url_env = "https://hooks.example.org/T0/secret" }"#,
            r#"{ url_env = "" }"#,
            r#"{ url_env = "1HOOK" }"#,
            r#"{ secret_env = "SECRET" }"#,
            r#"{ url_env = "HOOK", secret_env = "" }"#,
            r#"{ url_env = "HOOK", format = "pigeon" }"#,
            r#"{ url_env = "HOOK", url = "https://hooks.example.org" }"#,
            r#""HOOK""#,
        ] {
            assert_eq!(take(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let webhook = take(r#"{ url_env = "GLITCHLAB_NOBODY_SETS_THIS" }"#).expect("it is an entry");
        let error = receivers(std::slice::from_ref(&webhook)).expect_err("it is not set").to_string();
        assert!(error.contains("GLITCHLAB_NOBODY_SETS_THIS is not set"), "{error}");
        let error = receivers(&[webhook.clone(), webhook]).expect_err("it is there twice").to_string();
        assert!(error.contains("a variable of its own"), "{error}");
    }
}
