//! Supervisors that end with their children.

use glitchlab_runtime::{
    AutoShutdown, ChildSpec, ExitReason, LifecycleEvent, NodeState, Restart, StartError, Strategy, Tree,
    start_tree,
};

use crate::probe::{
    Log, Probe, ProbeMsg, children, fill, incarnations, pool, probes, settle, spec, start, until_exited,
};

use AutoShutdown::{AllSignificant, AnySignificant, Never};

fn every_end() -> [ProbeMsg; 3] {
    [ProbeMsg::Stop, ProbeMsg::ShutDown, ProbeMsg::Fail("abnormal")]
}

/// Tells a probe how to end, and lets happen what follows.
async fn end(probe: &Probe, how: ProbeMsg) {
    probe.tell(how);
    settle().await;
}

/// Starts two significant children and one that is not, in this order.
async fn three(auto: AutoShutdown, restart: Restart) -> ([Probe; 3], Tree) {
    let log = Log::default();
    let all = probes(["one", "two", "plain"], &log);
    let [one, two, plain] = &all;
    let children = [one.with(restart).significant(), two.with(restart).significant(), plain.spec()];
    let (tree, _events) = start(spec(Strategy::OneForOne, 9, children).auto_shutdown(auto)).await;
    (all, tree)
}

async fn none_of_these_ends_counts(restart: Restart) {
    for auto in [Never, AnySignificant, AllSignificant] {
        for how in every_end() {
            let log = Log::default();
            let [one, two] = probes(["one", "two"], &log);
            let plain = spec(Strategy::OneForOne, 9, [one.with(restart), two.spec()]).auto_shutdown(auto);
            let (tree, _events) = start(plain).await;
            end(&one, how).await;
            assert_eq!(two.incarnation().await, Some(0), "{auto:?}");
            assert_eq!(tree.snapshot().root.state, NodeState::Running);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nonsignificant_temporary() {
    none_of_these_ends_counts(Restart::Temporary).await;
}

#[tokio::test(start_paused = true)]
async fn nonsignificant_transient() {
    none_of_these_ends_counts(Restart::Transient).await;
}

/// A significant child under a supervisor that never ends by itself is a mistake.
async fn is_refused_under_never(restart: Restart) {
    let one = Probe::new("one", &Log::default());
    let refused = start_tree("root", spec(Strategy::OneForOne, 9, [one.with(restart).significant()])).await;
    assert_eq!(refused.err(), Some(StartError::Significant { path: "root/one".into() }));
}

#[tokio::test(start_paused = true)]
async fn significant_temporary() {
    is_refused_under_never(Restart::Temporary).await;
    for how in every_end() {
        let (all, tree) = three(AnySignificant, Restart::Temporary).await;
        end(&all[0], how).await;
        assert_eq!(tree.wait().await, ExitReason::Shutdown);
        assert!(all.iter().all(|probe| probe.alive() == 0), "the others were stopped");
    }
    for (first, last) in every_end().into_iter().zip(every_end()) {
        let (all, tree) = three(AllSignificant, Restart::Temporary).await;
        end(&all[1], first).await;
        assert_eq!(incarnations(&all).await, [Some(0), None, Some(0)]);
        end(&all[0], last).await;
        assert_eq!(tree.wait().await, ExitReason::Shutdown);
        assert_eq!(all[2].alive(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn significant_transient() {
    is_refused_under_never(Restart::Transient).await;
    for how in [ProbeMsg::Stop, ProbeMsg::ShutDown] {
        let (all, tree) = three(AnySignificant, Restart::Transient).await;
        end(&all[0], ProbeMsg::Fail("abnormal")).await;
        assert_eq!(
            incarnations(&all).await,
            [Some(1), Some(0), Some(0)],
            "it is restarted, so it has not ended"
        );
        end(&all[0], how).await;
        assert_eq!(tree.wait().await, ExitReason::Shutdown);
    }
    for how in [ProbeMsg::Stop, ProbeMsg::ShutDown] {
        let (all, tree) = three(AllSignificant, Restart::Transient).await;
        end(&all[0], ProbeMsg::Stop).await;
        end(&all[1], ProbeMsg::Fail("abnormal")).await;
        assert_eq!(incarnations(&all).await, [None, Some(1), Some(0)]);
        end(&all[1], how).await;
        assert_eq!(tree.wait().await, ExitReason::Shutdown);
    }
}

#[tokio::test(start_paused = true)]
async fn significant_simple() {
    for auto in [AnySignificant, AllSignificant] {
        let log = Log::default();
        let all = probes(["one", "two"], &log);
        let child = |probe: &Probe| probe.with(Restart::Transient).significant();
        let (tree, _events) = start(pool(9, child).auto_shutdown(auto)).await;
        fill(&tree, &all).await;
        end(&all[0], ProbeMsg::Fail("abnormal")).await;
        assert_eq!(incarnations(&all).await, [Some(1), Some(0)]);
        tree.handle().terminate_child("root/one").await.unwrap();
        assert_eq!(all[1].incarnation().await, Some(0), "an order is not an end of its own");
        fill(&tree, &all[..1]).await;
        end(&all[0], ProbeMsg::Stop).await;
        if auto == AllSignificant {
            assert_eq!(all[1].incarnation().await, Some(0));
            end(&all[1], ProbeMsg::Stop).await;
        }
        assert_eq!(tree.wait().await, ExitReason::Shutdown);
        assert_eq!(all[1].alive(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn significant_bystander() {
    for auto in [AnySignificant, AllSignificant] {
        for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
            let log = Log::default();
            let [one, bystander] = probes(["one", "bystander"], &log);
            let both = [one.spec(), bystander.with(Restart::Temporary).significant()];
            let (tree, _events) = start(spec(strategy, 9, both).auto_shutdown(auto)).await;
            end(&one, ProbeMsg::Fail("abnormal")).await;
            assert_eq!((one.incarnation().await, bystander.incarnation().await), (Some(1), None));
            let left = [("one".to_owned(), NodeState::Running)];
            assert_eq!(children(&tree, "root"), left, "it ended for another's sake, so nothing follows");
        }
    }
}

/// Ends the only, significant, child of a supervisor beside another child of the root.
async fn inner_ends(restart: Restart, significant: bool) -> (Probe, Probe, Tree) {
    let log = Log::default();
    let [one, other] = probes(["one", "other"], &log);
    let inner = spec(Strategy::OneForOne, 9, [one.with(Restart::Transient).significant()]);
    let inner = ChildSpec::supervisor("inner", inner.auto_shutdown(AnySignificant)).restart(restart);
    let inner = if significant { inner.significant() } else { inner };
    let outer = spec(Strategy::OneForOne, 9, [inner, other.spec()]).auto_shutdown(AnySignificant);
    let (tree, mut events) = start(outer).await;
    one.tell(ProbeMsg::Stop);
    let exited = until_exited(&mut events, "root/inner").await;
    assert!(matches!(exited, LifecycleEvent::Exited { cause: ExitReason::Shutdown, .. }), "{exited:?}");
    settle().await;
    (one, other, tree)
}

#[tokio::test(start_paused = true)]
async fn significant_escalation() {
    for restart in [Restart::Transient, Restart::Temporary] {
        let (_, other, tree) = inner_ends(restart, true).await;
        assert_eq!(tree.wait().await, ExitReason::Shutdown, "level by level");
        assert_eq!(other.alive(), 0);

        let (one, other, _tree) = inner_ends(restart, false).await;
        assert_eq!((one.incarnation().await, other.incarnation().await), (None, Some(0)));
    }
    let (one, other, tree) = inner_ends(Restart::Permanent, false).await;
    assert_eq!((one.incarnation().await, other.incarnation().await), (Some(1), Some(0)));
    assert_eq!(tree.snapshot().root.children[0].incarnation, 1, "a permanent one comes back");
}
