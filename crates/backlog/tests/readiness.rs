//! What the file says is ready is what the real tracker says is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use glitchlab_backlog::jsonl::parse;
use glitchlab_domain::bead::{Bead, BeadId};
use glitchlab_domain::readiness::{Cycle, Index, Node, Overlay, Readiness, full};

/// 1 June 2026: between the two dates of `defer_until` in the made-up cases, and after the sample was exported.
const NOW_MS: i64 = 1_780_272_000_000;

fn data(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn beads(name: &str) -> Vec<Bead> {
    let parsed = parse(&data(name));
    assert_eq!(parsed.faults, []);
    parsed.beads
}

fn nodes(beads: &[Bead]) -> Vec<Node> {
    beads.iter().map(|bead| Node::new(bead, Overlay::None)).collect()
}

fn index(nodes: &[Node]) -> Index {
    let mut index = Index::new(NOW_MS);
    nodes.iter().cloned().for_each(|node| index.upsert(node));
    index
}

fn all(nodes: &[Node]) -> BTreeSet<&BeadId> {
    full(nodes, NOW_MS).into_iter().collect()
}

fn ready(index: &Index) -> BTreeSet<&BeadId> {
    index.ready().collect()
}

fn ids(ids: &[&str]) -> Vec<BeadId> {
    ids.iter().map(|&id| BeadId::from(id)).collect()
}

#[test]
fn the_sample_backlog_has_365_ready_issues_352_of_them_tasks_and_13_epics() {
    let beads = beads("glitchlab-beads.jsonl");
    assert_eq!(beads.len(), 524);
    let nodes = nodes(&beads);
    let ready = all(&nodes);
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    for bead in beads.iter().filter(|bead| ready.contains(&bead.id)) {
        *types.entry(bead.issue_type.as_str()).or_default() += 1;
    }
    assert_eq!(ready.len(), 365);
    assert_eq!(types, BTreeMap::from([("epic", 13), ("task", 352)]));
}

#[test]
fn each_case_has_exactly_the_ready_issues_that_the_tracker_answered() {
    for case in 1..=4 {
        let nodes = nodes(&beads(&format!("case-{case}.jsonl")));
        let answer: BTreeSet<BeadId> =
            serde_json::from_slice(&data(&format!("case-{case}.ready.json"))).unwrap();
        assert_eq!(all(&nodes), answer.iter().collect(), "case {case}");
        assert_eq!(ready(&index(&nodes)), answer.iter().collect(), "case {case}, index");
    }
}

#[test]
fn the_index_and_the_full_computation_agree_on_the_sample_whatever_the_order_of_lines() {
    let mut nodes = nodes(&beads("glitchlab-beads.jsonl"));
    let forwards = index(&nodes);
    assert_eq!(ready(&forwards), all(&nodes));
    nodes.reverse();
    let backwards = index(&nodes);
    assert_eq!(ready(&backwards), ready(&forwards));
}

#[test]
fn six_tasks_of_the_sample_wait_in_a_circle_with_their_open_epic() {
    let index = index(&nodes(&beads("glitchlab-beads.jsonl")));
    let tasks = ["gl-tqm.1", "gl-tqm.2", "gl-tqm.3", "gl-tqm.4", "gl-tqm.5", "gl-tqm.6"];
    assert_eq!(index.cycles(), [Cycle { epics: ids(&["gl-tqm"]), tasks: ids(&tasks) }]);
    assert_eq!(index.explain(&BeadId::from("gl-tqm.3")), Readiness::BlockedBy(ids(&["gl-tqm", "gl-tqm.1"])));
}

/// What the engine does with the sample, without the engine: whatever is ready and work gets done, epics are closed
/// behind their last child, and `gl-cae.4` is left to a person.
#[test]
fn working_through_the_sample_completes_382_tasks_and_closes_11_epics() {
    let beads = beads("glitchlab-beads.jsonl");
    let mut index = index(&nodes(&beads));
    let is_work = |id: &&BeadId| beads.iter().any(|bead| bead.id == **id && bead.issue_type == "task");
    let human = BeadId::from("gl-cae.4");
    let (mut completed, mut epics) = (0, 0);
    loop {
        let work: Vec<_> = index.ready().filter(|id| is_work(id) && **id != human).cloned().collect();
        let closable: Vec<_> = index.closable_epics().cloned().collect();
        if work.is_empty() && closable.is_empty() {
            break;
        }
        completed += work.len();
        epics += closable.len();
        work.iter().chain(&closable).for_each(|id| index.set_overlay(id, Overlay::Closed));
    }
    assert_eq!((completed, epics), (382, 11));
    assert!(index.is_ready(&human));
}
