use glitchlab_domain::alert::delivery::{Answer, Endpoint, OutboxRow};
use glitchlab_domain::alert::evaluate::Notice;
use glitchlab_domain::alert::format::{Format, Origin};
use glitchlab_domain::alert::rows::Evidence;
use glitchlab_domain::alert::rules::{Condition, RULES, find};

use super::*;
use crate::view::{NOW_MS, render};

fn alert(rule: &str, summary: &str, ago_ms: i64) -> AlertRow {
    let rule = find(RULES, rule).expect("it is a rule");
    let evidence = Evidence {
        tasks: vec!["gl-9qk.2".into()],
        traces: vec!["4bf92f3577b34da6a3ce929d0e0e4736".to_owned()],
        ..Evidence::default()
            .fact("Failures", "5 within 60 s")
            .fact("Next try", "2026-03-02T14:40:00Z")
            .page("/actors")
            .page("javascript:alert(1)")
    };
    let condition = Condition { labels: Default::default(), summary: summary.to_owned(), evidence };
    AlertRow::begin(rule, "repo", condition, (NOW_MS - ago_ms, 1))
}

fn told(alert: &AlertRow, answers: &[Answer]) -> OutboxRow {
    let endpoint = Endpoint::new("HOOK_URL", "https://hook.example.org", Format::Json);
    let notice = Notice { alert: alert.clone(), told: Told::Firing };
    let mut row = OutboxRow::new(&notice, &endpoint, &Origin::default(), alert.since_ms);
    for answer in answers {
        row.take(answer, NOW_MS - 1_000, 0);
    }
    row
}

fn overview() -> Overview {
    let failure = alert("SystemicFailure", "Supervisor <work> gave up", 660_000);
    let needed = alert("HumanNeeded", "gl-9qk.2 waits for a person: no", 60_000);
    let mut over = alert("HumanNeeded", "gl-1 waited", 7_200_000);
    over.retire(NOW_MS - 3_600_000);
    let status = |code| Answer::Status { code, retry_after_ms: None };
    let deliveries = vec![told(&needed, &[status(503)]), told(&failure, &[status(204)])];
    Overview::new(vec![needed, failure, over], deliveries, NOW_MS)
}

#[test]
fn what_fires_is_shown_with_its_evidence_and_links_to_our_own_pages_alone() {
    let html = render(&Firing::new(&overview(), NOW_MS));
    assert!(html.find("SystemicFailure").unwrap() < html.find("HumanNeeded").unwrap(), "the worst first");
    assert!(html.contains("Supervisor &#60;work&#62; gave up"), "{html}");
    assert!(html.contains(r#"<a class="id" href="/tasks/gl-9qk.2">"#));
    assert!(html.contains(r#"<a href="/actors">"#) && !html.contains("javascript:"));
    assert!(html.contains("<dt>Failures</dt><dd>5 within 60 s</dd>"));
    let next = r#"<dt>Next try</dt><dd><time datetime="2026-03-02T14:40:00Z">14:40</time></dd>"#;
    assert!(html.contains(next), "an instant is shown as all others: {html}");
    assert!(html.contains("HOOK_URL delivered 14:32") && html.contains("HOOK_URL try 2 at 14:32"), "{html}");
}

#[test]
fn the_sentence_says_the_worst_first_and_how_long_it_lasts() {
    let lead = lead::lead(&overview(), NOW_MS);
    assert_eq!(lead.heading, "1 critical alert is firing");
    assert_eq!(lead.text, "SystemicFailure since 14:21: Supervisor <work> gave up.");
    assert_eq!(lead.figures[0].value, "11 m 00 s");
    let calm = Overview { alerts: overview().alerts.split_off(2), ..overview() };
    let lead = lead::lead(&calm, NOW_MS);
    assert_eq!(lead.heading, "Nothing is wrong");
    assert_eq!(lead.text, "No alert is firing or pending. The last one, HumanNeeded, was over 1 h 00 m ago.");
}

#[test]
fn every_rule_is_listed_with_what_it_is_at() {
    let rules = Rules::new(&overview()).rules;
    let told: Vec<_> = rules.iter().map(|rule| (rule.name, rule.state, rule.active)).collect();
    assert_eq!(told, [("SystemicFailure", "Firing", 1), ("HumanNeeded", "Firing", 1)]);
}

#[test]
fn deliveries_say_where_they_stand_and_what_was_answered() {
    let rows = Deliveries::new(&overview(), NOW_MS).rows;
    let told: Vec<_> = rows.iter().map(|row| (row.state, row.tries, row.answer.as_str())).collect();
    assert_eq!(told, [("Tried again", 1, "answered 503"), ("Delivered", 1, "answered 204")]);
    assert!(rows[0].next.is_some() && rows[1].next.is_none());
}
