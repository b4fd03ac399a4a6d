//! Handles and what is counted on the way to an actor.

use std::time::Duration;

use glitchlab_runtime::{CallError, Gone, Strategy};
use tokio::time::{Instant, advance};

use crate::probe::{Log, Probe, ProbeMsg, settle, spec, start, until_restarted};

#[tokio::test(start_paused = true)]
async fn a_call_says_why_it_got_no_reply() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let second = Duration::from_secs(1);
    let early = one.handle.call(ProbeMsg::Incarnation, second).await;
    assert_eq!(early, Err(CallError::Gone(Gone { name: "one".into() })));

    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [one.spec()])).await;
    one.tell(ProbeMsg::Hang);
    let late = one.handle.call(ProbeMsg::Incarnation, second).await;
    assert_eq!(late, Err(CallError::Timeout { name: "one".into(), timeout_ms: 1_000 }));

    let (dropped, _) = tokio::join!(one.handle.call(ProbeMsg::Incarnation, second), async {
        tree.handle().kill("root/one").unwrap();
    });
    assert_eq!(dropped, Err(CallError::Dropped { name: "one".into() }));
}

#[tokio::test(start_paused = true)]
async fn gauges_show_the_mailbox_and_the_current_handler() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [one.spec()])).await;
    one.tell(ProbeMsg::Hang);
    settle().await;
    for _ in 0..3 {
        one.tell(ProbeMsg::Stop);
    }
    advance(Duration::from_secs(9)).await;
    let activity = tree.snapshot().root.children[0].activity.clone().unwrap();
    let current = activity.current.unwrap();
    assert_eq!((current.kind.as_str(), current.elapsed_ms, activity.mailbox), ("hang", 9_000, 3));
    assert_eq!((activity.messages_total, activity.busy_total_ms), (0, 9_000));

    tree.handle().kill("root/one").unwrap();
    until_restarted(&mut events, "root/one").await;
    let reading = one.handle.gauges().read(Instant::now());
    assert!(reading.current.is_none(), "the guard ends what a kill dropped");
    assert_eq!(
        (reading.mailbox, reading.messages_total),
        (0, 1),
        "waiting messages died with their incarnation"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_error_outlives_the_incarnation_that_made_it() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [one.spec()])).await;
    one.tell(ProbeMsg::Panic("what a day"));
    until_restarted(&mut events, "root/one").await;
    advance(Duration::from_secs(2)).await;
    let error = tree.snapshot().root.children[0].activity.clone().unwrap().last_error.unwrap();
    assert_eq!((error.message.as_str(), error.age_ms), ("panicked: what a day", 2_000));
}
