//! How many spans go into one request.

use super::Span;

/// The most spans of one request.
const SPANS: usize = 512;
/// The most text of one request, in bytes, unless a single span has more. Receivers take 4 MiB by gRPC as they come.
const TEXT: usize = 2 * 1_024 * 1_024;

/// Divides spans into requests, in their order, of a size that receivers take.
#[must_use]
pub fn requests(spans: Vec<Span>) -> Vec<Vec<Span>> {
    let mut requests: Vec<Vec<Span>> = Vec::new();
    let mut text = 0;
    for span in spans {
        let more = span.weight();
        match requests.last_mut().filter(|last| last.len() < SPANS && text + more <= TEXT) {
            Some(last) => {
                text += more;
                last.push(span);
            }
            None => {
                text = more;
                requests.push(vec![span]);
            }
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use glitchlab_domain::id::AttemptId;
    use glitchlab_domain::trace::attempt_span;

    use super::super::Value;
    use super::*;

    fn span(text: usize) -> Span {
        Span {
            trace_id: [1; 16],
            span_id: attempt_span(&AttemptId::from("a1")),
            parent: None,
            name: "chat".to_owned(),
            is_client: true,
            start_ms: 0,
            end_ms: Some(1),
            attributes: vec![("gen_ai.input.messages", Value::Text("x".repeat(text)))],
            error: None,
        }
    }

    #[test]
    fn a_request_has_at_most_so_many_spans_and_so_much_text_unless_one_span_has_more() {
        let sizes = |spans: Vec<Span>| requests(spans).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(vec![span(1); SPANS + 1]), [SPANS, 1]);
        assert_eq!(sizes(vec![span(TEXT / 2); 5]), [2, 2, 1]);
        assert_eq!(sizes(vec![span(1), span(2 * TEXT), span(1)]), [1, 1, 1]);
        assert!(sizes(Vec::new()).is_empty());
    }
}
