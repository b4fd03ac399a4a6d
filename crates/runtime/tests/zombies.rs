//! What cannot be ended because it blocks its thread. On the real clock, with several threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;

use glitchlab_runtime::{
    Actor, ChildSpec, Context, ExitReason, Failure, Grace, Handle, LifecycleEvent, NodeState, Shutdown,
    Strategy, Task, TaskExit, TaskSlot,
};

use crate::probe::{Log, ProbeMsg, SHORT, block, probes, soon, spec, start, until, until_restarted};

/// Makes work that blocks its thread until the sender is dropped, and a signal that it does so.
fn blocking(fence: &Arc<AtomicBool>) -> (Task<u32>, mpsc::Sender<()>, tokio::sync::oneshot::Receiver<()>) {
    let (release, released) = mpsc::channel::<()>();
    let (entered, is_blocked) = tokio::sync::oneshot::channel();
    let fence = Arc::clone(fence);
    let task = Task::new("stuck", move |_| async move {
        entered.send(()).expect("the test waits");
        let _released = released.recv();
        Ok(1)
    });
    let fenced = task.fenced(move || {
        let fence = Arc::clone(&fence);
        async move { fence.store(true, SeqCst) }
    });
    (fenced, release, is_blocked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_task_that_cannot_be_ended_is_fenced_off_and_leaves_its_slot() {
    let woken = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&woken);
    let slot = TaskSlot::new("stage", Grace { cancel: SHORT, abort: SHORT }, move || {
        count.fetch_add(1, SeqCst);
    });
    let fenced = Arc::new(AtomicBool::new(false));
    let (task, release, is_blocked) = blocking(&fenced);
    slot.spawn(task).unwrap();
    is_blocked.await.unwrap();

    let (seen_at_start, seen) = tokio::sync::oneshot::channel();
    let fence = Arc::clone(&fenced);
    assert_eq!(slot.settle().await, Some(TaskExit::Zombie));
    slot.spawn(Task::new("successor", move |_| async move {
        seen_at_start.send(fence.load(SeqCst)).unwrap();
        Ok(2)
    }))
    .unwrap();
    assert!(seen.await.unwrap(), "the fence holds before the successor starts");
    slot.settled().await;
    assert_eq!((slot.take_exit(), slot.zombies()), (Some(TaskExit::Done(2)), 1));

    drop(release);
    soon(async {
        while slot.zombies() > 0 || woken.load(SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(slot.take_exit(), None, "the late end of a zombie is nobody's exit");
    assert_eq!(woken.load(SeqCst), 2, "one wake-up for each of the two tasks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_successor_starts_while_the_fence_does_not_hold() {
    let slot = TaskSlot::new("stage", Grace { cancel: SHORT, abort: SHORT }, || {});
    let (blocked, release, is_blocked) = blocking(&Arc::default());
    let (attempts, tries) = (Arc::new(AtomicU32::new(0)), tokio::sync::Notify::new());
    let (tries, count) = (Arc::new(tries), Arc::clone(&attempts));
    let tried = Arc::clone(&tries);
    let task = blocked.fenced(move || {
        let (count, tried) = (Arc::clone(&count), Arc::clone(&tried));
        async move {
            tried.notify_one();
            assert!(count.fetch_add(1, SeqCst) > 0, "the store is not there");
        }
    });
    slot.spawn(task).unwrap();
    is_blocked.await.unwrap();

    slot.end();
    tries.notified().await;
    soon(async {
        while slot.running().is_none_or(|info| info.ending) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(slot.spawn(Task::new("successor", |_| async { Ok(2) })).is_err());
    assert_eq!(slot.settle().await, Some(TaskExit::Zombie), "the second try holds");
    assert_eq!(attempts.load(SeqCst), 2);
    drop(release);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_stop_does_not_wait_for_an_actor_that_blocks_its_thread() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let stuck = two.spec().shutdown(Shutdown::Timeout(SHORT)).kill_grace(SHORT);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [one.spec(), stuck])).await;
    let release = block(&two).await;
    assert_eq!(tree.stop().await, ExitReason::Shutdown);
    let zombie = LifecycleEvent::Zombie { path: "root/two".into(), incarnation: 0 };
    until(&mut events, |event| *event == zombie).await;
    let node = tree.snapshot().root.children.remove(1);
    assert_eq!((node.state, node.zombies), (NodeState::Zombie, 1));
    assert!(!two.handle.is_up(), "nobody talks to a zombie");
    assert_eq!(log.take(), ["start one", "start two", "stop one"]);
    drop(release);
}

/// An actor whose state takes until a signal to be dropped.
struct Heavy;

struct HeavyState {
    entered: Option<tokio::sync::oneshot::Sender<()>>,
    released: mpsc::Receiver<()>,
}

impl Drop for HeavyState {
    fn drop(&mut self) {
        let _first_life_only = self.entered.take().map(|entered| entered.send(()));
        let _released = self.released.recv();
    }
}

impl Actor for Heavy {
    type Msg = ProbeMsg;
    type Arguments = HeavyState;
    type State = HeavyState;

    async fn start(&self, _context: &Context<ProbeMsg>, state: HeavyState) -> Result<HeavyState, Failure> {
        Ok(state)
    }

    async fn handle(&self, _: &Context<ProbeMsg>, _: ProbeMsg, _: &mut HeavyState) -> Result<(), Failure> {
        Err("crash".into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_successor_starts_while_the_state_of_its_predecessor_is_being_dropped() {
    let (release, released) = mpsc::channel();
    let (entered, is_dropping) = tokio::sync::oneshot::channel();
    let first = std::sync::Mutex::new(Some(HeavyState { entered: Some(entered), released }));
    let handle = Handle::new("heavy");
    let child = ChildSpec::worker("heavy", &handle, move |_| {
        let later = || HeavyState { entered: None, released: mpsc::channel().1 };
        (Heavy, first.lock().expect("no test panics here").take().unwrap_or_else(later))
    });
    let patient = child.kill_grace(Duration::from_secs(20));
    let (tree, mut events) = start(spec(Strategy::OneForOne, 1, [patient])).await;
    handle.send(ProbeMsg::Stop).unwrap();
    is_dropping.await.unwrap();
    let early = tokio::time::timeout(5 * SHORT, until_restarted(&mut events, "root/heavy")).await;
    assert!(early.is_err(), "the first state is still there");
    drop(release);
    soon(async {
        while !handle.is_up() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    tree.stop().await;
}
