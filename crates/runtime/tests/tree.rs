//! The tree as a whole, and looking at it.

use std::time::Duration;

use glitchlab_runtime::{ChildKind, ChildSpec, ControlError, NodeState, Restart, Strategy, TreeSnapshot};
use tokio::time::advance;

use crate::probe::{Log, Probe, ProbeMsg, node, probes, settle, spec, start, until_restarted};

#[tokio::test(start_paused = true)]
async fn tree() {
    let log = Log::default();
    let [a, b, c, d] = probes(["a", "b", "c", "d"], &log);
    let left = spec(Strategy::OneForAll, 2, [a.spec(), b.spec()]);
    let right = spec(Strategy::RestForOne, 2, [c.spec(), d.spec()]);
    let children = [ChildSpec::supervisor("left", left), ChildSpec::supervisor("right", right)];
    let (tree, mut events) = start(spec(Strategy::OneForOne, 2, children)).await;

    c.tell(ProbeMsg::Fail("crash"));
    until_restarted(&mut events, "root/right/d").await;
    assert_eq!(
        (a.incarnation().await, c.incarnation().await, d.incarnation().await),
        (Some(0), Some(1), Some(1))
    );

    advance(Duration::from_secs(60)).await;
    let seen = tree.snapshot();
    assert_eq!(seen.as_of_ms, 60_000);
    let right = node(&seen.root, "root/right");
    assert_eq!(
        (right.kind, right.state, right.restarts_total),
        (ChildKind::Supervisor, NodeState::Running, 0)
    );
    assert_eq!(right.supervision.unwrap().restarts_in_window, 1);
    let d = node(&seen.root, "root/right/d");
    assert_eq!((d.incarnation, d.restarts_total, d.uptime_ms), (1, 1, Some(60_000)));

    tree.handle().terminate_child("root/left").await.unwrap();
    assert_eq!((a.incarnation().await, b.incarnation().await, c.incarnation().await), (None, None, Some(1)));
    let states: Vec<NodeState> = tree.snapshot().root.children.iter().map(|child| child.state).collect();
    assert_eq!(states, [NodeState::Stopped, NodeState::Running]);
}

#[tokio::test(start_paused = true)]
async fn order_of_children() {
    let log = Log::default();
    let all = probes(["a", "b", "c", "d", "e"], &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, all.each_ref().map(Probe::spec))).await;
    assert_eq!(log.take(), ["start a", "start b", "start c", "start d", "start e"]);
    tree.stop().await;
    assert_eq!(log.take(), ["stop e", "stop d", "stop c", "stop b", "stop a"]);
}

#[tokio::test(start_paused = true)]
async fn which_children() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let inner = ChildSpec::supervisor("inner", spec(Strategy::OneForOne, 1, [two.with(Restart::Transient)]));
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [one.spec(), inner])).await;
    two.tell(ProbeMsg::Stop);
    settle().await;
    let listed: Vec<(String, ChildKind, Restart, NodeState)> = flat(&tree.snapshot());
    let expected = [
        ("root", ChildKind::Supervisor, Restart::Temporary, NodeState::Running),
        ("root/one", ChildKind::Worker, Restart::Permanent, NodeState::Running),
        ("root/inner", ChildKind::Supervisor, Restart::Permanent, NodeState::Running),
        ("root/inner/two", ChildKind::Worker, Restart::Transient, NodeState::Stopped),
    ];
    assert_eq!(listed, expected.map(|(path, kind, restart, state)| (path.to_owned(), kind, restart, state)));
}

fn flat(tree: &TreeSnapshot) -> Vec<(String, ChildKind, Restart, NodeState)> {
    let mut listed = Vec::new();
    let mut left = vec![&tree.root];
    while let Some(node) = left.pop() {
        listed.push((node.path.clone(), node.kind, node.restart, node.state));
        left.extend(node.children.iter().rev());
    }
    listed
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_goes_to_another_process_and_back() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [one.spec()])).await;
    let seen = tree.snapshot();
    let json = serde_json::to_string(&seen).unwrap();
    assert_eq!(serde_json::from_str::<TreeSnapshot>(&json).unwrap(), seen);
    assert!(
        json.contains(r#""kind":"worker","restart":"permanent","state":"running","incarnation":0"#),
        "{json}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_order_that_cannot_be_carried_out_says_why() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let inner = ChildSpec::supervisor("inner", spec(Strategy::OneForOne, 1, [one.spec()]));
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [inner])).await;
    let handle = tree.handle();
    let path = |path: &str| path.to_owned();
    assert_eq!(handle.kill("root/two"), Err(ControlError::Unknown { path: path("root/two") }));
    assert_eq!(handle.kill("root/inner"), Err(ControlError::Supervisor { path: path("root/inner") }));
    assert_eq!(handle.terminate_child("root").await, Err(ControlError::Supervisor { path: path("root") }));
    tree.stop().await;
    assert_eq!(handle.kill("root/inner/one"), Err(ControlError::Down { path: path("root/inner") }));
}
