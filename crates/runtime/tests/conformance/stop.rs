//! Stopping.

use std::time::Duration;

use glitchlab_runtime::{ExitReason, LifecycleEvent, LifecycleEvents, Shutdown, Strategy};
use tokio::time::Instant;

use crate::backoff::HOUR;
use crate::probe::{Log, Probe, ProbeMsg, fill, pool, probes, spec, start, until_exited};

const SECOND: Duration = Duration::from_secs(1);

/// Stops a tree of one probe and returns how the probe ended, and after which time.
async fn stop_of(probe: &Probe, shutdown: Shutdown) -> (ExitReason, Duration) {
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [probe.spec().shutdown(shutdown)])).await;
    let asked_at = Instant::now();
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
    let took = asked_at.elapsed();
    let LifecycleEvent::Exited { cause, .. } = until_exited(&mut events, "root/one").await else {
        unreachable!()
    };
    (cause, took)
}

#[tokio::test(start_paused = true)]
async fn sup_stop_infinity() {
    let log = Log::default();
    let one = Probe::new("one", &log).stop_takes(HOUR);
    assert_eq!(stop_of(&one, Shutdown::Infinity).await, (ExitReason::Shutdown, HOUR));
    assert_eq!(log.take(), ["start one", "stop one"]);
}

#[tokio::test(start_paused = true)]
async fn sup_stop_timeout() {
    let log = Log::default();
    let second = Duration::from_secs(1);
    let quick = Probe::new("one", &log);
    assert_eq!(stop_of(&quick, Shutdown::Timeout(second)).await, (ExitReason::Shutdown, Duration::ZERO));
    let slow = Probe::new("one", &log).stop_takes(HOUR);
    assert_eq!(stop_of(&slow, Shutdown::Timeout(second)).await, (ExitReason::Killed, second));
    assert_eq!(log.take(), ["start one", "stop one", "start one"]);
}

#[tokio::test(start_paused = true)]
async fn sup_stop_brutal_kill() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    assert_eq!(stop_of(&one, Shutdown::BrutalKill).await, (ExitReason::Killed, Duration::ZERO));
    assert_eq!(log.take(), ["start one"], "it was not asked");
}

/// Returns how each child ended, by its path.
fn exits(events: &mut LifecycleEvents) -> Vec<(String, ExitReason)> {
    std::iter::from_fn(|| events.try_next())
        .filter_map(|event| match event {
            LifecycleEvent::Exited { path, cause, .. } => Some((path, cause)),
            _ => None,
        })
        .collect()
}

fn ends<const N: usize>(ends: [(&str, ExitReason); N]) -> Vec<(String, ExitReason)> {
    ends.map(|(path, cause)| (path.to_owned(), cause)).into()
}

#[tokio::test(start_paused = true)]
async fn sup_stop_timeout_dynamic() {
    let log = Log::default();
    let [quick, slow] = probes(["quick", "slow"], &log);
    let slow = slow.stop_takes(HOUR);
    let (tree, mut events) = start(pool(1, |probe| probe.spec().shutdown(Shutdown::Timeout(SECOND)))).await;
    fill(&tree, &[quick, slow]).await;
    let asked_at = Instant::now();
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
    assert_eq!(asked_at.elapsed(), SECOND);
    let expected = ends([("root/quick", ExitReason::Shutdown), ("root/slow", ExitReason::Killed)]);
    assert_eq!(exits(&mut events), expected);
    assert_eq!(log.take(), ["start quick", "start slow", "stop quick"]);
}

#[tokio::test(start_paused = true)]
async fn sup_stop_brutal_kill_dynamic() {
    let log = Log::default();
    let all = probes(["one", "two"], &log);
    let (tree, mut events) = start(pool(1, |probe| probe.spec().shutdown(Shutdown::BrutalKill))).await;
    fill(&tree, &all).await;
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
    assert_eq!(
        exits(&mut events),
        ends([("root/one", ExitReason::Killed), ("root/two", ExitReason::Killed)])
    );
    assert_eq!(log.take(), ["start one", "start two"], "none was asked");
}

#[tokio::test(start_paused = true)]
async fn sup_stop_race() {
    let failed = ExitReason::Failed("meanwhile".into());
    for shutdown in [Shutdown::Infinity, Shutdown::Timeout(SECOND), Shutdown::BrutalKill] {
        for asked_first in [false, true] {
            let log = Log::default();
            let one = Probe::new("one", &log);
            let (tree, mut events) =
                start(spec(Strategy::OneForOne, 9, [one.spec().shutdown(shutdown)])).await;
            let (fail, asked_at) = (|| one.tell(ProbeMsg::Fail("meanwhile")), Instant::now());
            let ended = if asked_first {
                tokio::join!(tree.stop(), async { fail() }).0
            } else {
                fail();
                tree.stop().await
            };
            assert_eq!((ended, asked_at.elapsed()), (ExitReason::Shutdown, Duration::ZERO));
            assert_eq!(exits(&mut events), ends([("root/one", failed.clone())]), "one end is one exit");
            assert_eq!(log.take(), ["start one"], "it was not started again");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sup_stop_non_shutdown_exit_dynamic() {
    let log = Log::default();
    let [good, bad] = probes(["good", "bad"], &log);
    let bad = bad.fails_at_stop();
    let (tree, mut events) = start(pool(0, Probe::spec)).await;
    fill(&tree, &[bad, good]).await;
    assert_eq!(tree.stop().await, ExitReason::Shutdown, "no breach: it was stopping");
    let failed = ExitReason::Failed("no stop today".into());
    assert_eq!(exits(&mut events), ends([("root/bad", failed), ("root/good", ExitReason::Shutdown)]));
}
