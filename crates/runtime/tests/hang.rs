//! Handlers that take longer than they may, found in a snapshot and removed by an order.

use std::time::Duration;

use glitchlab_runtime::{Budgets, ExitReason, LifecycleEvent, Overdue, Strategy};
use tokio::time::advance;

use crate::probe::{
    Log, ProbeMsg, SHORT, block, crash, probes, settle, soon, spec, start, until_exited, until_restarted,
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_handler_past_its_budget_is_found_and_a_kill_brings_the_next_incarnation() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [one.spec(), two.spec()])).await;
    let budgets = Budgets::new(SECOND * 60).kind("hang", SECOND * 5).kind_at("root/two", "hang", SECOND * 90);
    [&one, &two].into_iter().for_each(|probe| probe.tell(ProbeMsg::Hang));
    settle().await;
    advance(SECOND * 5).await;
    assert_eq!(budgets.overdue(&tree.snapshot()), [], "just within it");
    advance(SECOND).await;
    let found = Overdue {
        path: "root/one".into(),
        incarnation: 0,
        kind: "hang".into(),
        seq: 1,
        elapsed_ms: 6_000,
        budget_ms: 5_000,
    };
    assert_eq!(budgets.overdue(&tree.snapshot()), [found], "the other may take longer");

    tree.handle().kill("root/one").unwrap();
    let exited = until_exited(&mut events, "root/one").await;
    assert!(matches!(exited, LifecycleEvent::Exited { cause: ExitReason::Killed, .. }));
    until_restarted(&mut events, "root/one").await;
    assert_eq!(budgets.overdue(&tree.snapshot()), []);
    assert_eq!(one.incarnation().await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_kill_that_comes_late_leaves_the_next_incarnation_alone() {
    let log = Log::default();
    let [one, slow] = probes(["one", "slow"], &log);
    let slow = slow.failing_start_takes(SECOND);
    let (tree, _events) = start(spec(Strategy::OneForOne, 9, [one.spec(), slow.spec()])).await;
    slow.fail_next_starts(1);
    crash(&slow).await;
    crash(&one).await;
    // The supervisor is in the start that fails; what it does next is the restart, and only then the order.
    tree.handle().kill("root/one").unwrap();
    advance(SECOND).await;
    settle().await;
    assert_eq!((one.incarnation().await, slow.incarnation().await), (Some(1), Some(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_blocks_its_thread_is_replaced_and_not_found_again() {
    let log = Log::default();
    let [one] = probes(["one"], &log);
    let one = one.may_overlap();
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [one.spec().kill_grace(SHORT)])).await;
    let budgets = Budgets::new(SHORT);
    let release = block(&one).await;
    soon(async {
        while budgets.overdue(&tree.snapshot()).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    tree.handle().kill("root/one").unwrap();
    until_restarted(&mut events, "root/one").await;
    assert_eq!(budgets.overdue(&tree.snapshot()), [], "the successor is not blamed for the zombie");
    drop(release);
}
