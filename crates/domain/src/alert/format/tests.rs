use serde_json::Value;

use super::*;
use crate::alert::rows::{AlertRow, Evidence, Told};
use crate::alert::rules::{self, Condition, RULES};

/// 2026-03-02T14:32:07Z.
const AT_MS: i64 = 1_772_461_927_000;

fn notice(told: Told) -> Notice {
    let rule = rules::find(RULES, "SystemicFailure").expect("it is a rule");
    let evidence = Evidence { tasks: vec!["gl-1".into()], ..Evidence::default() };
    let evidence = evidence.fact("Failures", "4 within 60 s").page("/actors");
    let labels = [("component".to_owned(), "dispatch".to_owned())].into();
    let condition = Condition { labels, summary: "It \"broke\"".to_owned(), evidence };
    let mut alert = AlertRow::begin(rule, "r1", condition, (AT_MS, 1));
    if told == Told::Resolved {
        alert.retire(AT_MS + 60_500);
    }
    Notice { alert, told }
}

fn body(format: Format, told: Told) -> Value {
    let origin = Origin { repository: "glitch".to_owned(), pages: "http://127.0.0.1:3000".to_owned() };
    serde_json::from_str(&format.body(&notice(told), &origin)).expect("it is JSON")
}

#[test]
fn a_webhook_body_of_version_four_says_all_that_receivers_read() {
    let firing = body(Format::Alertmanager, Told::Firing);
    assert_eq!((&firing["version"], &firing["status"]), (&"4".into(), &"firing".into()));
    let alert = &firing["alerts"][0];
    assert_eq!(alert["labels"]["alertname"], "SystemicFailure");
    assert_eq!(alert["labels"]["severity"], "critical");
    assert_eq!(alert["annotations"]["summary"], "It \"broke\"");
    assert_eq!(alert["annotations"]["links"], "http://127.0.0.1:3000/actors");
    assert_eq!(alert["startsAt"], "2026-03-02T14:32:07Z");
    assert_eq!(alert["endsAt"], UNSET);
    let resolved = body(Format::Alertmanager, Told::Resolved);
    assert_eq!(resolved["alerts"][0]["endsAt"], "2026-03-02T14:33:07.5Z");
    assert_eq!(resolved["alerts"][0]["fingerprint"], alert["fingerprint"]);
    assert_eq!(resolved["groupKey"], firing["groupKey"]);
}

#[test]
fn alertmanager_itself_is_told_an_end_far_ahead_and_then_the_true_one() {
    let firing = body(Format::AlertmanagerApi, Told::Firing);
    assert_eq!(firing[0]["endsAt"], "2027-03-02T14:32:07Z");
    assert_eq!(body(Format::AlertmanagerApi, Told::Resolved)[0]["endsAt"], "2026-03-02T14:33:07.5Z");
}

#[test]
fn plain_json_has_the_evidence_as_it_is() {
    let resolved = body(Format::Json, Told::Resolved);
    assert_eq!(resolved["type"], "alert.resolved");
    assert_eq!(resolved["evidence"]["tasks"][0], "gl-1");
    assert_eq!(resolved["evidence"]["facts"]["Failures"], "4 within 60 s");
}

#[test]
fn every_format_is_found_by_its_name() {
    assert!(Format::ALL.into_iter().all(|format| Format::parse(format.name()) == Some(format)));
    assert_eq!(Format::parse("slack"), None);
}
