//! Reading a model's reply: one JSON object, perhaps in a fence, perhaps with prose around it.

use serde::de::DeserializeOwned;

/// Reads the first JSON object of the text that is what was asked for; else says what is wrong with the first one.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let mut wrong = None;
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        rest = &rest[start..];
        let mut objects = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
        let (read, end) = (objects.next(), objects.byte_offset());
        match read {
            Some(Ok(object)) => match serde_json::from_value(object) {
                Ok(reply) => return Ok(reply),
                Err(error) => _ = wrong.get_or_insert_with(|| error.to_string()),
            },
            Some(Err(error)) => _ = wrong.get_or_insert_with(|| error.to_string()),
            None => {}
        }
        // What cannot be read may begin with a brace of the prose: look behind it.
        rest = &rest[end.max(1)..];
    }
    Err(wrong.unwrap_or_else(|| "there is no JSON object in it".to_owned()))
}

#[cfg(test)]
mod tests {
    use glitchlab_models::reply::{EditRound, Review, Verdict};
    use proptest::prelude::*;

    use super::*;

    const APPROVAL: &str = r#"{"verdict": "approve", "comments": ["fine {so far}"]}"#;

    #[test]
    fn an_object_is_found_alone_in_a_fence_and_in_prose() {
        let fence = format!("```json\n{APPROVAL}\n```");
        let prose = format!("Looking at {{this}} and `{{}}`: {APPROVAL} That is all {{.}}");
        for text in [APPROVAL, &fence, &prose] {
            let review: Review = read(text).unwrap();
            assert_eq!((review.verdict, review.comments.len()), (Verdict::Approve, 1));
        }
    }

    #[test]
    fn a_wrong_word_a_missing_field_and_no_object_are_each_named() {
        let wrong = |text| read::<Review>(text).unwrap_err();
        assert!(wrong(r#"{"verdict": "maybe"}"#).contains("maybe"));
        assert!(wrong(r#"{"comments": []}"#).contains("verdict"));
        assert!(wrong("I approve.").contains("no JSON object"));
        assert!(
            read::<EditRound>(r#"{"actions": [{"tool": "shell"}], "done": true}"#)
                .unwrap_err()
                .contains("shell")
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>(), cut in 0usize..60) {
            let _ = read::<Review>(&text);
            let cut: String = APPROVAL.chars().take(cut).chain(text.chars()).collect();
            let _ = read::<Review>(&cut);
        }

        #[test]
        fn a_reply_is_found_behind_any_prose_without_braces(before in "[^{}]{0,40}", after in ".{0,40}") {
            let review: Review = read(&format!("{before}{APPROVAL}{after}")).unwrap();
            prop_assert_eq!(review.verdict, Verdict::Approve);
        }
    }
}
