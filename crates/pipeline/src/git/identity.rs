//! Who makes commits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name under which the engine adds itself to commits made for a person.
pub const OURS: &str = "GLITCHLAB <glitchlab@localhost>";

/// The author and committer of commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identity {
    name: String,
    email: String,
}

/// The text does not name an author.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} does not name an author; write it as \"Name <mail@example.org>\"")]
pub struct IdentityError {
    /// The text.
    pub text: String,
}

impl Identity {
    /// Takes a name and a mail address.
    ///
    /// # Errors
    ///
    /// Fails when one is empty or has characters that git would drop.
    pub fn new(name: &str, email: &str) -> Result<Self, IdentityError> {
        let plain = |text: &str| !text.is_empty() && !text.contains(['<', '>', '\n', '\0']);
        let (name, email) = (name.trim(), email.trim());
        if !plain(name) || !plain(email) || email.contains(char::is_whitespace) {
            return Err(IdentityError { text: format!("{name} <{email}>") });
        }
        Ok(Self { name: name.to_owned(), email: email.to_owned() })
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the mail address.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Returns the trailer by which the engine tells of its part, unless the author is the engine itself.
    #[must_use]
    pub fn co_author(&self) -> Option<(String, String)> {
        (self.to_string() != OURS).then(|| ("Co-authored-by".to_owned(), OURS.to_owned()))
    }

    /// Returns the variables that make git use this identity, for one call and nothing else.
    pub(crate) fn variables(&self) -> [(&'static str, &str); 4] {
        [
            ("GIT_AUTHOR_NAME", &self.name),
            ("GIT_AUTHOR_EMAIL", &self.email),
            ("GIT_COMMITTER_NAME", &self.name),
            ("GIT_COMMITTER_EMAIL", &self.email),
        ]
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || IdentityError { text: text.to_owned() };
        let (name, rest) = text.split_once('<').ok_or_else(wrong)?;
        let email = rest.trim_end().strip_suffix('>').ok_or_else(wrong)?;
        Self::new(name, email).map_err(|_| wrong())
    }
}

impl TryFrom<String> for Identity {
    type Error = IdentityError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_is_a_name_and_a_mail_address() {
        let author: Identity = "Ada Lovelace <ada@example.org>".parse().unwrap();
        assert_eq!((author.name(), author.email()), ("Ada Lovelace", "ada@example.org"));
        assert_eq!(author.to_string(), "Ada Lovelace <ada@example.org>");
    }

    #[test]
    fn half_an_author_is_refused_with_the_way_to_write_one() {
        for text in ["", "Ada", "<ada@example.org>", "Ada <>", "Ada <a b>", "Ada <a> <b>", "A\nB <a@b>"] {
            let error = text.parse::<Identity>().unwrap_err();
            assert!(error.to_string().contains("Name <mail@example.org>"), "{text:?}");
        }
    }

    #[test]
    fn the_engine_is_co_author_of_others_only() {
        assert!("Ada <ada@example.org>".parse::<Identity>().unwrap().co_author().is_some());
        assert_eq!(OURS.parse::<Identity>().unwrap().co_author(), None);
    }
}
