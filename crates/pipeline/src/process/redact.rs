//! Keeps secrets out of what is stored: those that are known, and what looks like one.

use std::fmt;

/// What stands in their place.
const MARK: &str = "[redacted]";
/// Shorter values are no secrets, and words that would be missed everywhere.
const SHORTEST: usize = 8;

/// How keys of well-known services begin, and how many characters follow at least.
const KEYS: &[(&str, usize)] = &[
    ("sk-", 20),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghs_", 30),
    ("ghu_", 30),
    ("github_pat_", 30),
    ("glpat-", 18),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xapp-", 20),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("hf_", 30),
    ("npm_", 30),
    ("pypi-", 30),
    ("whsec_", 20),
    ("eyJ", 40),
];
/// What comes right before a secret, in any case.
const BEFORE: &[&str] = &["bearer ", "authorization: basic ", "x-api-key: "];
const PRIVATE_KEY: &str = "PRIVATE KEY-----";

/// Takes secrets out of text.
#[derive(Clone, Default)]
pub struct Redactor {
    /// The longest first, so that one that contains another goes as a whole.
    known: Vec<String>,
}

impl Redactor {
    /// Knows these secrets. Of one with several lines each line is a secret, and one too short to be one is not.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let secrets: Vec<String> = secrets.into_iter().collect();
        let lines = secrets.iter().flat_map(|secret| secret.lines()).map(str::trim);
        let mut known: Vec<String> = lines.filter(|line| line.len() >= SHORTEST).map(str::to_owned).collect();
        known.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        known.dedup();
        Self { known }
    }

    /// Returns the text without secrets.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let known =
            self.known.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MARK));
        let mut redacted = String::with_capacity(known.len());
        let mut in_key = false;
        for line in known.split_inclusive('\n') {
            if line.contains(PRIVATE_KEY) {
                in_key = line.contains("BEGIN");
                redacted.push_str(line);
            } else if in_key && !line.trim().is_empty() {
                redacted.push_str(MARK);
                redacted.push('\n');
            } else {
                redacted.push_str(&without_keys(line));
            }
        }
        redacted
    }

    /// Tells whether bytes contain a secret that is known.
    #[must_use]
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.known.iter().any(|secret| contains(bytes, secret.as_bytes()))
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else { return false };
    let starts = bytes.iter().enumerate().filter(|(_, byte)| *byte == first);
    starts.map(|(at, _)| &bytes[at..]).any(|rest| rest.starts_with(wanted))
}

/// Takes out what looks like a key.
fn without_keys(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    let mut is_inside_word = false;
    while let Some(first) = rest.chars().next() {
        let token = if is_inside_word { None } else { key(rest).or_else(|| announced(rest)) };
        let (shown, hidden) = token.unwrap_or((first.len_utf8(), 0));
        kept.push_str(&rest[..shown]);
        if hidden > 0 {
            kept.push_str(MARK);
        }
        rest = &rest[shown + hidden..];
        is_inside_word = hidden == 0 && is_word(first);
    }
    kept
}

/// Finds a key at the start of the text: how much of it is shown, and how much is hidden.
fn key(text: &str) -> Option<(usize, usize)> {
    KEYS.iter().find_map(|(start, least)| {
        let tail = token(text.strip_prefix(start)?);
        (tail >= *least).then_some((0, start.len() + tail))
    })
}

/// Finds something that its beginning says is a secret.
fn announced(text: &str) -> Option<(usize, usize)> {
    BEFORE.iter().find_map(|before| {
        let start = text.get(..before.len())?;
        let tail = token(&text[before.len()..]);
        (start.eq_ignore_ascii_case(before) && tail >= SHORTEST).then_some((before.len(), tail))
    })
}

/// Measures what keys are made of.
fn token(text: &str) -> usize {
    text.find(|sign: char| !(is_word(sign) || "-.=+/".contains(sign))).unwrap_or(text.len())
}

fn is_word(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || sign == '_'
}

/// Shows nothing: its values are secrets.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.known.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_secrets_go_wherever_they_stand() {
        let redactor = Redactor::new(["hunter2hunter2".to_owned(), "short".to_owned()]);
        assert_eq!(redactor.redact("a=hunter2hunter2;b=short"), "a=[redacted];b=short");
        assert!(redactor.finds(b"\0\xffhunter2hunter2"));
        assert!(!redactor.finds(b"hunter2"));
        assert_eq!(format!("{redactor:?}"), "Redactor(1 secrets)");
    }

    #[test]
    fn every_line_of_a_secret_is_one() {
        let redactor = Redactor::new(["-----first line-----\nsecond line here".to_owned()]);
        assert_eq!(redactor.redact("x second line here y"), "x [redacted] y");
    }

    #[test]
    fn what_looks_like_a_key_goes_and_words_stay() {
        let redact = |text: &str| Redactor::default().redact(text);
        let key = "0123456789abcdefABCDEF0123456789abcdef0123";
        for start in ["sk-", "ghp_", "github_pat_", "AKIA", "eyJ"] {
            assert_eq!(redact(&format!("key: {start}{key}, next")), "key: [redacted], next", "{start}");
        }
        assert_eq!(redact("Authorization: BEARER abcdef.123456"), "Authorization: BEARER [redacted]");
        for plain in ["a task-force of ask-me", "desk-lamp sk-1", "the bearer of news", "grüße\n"] {
            assert_eq!(redact(plain), plain);
        }
    }

    #[test]
    fn a_private_key_loses_its_inside() {
        let text = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb\n";
        let expected =
            "a\n-----BEGIN RSA PRIVATE KEY-----\n[redacted]\n[redacted]\n-----END RSA PRIVATE KEY-----\nb\n";
        assert_eq!(Redactor::default().redact(text), expected);
    }

    proptest! {
        #[test]
        fn no_known_secret_survives(secret in "[ -~]{8,20}", before in ".{0,40}", after in ".{0,40}") {
            let redactor = Redactor::new([secret.clone()]);
            let secret = secret.trim();
            prop_assume!(secret.len() >= SHORTEST && !MARK.contains(secret));
            let redacted = redactor.redact(&format!("{before}{secret}{after}"));
            prop_assert!(!redacted.contains(secret), "{}", redacted);
        }
    }
}
