//! What breaches and exits do beyond the table.

use glitchlab_runtime::{ChildSpec, ExitReason, LifecycleEvent, LifecycleEvents, Restart, Strategy};

use crate::probe::{Log, Probe, ProbeMsg, crash, is_breach, probes, settle, spec, start, until_exited};

/// Starts a root over a supervisor that tolerates nothing.
pub(crate) async fn nested(restart: Restart, log: &Log) -> (Probe, glitchlab_runtime::Tree, LifecycleEvents) {
    let one = Probe::new("one", log);
    let brittle = spec(Strategy::OneForOne, 0, [one.spec()]);
    let child = ChildSpec::supervisor("brittle", brittle).restart(restart);
    let (tree, events) = start(spec(Strategy::OneForOne, 3, [child])).await;
    (one, tree, events)
}

#[tokio::test(start_paused = true)]
async fn a_transient_supervisor_that_gave_up_is_restarted() {
    let log = Log::default();
    let (one, _tree, _events) = nested(Restart::Transient, &log).await;
    crash(&one).await;
    assert_eq!(one.incarnation().await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_temporary_supervisor_that_gave_up_is_forgotten() {
    let log = Log::default();
    let (one, tree, _events) = nested(Restart::Temporary, &log).await;
    crash(&one).await;
    assert_eq!(one.incarnation().await, None);
    assert!(tree.snapshot().root.children.is_empty());
}

#[tokio::test(start_paused = true)]
async fn breaches_escalate_level_by_level_to_the_end_of_the_tree() {
    let log = Log::default();
    let (one, tree, _events) = nested(Restart::Permanent, &log).await;
    for _ in 0..4 {
        crash(&one).await;
    }
    let ExitReason::Breach(breach) = tree.wait().await else { panic!("the root gives up") };
    assert_eq!(
        (breach.supervisor.as_str(), breach.child.as_str(), breach.reasons.len()),
        ("root", "root/brittle", 4)
    );
    assert!(breach.reasons.iter().all(is_breach));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_ended_normally_comes_back_with_its_group() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let children = [one.with(Restart::Transient), two.spec()];
    let (_tree, _events) = start(spec(Strategy::OneForAll, 2, children)).await;
    one.tell(ProbeMsg::Stop);
    settle().await;
    assert_eq!(one.incarnation().await, None);
    crash(&two).await;
    assert_eq!((one.incarnation().await, two.incarnation().await), (Some(1), Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_told_from_an_error_and_keeps_its_message() {
    let one = Probe::new("one", &Log::default());
    let (_tree, mut events) = start(spec(Strategy::OneForOne, 1, [one.spec()])).await;
    one.tell(ProbeMsg::Panic("the very words"));
    let exited = until_exited(&mut events, "root/one").await;
    let panicked = ExitReason::Panicked("the very words".into());
    assert!(matches!(exited, LifecycleEvent::Exited { cause, .. } if cause == panicked));
}
