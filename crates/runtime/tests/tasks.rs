//! Work beside an actor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use glitchlab_runtime::{
    Actor, Backoff, ChildSpec, Context, ExitReason, Failure, Grace, Handle, LifecycleEvent, MessageKind,
    Occupied, Restart, Strategy, Task, TaskExit, TaskFailure, TaskScope, TaskSlot, start_tree,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, advance, sleep_until};

use crate::probe::{Log, Probe, settle, spec, start, until_exited, until_restarted};

const SECOND: Duration = Duration::from_secs(1);
const GRACE: Grace = Grace { cancel: Duration::from_secs(10), abort: SECOND };

enum ShellMsg {
    Run(Task<u32>),
    Woken,
    Crash,
}

impl MessageKind for ShellMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Woken => "woken",
            Self::Crash => "crash",
        }
    }
}

/// A thin actor whose work runs in a slot: it writes down how the work ended, and fails when it panicked.
#[derive(Clone)]
struct Shell {
    slot: TaskSlot<u32>,
    log: Log,
    /// Ends what an earlier incarnation left running, instead of going on with it.
    settles: bool,
}

impl Shell {
    fn look(&self) -> Result<(), TaskFailure> {
        match self.slot.take_exit() {
            Some(TaskExit::Panicked(message)) => Err(TaskFailure::Panicked(message)),
            Some(exit) => {
                self.log.write(format!("{exit:?}"));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Actor for Shell {
    type Msg = ShellMsg;
    type Arguments = ();
    type State = ();

    async fn start(&self, context: &Context<ShellMsg>, (): ()) -> Result<(), Failure> {
        if self.settles && context.incarnation() > 0 {
            self.log.write(format!("settled {:?}", self.slot.settle().await));
        }
        let running = self.slot.running().map(|info| info.name);
        self.log.write(format!("start {} with {running:?}", context.incarnation()));
        Ok(self.look()?)
    }

    async fn handle(&self, _context: &Context<ShellMsg>, msg: ShellMsg, (): &mut ()) -> Result<(), Failure> {
        match msg {
            ShellMsg::Run(task) => self.slot.spawn(task)?,
            ShellMsg::Woken => self.look()?,
            ShellMsg::Crash => panic!("the shell breaks"),
        }
        Ok(())
    }
}

fn shell(settles: bool) -> (Handle<ShellMsg>, Shell, ChildSpec) {
    let handle = Handle::new("shell");
    let waker = handle.clone();
    let slot = TaskSlot::new("stage", GRACE, move || {
        let _restarting = waker.send(ShellMsg::Woken);
    });
    let shell = Shell { slot, log: Log::default(), settles };
    let made = shell.clone();
    let child = ChildSpec::worker("shell", &handle, move |_| (made.clone(), ())).attach(&shell.slot);
    (handle, shell, child)
}

fn loose() -> TaskSlot<u32> {
    TaskSlot::new("loose", GRACE, || {})
}

/// Work that never looks up.
async fn deaf(_scope: TaskScope) -> Result<u32, Failure> {
    std::future::pending().await
}

/// Work that ends when it is told to.
async fn polite(scope: TaskScope) -> Result<u32, Failure> {
    scope.cancelled().await;
    Err("told to end".into())
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_task_becomes_exactly_one_supervised_exit() {
    let (handle, shell, child) = shell(false);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 5, [child])).await;
    handle.send(ShellMsg::Run(Task::new("burst", |_| async { panic!("burst") }))).unwrap();
    let LifecycleEvent::Exited { cause, .. } = until_exited(&mut events, "root/shell").await else {
        unreachable!()
    };
    assert_eq!(cause, ExitReason::Failed("its task panicked: burst".into()));
    settle().await;
    while let Some(event) = events.try_next() {
        assert!(!matches!(event, LifecycleEvent::Exited { .. }), "{event:?} is one exit too many");
    }
    assert_eq!(tree.snapshot().root.supervision.unwrap().restarts_in_window, 1);
    assert_eq!(shell.log.take(), ["start 0 with None", "start 1 with None"]);
}

#[tokio::test(start_paused = true)]
async fn a_task_outlives_the_panic_of_its_actor_and_reports_to_the_next_incarnation() {
    let (handle, shell, child) = shell(false);
    let (_tree, mut events) = start(spec(Strategy::OneForOne, 5, [child])).await;
    let (release, released) = oneshot::channel::<u32>();
    handle.send(ShellMsg::Run(Task::new("paid", |_| async { Ok(released.await?) }))).unwrap();
    handle.send(ShellMsg::Crash).unwrap();
    until_restarted(&mut events, "root/shell").await;
    release.send(7).unwrap();
    settle().await;
    assert_eq!(shell.log.take(), ["start 0 with None", "start 1 with Some(\"paid\")", "Done(7)"]);
    assert_eq!(shell.slot.take_exit(), None);
}

#[tokio::test(start_paused = true)]
async fn an_exit_that_finds_its_actor_restarting_is_found_by_the_next_incarnation() {
    let (handle, shell, child) = shell(false);
    let hour = Duration::from_secs(3_600);
    let child = child.backoff(Backoff::new(hour, hour));
    let (_tree, mut events) = start(spec(Strategy::OneForOne, 5, [child]).jitter_seed(7)).await;
    let (release, released) = oneshot::channel::<u32>();
    handle.send(ShellMsg::Run(Task::new("paid", |_| async { Ok(released.await?) }))).unwrap();
    handle.send(ShellMsg::Crash).unwrap();
    until_exited(&mut events, "root/shell").await;
    release.send(7).unwrap();
    settle().await;
    assert!(!handle.is_up() && shell.slot.running().is_none());
    until_restarted(&mut events, "root/shell").await;
    assert_eq!(shell.log.take(), ["start 0 with None", "start 1 with None", "Done(7)"]);
}

#[tokio::test(start_paused = true)]
async fn an_incarnation_that_settles_starts_only_after_the_old_task_ended() {
    let (handle, shell, child) = shell(true);
    let (_tree, mut events) = start(spec(Strategy::OneForOne, 5, [child])).await;
    let log = shell.log.clone();
    let slow = Task::new("slow", |scope| async move {
        scope.cancelled().await;
        sleep_until(Instant::now() + 3 * SECOND).await;
        log.write("the old task ends".into());
        Err("told to end".into())
    });
    handle.send(ShellMsg::Run(slow)).unwrap();
    handle.send(ShellMsg::Crash).unwrap();
    until_restarted(&mut events, "root/shell").await;
    let lines = ["start 0 with None", "the old task ends", "settled Some(Cancelled)", "start 1 with None"];
    assert_eq!(shell.log.take(), lines);
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_taken_until_its_exit_was_looked_at() {
    let slot = loose();
    let occupied = Err(Occupied { slot: "loose".into() });
    slot.spawn(Task::new("first", |_| async { Ok(1) })).unwrap();
    assert_eq!(slot.spawn(Task::new("second", deaf)), occupied);
    slot.settled().await;
    assert_eq!(slot.spawn(Task::new("second", deaf)), occupied);
    assert_eq!((slot.take_exit(), slot.take_exit()), (Some(TaskExit::Done(1)), None));
    assert_eq!(slot.spawn(Task::new("second", deaf)), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn each_way_to_end_has_its_name_and_its_time() {
    let slot = loose();
    let ended_after = async |task| {
        slot.spawn(task).unwrap();
        settle().await;
        let told_at = Instant::now();
        (slot.settle().await.unwrap(), told_at.elapsed())
    };
    assert_eq!(ended_after(Task::new("polite", polite)).await, (TaskExit::Cancelled, Duration::ZERO));
    let done = Task::new("done", |scope: TaskScope| async move {
        scope.cancelled().await;
        Ok(5)
    });
    assert_eq!(ended_after(done).await, (TaskExit::Done(5), Duration::ZERO), "what is done is done");
    assert_eq!(ended_after(Task::new("deaf", deaf)).await, (TaskExit::Aborted, GRACE.cancel));
    let failed = Task::new("failed", |_| async { Err("no luck".into()) });
    assert_eq!(ended_after(failed).await, (TaskExit::Failed("no luck".into()), Duration::ZERO));
}

#[test]
fn a_task_that_is_dropped_without_an_end_has_vanished() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let woken = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&woken);
    let slot = TaskSlot::new("loose", GRACE, move || {
        count.fetch_add(1, SeqCst);
    });
    runtime.block_on(async {
        slot.spawn(Task::new("deaf", deaf)).unwrap();
        settle().await;
    });
    drop(runtime);
    assert_eq!((slot.take_exit(), woken.load(SeqCst)), (Some(TaskExit::Vanished), 1));
}

#[test]
fn a_task_for_a_runtime_that_has_shut_down_has_vanished() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let gone = runtime.handle().clone();
    drop(runtime);
    let slot = loose();
    let _entered = gone.enter();
    slot.spawn(Task::new("late", deaf)).unwrap();
    assert_eq!(slot.take_exit(), Some(TaskExit::Vanished));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_the_work_and_how_it_gets_on() {
    let (handle, _shell, child) = shell(false);
    let (tree, _events) = start(spec(Strategy::OneForOne, 5, [child])).await;
    let work = Task::new("stage 1", |scope: TaskScope| async move {
        for _ in 0..2 {
            sleep_until(Instant::now() + SECOND).await;
            scope.progress();
        }
        deaf(scope).await
    });
    handle.send(ShellMsg::Run(work)).unwrap();
    settle().await;
    for _ in 0..5 {
        advance(SECOND).await;
        settle().await;
    }
    let node = tree.snapshot().root.children.remove(0);
    assert_eq!(node.tasks[0].slot, "stage");
    let running = node.tasks[0].running.clone().unwrap();
    assert_eq!((running.name.as_str(), running.progress_total, running.ending), ("stage 1", 2, false));
    assert_eq!((running.running_ms, running.last_progress_ms), (5_000, Some(3_000)));
}

#[tokio::test(start_paused = true)]
async fn a_stopping_tree_ends_the_work_of_an_actor_that_was_waiting_for_its_restart() {
    let (handle, shell, child) = shell(false);
    let day = Duration::from_secs(86_400);
    let (tree, mut events) =
        start(spec(Strategy::OneForOne, 5, [child.backoff(Backoff::new(day, day))]).jitter_seed(7)).await;
    handle.send(ShellMsg::Run(Task::new("deaf", deaf))).unwrap();
    handle.send(ShellMsg::Crash).unwrap();
    until_exited(&mut events, "root/shell").await;
    assert!(shell.slot.running().is_some(), "a crash of the shell is no reason to end the work");
    let told_at = Instant::now();
    tree.stop().await;
    assert_eq!((shell.slot.take_exit(), told_at.elapsed()), (Some(TaskExit::Aborted), GRACE.cancel));
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_gives_up_ends_the_work_beside_its_actors() {
    let (handle, shell, child) = shell(false);
    let (tree, _events) = start(spec(Strategy::OneForOne, 0, [child])).await;
    handle.send(ShellMsg::Run(Task::new("deaf", deaf))).unwrap();
    handle.send(ShellMsg::Crash).unwrap();
    assert!(matches!(tree.wait().await, ExitReason::Breach(_)));
    assert_eq!(shell.slot.take_exit(), Some(TaskExit::Aborted), "and sees it end");
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_does_not_start_ends_the_work_that_was_begun() {
    let (_handle, shell, child) = shell(false);
    shell.slot.spawn(Task::new("polite", polite)).unwrap();
    let bad = Probe::new("bad", &Log::default());
    bad.fail_next_starts(1);
    assert!(start_tree("root", spec(Strategy::OneForOne, 0, [child, bad.spec()])).await.is_err());
    shell.slot.settled().await;
    assert_eq!(shell.slot.take_exit(), Some(TaskExit::Cancelled));
}

/// A child that is nothing but its task, and how many it has had; the task stays when `work` of its number says so.
fn only_a_task(
    restart: Restart,
    work: impl Fn(u32) -> Result<bool, Failure> + Copy + Send + Sync + 'static,
) -> (Arc<AtomicU32>, ChildSpec) {
    let lives = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&lives);
    let make = move || {
        let n = counted.fetch_add(1, SeqCst);
        Ok(Task::new("duty", move |scope: TaskScope| async move {
            if work(n)? {
                scope.cancelled().await;
            }
            Ok(())
        }))
    };
    (lives, ChildSpec::task("only", make).restart(restart))
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_only_a_task_fails_with_it_and_gets_a_new_one() {
    let (lives, child) = only_a_task(Restart::Transient, |n| match n {
        0 => panic!("the first breaks"),
        1 => Err("the second fails".into()),
        _ => Ok(true),
    });
    let (tree, mut events) = start(spec(Strategy::OneForOne, 5, [child])).await;
    for why in ["its task panicked: the first breaks", "its task failed: the second fails"] {
        let LifecycleEvent::Exited { cause, .. } = until_exited(&mut events, "root/only").await else {
            unreachable!()
        };
        assert_eq!(cause, ExitReason::Failed(why.into()));
    }
    settle().await;
    assert_eq!(lives.load(SeqCst), 3);
    assert_eq!(tree.snapshot().root.children[0].tasks[0].running.as_ref().unwrap().name, "duty");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_only_a_task_ends_normally_when_the_task_is_done() {
    for (restart, expected) in [(Restart::Permanent, 2), (Restart::Transient, 1)] {
        let (lives, child) = only_a_task(restart, |n| Ok(n > 0));
        let (tree, mut events) = start(spec(Strategy::OneForOne, 5, [child])).await;
        let LifecycleEvent::Exited { cause, .. } = until_exited(&mut events, "root/only").await else {
            unreachable!()
        };
        assert_eq!(cause, ExitReason::Normal);
        settle().await;
        assert_eq!(lives.load(SeqCst), expected, "{restart:?}");
        assert_eq!(tree.stop().await, ExitReason::Shutdown);
    }
}
