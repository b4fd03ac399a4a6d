//! Restarts that wait.

use std::time::Duration;

use glitchlab_runtime::{Backoff, ChildSpec, ExitReason, LifecycleEvent, NodeState, Strategy};
use tokio::time::Instant;

use crate::probe::{Log, Probe, ProbeMsg, node, probes, spec, start, until, until_restarted};

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn slow(probe: &Probe) -> ChildSpec {
    probe.spec().backoff(Backoff::new(HOUR, HOUR))
}

pub(crate) async fn announced_wait(events: &mut glitchlab_runtime::LifecycleEvents) -> Duration {
    let scheduled = until(events, |event| matches!(event, LifecycleEvent::RestartScheduled { .. })).await;
    let LifecycleEvent::RestartScheduled { after_ms, .. } = scheduled else { unreachable!() };
    Duration::from_millis(after_ms)
}

#[tokio::test(start_paused = true)]
async fn a_restart_comes_after_the_wait_that_was_announced() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [slow(&one)]).jitter_seed(7)).await;
    one.tell(ProbeMsg::Fail("crash"));
    let wait = announced_wait(&mut events).await;
    let crashed_at = Instant::now();
    assert!(wait > Duration::from_secs(1) && wait < HOUR);
    let NodeState::Restarting { in_ms } = tree.snapshot().root.children[0].state else { panic!("it waits") };
    assert_eq!(u128::from(in_ms), wait.as_millis());
    assert!(!one.handle.is_up());
    until_restarted(&mut events, "root/one").await;
    assert!(crashed_at.elapsed().abs_diff(wait) <= Duration::from_millis(2));
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_restart() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [slow(&one)]).jitter_seed(7)).await;
    one.tell(ProbeMsg::Fail("crash"));
    announced_wait(&mut events).await;
    let asked_at = Instant::now();
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
    assert_eq!(asked_at.elapsed(), Duration::ZERO);
    assert_eq!(node(&tree.snapshot().root, "root/one").state, NodeState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn siblings_stop_before_the_wait_and_start_after_it() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (tree, mut events) =
        start(spec(Strategy::OneForAll, 1, [slow(&one), two.spec()]).jitter_seed(7)).await;
    log.take();
    one.tell(ProbeMsg::Fail("crash"));
    announced_wait(&mut events).await;
    assert_eq!(log.take(), ["stop two"]);
    assert!(matches!(node(&tree.snapshot().root, "root/two").state, NodeState::Restarting { .. }));
    until_restarted(&mut events, "root/two").await;
    assert_eq!(log.take(), ["start one", "start two"]);
}

#[tokio::test(start_paused = true)]
async fn terminating_one_of_a_waiting_group_leaves_the_others_their_restart() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (tree, mut events) =
        start(spec(Strategy::OneForAll, 1, [slow(&one), two.spec()]).jitter_seed(7)).await;
    one.tell(ProbeMsg::Fail("crash"));
    announced_wait(&mut events).await;
    tree.handle().terminate_child("root/one").await.unwrap();
    until_restarted(&mut events, "root/two").await;
    assert_eq!((one.incarnation().await, two.incarnation().await), (None, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_answers_while_a_child_waits() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (_tree, mut events) =
        start(spec(Strategy::OneForOne, 2, [slow(&one), two.spec()]).jitter_seed(7)).await;
    one.tell(ProbeMsg::Fail("crash"));
    announced_wait(&mut events).await;
    two.tell(ProbeMsg::Fail("crash"));
    let before = Instant::now();
    until_restarted(&mut events, "root/two").await;
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn waits_grow_with_failures_and_start_over_after_a_healthy_run() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let backoff = Backoff::new(Duration::from_secs(1), HOUR).reset_after(HOUR);
    let (_tree, mut events) = start(spec(Strategy::OneForOne, 99, [one.spec().backoff(backoff)])).await;
    let mut longest = Duration::ZERO;
    for failures in 0..12 {
        one.tell(ProbeMsg::Fail("crash"));
        let wait = announced_wait(&mut events).await;
        assert!(wait <= backoff.ceiling(failures));
        longest = longest.max(wait);
        until_restarted(&mut events, "root/one").await;
    }
    assert!(longest > backoff.ceiling(3));
    tokio::time::advance(HOUR).await;
    one.tell(ProbeMsg::Fail("crash"));
    assert!(announced_wait(&mut events).await <= Duration::from_secs(1));
}
