//! A bad line costs itself and nothing else.

use glitchlab_backlog::FaultKind;
use glitchlab_backlog::jsonl::{Parsed, parse};
use glitchlab_domain::bead::{Bead, BeadId, Dependency, DependencyKind, Gate, Status};
use proptest::prelude::*;

fn good(id: &str) -> String {
    format!(r#"{{"id":"{id}","title":"Title of {id}","status":"open","priority":1,"issue_type":"task"}}"#)
}

fn one(line: &str) -> Bead {
    let parsed = parse(line.as_bytes());
    assert_eq!(parsed.faults, [], "{line}");
    assert_eq!(parsed.beads.len(), 1, "{line}");
    parsed.beads.into_iter().next().expect("there is one")
}

fn ids(parsed: &Parsed) -> Vec<&str> {
    parsed.beads.iter().map(|bead| bead.id.as_str()).collect()
}

/// The only fault of a file, as its line and message.
fn fault(content: &[u8]) -> (usize, String) {
    let parsed = parse(content);
    assert_eq!(parsed.faults.len(), 1, "{:?}", parsed.faults);
    (parsed.faults[0].line, parsed.faults[0].to_string())
}

#[test]
fn every_field_of_an_issue_is_read() {
    let bead = one(
        r#"{"id":"gl-1.2","title":"T","description":"D","design":"E","acceptance_criteria":"A","notes":"N",
        "status":"in_progress","priority":0,"issue_type":"bug","assignee":"someone","owner":"ignored",
        "labels":["a","b"],"defer_until":"2026-03-01T00:00:00Z","pinned":true,"ephemeral":true,
        "created_at":"2026-02-23T22:20:05.916508038-05:00","updated_at":"2026-02-24T03:20:06Z",
        "close_reason":"because","external_ref":"gh-7","metadata":{"k":1},"comments":[{"text":"hello"}],
        "dependencies":[{"issue_id":"gl-1.2","depends_on_id":"gl-1","type":"parent-child"}]}"#
            .replace('\n', " ")
            .as_str(),
    );
    let expected = Bead {
        description: "D".into(),
        design: "E".into(),
        acceptance_criteria: "A".into(),
        notes: "N".into(),
        status: Status::InProgress,
        priority: 0,
        issue_type: "bug".into(),
        assignee: Some("someone".into()),
        labels: vec!["a".into(), "b".into()],
        dependencies: vec![Dependency { on: "gl-1".into(), kind: DependencyKind::ParentChild }],
        defer_until_ms: Some(1_772_323_200_000),
        pinned: true,
        ephemeral: true,
        created_ms: 1_771_903_205_916,
        updated_ms: 1_771_903_206_000,
        close_reason: Some("because".into()),
        external_ref: Some("gh-7".into()),
        metadata: serde_json::json!({"k": 1}),
        ..Bead::new("gl-1.2".into(), "T")
    };
    assert_eq!(bead, expected);
    assert_eq!(bead.parent(), Some(&BeadId::from("gl-1")));
}

#[test]
fn an_issue_needs_nothing_but_an_id() {
    assert_eq!(one(r#"{"id":"x"}"#), Bead::new("x".into(), "x"));
    let nulls = r#"{"id":"x","title":null,"status":null,"priority":null,"labels":null,"dependencies":null,
        "defer_until":null,"created_at":"","metadata":null,"pinned":null}"#
        .replace('\n', " ");
    assert_eq!(one(&nulls), Bead::new("x".into(), "x"));
}

#[test]
fn one_missing_time_is_taken_from_the_other() {
    assert_eq!(one(r#"{"id":"x","created_at":"1970-01-01T00:00:01Z"}"#).updated_ms, 1_000);
    assert_eq!(one(r#"{"id":"x","updated_at":"1970-01-01T00:00:01Z"}"#).created_ms, 1_000);
}

#[test]
fn every_type_of_dependency_is_told_apart() {
    let kind = |rest: &str| {
        let line = format!(r#"{{"id":"x","dependencies":[{{"depends_on_id":"y"{rest}}}]}}"#);
        one(&line).dependencies[0].kind.clone()
    };
    let any = DependencyKind::WaitsFor { gate: Gate::AnyChildren };
    let all = DependencyKind::WaitsFor { gate: Gate::AllChildren };
    assert_eq!(kind(""), DependencyKind::Blocks);
    assert_eq!(kind(r#","type":"blocks""#), DependencyKind::Blocks);
    assert_eq!(kind(r#","type":"conditional-blocks""#), DependencyKind::ConditionalBlocks);
    assert_eq!(kind(r#","type":"parent-child""#), DependencyKind::ParentChild);
    assert_eq!(kind(r#","type":"related""#), DependencyKind::Other("related".into()));
    assert_eq!(kind(r#","type":"waits-for","metadata":"{\"gate\": \"any-children\"}""#), any);
    assert_eq!(kind(r#","type":"waits-for","metadata":{"gate":"any-children"}"#), any);
    assert_eq!(kind(r#","type":"waits-for","metadata":{"gate":"all-children"}"#), all);
    assert_eq!(kind(r#","type":"waits-for","metadata":"not json""#), all);
    assert_eq!(kind(r#","type":"waits-for""#), all);
}

#[test]
fn a_parent_named_beside_the_links_counts_when_no_link_names_one() {
    assert_eq!(one(r#"{"id":"x","parent":"p"}"#).parent(), Some(&"p".into()));
    let linked = r#"{"id":"x","parent":"p","dependencies":[{"depends_on_id":"q","type":"parent-child"}]}"#;
    assert_eq!(one(linked).parent(), Some(&"q".into()));
    assert_eq!(one(linked).dependencies.len(), 1);
}

#[test]
fn headers_memories_and_blank_lines_are_passed_over_in_silence() {
    let content = format!(
        "\u{feff}{{\"_schema\":{{\"version\":3}}}}\r\n\r\n   \n{}\r\n{{\"_type\":\"memory\",\"key\":\"k\",\"value\":\"v\"}}\n\
         {{\"_type\":\"issue\",\"id\":\"b\"}}\r\n",
        good("a")
    );
    let parsed = parse(content.as_bytes());
    assert_eq!(parsed.faults, []);
    assert_eq!(ids(&parsed), ["a", "b"]);
    assert_eq!(parsed.schema.as_deref(), Some(r#"{"version":3}"#));
}

#[test]
fn tombstones_and_statuses_of_the_backlogs_own_are_kept() {
    assert_eq!(one(r#"{"id":"x","status":"tombstone"}"#).status, Status::Tombstone);
    assert_eq!(one(r#"{"id":"x","status":"in_qa"}"#).status, Status::Custom("in_qa".into()));
    assert_eq!(one(r#"{"id":"x","issue_type":"convoy"}"#).issue_type, "convoy");
}

#[test]
fn a_malformed_line_is_named_by_its_number_and_what_is_wrong_with_it() {
    for (line, expected) in [
        (
            &b"{oops}"[..],
            "line 2: skipped, it is not JSON (key must be a string at column 2); mend it or export again",
        ),
        (b"42", "line 2: skipped, invalid type: integer `42`, expected an issue at column 2"),
        (b"[1]", "line 2: skipped, it is a list; write one issue a line"),
        (b"{}", "line 2: skipped, it has no `id`"),
        (br#"{"id":" "}"#, "line 2: skipped, it has no `id`"),
        (
            br#"{"id":"x","priority":"high"}"#,
            "line 2: skipped, issue x: invalid type: string \"high\", expected i64 at column 27",
        ),
        (
            br#"{"id":"x","defer_until":"soon"}"#,
            "line 2: skipped, issue x: `defer_until` is no date or time, write it as 2026-01-31T12:00:00Z",
        ),
        (b"{\"id\":\"\xff\"}", "line 2: skipped, byte 8 is not UTF-8; save the file as UTF-8"),
    ] {
        let content = [good("a").as_bytes(), b"\n", line, b"\n", good("b").as_bytes(), b"\n"].concat();
        assert_eq!(fault(&content), (2, expected.to_owned()));
        assert_eq!(ids(&parse(&content)), ["a", "b"]);
    }
}

#[test]
fn a_message_stays_one_short_line_whatever_the_file_holds() {
    let id = format!("a\\nb\\u001b[2J{}", "x".repeat(1 << 20));
    let (_, message) = fault(format!(r#"{{"id":"{id}","priority":"{id}"}}"#).as_bytes());
    assert!(message.len() < 600, "{} bytes", message.len());
    assert!(!message.contains(|c: char| c.is_control()), "{message:?}");
}

#[test]
fn of_two_lines_with_one_id_the_later_counts_and_both_are_named() {
    let content = [good("a"), good("b"), r#"{"id":"a","title":"Later"}"#.to_owned()].join("\n");
    let parsed = parse(content.as_bytes());
    assert_eq!(ids(&parsed), ["a", "b"]);
    assert_eq!(parsed.beads[0].title, "Later");
    assert_eq!(
        parsed.faults[0].to_string(),
        "line 3: issue a is in line 1 too; this later line counts, remove one of them"
    );
    assert!(!parsed.faults[0].kind.hides_an_issue());
}

#[test]
fn a_last_line_without_its_end_is_either_whole_or_reported_as_cut_short() {
    let last =
        r#"{"id":"é","title":"ü","priority":-1,"pinned":true,"labels":["x"],"defer_until":null}"#.as_bytes();
    for length in 1..last.len() {
        let content = [good("a").as_bytes(), b"\n", &last[..length]].concat();
        let parsed = parse(&content);
        assert_eq!(ids(&parsed), ["a"]);
        assert_eq!(parsed.faults.len(), 1);
        assert_eq!(
            (parsed.faults[0].line, &parsed.faults[0].kind),
            (2, &FaultKind::CutShort),
            "{length} bytes"
        );
    }
    let whole = [good("a").as_bytes(), b"\n", last].concat();
    assert_eq!(ids(&parse(&whole)), ["a", "é"]);
    let ended = [good("a").as_bytes(), b"\n", &last[..20], b"\n"].concat();
    assert!(matches!(parse(&ended).faults[0].kind, FaultKind::NotJson { .. }));
}

#[test]
fn lines_of_ten_megabytes_and_deep_nesting_are_survived() {
    let comment = "x".repeat(10 << 20);
    let long = format!(r#"{{"id":"long","description":"{comment}","comments":[{{"text":"{comment}"}}]}}"#);
    let deep = format!(r#"{{"id":"deep","metadata":{}}}"#, "[".repeat(100_000));
    let content = [long.as_str(), deep.as_str(), &good("a")].join("\n");
    let parsed = parse(content.as_bytes());
    assert_eq!(ids(&parsed), ["long", "a"]);
    assert_eq!(parsed.beads[0].description.len(), 10 << 20);
    assert_eq!(parsed.faults[0].line, 2);
}

/// Lines that are no issue, or one that is not among the good ones.
fn bad_line() -> impl Strategy<Value = Vec<u8>> {
    let bytes = proptest::collection::vec(any::<u8>().prop_filter("one line", |&byte| byte != b'\n'), 0..60);
    let cut = (1..80_usize).prop_map(|length| good("cut").as_bytes()[..length].to_vec());
    let odd = proptest::sample::select(vec![
        r#"{"id":7}"#,
        r#"{"id":"odd","labels":"none"}"#,
        r#"{"id":"odd","dependencies":[{}]}"#,
        r#"{"id":"odd","created_at":"yesterday"}"#,
        r#"{"id":"odd","id":"odd"}"#,
        r#"{"id":"\ud800"}"#,
        "null",
        "\u{0}",
    ]);
    prop_oneof![bytes, cut, odd.prop_map(|line| line.as_bytes().to_vec())]
}

proptest! {
    #[test]
    fn any_bytes_at_all_are_survived(content in proptest::collection::vec(any::<u8>(), 0..400)) {
        let parsed = parse(&content);
        prop_assert!(parsed.faults.iter().all(|fault| fault.line >= 1 && !fault.to_string().is_empty()));
    }

    #[test]
    fn no_good_line_is_lost_beside_bad_ones(bad in proptest::collection::vec((bad_line(), any::<bool>()), 0..12)) {
        let mut content = Vec::new();
        for (number, (line, with_return)) in bad.iter().enumerate() {
            content.extend([line.as_slice(), if *with_return { b"\r\n" } else { b"\n" }].concat());
            content.extend([good(&format!("good-{number}")).as_bytes(), b"\n"].concat());
        }
        let parsed = parse(&content);
        let found: Vec<_> = ids(&parsed).into_iter().filter(|id| id.starts_with("good-")).collect();
        let wanted: Vec<_> = (0..bad.len()).map(|number| format!("good-{number}")).collect();
        prop_assert_eq!(found, wanted);
        prop_assert!(parsed.faults.iter().all(|fault| fault.line % 2 == 1));
    }

    #[test]
    fn a_file_cut_anywhere_keeps_every_line_before_the_cut(cut in any::<prop::sample::Index>()) {
        let content: String = (0..20).map(|number| good(&format!("é-{number}")) + "\n").collect();
        let cut = cut.index(content.len() + 1);
        let parsed = parse(&content.as_bytes()[..cut]);
        let whole = content.as_bytes()[..cut].iter().filter(|&&byte| byte == b'\n').count();
        let rest = &content.as_bytes()[..cut][content.as_bytes()[..cut].iter().rposition(|&b| b == b'\n').map_or(0, |p| p + 1)..];
        let is_whole = rest.ends_with(b"}");
        prop_assert_eq!(parsed.beads.len(), whole + usize::from(is_whole));
        prop_assert_eq!(parsed.faults.len(), usize::from(!rest.is_empty() && !is_whole));
    }
}
