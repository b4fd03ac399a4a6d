//! Why nothing starts: the sentence, the gates, and every wait and every skip.

mod gates;
mod lead;
mod waits;

pub(crate) use gates::Gates;
pub(crate) use lead::{lead, needs_you};
pub(crate) use waits::Waits;

/// A piece of a sentence of ours, which has commands and settings in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) is_code: bool,
    pub(crate) text: String,
}

/// Takes a sentence apart at its backticks; text that has an odd one, such as a task's own, stays text to its end.
pub(crate) fn parts(sentence: &str) -> Vec<Part> {
    let pieces: Vec<&str> = sentence.split('`').collect();
    let is_paired = pieces.len() % 2 == 1;
    let part =
        |(n, text): (usize, &&str)| Part { is_code: is_paired && n % 2 == 1, text: (*text).to_owned() };
    let parts = pieces.iter().enumerate().map(part);
    parts.filter(|part| !part.text.is_empty()).collect()
}

#[cfg(test)]
mod tests;
