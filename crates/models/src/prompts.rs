//! The prompts of an attempt that were billed, from which the next one is bounded more closely.
//!
//! UTF-8 bytes always bound a prompt, and are several times too many. But a request that extends an earlier one (its
//! turns begin with the same bytes) can cost no more than that one was billed for its prompt, and the bytes of the rest.

use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::port::{Request, Turn, Who, bytes_bound, prompt_bound};

/// How many prompts are remembered, the latest ones.
const REMEMBERED: usize = 64;

/// The billed prompts of one attempt with one model. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Prompts {
    billed: Arc<Mutex<Vec<Billed>>>,
}

/// A prompt that was billed.
#[derive(Debug)]
struct Billed {
    turns: usize,
    digest: [u8; 32],
    tokens: u64,
}

impl Prompts {
    /// Remembers what a provider billed for a prompt.
    pub fn remember(&self, turns: &[Turn], tokens: u64) {
        let Some(digest) = digests(turns).last() else { return };
        let mut billed = self.billed.lock().unwrap_or_else(PoisonError::into_inner);
        let surplus = (billed.len() + 1).saturating_sub(REMEMBERED);
        billed.drain(..surplus);
        billed.push(Billed { turns: turns.len(), digest, tokens });
    }

    /// Returns the most tokens that a provider can bill for a request's prompt: by its bytes, or by the difference to a
    /// prompt that it extends when that is less.
    #[must_use]
    pub fn bound(&self, request: &Request) -> u64 {
        let billed = self.billed.lock().unwrap_or_else(PoisonError::into_inner);
        let digests: Vec<_> = if billed.is_empty() { Vec::new() } else { digests(&request.turns).collect() };
        let is_extended = |earlier: &&Billed| digests.get(earlier.turns - 1) == Some(&earlier.digest);
        let by_difference = |earlier: &Billed| {
            earlier.tokens.saturating_add(bytes_bound(request.turns.get(earlier.turns..).unwrap_or_default()))
        };
        let extended = billed.iter().filter(is_extended).map(by_difference);
        extended.chain([prompt_bound(request)]).min().unwrap_or(u64::MAX)
    }
}

/// Returns the digest of the first turn, of the first two, and so on.
fn digests(turns: &[Turn]) -> impl Iterator<Item = [u8; 32]> {
    let mut so_far = Sha256::new();
    turns.iter().map(move |turn| {
        hash_turn(&mut so_far, turn);
        so_far.clone().finalize().into()
    })
}

/// Adds a turn to a hash of a conversation: who says it, and what.
pub fn hash_turn(hash: &mut Sha256, turn: &Turn) {
    hash.update([match turn.who {
        Who::System => 0,
        Who::User => 1,
        Who::Assistant => 2,
    }]);
    hash.update((turn.text.len() as u64).to_be_bytes());
    hash.update(turn.text.as_bytes());
}

#[cfg(test)]
mod tests {
    use glitchlab_domain::stage::Stage;
    use proptest::prelude::*;

    use super::*;
    use crate::account::Account;
    use crate::port::Model;
    use crate::port::tests::{money, request};
    use crate::simulated::{Profile, Simulated};

    fn of(turns: &[Turn]) -> Request {
        Request { turns: turns.to_vec(), ..request("gl-1", Stage::Implement, 0) }
    }

    fn growing(texts: &[String]) -> Vec<Turn> {
        let turn = |(place, text): (usize, &String)| match place % 2 {
            0 => Turn::user(text.clone()),
            _ => Turn::assistant(text.clone()),
        };
        texts.iter().enumerate().map(turn).collect()
    }

    #[test]
    fn a_request_that_extends_a_billed_one_is_bounded_by_the_difference() {
        let prompts = Prompts::default();
        let mut turns = growing(&["x".repeat(4_000)]);
        assert_eq!(prompts.bound(&of(&turns)), 4_000 + 2 * 16);
        prompts.remember(&turns, 1_000);
        turns.extend([Turn::assistant("yes"), Turn::user("and now?")]);
        assert_eq!(prompts.bound(&of(&turns)), 1_000 + 3 + 8 + 3 * 16);
    }

    #[test]
    fn one_byte_that_differs_is_another_conversation() {
        let prompts = Prompts::default();
        prompts.remember(&growing(&["aaaa".to_owned()]), 0);
        let other = of(&growing(&["aaab".to_owned(), "c".to_owned()]));
        assert_eq!(prompts.bound(&other), prompt_bound(&other));
        let shifted = of(&growing(&["aaa".to_owned(), "ac".to_owned()]));
        assert_eq!(prompts.bound(&shifted), prompt_bound(&shifted));
    }

    #[test]
    fn what_was_billed_more_than_the_bytes_allow_bounds_nothing() {
        let prompts = Prompts::default();
        let turns = growing(&["abc".to_owned()]);
        prompts.remember(&turns, u64::MAX);
        assert_eq!(prompts.bound(&of(&turns)), prompt_bound(&of(&turns)));
    }

    proptest! {
        #[test]
        fn a_simulated_provider_bills_at_most_the_bound_by_difference(
            texts in prop::collection::vec("[a-zä-ü]{0,900}", 1..14), seed: u64, fast: bool,
        ) {
            let profile = if fast { Profile::Fast } else { Profile::Realistic };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let account = Account::memory(Arc::new(|| 0));
            let model = Simulated::new(profile, seed, account.clone());
            let prompts = Prompts::default();
            let turns = growing(&texts);
            for asked in (1..=turns.len()).step_by(2) {
                let request = of(&turns[..asked]);
                let bound = prompts.bound(&request);
                let spent = runtime.block_on(model.call(money(0), &request));
                if let Some(entry) = account.entries().last() {
                    prop_assert!(entry.input_tokens <= bound, "{} billed, {} bounded", entry.input_tokens, bound);
                }
                if let Some(paid) = spent.paid().filter(|paid| paid.input_tokens > 0) {
                    prompts.remember(&request.turns, paid.input_tokens);
                }
            }
        }
    }
}
