//! Strategies, intensity and breaches.

use std::time::Duration;

use glitchlab_runtime::{Breach, ChildSpec, ExitReason, LifecycleEvent, LifecycleEvents, Restart, Strategy};
use tokio::time::advance;

use crate::probe::{Log, Probe, ProbeMsg, probes, settle, spec, start, until};

async fn crash(probe: &Probe) {
    probe.tell(ProbeMsg::Fail("crash"));
    settle().await;
}

async fn incarnations(probes: &[Probe]) -> Vec<Option<u32>> {
    let mut seen = Vec::new();
    for probe in probes {
        seen.push(probe.incarnation().await);
    }
    seen
}

fn is_breach(reason: &ExitReason) -> bool {
    matches!(reason, ExitReason::Breach(_))
}

#[tokio::test(start_paused = true)]
async fn multiple_restarts() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 2, [one.spec()])).await;
    for _ in 0..5 {
        crash(&one).await;
        crash(&one).await;
        advance(Duration::from_secs(3_601)).await;
    }
    assert_eq!(one.incarnation().await, Some(10), "two an hour are tolerated for ever");
    for _ in 0..3 {
        crash(&one).await;
    }
    assert!(is_breach(&tree.wait().await), "three an hour are not");
}

#[tokio::test(start_paused = true)]
async fn one_for_one() {
    let log = Log::default();
    let all = probes(["one", "two"], &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 2, all.each_ref().map(Probe::spec))).await;
    crash(&all[0]).await;
    assert_eq!(incarnations(&all).await, [Some(1), Some(0)]);
    crash(&all[0]).await;
    crash(&all[0]).await;
    assert!(is_breach(&tree.wait().await));
    assert_eq!(log.take(), ["start one", "start two", "start one", "start one", "stop two"]);
}

#[tokio::test(start_paused = true)]
async fn one_for_one_escalation() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 4, [one.spec(), two.spec()])).await;
    one.fail_next_starts(u32::MAX);
    crash(&one).await;
    assert!(is_breach(&tree.wait().await));
    assert_eq!(
        log.take(),
        ["start one", "start two", "fail one", "fail one", "fail one", "fail one", "stop two"]
    );
}

#[tokio::test(start_paused = true)]
async fn one_for_all() {
    let log = Log::default();
    let all = probes(["one", "two", "three"], &log);
    let (tree, _events) = start(spec(Strategy::OneForAll, 2, all.each_ref().map(Probe::spec))).await;
    log.take();
    crash(&all[1]).await;
    assert_eq!(incarnations(&all).await, [Some(1); 3]);
    assert_eq!(log.take(), ["stop three", "stop one", "start one", "start two", "start three"]);
    assert_eq!(tree.snapshot().root.supervision.unwrap().restarts_in_window, 1, "a group counts once");
    crash(&all[0]).await;
    crash(&all[2]).await;
    assert!(is_breach(&tree.wait().await));
}

#[tokio::test(start_paused = true)]
async fn one_for_all_escalation() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (tree, _events) = start(spec(Strategy::OneForAll, 4, [one.spec(), two.spec()])).await;
    two.fail_next_starts(u32::MAX);
    crash(&one).await;
    assert!(is_breach(&tree.wait().await));
    assert!(!one.handle.is_up() && !two.handle.is_up());
}

#[tokio::test(start_paused = true)]
async fn one_for_all_other_child_fails_restart() {
    let log = Log::default();
    let all = probes(["one", "two"], &log);
    let (_tree, _events) = start(spec(Strategy::OneForAll, 2, all.each_ref().map(Probe::spec))).await;
    log.take();
    all[1].fail_next_starts(1);
    crash(&all[0]).await;
    assert_eq!(log.take(), ["stop two", "start one", "fail two", "stop one", "start one", "start two"]);
    assert_eq!(incarnations(&all).await, [Some(2), Some(2)]);
}

#[tokio::test(start_paused = true)]
async fn rest_for_one() {
    let log = Log::default();
    let all = probes(["one", "two", "three"], &log);
    let (tree, _events) = start(spec(Strategy::RestForOne, 2, all.each_ref().map(Probe::spec))).await;
    log.take();
    crash(&all[1]).await;
    assert_eq!(log.take(), ["stop three", "start two", "start three"]);
    assert_eq!(incarnations(&all).await, [Some(0), Some(1), Some(1)]);
    crash(&all[2]).await;
    assert_eq!(incarnations(&all).await, [Some(0), Some(1), Some(2)]);
    crash(&all[2]).await;
    assert!(is_breach(&tree.wait().await));
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_escalation() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (tree, _events) = start(spec(Strategy::RestForOne, 4, [one.spec(), two.spec()])).await;
    two.fail_next_starts(u32::MAX);
    crash(&one).await;
    assert!(is_breach(&tree.wait().await));
    assert!(!one.handle.is_up() && !two.handle.is_up());
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_other_child_fails_restart() {
    let log = Log::default();
    let all = probes(["one", "two", "three"], &log);
    let (_tree, _events) = start(spec(Strategy::RestForOne, 3, all.each_ref().map(Probe::spec))).await;
    log.take();
    all[1].fail_next_starts(1);
    crash(&all[0]).await;
    assert_eq!(
        log.take(),
        ["stop three", "stop two", "start one", "fail two", "start two", "start three"],
        "the first child is up already and stays up"
    );
    assert_eq!(incarnations(&all).await, [Some(1), Some(2), Some(1)]);
}

/// Starts a root over a supervisor that tolerates nothing.
async fn nested(restart: Restart, log: &Log) -> (Probe, glitchlab_runtime::Tree, LifecycleEvents) {
    let one = Probe::new("one", log);
    let brittle = spec(Strategy::OneForOne, 0, [one.spec()]);
    let child = ChildSpec::supervisor("brittle", brittle).restart(restart);
    let (tree, events) = start(spec(Strategy::OneForOne, 3, [child])).await;
    (one, tree, events)
}

#[tokio::test(start_paused = true)]
async fn breach_is_typed_and_counted_once() {
    let log = Log::default();
    let (one, tree, mut events) = nested(Restart::Permanent, &log).await;
    crash(&one).await;
    let expected = Breach {
        supervisor: "root/brittle".into(),
        child: "root/brittle/one".into(),
        reasons: vec![ExitReason::Failed("crash".into())],
        window_ms: 3_600_000,
        max: 0,
    };
    let breach = until(&mut events, |event| matches!(event, LifecycleEvent::Breach(_))).await;
    assert_eq!(breach, LifecycleEvent::Breach(expected.clone()));
    let exited = until(&mut events, |event| matches!(event, LifecycleEvent::Exited { .. })).await;
    let LifecycleEvent::Exited { path, cause, .. } = exited else { unreachable!() };
    assert_eq!((path.as_str(), cause), ("root/brittle", ExitReason::Breach(Box::new(expected))));

    while let Some(event) = events.try_next() {
        assert!(!matches!(event, LifecycleEvent::Breach(_)), "one breach is one event");
    }
    let root = tree.snapshot().root;
    assert_eq!(root.supervision.unwrap().restarts_in_window, 1, "and one restart of its parent");
    assert_eq!(
        root.children[0].supervision.unwrap().restarts_in_window,
        0,
        "a new supervisor has a clean record"
    );
    assert_eq!((root.children[0].incarnation, one.incarnation().await), (1, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_transient_supervisor_that_gave_up_is_restarted() {
    let log = Log::default();
    let (one, _tree, _events) = nested(Restart::Transient, &log).await;
    crash(&one).await;
    assert_eq!(one.incarnation().await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_temporary_supervisor_that_gave_up_is_forgotten() {
    let log = Log::default();
    let (one, tree, _events) = nested(Restart::Temporary, &log).await;
    crash(&one).await;
    assert_eq!(one.incarnation().await, None);
    assert!(tree.snapshot().root.children.is_empty());
}

#[tokio::test(start_paused = true)]
async fn breaches_escalate_level_by_level_to_the_end_of_the_tree() {
    let log = Log::default();
    let (one, tree, _events) = nested(Restart::Permanent, &log).await;
    for _ in 0..4 {
        crash(&one).await;
    }
    let ExitReason::Breach(breach) = tree.wait().await else { panic!("the root gives up") };
    assert_eq!(
        (breach.supervisor.as_str(), breach.child.as_str(), breach.reasons.len()),
        ("root", "root/brittle", 4)
    );
    assert!(breach.reasons.iter().all(is_breach));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_ended_normally_comes_back_with_its_group() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let children = [one.with(Restart::Transient), two.spec()];
    let (_tree, _events) = start(spec(Strategy::OneForAll, 2, children)).await;
    one.tell(ProbeMsg::Stop);
    settle().await;
    assert_eq!(one.incarnation().await, None);
    crash(&two).await;
    assert_eq!((one.incarnation().await, two.incarnation().await), (Some(1), Some(1)));
}
