//! An incarnation joins its supervisor with its first message; what happens before is heard of as well.

use glitchlab_runtime::{
    Actor, ChildSpec, Context, ExitReason, Failure, Handle, LifecycleEvent, LifecycleEvents, MessageKind,
    Strategy, Tree, TreeHandle, start_tree_with,
};

use crate::probe::{Log, Probe, SHORT, node, settle, spec, until_exited};

/// Does something in its starts.
#[derive(Clone)]
struct AtStart<F>(F);

/// No message.
enum Never {}

impl MessageKind for Never {
    fn kind(&self) -> &'static str {
        match *self {}
    }
}

impl<F: Fn(&Context<Never>) + Send + Sync + 'static> Actor for AtStart<F> {
    type Msg = Never;
    type Arguments = ();
    type State = ();

    async fn start(&self, context: &Context<Never>, (): ()) -> Result<(), Failure> {
        (self.0)(context);
        Ok(())
    }

    async fn handle(&self, _: &Context<Never>, msg: Never, (): &mut ()) -> Result<(), Failure> {
        match msg {}
    }
}

/// Starts one that does this in its starts.
async fn start(
    handle: &TreeHandle,
    work: impl Fn(&Context<Never>) + Clone + Send + Sync + 'static,
) -> (Tree, LifecycleEvents) {
    let child = ChildSpec::worker("one", &Handle::new("one"), move |_child| (AtStart(work.clone()), ()));
    let events = handle.events();
    let root = spec(Strategy::OneForOne, 9, [child]);
    (start_tree_with("root", root, handle).await.expect("the tree starts"), events)
}

async fn cause_of_exit(events: &mut LifecycleEvents) -> ExitReason {
    match until_exited(events, "root/one").await {
        LifecycleEvent::Exited { cause, .. } => cause,
        other => panic!("{other:?} is no exit"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_stops_in_its_start_is_started_again() {
    let stop_first = |context: &Context<Never>| {
        if context.incarnation() == 0 {
            context.stop();
        }
    };
    let (tree, mut events) = start(&TreeHandle::new(), stop_first).await;
    assert_eq!(cause_of_exit(&mut events).await, ExitReason::Normal);
    settle().await;
    assert_eq!(node(&tree.snapshot().root, "root/one").incarnation, 1);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_is_killed_before_its_first_message_is_started_again() {
    let handle = TreeHandle::new();
    let killer = handle.clone();
    let kill_second = move |context: &Context<Never>| match context.incarnation() {
        0 => context.stop(),
        // The supervisor gets to it before the new actor has its turn.
        1 => killer.kill("root/one").expect("it is there"),
        _ => {}
    };
    let (tree, mut events) = start(&handle, kill_second).await;
    assert_eq!(cause_of_exit(&mut events).await, ExitReason::Normal);
    assert_eq!(cause_of_exit(&mut events).await, ExitReason::Killed);
    settle().await;
    assert_eq!(node(&tree.snapshot().root, "root/one").incarnation, 2);
}

/// Takes its time to come back.
#[derive(Clone)]
struct Returning(Log);

struct Crash;

impl MessageKind for Crash {
    fn kind(&self) -> &'static str {
        "crash"
    }
}

impl Actor for Returning {
    type Msg = Crash;
    type Arguments = ();
    type State = ();

    async fn start(&self, context: &Context<Crash>, (): ()) -> Result<(), Failure> {
        if context.incarnation() > 0 {
            tokio::time::sleep(SHORT).await;
        }
        self.0.write("start a".to_owned());
        Ok(())
    }

    async fn handle(&self, _: &Context<Crash>, Crash: Crash, (): &mut ()) -> Result<(), Failure> {
        Err("it crashes".into())
    }

    async fn stop(&self, _: &Context<Crash>, (): &mut ()) -> Result<(), Failure> {
        self.0.write("stop a".to_owned());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_ends_while_a_child_comes_back_stops_that_child_in_its_turn() {
    let (log, handle) = (Log::default(), Handle::new("a"));
    let returning = Returning(log.clone());
    let a = ChildSpec::worker("a", &handle, move |_child| (returning.clone(), ()));
    let root = spec(Strategy::OneForOne, 9, [a, Probe::new("b", &log).spec()]);
    let tree = start_tree_with("root", root, &TreeHandle::new()).await.expect("the tree starts");
    handle.send(Crash).expect("it is up");
    tokio::time::sleep(SHORT / 2).await;
    tree.stop().await;
    assert_eq!(log.take(), ["start a", "start b", "start a", "stop b", "stop a"]);
}
