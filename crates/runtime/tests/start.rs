//! Starting.

use glitchlab_runtime::{
    ChildSpec, ExitReason, LifecycleEvent, StartError, Strategy, TreeHandle, start_tree, start_tree_with,
};

use crate::probe::{Log, Probe, spec};

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
