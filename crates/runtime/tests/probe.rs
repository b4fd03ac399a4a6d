//! An actor that fails on demand and writes down what happens to it.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use glitchlab_runtime::{
    Actor, ChildSpec, Context, ExitReason, Failure, Handle, Ignore, LifecycleEvent, LifecycleEvents,
    MessageKind, NodeSnapshot, NodeState, ReplyPort, Restart, Shutdown, Strategy, SupervisorSpec, Template,
    Tree, start_tree,
};
use tokio::time::Instant;

/// How long a test on the real clock waits for what does not come.
pub(crate) const SHORT: Duration = Duration::from_millis(20);

/// What a probe can be told.
pub(crate) enum ProbeMsg {
    Incarnation(ReplyPort<u32>),
    Fail(&'static str),
    Panic(&'static str),
    Stop,
    ShutDown,
    /// Awaits for ever.
    Hang,
    /// Blocks its thread until the other end is dropped.
    Block(mpsc::Receiver<()>),
}

impl MessageKind for ProbeMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Incarnation(_) => "incarnation",
            Self::Fail(_) => "fail",
            Self::Panic(_) => "panic",
            Self::Stop => "stop",
            Self::ShutDown => "shut_down",
            Self::Hang => "hang",
            Self::Block(_) => "block",
        }
    }
}

/// Writes down what happens to several probes, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn write(&self, line: String) {
        self.0.lock().expect("no test panics here").push(line);
    }

    /// Takes out what was written since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no test panics here"))
    }
}

/// A child under test.
#[derive(Clone)]
pub(crate) struct Probe {
    pub(crate) id: &'static str,
    pub(crate) handle: Handle<ProbeMsg>,
    log: Log,
    /// How many of its next starts fail.
    pub(crate) failing_starts: Arc<AtomicU32>,
    /// Whether its next starts decline.
    declines: Arc<AtomicBool>,
    panics_at_start: bool,
    may_overlap: bool,
    failing_start_takes: Duration,
    stop_takes: Duration,
    fails_at_stop: bool,
    alive: Arc<AtomicU32>,
}

impl Probe {
    pub(crate) fn new(id: &'static str, log: &Log) -> Self {
        Self {
            id,
            handle: Handle::new(id),
            log: log.clone(),
            failing_starts: Arc::default(),
            declines: Arc::default(),
            panics_at_start: false,
            may_overlap: false,
            failing_start_takes: Duration::ZERO,
            stop_takes: Duration::ZERO,
            fails_at_stop: false,
            alive: Arc::default(),
        }
    }

    pub(crate) fn panics_at_start(self) -> Self {
        Self { panics_at_start: true, ..self }
    }

    /// Allows that a zombie is still there when its successor starts.
    pub(crate) fn may_overlap(self) -> Self {
        Self { may_overlap: true, ..self }
    }

    pub(crate) fn stop_takes(self, stop_takes: Duration) -> Self {
        Self { stop_takes, ..self }
    }

    /// Lets a start that fails take its time before it does.
    pub(crate) fn failing_start_takes(self, failing_start_takes: Duration) -> Self {
        Self { failing_start_takes, ..self }
    }

    /// Makes its stop end in an error.
    pub(crate) fn fails_at_stop(self) -> Self {
        Self { fails_at_stop: true, ..self }
    }

    pub(crate) fn spec(&self) -> ChildSpec {
        let probe = self.clone();
        ChildSpec::worker(self.id, &self.handle, move |_child| (probe.clone(), ()))
            .shutdown(Shutdown::Timeout(Duration::from_secs(5)))
    }

    pub(crate) fn with(&self, restart: Restart) -> ChildSpec {
        self.spec().restart(restart)
    }

    pub(crate) fn fail_next_starts(&self, times: u32) {
        self.failing_starts.store(times, SeqCst);
    }

    /// Makes its next starts decline, or not.
    pub(crate) fn decline_starts(&self, declines: bool) {
        self.declines.store(declines, SeqCst);
    }

    pub(crate) async fn incarnation(&self) -> Option<u32> {
        self.handle.call(ProbeMsg::Incarnation, Duration::from_secs(1)).await.ok()
    }

    /// How many of its states exist.
    pub(crate) fn alive(&self) -> u32 {
        self.alive.load(SeqCst)
    }

    pub(crate) fn tell(&self, msg: ProbeMsg) {
        self.handle.send(msg).expect("the probe is up");
    }
}

/// Counts the states of one probe, to see that two never exist at once.
pub(crate) struct Alive(Arc<AtomicU32>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Actor for Probe {
    type Msg = ProbeMsg;
    type Arguments = ();
    type State = Alive;

    async fn start(&self, _context: &Context<ProbeMsg>, (): ()) -> Result<Alive, Failure> {
        if self.declines.load(SeqCst) {
            self.log.write(format!("decline {}", self.id));
            return Err(Ignore.into());
        }
        let failing = self.failing_starts.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        if failing.is_ok() {
            self.log.write(format!("fail {}", self.id));
            tokio::time::sleep_until(Instant::now() + self.failing_start_takes).await;
            assert!(!self.panics_at_start, "no start today");
            return Err("no start today".into());
        }
        let others = self.alive.fetch_add(1, SeqCst);
        assert!(others == 0 || self.may_overlap, "{} is there twice", self.id);
        self.log.write(format!("start {}", self.id));
        Ok(Alive(Arc::clone(&self.alive)))
    }

    async fn handle(&self, context: &Context<ProbeMsg>, msg: ProbeMsg, _: &mut Alive) -> Result<(), Failure> {
        match msg {
            ProbeMsg::Incarnation(reply) => reply.send(context.incarnation()),
            ProbeMsg::Fail(why) => return Err(why.into()),
            ProbeMsg::Panic(why) => panic!("{why}"),
            ProbeMsg::Stop => context.stop(),
            ProbeMsg::ShutDown => context.shut_down(),
            ProbeMsg::Hang => std::future::pending().await,
            ProbeMsg::Block(until) => {
                let _released = until.recv();
            }
        }
        Ok(())
    }

    async fn stop(&self, _context: &Context<ProbeMsg>, _: &mut Alive) -> Result<(), Failure> {
        tokio::time::sleep_until(Instant::now() + self.stop_takes).await;
        self.log.write(format!("stop {}", self.id));
        if self.fails_at_stop { Err("no stop today".into()) } else { Ok(()) }
    }
}

/// Makes probes with these ids.
pub(crate) fn probes<const N: usize>(ids: [&'static str; N], log: &Log) -> [Probe; N] {
    ids.map(|id| Probe::new(id, log))
}

/// Describes a supervisor of these children that tolerates `max` restarts in an hour.
pub(crate) fn spec(
    strategy: Strategy,
    max: u32,
    children: impl IntoIterator<Item = ChildSpec>,
) -> SupervisorSpec {
    let spec = SupervisorSpec::new(strategy).intensity(max, Duration::from_secs(3_600));
    children.into_iter().fold(spec, SupervisorSpec::child)
}

/// Describes a supervisor that makes its children from probes and tolerates `max` restarts in an hour.
pub(crate) fn pool(max: u32, child: impl Fn(&Probe) -> ChildSpec + Send + Sync + 'static) -> SupervisorSpec {
    SupervisorSpec::dynamic(Template::new(move |_id, probe: Probe| child(&probe)))
        .intensity(max, Duration::from_secs(3_600))
}

/// Starts a tree named `root` and subscribes to it.
pub(crate) async fn start(spec: SupervisorSpec) -> (Tree, LifecycleEvents) {
    let tree = start_tree("root", spec).await.expect("the tree starts");
    let events = tree.events();
    (tree, events)
}

/// Reads events up to the first that is wanted, and returns it.
pub(crate) async fn until(
    events: &mut LifecycleEvents,
    wanted: impl Fn(&LifecycleEvent) -> bool,
) -> LifecycleEvent {
    let found = async {
        loop {
            let event = events.next().await.expect("the tree is there");
            if wanted(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(100_000), found).await.expect("the event comes")
}

/// Reads events up to the restart of a child.
pub(crate) async fn until_restarted(events: &mut LifecycleEvents, child: &str) {
    until(events, |event| matches!(event, LifecycleEvent::Restarted { path, .. } if path == child)).await;
}

/// Reads events up to the exit of a child.
pub(crate) async fn until_exited(events: &mut LifecycleEvents, child: &str) -> LifecycleEvent {
    until(events, |event| matches!(event, LifecycleEvent::Exited { path, .. } if path == child)).await
}

/// Starts these probes in a pool that is the root.
pub(crate) async fn fill(tree: &Tree, probes: &[Probe]) {
    for probe in probes {
        tree.handle().start_child_with("root", probe.id, probe.clone()).await.expect("it starts");
    }
}

/// Makes a probe fail, and lets happen what follows.
pub(crate) async fn crash(probe: &Probe) {
    probe.tell(ProbeMsg::Fail("crash"));
    settle().await;
}

/// Returns which incarnation of each probe is up.
pub(crate) async fn incarnations(probes: &[Probe]) -> Vec<Option<u32>> {
    let mut seen = Vec::new();
    for probe in probes {
        seen.push(probe.incarnation().await);
    }
    seen
}

pub(crate) fn is_breach(reason: &ExitReason) -> bool {
    matches!(reason, ExitReason::Breach(_))
}

/// Returns the children of a supervisor with what each is doing.
pub(crate) fn children(tree: &Tree, supervisor: &str) -> Vec<(String, NodeState)> {
    let children = tree.handle().which_children(supervisor).expect("it is there");
    children.into_iter().map(|child| (child.id.to_string(), child.state)).collect()
}

/// Waits on the real clock, but not for ever.
pub(crate) async fn soon(what: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it happens soon");
}

/// Blocks a probe's thread.
pub(crate) async fn block(probe: &Probe) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    probe.tell(ProbeMsg::Block(released));
    soon(async {
        while probe.handle.gauges().current(tokio::time::Instant::now()).is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    release
}

/// Lets everything happen that can happen without time going by.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Returns a node of a snapshot.
pub(crate) fn node<'a>(root: &'a NodeSnapshot, path: &str) -> &'a NodeSnapshot {
    fn search<'a>(node: &'a NodeSnapshot, path: &str) -> Option<&'a NodeSnapshot> {
        if node.path == path {
            return Some(node);
        }
        node.children.iter().find_map(|child| search(child, path))
    }
    search(root, path).unwrap_or_else(|| panic!("{path} is in the tree"))
}
