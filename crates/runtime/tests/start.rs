//! Starting.

use glitchlab_runtime::{
    ChildSpec, ExitReason, LifecycleEvent, StartError, Strategy, TreeHandle, start_tree, start_tree_with,
};

use crate::probe::{Log, Probe, ProbeMsg, probes, spec, start, until_restarted};

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
    assert!(log.take().is_empty(), "nothing is started of a faulty spec");
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_an_actor_is_built_is_a_failure_of_that_child() {
    let probe = Probe::new("one", &Log::default());
    let child = ChildSpec::worker("one", &probe.handle, |child| -> (Probe, ()) {
        panic!("cannot build {}", child.path)
    });
    let cause = ExitReason::Panicked("cannot build root/one".into());
    let refused = start_tree("root", spec(Strategy::OneForOne, 1, [child])).await;
    assert_eq!(refused.err(), Some(StartError::Child { path: "root/one".into(), cause }));
}

#[tokio::test(start_paused = true)]
async fn a_handle_made_before_its_tree_sees_the_start() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let handle = TreeHandle::new();
    let mut events = handle.events();
    assert!(handle.snapshot().is_none());
    let tree = start_tree_with("root", spec(Strategy::OneForOne, 1, [one.spec()]), &handle).await.unwrap();
    let started = LifecycleEvent::Started { path: "root/one".into(), incarnation: 0 };
    assert_eq!(events.try_next(), Some(started));
    assert_eq!(handle.snapshot().unwrap().root, tree.snapshot().root);

    let again = start_tree_with("root", spec(Strategy::OneForOne, 1, []), &handle).await;
    assert_eq!(again.err(), Some(StartError::HandleInUse));
}
