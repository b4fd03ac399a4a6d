//! Starting.

use glitchlab_runtime::{
    AutoShutdown, ChildSpec, ExitReason, LifecycleEvent, NodeState, Restart, StartError, Started, Strategy,
    start_tree,
};

use crate::probe::{Log, Probe, ProbeMsg, children, probes, spec, start, until, until_restarted};

#[tokio::test(start_paused = true)]
async fn sup_start_normal() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [one.spec(), two.spec()])).await;
    assert_eq!(one.incarnation().await, Some(0));
    assert_eq!(two.incarnation().await, Some(0));
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn sup_start_error_return() {
    let log = Log::default();
    let [one, two, three] = probes(["one", "two", "three"], &log);
    three.fail_next_starts(1);
    let refused =
        start_tree("root", spec(Strategy::OneForOne, 9, [one.spec(), two.spec(), three.spec()])).await;
    let cause = ExitReason::Failed("no start today".into());
    assert_eq!(refused.err(), Some(StartError::Child { path: "root/three".into(), cause }));
    assert_eq!(log.take(), ["start one", "start two", "fail three", "stop two", "stop one"]);
    assert!(!one.handle.is_up() && !three.handle.is_up());
}

#[tokio::test(start_paused = true)]
async fn sup_start_fail() {
    let log = Log::default();
    let one = Probe::new("one", &log).panics_at_start();
    one.fail_next_starts(1);
    let refused = start_tree("root", spec(Strategy::OneForOne, 9, [one.spec()])).await;
    let cause = ExitReason::Panicked("no start today".into());
    assert_eq!(refused.err(), Some(StartError::Child { path: "root/one".into(), cause }));
}

#[tokio::test(start_paused = true)]
async fn sup_start_child_returns_error() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    two.fail_next_starts(1);
    let inner = spec(Strategy::OneForOne, 9, [two.spec()]);
    let refused =
        start_tree("root", spec(Strategy::OneForOne, 9, [one.spec(), ChildSpec::supervisor("inner", inner)]))
            .await;
    let message = refused.err().expect("the start fails").to_string();
    assert_eq!(
        message,
        "root/inner did not start: failed: root/inner/two did not start: failed: no start today"
    );
    assert_eq!(log.take(), ["start one", "fail two", "stop one"]);
}

#[tokio::test(start_paused = true)]
async fn sup_start_restart_child_returns_error() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 3, [one.spec()])).await;
    one.fail_next_starts(2);
    one.tell(ProbeMsg::Fail("crash"));
    until_restarted(&mut events, "root/one").await;
    assert_eq!(log.take(), ["start one", "fail one", "fail one", "start one"]);
    let root = tree.snapshot().root;
    let supervision = root.supervision.expect("the root supervises");
    assert_eq!(supervision.restarts_in_window, 3, "each failed start of a restart counts again");
    assert_eq!((root.children[0].restarts_total, root.children[0].incarnation), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn sup_start_map_faulty_specs() {
    let log = Log::default();
    let [one, twin] = probes(["one", "one"], &log);
    let twins = spec(Strategy::OneForOne, 1, [one.spec(), twin.spec()]);
    let outer = spec(Strategy::OneForOne, 1, [ChildSpec::supervisor("inner", twins)]);
    let path = "root/inner/one".to_owned();
    assert_eq!(start_tree("root", outer).await.err(), Some(StartError::DuplicateChild { path }));

    let slash = Probe::new("a/b", &log);
    let bad = StartError::BadId { id: "a/b".into(), parent: "root".into() };
    assert_eq!(start_tree("root", spec(Strategy::OneForOne, 1, [slash.spec()])).await.err(), Some(bad));

    let proud =
        spec(Strategy::OneForOne, 1, [one.spec().significant()]).auto_shutdown(AutoShutdown::AnySignificant);
    let significant = StartError::Significant { path: "root/one".into() };
    assert_eq!(
        start_tree("root", proud).await.err(),
        Some(significant),
        "a permanent child never ends for good"
    );
    assert!(log.take().is_empty(), "nothing is started of a faulty spec");
}

#[tokio::test(start_paused = true)]
async fn sup_start_ignore_child() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    one.decline_starts(true);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [one.spec()])).await;
    two.decline_starts(true);
    assert_eq!(tree.handle().start_child("root", two.spec()).await, Ok(Started::Ignored));
    let resting = ["one", "two"].map(|id| (id.to_owned(), NodeState::Stopped));
    assert_eq!(children(&tree, "root"), resting, "both are there, without a process");
    let ignored = LifecycleEvent::Ignored { path: "root/two".into(), incarnation: 0 };
    until(&mut events, |event| *event == ignored).await;
    assert!(!one.handle.is_up());
    assert_eq!(
        one.handle.gauges().read(tokio::time::Instant::now()).last_error,
        None,
        "to decline is no error"
    );

    one.decline_starts(false);
    assert_eq!(tree.handle().restart_child("root/one").await, Ok(Started::Running));
    assert_eq!(one.incarnation().await, Some(1));
    assert_eq!(log.take(), ["decline one", "decline two", "start one"]);
}

#[tokio::test(start_paused = true)]
async fn sup_start_ignore_temporary_child() {
    let log = Log::default();
    let [one, two, three] = probes(["one", "two", "three"], &log);
    [&one, &two].into_iter().for_each(|probe| probe.decline_starts(true));
    let (tree, _events) =
        start(spec(Strategy::OneForOne, 1, [one.with(Restart::Temporary), three.spec()])).await;
    let two = tree.handle().start_child("root", two.with(Restart::Temporary)).await;
    assert_eq!(two, Ok(Started::Ignored));
    assert_eq!(
        children(&tree, "root"),
        [("three".to_owned(), NodeState::Running)],
        "nothing is left of either"
    );
}
