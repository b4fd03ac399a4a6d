//! What a call said and was told beside the text of its reply.

use serde::{Deserialize, Serialize};

/// What a provider says of a reply beside its text and its price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The provider's id of the reply.
    pub id: String,
    /// The model that answered, as the provider names it: that may be more exact than what was asked for.
    pub model: String,
    /// Why the reply ended, for each of its choices: `stop`, `length` or a word of the provider's own.
    pub finish_reasons: Vec<String>,
    /// What the provider's cache did for the prompt; none when it does not say, or does not say what it billed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheUse>,
}

/// Prompt tokens that a provider's cache was used for. They are among those that are billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheUse {
    /// Tokens that were read from the cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub read_tokens: u64,
    /// Tokens that were written to it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub written_tokens: u64,
}

/// One message that a model was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it: `system`, `user` or `assistant`.
    pub role: String,
    /// What.
    pub text: String,
}

impl Response {
    /// Says whether a reply was cut because it had used up its output tokens.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.finish_reasons.iter().any(|reason| reason == LENGTH)
    }
}

/// The reply was at its end.
pub const STOP: &str = "stop";
/// The reply had used up its output tokens.
pub const LENGTH: &str = "length";

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(tokens: &u64) -> bool {
    *tokens == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_takes_no_room_and_reads_as_nothing() {
        let response = Response {
            id: "r-1".to_owned(),
            model: "m".to_owned(),
            finish_reasons: vec![STOP.to_owned()],
            cache: None,
        };
        let text = serde_json::to_string(&response).unwrap();
        assert_eq!(text, r#"{"id":"r-1","model":"m","finish_reasons":["stop"]}"#);
        assert_eq!(serde_json::from_str::<Response>(&text).unwrap(), response);
        let cache = Some(CacheUse { read_tokens: 0, written_tokens: 7 });
        let text = serde_json::to_string(&Response { cache, ..response.clone() }).unwrap();
        assert!(text.ends_with(r#""cache":{"written_tokens":7}}"#), "{text}");
        assert_eq!(serde_json::from_str::<Response>(&text).unwrap().cache, cache);
    }

    #[test]
    fn a_reply_that_used_up_its_tokens_is_cut() {
        let ended =
            |reason: &str| Response { finish_reasons: vec![reason.to_owned()], ..Response::default() };
        assert!(ended(LENGTH).is_cut());
        assert!(!ended(STOP).is_cut() && !Response::default().is_cut());
    }
}
