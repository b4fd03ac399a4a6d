//! Stopping.

use std::time::Duration;

use glitchlab_runtime::{ChildSpec, ExitReason, LifecycleEvent, Shutdown, Strategy};
use tokio::time::Instant;

use crate::probe::{Log, Probe, ProbeMsg, probes, settle, spec, start, until_exited};

#[tokio::test(start_paused = true)]
async fn a_handler_that_awaits_for_ever_is_killed_after_its_time() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let child = one.spec().shutdown(Shutdown::Timeout(Duration::from_secs(7)));
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [child])).await;
    one.tell(ProbeMsg::Hang);
    settle().await;
    let asked_at = Instant::now();
    tree.stop().await;
    assert_eq!(asked_at.elapsed(), Duration::from_secs(7));
    let exited = until_exited(&mut events, "root/one").await;
    assert!(matches!(exited, LifecycleEvent::Exited { cause: ExitReason::Killed, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_fails_while_it_stops_says_so() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 0, [one.spec()])).await;
    one.tell(ProbeMsg::Panic("on the way out"));
    // No breach: the supervisor is already stopping when it could hear of it.
    tree.stop().await;
    let exited = until_exited(&mut events, "root/one").await;
    let panicked = ExitReason::Panicked("on the way out".into());
    assert!(matches!(exited, LifecycleEvent::Exited { cause, .. } if cause == panicked));
}

#[tokio::test(start_paused = true)]
async fn a_tree_stops_in_reverse_through_all_its_levels() {
    let log = Log::default();
    let [a, b, c, d] = probes(["a", "b", "c", "d"], &log);
    let inner = spec(Strategy::OneForOne, 1, [b.spec(), c.spec()]);
    let outer = [a.spec(), ChildSpec::supervisor("inner", inner), d.spec()];
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, outer)).await;
    assert_eq!(log.take(), ["start a", "start b", "start c", "start d"]);
    tree.stop().await;
    assert_eq!(log.take(), ["stop d", "stop c", "stop b", "stop a"]);
    let mut exited = Vec::new();
    while let Some(event) = events.try_next() {
        match event {
            LifecycleEvent::Exited { path, cause, .. } | LifecycleEvent::Stopped { path, cause } => {
                exited.push((path, cause));
            }
            other => panic!("{other:?} does not belong to a stop"),
        }
    }
    let paths: Vec<&str> = exited.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["root/d", "root/inner/c", "root/inner/b", "root/inner", "root/a", "root"]);
    assert!(exited.iter().all(|(_, cause)| *cause == ExitReason::Shutdown));
}

#[tokio::test(start_paused = true)]
async fn stopping_twice_is_stopping_once() {
    let log = Log::default();
    let one = Probe::new("one", &log).stop_takes(Duration::from_secs(1));
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [one.spec()])).await;
    let (first, second) = tokio::join!(tree.stop(), tree.stop());
    assert_eq!(
        (first, second, tree.wait().await),
        (ExitReason::Shutdown, ExitReason::Shutdown, ExitReason::Shutdown)
    );
    assert_eq!(log.take(), ["start one", "stop one"]);
}
