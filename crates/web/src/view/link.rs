//! Addresses of our own pages. Ids are data of any alphabet, so every part is encoded.

use std::fmt::Write as _;

use glitchlab_domain::id::AttemptId;

/// Encodes a text as one part of a path or one value of a query: all but unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Returns the path of a task's page.
pub(crate) fn task(bead_id: &str) -> String {
    format!("/tasks/{}", encode(bead_id))
}

/// Returns where all is that the program of a step said.
pub(crate) fn transcript(attempt_id: &AttemptId, step_n: u32) -> String {
    format!("/transcripts/{}/{step_n}", encode(attempt_id.as_str()))
}

/// Joins a path with the values of a query that are set.
pub(crate) fn with_query<'a>(path: &str, values: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let set = values.into_iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = set.map(|(name, value)| format!("{name}={}", encode(&value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Returns the text when it is a plain `https:` address that may be linked.
pub(crate) fn outside(text: &str) -> Option<String> {
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_graphic());
    Some(text.to_owned()).filter(|text| text.starts_with("https://") && is_plain(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_is_one_part_of_a_path() {
        assert_eq!(task("gl-li2.1"), "/tasks/gl-li2.1");
        assert_eq!(task("a/b?c#d ü"), "/tasks/a%2Fb%3Fc%23d%20%C3%BC");
    }

    #[test]
    fn only_values_that_are_set_are_in_the_query() {
        let values = [("q", "a&b".to_owned()), ("status", String::new()), ("size", "M".to_owned())];
        assert_eq!(with_query("/tasks", values), "/tasks?q=a%26b&size=M");
        assert_eq!(with_query("/tasks", [("q", String::new())]), "/tasks");
    }

    #[test]
    fn only_https_is_linked() {
        assert_eq!(
            outside("https://example.invalid/pull/7").as_deref(),
            Some("https://example.invalid/pull/7")
        );
        for text in ["javascript:alert(1)", "http://example.invalid", " https://x", "https://x y", "//x"] {
            assert_eq!(outside(text), None, "{text}");
        }
    }
}
