//! An incarnation that fails, or leaves with its group, hands its host on, and nothing else.

use std::time::Duration;

use glitchlab_runtime::{
    Actor, Backoff, CallError, ChildSpec, Context, ExitReason, Failure, Handle, LifecycleEvent, MessageKind,
    Restart, Strategy,
};
use tokio::time::{advance, sleep};

use crate::probe::{
    Log, Probe, ProbeMsg, crash, incarnations, probes, settle, spec, start, until_exited, until_restarted,
};

const SECOND: Duration = Duration::from_secs(1);

/// Takes a second to start, and is sent something meanwhile.
#[derive(Clone)]
struct Slow(Log);

enum SlowMsg {
    Note(&'static str),
    Fail,
    Wait,
    Bomb(Bomb),
}

impl MessageKind for SlowMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Note(_) => "note",
            Self::Fail => "fail",
            Self::Wait => "wait",
            Self::Bomb(_) => "bomb",
        }
    }
}

impl Actor for Slow {
    type Msg = SlowMsg;
    type Arguments = ();
    type State = ();

    async fn start(&self, context: &Context<SlowMsg>, (): ()) -> Result<(), Failure> {
        context.send_self(SlowMsg::Note("by itself"))?;
        sleep(SECOND).await;
        self.0.write("started".into());
        Ok(())
    }

    async fn handle(&self, _: &Context<SlowMsg>, msg: SlowMsg, (): &mut ()) -> Result<(), Failure> {
        match msg {
            SlowMsg::Note(note) => self.0.write(note.into()),
            SlowMsg::Fail => return Err("crash".into()),
            SlowMsg::Wait => sleep(SECOND).await,
            SlowMsg::Bomb(bomb) => std::mem::forget(bomb),
        }
        Ok(())
    }

    async fn stop(&self, _: &Context<SlowMsg>, (): &mut ()) -> Result<(), Failure> {
        self.0.write("stopped".into());
        Ok(())
    }
}

async fn cause_of_exit(events: &mut glitchlab_runtime::LifecycleEvents, path: &str) -> ExitReason {
    match until_exited(events, path).await {
        LifecycleEvent::Exited { cause, .. } => cause,
        other => panic!("{other:?} is no exit"),
    }
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn messages_behind_a_failure_die_with_their_incarnation() {
    let one = Probe::new("one", &Log::default());
    let (_tree, mut events) = start(spec(Strategy::OneForOne, 3, [one.spec()])).await;
    one.tell(ProbeMsg::Fail("crash"));
    one.tell(ProbeMsg::Stop);
    let call = one.handle.call(ProbeMsg::Incarnation, SECOND).await;
    assert_eq!(call, Err(CallError::Dropped { name: "one".into() }));
    until_restarted(&mut events, "root/one").await;
    settle().await;
    assert_eq!(one.incarnation().await, Some(1), "its predecessor was told to stop, not it");
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_during_a_start_is_handled_after_it_and_in_order() {
    let (log, handle) = (Log::default(), Handle::new("slow"));
    let slow = Slow(log.clone());
    let child = ChildSpec::worker("slow", &handle, move |_child| (slow.clone(), ()));
    let (_tree, mut events) = start(spec(Strategy::OneForOne, 9, [child])).await;
    for _ in 0..2 {
        settle().await;
        assert_eq!(log.take(), ["started", "by itself"]);
        handle.send(SlowMsg::Fail).unwrap();
        until_exited(&mut events, "root/slow").await;
        settle().await;
        handle.send(SlowMsg::Note("by another")).unwrap();
        until_restarted(&mut events, "root/slow").await;
        handle.send(SlowMsg::Note("later")).unwrap();
        settle().await;
        assert_eq!(log.take(), ["started", "by itself", "by another", "later"]);
        handle.send(SlowMsg::Fail).unwrap();
        until_restarted(&mut events, "root/slow").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_lets_go_of_what_was_sent_meanwhile() {
    let one = Probe::new("one", &Log::default()).failing_start_takes(SECOND);
    let (_tree, mut events) = start(spec(Strategy::OneForOne, 3, [one.spec()])).await;
    one.fail_next_starts(1);
    crash(&one).await;
    let call = one.handle.call(ProbeMsg::Incarnation, 10 * SECOND).await;
    assert_eq!(call, Err(CallError::Dropped { name: "one".into() }), "it does not wait for nothing");
    until_restarted(&mut events, "root/one").await;
    assert_eq!(one.incarnation().await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn one_that_moved_in_can_be_killed_and_its_successor_can_fail() {
    let one = Probe::new("one", &Log::default());
    let (tree, mut events) = start(spec(Strategy::OneForOne, 9, [one.spec()])).await;
    for round in 0..3 {
        crash(&one).await;
        assert_eq!(cause_of_exit(&mut events, "root/one").await, ExitReason::Failed("crash".into()));
        tree.handle().kill("root/one").unwrap();
        assert_eq!(cause_of_exit(&mut events, "root/one").await, ExitReason::Killed);
        settle().await;
        assert_eq!(one.incarnation().await, Some(2 * round + 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill_that_comes_with_a_failure_restarts_once() {
    let one = Probe::new("one", &Log::default());
    let (tree, mut events) = start(spec(Strategy::OneForOne, 9, [one.spec()])).await;
    one.tell(ProbeMsg::Fail("crash"));
    tree.handle().kill("root/one").unwrap();
    until_restarted(&mut events, "root/one").await;
    advance(10 * SECOND).await;
    settle().await;
    assert_eq!(one.incarnation().await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_sibling_that_does_not_leave_is_killed_and_comes_back_with_its_group() {
    let log = Log::default();
    let all = probes(["one", "two", "three"], &log);
    let (_tree, mut events) = start(spec(Strategy::OneForAll, 3, all.each_ref().map(Probe::spec))).await;
    log.take();
    all[1].tell(ProbeMsg::Hang);
    crash(&all[0]).await;
    assert_eq!(cause_of_exit(&mut events, "root/two").await, ExitReason::Killed);
    until_restarted(&mut events, "root/three").await;
    assert_eq!(log.take(), ["stop three", "start one", "start two", "start three"]);
    crash(&all[2]).await;
    assert_eq!(incarnations(&all).await, [Some(2); 3]);
}

#[tokio::test(start_paused = true)]
async fn a_sibling_that_fails_as_it_leaves_says_so_and_comes_back() {
    let log = Log::default();
    let (one, two) = (Probe::new("one", &log), Probe::new("two", &log).fails_at_stop());
    let (_tree, mut events) = start(spec(Strategy::OneForAll, 3, [one.spec(), two.spec()])).await;
    crash(&one).await;
    let cause = cause_of_exit(&mut events, "root/two").await;
    assert_eq!(cause, ExitReason::Failed("no stop today".into()));
    assert_eq!(incarnations(&[one, two]).await, [Some(1); 2]);
}

/// Makes children of one that starts slowly.
fn slow_children<const N: usize>(
    handles: [(&'static str, &Handle<SlowMsg>); N],
    log: &Log,
) -> [ChildSpec; N] {
    handles.map(|(id, handle)| {
        let slow = Slow(log.clone());
        ChildSpec::worker(id, handle, move |_child| (slow.clone(), ()))
    })
}

#[tokio::test(start_paused = true)]
async fn a_sibling_that_leaves_takes_no_message_any_more() {
    let log = Log::default();
    let (one, two) = (Handle::new("one"), Handle::new("two"));
    let children = slow_children([("one", &one), ("two", &two)], &log);
    let (_tree, mut events) = start(spec(Strategy::OneForAll, 3, children)).await;
    settle().await;
    log.take();
    two.send(SlowMsg::Wait).unwrap();
    two.send(SlowMsg::Note("too late")).unwrap();
    settle().await;
    one.send(SlowMsg::Fail).unwrap();
    until_restarted(&mut events, "root/two").await;
    settle().await;
    assert_eq!(log.take(), ["stopped", "started", "by itself", "started", "by itself"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cleaning_up_to_leave_is_not_there_for_others() {
    let log = Log::default();
    let (one, two) = (Probe::new("one", &log), Probe::new("two", &log).stop_takes(4 * SECOND));
    let (_tree, mut events) = start(spec(Strategy::OneForAll, 3, [one.spec(), two.spec()])).await;
    crash(&one).await;
    let call = two.handle.call(ProbeMsg::Incarnation, SECOND).await;
    assert!(matches!(call, Err(CallError::Gone(_))), "{call:?}");
    until_restarted(&mut events, "root/two").await;
    assert_eq!(two.incarnation().await, Some(1));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a message that panics when it is dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_dropped_does_no_harm_to_who_never_took_it() {
    let log = Log::default();
    let handles = [Handle::new("one"), Handle::new("two")];
    let children = slow_children([("one", &handles[0]), ("two", &handles[1])], &log);
    let (tree, mut events) = start(spec(Strategy::OneForAll, 9, children)).await;
    settle().await;
    log.take();
    handles[0].send(SlowMsg::Fail).unwrap();
    for handle in &handles {
        // So many that the host lets others have their turn before it has dropped them all.
        (0..300).for_each(|_| handle.send(SlowMsg::Wait).unwrap());
        handle.send(SlowMsg::Bomb(Bomb)).unwrap();
    }
    until_restarted(&mut events, "root/two").await;
    settle().await;
    advance(1000 * SECOND).await;
    settle().await;
    assert_eq!(log.take(), ["stopped", "started", "by itself", "started", "by itself"]);
    let seen = tree.snapshot().root.children.into_iter().map(|child| child.incarnation);
    assert_eq!(seen.collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_host_without_a_successor_ends() {
    let log = Log::default();
    let [gone, waiting, there] = probes(["gone", "waiting", "there"], &log);
    let wait = Backoff::new(SECOND, SECOND);
    let children = [gone.with(Restart::Temporary), waiting.spec().backoff(wait), there.spec()];
    let (tree, _events) = start(spec(Strategy::OneForOne, 9, children)).await;
    settle().await;
    let before = tasks();
    crash(&gone).await;
    assert_eq!(tasks(), before - 1, "it is forgotten");
    crash(&waiting).await;
    tree.handle().terminate_child("root/waiting").await.unwrap();
    settle().await;
    assert_eq!(tasks(), before - 2, "its restart was called off");
    crash(&there).await;
    assert_eq!((tasks(), there.incarnation().await), (before - 2, Some(1)));
    tree.stop().await;
    settle().await;
    assert_eq!(tasks(), 0);
}
