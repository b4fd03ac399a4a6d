use std::fmt::Write as _;

use super::*;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");

/// The name under which Prometheus has it.
fn for_prometheus(metric: &Metric) -> String {
    let name = metric.name.replace('.', "_");
    let unit = if metric.unit == "s" && !name.ends_with("_seconds") { "_seconds" } else { "" };
    let total = if metric.kind == Kind::Counter && !name.ends_with("_total") { "_total" } else { "" };
    format!("{name}{unit}{total}")
}

fn table(metrics: &[Metric]) -> String {
    let head =
        "| metric | for Prometheus | kind | unit | labels | what it says |\n|---|---|---|---|---|---|\n";
    metrics.iter().fold(head.to_owned(), |mut table, metric| {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, other) = (metric.name, for_prometheus(metric));
        let Metric { unit, help, .. } = metric;
        let row = [
            format!("`{name}`"),
            format!("`{other}`"),
            metric.kind.name().to_owned(),
            format!("`{unit}`"),
            labels.join(", "),
            (*help).to_owned(),
        ];
        writeln!(table, "| {} |", row.join(" | ")).unwrap();
        table
    })
}

/// Puts a table where the page has the marks of its name.
fn with_table(page: &str, name: &str, metrics: &[Metric]) -> String {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let (before, rest) = page.split_once(&open).unwrap_or_else(|| panic!("the page lacks {open}"));
    let (_, after) = rest.split_once(&close).unwrap_or_else(|| panic!("the page lacks {close}"));
    format!("{before}{open}{}{close}{after}", table(metrics))
}

#[test]
fn the_documented_metrics_are_the_metrics() {
    let documented = std::fs::read_to_string(PAGE).unwrap();
    let written = with_table(&documented, "metrics", &ALL);
    let written = with_table(&written, "released GenAI metrics", &GEN_AI_RELEASED);
    let written = with_table(&written, "latest GenAI metrics", &GEN_AI_LATEST);
    if written != documented {
        std::fs::write(PAGE, &written).expect("docs/metrics.md is written");
        panic!("docs/metrics.md was not the list; it is written anew: look at it and commit it");
    }
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
