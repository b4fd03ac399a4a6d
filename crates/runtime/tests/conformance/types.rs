//! What each kind of exit means for each kind of child.

use glitchlab_runtime::{ExitReason, LifecycleEvent, NodeState, Restart, Strategy};

use crate::probe::{Log, ProbeMsg, probes, settle, spec, start, until_exited};

/// Ends a child next to a bystander and returns how it ended and which incarnation is up afterwards.
async fn end(restart: Restart, msg: ProbeMsg) -> (ExitReason, Option<u32>) {
    let log = Log::default();
    let [one, bystander] = probes(["one", "bystander"], &log);
    let children = [one.with(restart), bystander.spec()];
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, children)).await;
    one.tell(msg);
    let LifecycleEvent::Exited { cause, .. } = until_exited(&mut events, "root/one").await else {
        unreachable!()
    };
    settle().await;
    assert_eq!(bystander.incarnation().await, Some(0));
    let children = tree.snapshot().root.children;
    match (restart, one.incarnation().await) {
        (_, Some(_)) => assert_eq!(children[0].state, NodeState::Running),
        (Restart::Temporary, None) => assert_eq!(children.len(), 1, "an ended temporary child is forgotten"),
        (_, None) => assert_eq!(children[0].state, NodeState::Stopped),
    }
    (cause, one.incarnation().await)
}

fn abnormal() -> ExitReason {
    ExitReason::Failed("abnormal".into())
}

#[tokio::test(start_paused = true)]
async fn permanent_normal() {
    assert_eq!(end(Restart::Permanent, ProbeMsg::Stop).await, (ExitReason::Normal, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn permanent_shutdown() {
    assert_eq!(end(Restart::Permanent, ProbeMsg::ShutDown).await, (ExitReason::Shutdown, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn permanent_abnormal() {
    assert_eq!(end(Restart::Permanent, ProbeMsg::Fail("abnormal")).await, (abnormal(), Some(1)));
}

#[tokio::test(start_paused = true)]
async fn transient_normal() {
    assert_eq!(end(Restart::Transient, ProbeMsg::Stop).await, (ExitReason::Normal, None));
}

#[tokio::test(start_paused = true)]
async fn transient_shutdown() {
    assert_eq!(end(Restart::Transient, ProbeMsg::ShutDown).await, (ExitReason::Shutdown, None));
}

#[tokio::test(start_paused = true)]
async fn transient_abnormal() {
    assert_eq!(end(Restart::Transient, ProbeMsg::Fail("abnormal")).await, (abnormal(), Some(1)));
}

#[tokio::test(start_paused = true)]
async fn temporary_normal() {
    assert_eq!(end(Restart::Temporary, ProbeMsg::Stop).await, (ExitReason::Normal, None));
}

#[tokio::test(start_paused = true)]
async fn temporary_shutdown() {
    assert_eq!(end(Restart::Temporary, ProbeMsg::ShutDown).await, (ExitReason::Shutdown, None));
}

#[tokio::test(start_paused = true)]
async fn temporary_abnormal() {
    assert_eq!(end(Restart::Temporary, ProbeMsg::Fail("abnormal")).await, (abnormal(), None));
}

#[tokio::test(start_paused = true)]
async fn temporary_bystander() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let log = Log::default();
        let [one, bystander] = probes(["one", "bystander"], &log);
        let children = [one.spec(), bystander.with(Restart::Temporary)];
        let (tree, _events) = start(spec(strategy, 1, children)).await;
        one.tell(ProbeMsg::Fail("crash"));
        settle().await;
        assert_eq!((one.incarnation().await, bystander.incarnation().await), (Some(1), None));
        assert_eq!(log.take(), ["start one", "start bystander", "stop bystander", "start one"]);
        assert_eq!(tree.snapshot().root.children.len(), 1);
    }
}
