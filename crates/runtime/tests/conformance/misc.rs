//! What is left of the table.

use std::time::Duration;

use glitchlab_runtime::{
    ChildCounts, ChildKind, ChildSpec, ControlError, ExitReason, LifecycleEvent, NodeState, Restart,
    Shutdown, Started, Strategy, Tree, TreeSnapshot,
};
use tokio::time::advance;

use crate::probe::{
    Log, Probe, ProbeMsg, SHORT, block, children, crash, fill, incarnations, node, pool, probes, settle,
    soon, spec, start, until_restarted,
};

#[tokio::test(start_paused = true)]
async fn tree() {
    let log = Log::default();
    let [a, b, c, d] = probes(["a", "b", "c", "d"], &log);
    let left = spec(Strategy::OneForAll, 2, [a.spec(), b.spec()]);
    let right = spec(Strategy::RestForOne, 2, [c.spec(), d.spec()]);
    let children = [ChildSpec::supervisor("left", left), ChildSpec::supervisor("right", right)];
    let (tree, mut events) = start(spec(Strategy::OneForOne, 2, children)).await;

    c.tell(ProbeMsg::Fail("crash"));
    until_restarted(&mut events, "root/right/d").await;
    assert_eq!(
        (a.incarnation().await, c.incarnation().await, d.incarnation().await),
        (Some(0), Some(1), Some(1))
    );

    advance(Duration::from_secs(60)).await;
    let seen = tree.snapshot();
    assert_eq!(seen.as_of_ms, 60_000);
    let right = node(&seen.root, "root/right");
    assert_eq!(
        (right.kind, right.state, right.restarts_total),
        (ChildKind::Supervisor, NodeState::Running, 0)
    );
    assert_eq!(right.supervision.unwrap().restarts_in_window, 1);
    let d = node(&seen.root, "root/right/d");
    assert_eq!((d.incarnation, d.restarts_total, d.uptime_ms), (1, 1, Some(60_000)));

    tree.handle().terminate_child("root/left").await.unwrap();
    assert_eq!((a.incarnation().await, b.incarnation().await, c.incarnation().await), (None, None, Some(1)));
    let states: Vec<NodeState> = tree.snapshot().root.children.iter().map(|child| child.state).collect();
    assert_eq!(states, [NodeState::Stopped, NodeState::Running]);
}

#[tokio::test(start_paused = true)]
async fn order_of_children() {
    let log = Log::default();
    let all = probes(["a", "b", "c", "d", "e"], &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, all.each_ref().map(Probe::spec))).await;
    assert_eq!(log.take(), ["start a", "start b", "start c", "start d", "start e"]);
    tree.stop().await;
    assert_eq!(log.take(), ["stop e", "stop d", "stop c", "stop b", "stop a"]);
}

#[tokio::test(start_paused = true)]
async fn which_children() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let inner = ChildSpec::supervisor("inner", spec(Strategy::OneForOne, 1, [two.with(Restart::Transient)]));
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [one.spec(), inner])).await;
    two.tell(ProbeMsg::Stop);
    settle().await;
    let listed: Vec<(String, ChildKind, Restart, NodeState)> = flat(&tree.snapshot());
    let expected = [
        ("root", ChildKind::Supervisor, Restart::Temporary, NodeState::Running),
        ("root/one", ChildKind::Worker, Restart::Permanent, NodeState::Running),
        ("root/inner", ChildKind::Supervisor, Restart::Permanent, NodeState::Running),
        ("root/inner/two", ChildKind::Worker, Restart::Transient, NodeState::Stopped),
    ];
    assert_eq!(listed, expected.map(|(path, kind, restart, state)| (path.to_owned(), kind, restart, state)));
}

fn flat(tree: &TreeSnapshot) -> Vec<(String, ChildKind, Restart, NodeState)> {
    let mut listed = Vec::new();
    let mut left = vec![&tree.root];
    while let Some(node) = left.pop() {
        listed.push((node.path.clone(), node.kind, node.restart, node.state));
        left.extend(node.children.iter().rev());
    }
    listed
}

/// An actor of ours cannot unlink itself, as it never sees the cell that it runs in. What is unlinked is a zombie.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn child_unlink() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let child = one.with(Restart::Transient).shutdown(Shutdown::Timeout(SHORT)).kill_grace(SHORT);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 0, [child])).await;
    let release = block(&one).await;
    assert_eq!(tree.handle().terminate_child("root/one").await, Ok(()), "it is not waited for");
    drop(release);
    soon(async {
        while one.alive() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    tree.handle().beat("root").await.unwrap();
    let of_one = std::iter::from_fn(|| events.try_next())
        .filter(|event| matches!(event, LifecycleEvent::Exited { .. }));
    assert_eq!(of_one.count(), 1, "what it does later is nobody's exit");
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
}

fn counts(specs: usize, active: usize, supervisors: usize, workers: usize) -> ChildCounts {
    ChildCounts { specs, active, supervisors, workers }
}

#[tokio::test(start_paused = true)]
async fn count_children() {
    let log = Log::default();
    let [one, two, deep] = probes(["one", "two", "deep"], &log);
    let inner = ChildSpec::supervisor("inner", spec(Strategy::OneForOne, 1, [deep.spec()]));
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [one.spec(), inner])).await;
    let handle = tree.handle();
    let count = || handle.count_children("root").unwrap();
    assert_eq!(count(), counts(2, 2, 1, 1));
    handle.start_child("root", two.spec()).await.unwrap();
    assert_eq!(count(), counts(3, 3, 1, 2));
    handle.terminate_child("root/one").await.unwrap();
    handle.terminate_child("root/inner").await.unwrap();
    assert_eq!(count(), counts(3, 1, 1, 2));
    handle.delete_child("root/inner").await.unwrap();
    assert_eq!(count(), counts(2, 1, 0, 2));
    let worker = Err(ControlError::Worker { path: "root/two".into() });
    assert_eq!(handle.count_children("root/two"), worker);
}

/// Lets a failing start of the pool take a minute, so that there is time to look at it.
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn count_restarting_children() {
    let log = Log::default();
    let all = probes(["one", "two", "three"], &log).map(|probe| probe.failing_start_takes(MINUTE));
    let (tree, _events) = start(pool(99, Probe::spec)).await;
    let count = || tree.handle().count_children("root").unwrap();
    assert_eq!(count(), counts(1, 0, 0, 0));
    fill(&tree, &all).await;
    assert_eq!(count(), counts(1, 3, 0, 3));
    all[0].fail_next_starts(2);
    crash(&all[0]).await;
    assert_eq!(count(), counts(1, 2, 0, 3), "one that is being restarted is there, but not active");
    crash(&all[1]).await;
    advance(MINUTE).await;
    settle().await;
    assert_eq!(count(), counts(1, 2, 0, 3), "the second is up before the first is tried again");
    advance(MINUTE).await;
    settle().await;
    assert_eq!(count(), counts(1, 3, 0, 3));
    assert_eq!(incarnations(&all).await, [Some(3), Some(1), Some(0)]);
}

/// Makes the starts of a child fail for ever, each after a minute, and gets into the first of them.
async fn hang_in_restarts(child: &Probe) {
    child.fail_next_starts(u32::MAX);
    crash(child).await;
}

/// Sends an order into the loop, which is taken up between two starts.
async fn between_starts<T>(order: impl Future<Output = T>) -> T {
    let (answer, ()) = tokio::join!(order, async {
        settle().await;
        advance(MINUTE).await;
    });
    answer
}

#[tokio::test(start_paused = true)]
async fn hanging_restart_loop() {
    let log = Log::default();
    let one = Probe::new("one", &log).failing_start_takes(MINUTE);
    let (tree, _events) = start(spec(Strategy::OneForOne, 8, [one.spec()])).await;
    let (handle, path) = (tree.handle(), "root/one".to_owned());
    hang_in_restarts(&one).await;
    let restarting = ControlError::Restarting { path: path.clone() };
    let present = ControlError::Present { path: path.clone() };
    assert_eq!(between_starts(handle.start_child("root", one.spec())).await, Err(present));
    assert_eq!(between_starts(handle.restart_child(&path)).await, Err(restarting.clone()));
    assert_eq!(between_starts(handle.delete_child(&path)).await, Err(restarting));
    assert_eq!(handle.count_children("root"), Ok(counts(1, 0, 0, 1)));

    assert_eq!(between_starts(handle.terminate_child(&path)).await, Ok(()));
    assert_eq!(children(&tree, "root"), [("one".to_owned(), NodeState::Stopped)]);
    one.fail_next_starts(0);
    advance(MINUTE * 10).await;
    settle().await;
    assert!(!one.handle.is_up(), "the loop has ended");
    assert_eq!(handle.restart_child(&path).await, Ok(Started::Running));
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn hanging_restart_loop_rest_for_one() {
    let log = Log::default();
    let [one, two, three, four] = probes(["one", "two", "three", "four"], &log);
    let two = two.failing_start_takes(MINUTE);
    let all = [one.spec(), two.spec(), three.spec()];
    let (tree, _events) = start(spec(Strategy::RestForOne, 8, all)).await;
    let handle = tree.handle();
    hang_in_restarts(&two).await;
    let restarting = ControlError::Restarting { path: "root/two".into() };
    let running = ControlError::Running { path: "root/one".into() };
    assert_eq!(between_starts(handle.start_child("root", one.spec())).await, Err(running));
    assert_eq!(between_starts(handle.restart_child("root/two")).await, Err(restarting.clone()));
    assert_eq!(between_starts(handle.delete_child("root/two")).await, Err(restarting));
    assert_eq!(between_starts(handle.start_child("root", four.spec())).await, Ok(Started::Running));
    assert_eq!(handle.count_children("root"), Ok(counts(4, 2, 0, 4)));
    advance(MINUTE).await;
    settle().await;
    assert_eq!(
        handle.count_children("root"),
        Ok(counts(4, 1, 0, 4)),
        "the new one belongs to the group at once"
    );
    assert_eq!(one.incarnation().await, Some(0));

    assert_eq!(between_starts(handle.terminate_child("root/two")).await, Ok(()));
    settle().await;
    let states = [NodeState::Running, NodeState::Stopped, NodeState::Running, NodeState::Running];
    assert_eq!(children(&tree, "root").into_iter().map(|(_, state)| state).collect::<Vec<_>>(), states);
    two.fail_next_starts(0);
    assert_eq!(handle.restart_child("root/two").await, Ok(Started::Running));
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn hanging_restart_loop_simple() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let one = one.failing_start_takes(MINUTE);
    let (tree, _events) = start(pool(8, Probe::spec)).await;
    let handle = tree.handle();
    fill(&tree, &[one.clone(), two.clone()]).await;
    hang_in_restarts(&one).await;
    let dynamic = ControlError::Dynamic { path: "root".into() };
    assert_eq!(between_starts(handle.restart_child("root/one")).await, Err(dynamic));
    assert_eq!(handle.count_children("root"), Ok(counts(1, 1, 0, 2)));
    assert_eq!(between_starts(handle.terminate_child("root/one")).await, Ok(()));
    assert_eq!(children(&tree, "root"), [("two".to_owned(), NodeState::Running)]);
    assert_eq!(two.incarnation().await, Some(0));
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
}

/// Starts and stops this many children, and returns how long one took.
async fn start_and_stop(tree: &Tree, many: usize) -> Duration {
    let began = std::time::Instant::now();
    for n in 0..many {
        let probe = Probe::new("many", &Log::default());
        tree.handle().start_child_with("root", n.to_string(), probe).await.expect("it starts");
    }
    for n in 0..many {
        tree.handle().terminate_child(&format!("root/{n}")).await.expect("it is there");
    }
    began.elapsed() / u32::try_from(many).expect("few enough")
}

#[tokio::test(start_paused = true)]
async fn scale_start_stop_many_children() {
    let (tree, _events) = start(pool(1, Probe::spec)).await;
    start_and_stop(&tree, 100).await;
    // The best of three, since others may use the machine; what grows with their number would be sixteen times.
    let mut best = [Duration::MAX; 2];
    for _ in 0..3 {
        for (best, many) in best.iter_mut().zip([500, 8_000]) {
            *best = (*best).min(start_and_stop(&tree, many).await);
        }
    }
    assert_eq!(tree.handle().count_children("root"), Ok(counts(1, 0, 0, 0)));
    assert!(best[1] < best[0] * 6, "one of few took {:?}, one of many {:?}", best[0], best[1]);
}
