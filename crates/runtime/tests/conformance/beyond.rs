//! What this crate adds to OTP.

use std::time::Duration;

use glitchlab_runtime::{
    Activity, Backoff, Breach, ExitReason, Gone, LifecycleEvent, NodeState, Restart, Strategy,
};
use tokio::time::Instant;

use crate::backoff::{HOUR, announced_wait, slow};
use crate::groups::nested;
use crate::probe::{
    Log, Probe, ProbeMsg, SHORT, block, crash, probes, settle, soon, spec, start, until, until_exited,
    until_restarted,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn zombie_is_abandoned_and_replaced() {
    let log = Log::default();
    let one = Probe::new("one", &log).may_overlap();
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [one.spec().kill_grace(SHORT)])).await;
    let release = block(&one).await;
    tree.handle().kill("root/one").unwrap();
    until_restarted(&mut events, "root/one").await;
    assert_eq!(one.incarnation().await, Some(1));
    let node = tree.snapshot().root.children.remove(0);
    let Some(Activity { current, last_error, .. }) = node.activity else { panic!("a worker has gauges") };
    assert_eq!((node.state, node.zombies, last_error), (NodeState::Running, 1, None));
    assert!(current.is_none_or(|current| current.kind != "block"), "the gauge shows the successor");

    drop(release);
    soon(async {
        while one.alive() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(one.incarnation().await, Some(1), "the zombie's end is swallowed");
}

#[tokio::test(start_paused = true)]
async fn backoff_is_cancellable() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (tree, mut events) =
        start(spec(Strategy::OneForOne, 1, [slow(&one), two.spec()]).jitter_seed(7)).await;
    one.tell(ProbeMsg::Fail("crash"));
    announced_wait(&mut events).await;
    let crashed_at = Instant::now();

    tree.handle().terminate_child("root/one").await.unwrap();
    assert_eq!(tree.snapshot().root.children[0].state, NodeState::Stopped);
    tokio::time::advance(HOUR * 2).await;
    settle().await;
    assert_eq!((one.incarnation().await, two.incarnation().await), (None, Some(0)));

    two.tell(ProbeMsg::Stop);
    settle().await;
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
    assert!(crashed_at.elapsed() < HOUR * 2 + Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn killed_transient_child_restarts() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [one.with(Restart::Transient)])).await;
    one.tell(ProbeMsg::Hang);
    settle().await;
    tree.handle().kill("root/one").unwrap();
    let exited = until_exited(&mut events, "root/one").await;
    assert!(matches!(exited, LifecycleEvent::Exited { cause: ExitReason::Killed, .. }));
    settle().await;
    assert_eq!(one.incarnation().await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn handle_survives_restart() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let day = Duration::from_secs(86_400);
    let child = one.spec().backoff(Backoff::new(day, day));
    let (_tree, mut events) = start(spec(Strategy::OneForOne, 1, [child]).jitter_seed(7)).await;
    let clone = one.handle.clone();
    assert!(clone.is_up());
    one.tell(ProbeMsg::Fail("crash"));
    until_exited(&mut events, "root/one").await;
    assert_eq!(clone.send(ProbeMsg::Stop), Err(Gone { name: "one".into() }), "nothing is kept for later");
    assert!(!clone.is_up());
    until_restarted(&mut events, "root/one").await;
    assert!(clone.is_up());
    assert_eq!(one.incarnation().await, Some(1));
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
