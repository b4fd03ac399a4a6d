//! What a model answers: a text, and what its provider says of it.

use glitchlab_domain::response::{CacheUse, Response};

use crate::port::{Turn, Who};

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its text.
    pub text: String,
    /// What the provider says of it beside; none of a program that works by itself.
    pub response: Option<Response>,
}

/// A text of which nothing else is said.
impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self { text, response: None }
    }
}

/// Returns what the cache of an offline provider did for a prompt of so many billed tokens: it keeps every prompt that it
/// answered, so it reads what was sent before, up to its own last reply, and writes the rest. Tokens are shared out by
/// bytes.
pub(crate) fn cached(turns: &[Turn], input_tokens: u64) -> CacheUse {
    let bytes = |turns: &[Turn]| turns.iter().map(|turn| turn.text.len() as u64).sum::<u64>();
    let sent_before = turns.iter().rposition(|turn| turn.who == Who::Assistant).unwrap_or(0);
    let share = u128::from(input_tokens) * u128::from(bytes(&turns[..sent_before]));
    let read_tokens = share.checked_div(u128::from(bytes(turns))).unwrap_or(0);
    let read_tokens = u64::try_from(read_tokens).unwrap_or(u64::MAX);
    CacheUse { read_tokens, written_tokens: input_tokens.saturating_sub(read_tokens) }
}

/// Returns how an offline provider names the model of an id such as `simulated/fast`.
pub(crate) fn model_name(id: &str) -> &str {
    id.split_once('/').map_or(id, |(_, model)| model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_reads_what_was_sent_before_and_writes_the_rest() {
        let mut turns = vec![Turn::system("rule"), Turn::user("12345678")];
        assert_eq!(cached(&turns, 30), CacheUse { read_tokens: 0, written_tokens: 30 });
        turns.extend([Turn::assistant("1234"), Turn::user("12345678")]);
        assert_eq!(cached(&turns, 30), CacheUse { read_tokens: 15, written_tokens: 15 });
    }

    #[test]
    fn nothing_sent_is_nothing_cached() {
        assert_eq!(cached(&[], 0), CacheUse::default());
        assert_eq!(cached(&[Turn::assistant("")], 5), CacheUse { read_tokens: 0, written_tokens: 5 });
    }
}
