//! What holds after any history.

use std::time::Duration;

use glitchlab_runtime::{Backoff, ExitReason, LifecycleEvent, NodeState, Restart, Strategy};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;

use crate::probe::{Log, Probe, ProbeMsg, probes, settle, spec, start};

const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone, Copy)]
enum Blow {
    Fail(usize),
    Panic(usize),
    Stop(usize),
    Hang(usize),
    Kill(usize),
    NextStartsFail(usize, u32),
    Ping(usize, u8),
    Pass(u64),
}

fn blow() -> impl Generator<Value = Blow> {
    let child = 0_usize..4;
    prop_oneof![
        child.clone().prop_map(Blow::Fail),
        child.clone().prop_map(Blow::Panic),
        child.clone().prop_map(Blow::Stop),
        child.clone().prop_map(Blow::Hang),
        child.clone().prop_map(Blow::Kill),
        (child.clone(), 1_u32..3).prop_map(|(child, times)| Blow::NextStartsFail(child, times)),
        (child, 1_u8..20).prop_map(|(child, times)| Blow::Ping(child, times)),
        (0_u64..3_000).prop_map(Blow::Pass),
    ]
}

async fn strike(blow: Blow, all: &[Probe; 4], tree: &glitchlab_runtime::Tree) {
    let tell = |child: usize, msg| drop(all[child].handle.send(msg));
    match blow {
        Blow::Fail(child) => tell(child, ProbeMsg::Fail("blow")),
        Blow::Panic(child) => tell(child, ProbeMsg::Panic("blow")),
        Blow::Stop(child) => tell(child, ProbeMsg::Stop),
        Blow::Hang(child) => tell(child, ProbeMsg::Hang),
        Blow::Kill(child) => drop(tree.handle().kill(&format!("root/{}", all[child].id))),
        Blow::NextStartsFail(child, times) => all[child].fail_next_starts(times),
        Blow::Ping(child, times) => {
            for _ in 0..times {
                tell(child, ProbeMsg::Incarnation(glitchlab_runtime::ReplyPort::new().0));
            }
        }
        Blow::Pass(ms) => {
            settle().await;
            tokio::time::advance(Duration::from_millis(ms)).await;
        }
    }
}

/// Kills what hangs, lets every wait pass, and expects all to be up.
async fn recover(all: &[Probe; 4], tree: &glitchlab_runtime::Tree) {
    for probe in all {
        probe.fail_next_starts(0);
        let _unless_it_waits = tree.handle().kill(&format!("root/{}", probe.id));
    }
    // What hangs beside another's failure takes its five seconds to be killed, one after the other.
    for _ in 0..8 {
        settle().await;
        tokio::time::advance(Duration::from_secs(6)).await;
    }
    settle().await;
}

async fn history(strategy: Strategy, blows: Vec<Blow>, seed: u64) {
    let log = Log::default();
    let all = probes(["a", "b", "c", "d"], &log);
    let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    let children = [
        all[0].spec(),
        all[1].spec().backoff(backoff),
        all[2].with(Restart::Permanent).backoff(backoff),
        all[3].spec(),
    ];
    let (tree, _events) = start(spec(strategy, u32::MAX, children).jitter_seed(seed)).await;
    for blow in blows {
        strike(blow, &all, &tree).await;
    }
    recover(&all, &tree).await;
    for (probe, node) in all.iter().zip(tree.snapshot().root.children) {
        assert_eq!(node.state, NodeState::Running, "{} is not up", node.path);
        assert_eq!(probe.incarnation().await, Some(node.incarnation));
        assert_eq!(probe.alive(), 1);
        assert_eq!(probe.handle.gauges().mailbox(), 0, "the mailbox gauge of {} drifted", node.path);
    }
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
    assert!(all.iter().all(|probe| probe.alive() == 0 && probe.handle.gauges().mailbox() == 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn after_any_history_every_permanent_child_is_up_once_and_no_gauge_drifted(
        strategy in prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne)],
        blows in vec(blow(), 0..60),
        seed: u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(history(strategy, blows, seed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_gauge_drifts_and_no_two_states_meet_while_threads_send_into_restarts() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, mut events) = start(spec(Strategy::OneForOne, u32::MAX, [one.spec()])).await;
    let senders: Vec<_> = (0..4)
        .map(|number| {
            let handle = one.handle.clone();
            tokio::spawn(async move {
                for turn in 0..2_000 {
                    let msg = match (turn + number) % 50 {
                        0 => ProbeMsg::Fail("crash"),
                        25 => ProbeMsg::Stop,
                        _ => ProbeMsg::Incarnation(glitchlab_runtime::ReplyPort::new().0),
                    };
                    if handle.send(msg).is_err() || turn % 10 == 0 {
                        tokio::task::yield_now().await;
                    }
                    // Whoever has crashed it sees it serve again before going on.
                    while turn % 50 == 49 && handle.call(ProbeMsg::Incarnation, HOUR).await.is_err() {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    tree.stop().await;
    let mut restarts = 0;
    while let Some(event) = events.try_next() {
        // A probe refuses to start while the state of an earlier incarnation exists.
        assert!(!matches!(event, LifecycleEvent::StartFailed { .. }), "{event:?}");
        restarts += u32::from(matches!(event, LifecycleEvent::Restarted { .. }));
    }
    assert!(restarts > 0, "the senders met restarts");
    let emptied = async {
        while one.handle.gauges().mailbox() != 0 {
            tokio::task::yield_now().await;
        }
    };
    let drained = tokio::time::timeout(Duration::from_secs(10), emptied).await;
    assert!(drained.is_ok(), "{} messages are still counted", one.handle.gauges().mailbox());
}
