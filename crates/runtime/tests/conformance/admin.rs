//! Orders to a supervisor.

use std::time::Duration;

use glitchlab_runtime::{
    AutoShutdown, ChildSpec, ControlError, Intensity, NodeState, Restart, StartError, Started, Strategy,
    SupervisorSpec, start_tree,
};

use crate::probe::{Log, Probe, children, crash, fill, pool, probes, spec, start};

fn one_is(state: NodeState) -> [(String, NodeState); 1] {
    [("one".to_owned(), state)]
}

#[tokio::test(start_paused = true)]
async fn child_adm() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [])).await;
    let (handle, path) = (tree.handle(), "root/one");
    let here = || path.to_owned();

    assert_eq!(handle.start_child("root", one.spec()).await, Ok(Started::Running));
    assert_eq!(handle.start_child("root", one.spec()).await, Err(ControlError::Running { path: here() }));
    assert_eq!(handle.restart_child(path).await, Err(ControlError::Running { path: here() }));
    assert_eq!(handle.delete_child(path).await, Err(ControlError::Running { path: here() }));
    assert_eq!(children(&tree, "root"), one_is(NodeState::Running));

    assert_eq!(handle.terminate_child(path).await, Ok(()));
    assert_eq!(handle.terminate_child(path).await, Ok(()), "it is not running, which is all that was asked");
    assert_eq!(children(&tree, "root"), one_is(NodeState::Stopped));
    assert_eq!(handle.start_child("root", one.spec()).await, Err(ControlError::Present { path: here() }));
    assert_eq!(handle.restart_child(path).await, Ok(Started::Running));
    assert_eq!(one.incarnation().await, Some(1));
    crash(&one).await;
    assert_eq!(one.incarnation().await, Some(2), "an order did not count as a restart, a crash does");

    one.fail_next_starts(1);
    handle.terminate_child(path).await.unwrap();
    let refused = handle.restart_child(path).await;
    assert!(matches!(refused, Err(ControlError::Start(StartError::Child { .. }))), "{refused:?}");
    assert_eq!(children(&tree, "root"), one_is(NodeState::Stopped), "its spec is still there");

    assert_eq!(handle.delete_child(path).await, Ok(()));
    assert!(children(&tree, "root").is_empty());
    let unknown = || Err(ControlError::Unknown { path: here() });
    assert_eq!(handle.restart_child(path).await, unknown().map(|()| Started::Running));
    assert_eq!((handle.delete_child(path).await, handle.terminate_child(path).await), (unknown(), unknown()));
}

#[tokio::test(start_paused = true)]
async fn child_adm_simple() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (tree, _events) = start(pool(1, Probe::spec)).await;
    let handle = tree.handle();
    assert!(children(&tree, "root").is_empty());
    fill(&tree, std::slice::from_ref(&one)).await;
    let again = handle.start_child_with("root", "one", one.clone()).await;
    assert_eq!(again, Err(ControlError::Running { path: "root/one".into() }));
    let dynamic = || ControlError::Dynamic { path: "root".into() };
    assert_eq!(handle.start_child("root", two.spec()).await, Err(dynamic()));
    assert_eq!(handle.restart_child("root/one").await, Err(dynamic()));
    assert_eq!(handle.delete_child("root/one").await, Err(dynamic()));
    let expected = std::any::type_name::<Probe>();
    assert_eq!(
        handle.start_child_with("root", "two", 2_u8).await,
        Err(ControlError::Arguments { path: "root".into(), expected })
    );

    two.fail_next_starts(1);
    let failed = handle.start_child_with("root", "two", two.clone()).await;
    assert!(matches!(failed, Err(ControlError::Start(StartError::Child { .. }))), "{failed:?}");
    assert_eq!(children(&tree, "root"), one_is(NodeState::Running), "nothing is left of a start that failed");

    assert_eq!(handle.terminate_child("root/one").await, Ok(()));
    assert!(children(&tree, "root").is_empty());
    let unknown = Err(ControlError::Unknown { path: "root/one".into() });
    assert_eq!(handle.terminate_child("root/one").await, unknown);
    fill(&tree, std::slice::from_ref(&one)).await;
    assert_eq!(children(&tree, "root"), one_is(NodeState::Running), "its id is free again");
}

#[tokio::test(start_paused = true)]
async fn child_specs() {
    let log = Log::default();
    let [one, two, nameless, slash] = probes(["one", "two", "", "a/b"], &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [one.spec()])).await;
    let handle = tree.handle();
    for bad in [nameless, slash] {
        let error = StartError::BadId { id: bad.id.into(), parent: "root".into() };
        assert_eq!(handle.start_child("root", bad.spec()).await, Err(error.into()));
    }
    let significant = StartError::Significant { path: "root/two".into() };
    let proud = two.with(Restart::Transient).significant();
    assert_eq!(
        handle.start_child("root", proud).await,
        Err(significant.into()),
        "its supervisor never ends by itself"
    );

    let twins = spec(Strategy::OneForOne, 1, [two.spec(), two.spec()]);
    let error = StartError::DuplicateChild { path: "root/inner/two".into() };
    let inner = ChildSpec::supervisor("inner", twins);
    assert_eq!(handle.start_child("root", inner).await, Err(error.into()), "all below is looked at as well");

    let (path, nowhere) = ("root/one".to_owned(), "root/none".to_owned());
    assert_eq!(handle.start_child(&path, two.spec()).await, Err(ControlError::Worker { path: path.clone() }));
    assert_eq!(
        handle.start_child(&nowhere, two.spec()).await,
        Err(ControlError::Unknown { path: nowhere.clone() })
    );
    let template = handle.start_child_with("root", "two", two.clone()).await;
    assert_eq!(template, Err(ControlError::NoTemplate { path: "root".into() }));
    assert_eq!(children(&tree, "root"), one_is(NodeState::Running));
    assert_eq!(log.take(), ["start one"], "nothing is started of a faulty spec");
}

#[tokio::test(start_paused = true)]
async fn sup_flags() {
    let defaults = SupervisorSpec::default();
    assert_eq!(defaults.intensity, Intensity { max: 1, within: Duration::from_secs(5) });
    assert_eq!((defaults.strategy, defaults.auto_shutdown), (Strategy::OneForOne, AutoShutdown::Never));

    let log = Log::default();
    let one = Probe::new("one", &log);
    let unsound = StartError::Template { path: "root".into() };
    for faulty in [
        spec(Strategy::SimpleOneForOne, 1, []),
        pool(1, Probe::spec).child(one.spec()),
        SupervisorSpec { strategy: Strategy::OneForAll, ..pool(1, Probe::spec) },
    ] {
        assert_eq!(start_tree("root", faulty).await.err(), Some(unsound.clone()));
    }
    assert!(log.take().is_empty());

    let (tree, _events) = start(SupervisorSpec::new(Strategy::RestForOne)).await;
    let root = tree.snapshot().root.supervision.expect("the root supervises");
    assert_eq!((root.strategy.name(), root.max, root.window_ms), ("rest_for_one", 1, 5_000));
}
