use super::*;
use crate::names::page::{Page, code};

/// The name under which Prometheus has it.
fn for_prometheus(metric: &Metric) -> String {
    let name = metric.name.replace('.', "_");
    let unit = if metric.unit == "s" && !name.ends_with("_seconds") { "_seconds" } else { "" };
    let total = if metric.kind == Kind::Counter && !name.ends_with("_total") { "_total" } else { "" };
    format!("{name}{unit}{total}")
}

fn rows(metrics: &[Metric]) -> impl Iterator<Item = Vec<String>> {
    metrics.iter().map(|metric| {
        let labels: Vec<String> = metric.labels.iter().map(|label| code(label)).collect();
        vec![
            code(metric.name),
            code(&for_prometheus(metric)),
            metric.kind.name().to_owned(),
            code(metric.unit),
            labels.join(", "),
            metric.help.to_owned(),
        ]
    })
}

#[test]
fn the_documented_metrics_are_the_metrics() {
    let head = "| metric | for Prometheus | kind | unit | labels | what it says |";
    Page::open("metrics.md")
        .with("metrics", head, rows(&ALL))
        .with("released GenAI metrics", head, rows(&GEN_AI_RELEASED))
        .with("latest GenAI metrics", head, rows(&GEN_AI_LATEST))
        .is_so();
}

#[test]
fn no_metric_is_named_twice_and_none_is_labelled_by_what_has_no_bound() {
    let all: Vec<Metric> = [&ALL[..], &GEN_AI_RELEASED, &GEN_AI_LATEST].concat();
    let mut names: Vec<&str> = all.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
    for metric in all {
        let unbound =
            |label: &&&str| ["task", "attempt", "trace", "boot", "title"].iter().any(|it| label.contains(it));
        assert_eq!(metric.labels.iter().find(unbound), None, "{}", metric.name);
        assert!(
            !metric.help.ends_with('.') && metric.help.starts_with(char::is_uppercase),
            "{}",
            metric.name
        );
    }
}
