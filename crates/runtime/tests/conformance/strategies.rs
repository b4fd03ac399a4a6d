//! Who is restarted with whom, and when a supervisor gives up.

use std::time::Duration;

use glitchlab_runtime::{ExitReason, NodeState, Shutdown, Strategy};
use tokio::time::{Instant, advance};

use crate::probe::{Log, Probe, children, crash, fill, incarnations, is_breach, pool, probes, spec, start};

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

#[tokio::test(start_paused = true)]
async fn simple_one_for_one() {
    let log = Log::default();
    let all = probes(["one", "two", "three"], &log);
    let (tree, _events) = start(pool(2, Probe::spec)).await;
    fill(&tree, &all).await;
    log.take();
    crash(&all[1]).await;
    assert_eq!(incarnations(&all).await, [Some(0), Some(1), Some(0)]);
    assert_eq!(log.take(), ["start two"], "it comes back as it was, and alone");
    crash(&all[0]).await;
    crash(&all[2]).await;
    assert!(is_breach(&tree.wait().await));
    assert!(all.iter().all(|probe| probe.alive() == 0));
    assert!(children(&tree, "root").is_empty());
}

#[tokio::test(start_paused = true)]
async fn simple_one_for_one_escalation() {
    let log = Log::default();
    let all = probes(["one", "two"], &log);
    let (tree, _events) = start(pool(4, Probe::spec)).await;
    fill(&tree, &all).await;
    all[0].fail_next_starts(u32::MAX);
    crash(&all[0]).await;
    assert!(is_breach(&tree.wait().await));
    assert_eq!(
        log.take(),
        ["start one", "start two", "fail one", "fail one", "fail one", "fail one", "stop two"]
    );
}

#[tokio::test(start_paused = true)]
async fn simple_one_for_one_shutdown() {
    let second = Duration::from_secs(1);
    for (stop_takes, expected) in [(second, second), (second * 5, second * 2)] {
        let log = Log::default();
        let all = probes(["one", "two", "three"], &log).map(|probe| probe.stop_takes(stop_takes));
        let (tree, _events) =
            start(pool(1, move |probe| probe.spec().shutdown(Shutdown::Timeout(second * 2)))).await;
        fill(&tree, &all).await;
        let asked_at = Instant::now();
        assert_eq!(tree.stop().await, ExitReason::Shutdown);
        assert_eq!(asked_at.elapsed(), expected, "they stop together, each in its own time");
    }
}

#[tokio::test(start_paused = true)]
async fn simple_one_for_one_restart_ignore() {
    let log = Log::default();
    let all = probes(["one", "two"], &log);
    let (tree, _events) = start(pool(1, Probe::spec)).await;
    fill(&tree, &all).await;
    all[0].decline_starts(true);
    crash(&all[0]).await;
    assert_eq!(children(&tree, "root"), [("two".to_owned(), NodeState::Running)], "what declines is gone");
    assert_eq!(log.take(), ["start one", "start two", "decline one"]);
}
