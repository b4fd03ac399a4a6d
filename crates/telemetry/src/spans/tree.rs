//! A trace as a tree of text, for terminals.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use glitchlab_domain::trace::SpanId;

use super::Span;
use crate::names::{attribute, span};

/// Draws the spans of a trace, each under the one that it lies in and in order of time. What lies in a span that is not
/// there stands at the left, and says so.
///
/// ```text
/// task gl-1 (41.2 s, 31244 tokens, $0.0420, pr_created)
/// └── attempt (41.1 s, 31244 tokens, $0.0420, pr_created)
///     ├── architect_triage (1.8 s, 1032 tokens, $0.0010)
///     │   └── chat fast (1.8 s)
/// ```
#[must_use]
pub fn tree(spans: &[Span]) -> String {
    let known: HashSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
    let mut under: BTreeMap<Option<SpanId>, Vec<&Span>> = BTreeMap::new();
    for span in spans.iter().filter(|span| span.name != span::ACCEPTED) {
        under.entry(span.parent.filter(|parent| known.contains(parent))).or_default().push(span);
    }
    for list in under.values_mut() {
        list.sort_by_key(|span| (span.start_ms, span.end_ms, span.span_id));
    }
    let mut text = String::new();
    for top in under.get(&None).into_iter().flatten() {
        let orphan = if top.parent.is_some() { ", under a span that is not there" } else { "" };
        line(&mut text, "", &format!("{}{orphan}", told(top)));
        branches(&mut text, &under, top, "");
    }
    text
}

fn branches(text: &mut String, under: &BTreeMap<Option<SpanId>, Vec<&Span>>, of: &Span, before: &str) {
    let Some(list) = under.get(&Some(of.span_id)) else { return };
    for (place, span) in list.iter().enumerate() {
        let is_last = place + 1 == list.len();
        let (mark, below) = if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
        line(text, &format!("{before}{mark}"), &told(span));
        branches(text, under, span, &format!("{before}{below}"));
    }
}

fn line(text: &mut String, before: &str, told: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{before}{told}");
}

fn told(span: &Span) -> String {
    let mut facts =
        vec![span.end_ms.map_or_else(|| "still runs".to_owned(), |end_ms| took(end_ms - span.start_ms))];
    let tokens = span.number(attribute::TOKENS_TOTAL).or_else(|| span.number(attribute::TASK_TOKENS));
    let tokens = tokens.filter(|tokens| *tokens > 0.0);
    facts.extend(tokens.map(|tokens| format!("{tokens} tokens")));
    let cost = span.number(attribute::COST_USD).or_else(|| span.number(attribute::TASK_COST_USD));
    let cost = cost.filter(|cost| *cost > 0.0);
    facts.extend(cost.map(|cost| format!("${cost:.4}")));
    facts.extend(span.text(attribute::DECISION).map(|decision| format!("decision={decision}")));
    facts.extend(span.number(attribute::SUBTASKS).map(|count| format!("{count} sub-tasks")));
    let status = span.text(attribute::STATUS).filter(|status| *status != "ok");
    facts.extend(status.map(str::to_owned));
    format!("{} ({})", span.name, facts.join(", "))
}

fn took(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        #[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
        ms => format!("{:.1} s", ms as f64 / 1e3),
    }
}
