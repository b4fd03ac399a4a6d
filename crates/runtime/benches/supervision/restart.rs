//! From the message that makes a child fail to the first message that its successor has handled.
//!
//! Both send themselves that message when they start, so that nobody has to ask in a loop whether they are back. A child
//! crashes by a panic, or fails by returning an error.

use std::fmt;
use std::time::{Duration, Instant};

use glitchlab_runtime::{
    Actor, ChildSpec, Context, Failure, Handle, MessageKind, Strategy, SupervisorSpec, Tree, start_tree,
};
use kameo::actor::{ActorRef, Spawn};
use kameo::error::Infallible;
use kameo::message::Message;
use kameo::supervision::{RestartPolicy, SupervisionStrategy};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::floor;

const ROUNDS: usize = 10;
const CRASHES: usize = 300;
const WINDOW: Duration = Duration::from_secs(1);

/// Is how long it took, in microseconds.
pub(crate) struct Latency {
    pub(crate) p50: f64,
    p99: f64,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}, {:.1}", self.p50, self.p99)
    }
}

impl Latency {
    pub(crate) fn of(mut micros: Vec<f64>) -> Self {
        micros.sort_by(f64::total_cmp);
        Self { p50: micros[micros.len() / 2], p99: micros[micros.len() * 99 / 100] }
    }
}

/// How a child ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Crash {
    /// It panics.
    Panic,
    /// It returns an error.
    Error,
}

impl Crash {
    /// Is what the handler does that is told to fail.
    pub(crate) fn happen(self) -> &'static str {
        match self {
            Self::Panic => panic!("as asked"),
            Self::Error => "as asked",
        }
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panic => "panic",
            Self::Error => "error",
        })
    }
}

/// Tells when a child has handled its first message.
pub(crate) type Serving = UnboundedSender<Instant>;

/// Is how long it took each of them.
pub(crate) struct Compared {
    pub(crate) ours: Latency,
    pub(crate) kameo: Latency,
    /// A supervisor over raw `ractor` that does nothing else.
    pub(crate) floor: Latency,
}

/// Compares them in rounds by turns: one child alone, or several that share their fate.
pub(crate) async fn compare(children: usize, crash: Crash) -> Compared {
    let (serving, mut served) = unbounded_channel();
    let (_tree, ours) = ours(children, &serving).await;
    let (_supervisor, kameo) = kameo(children, &serving).await;
    let floor = floor::supervise(children, &serving).await;
    next(&mut served, 3 * children).await;
    let (mut ours_us, mut kameo_us, mut floor_us) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for _ in 0..CRASHES {
            let crashed_at = Instant::now();
            ours.send(OurMsg::Fail(crash)).unwrap();
            ours_us.push(micros(crashed_at, next(&mut served, children).await));
        }
        for _ in 0..CRASHES {
            let crashed_at = Instant::now();
            kameo.tell(Fail(crash)).try_send().unwrap();
            kameo_us.push(micros(crashed_at, next(&mut served, children).await));
        }
        for _ in 0..CRASHES {
            let crashed_at = Instant::now();
            floor.fail(crash);
            floor_us.push(micros(crashed_at, next(&mut served, children).await));
        }
    }
    Compared { ours: Latency::of(ours_us), kameo: Latency::of(kameo_us), floor: Latency::of(floor_us) }
}

/// Waits until this many serve, and returns since when.
async fn next(served: &mut UnboundedReceiver<Instant>, children: usize) -> Instant {
    let mut last = served.recv().await.unwrap();
    for _ in 1..children {
        last = last.max(served.recv().await.unwrap());
    }
    last
}

pub(crate) fn micros(from: Instant, to: Instant) -> f64 {
    to.duration_since(from).as_secs_f64() * 1e6
}

/// Starts our children, and returns the first of them.
async fn ours(children: usize, serving: &Serving) -> (Tree, Handle<OurMsg>) {
    let strategy = if children == 1 { Strategy::OneForOne } else { Strategy::OneForAll };
    let first = Handle::new("child-0");
    let mut spec = SupervisorSpec::new(strategy).intensity(u32::MAX, WINDOW);
    for n in 0..children {
        let handle = if n == 0 { first.clone() } else { Handle::new(format!("child-{n}")) };
        let serving = serving.clone();
        let child = move |_| (Ours, serving.clone());
        spec = spec.child(ChildSpec::worker(format!("child-{n}"), &handle, child));
    }
    (start_tree("bench", spec).await.unwrap(), first)
}

struct Ours;

enum OurMsg {
    Ping,
    Fail(Crash),
}

impl MessageKind for OurMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Fail(_) => "fail",
        }
    }
}

impl Actor for Ours {
    type Msg = OurMsg;
    type Arguments = Serving;
    type State = Serving;

    async fn start(&self, context: &Context<OurMsg>, serving: Serving) -> Result<Serving, Failure> {
        context.send_self(OurMsg::Ping)?;
        Ok(serving)
    }

    async fn handle(&self, _: &Context<OurMsg>, msg: OurMsg, serving: &mut Serving) -> Result<(), Failure> {
        match msg {
            OurMsg::Ping => serving.send(Instant::now())?,
            OurMsg::Fail(crash) => return Err(crash.happen().into()),
        }
        Ok(())
    }
}

/// Starts kameo's children, and returns the first of them.
async fn kameo(children: usize, serving: &Serving) -> (Box<dyn Send>, ActorRef<Kameo>) {
    if children == 1 {
        let alone = Alone::spawn(Alone);
        let first = supervised(&alone, serving).await;
        return (Box::new(alone), first);
    }
    let together = Together::spawn(Together);
    let first = supervised(&together, serving).await;
    for _ in 1..children {
        supervised(&together, serving).await;
    }
    (Box::new(together), first)
}

async fn supervised<S: kameo::Actor>(supervisor: &ActorRef<S>, serving: &Serving) -> ActorRef<Kameo> {
    Kameo::supervise(supervisor, serving.clone())
        .restart_policy(RestartPolicy::Permanent)
        .restart_limit(u32::MAX, WINDOW)
        .spawn()
        .await
}

/// Supervises one for one.
struct Alone;

impl kameo::Actor for Alone {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(alone: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(alone)
    }
}

/// Supervises one for all.
struct Together;

impl kameo::Actor for Together {
    type Args = Self;
    type Error = Infallible;

    fn supervision_strategy() -> SupervisionStrategy {
        SupervisionStrategy::OneForAll
    }

    async fn on_start(together: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(together)
    }
}

struct Kameo {
    serving: Serving,
}

struct Ping;
struct Fail(Crash);

impl kameo::Actor for Kameo {
    type Args = Serving;
    type Error = Infallible;

    async fn on_start(serving: Serving, myself: ActorRef<Self>) -> Result<Self, Infallible> {
        myself.tell(Ping).try_send().unwrap();
        Ok(Self { serving })
    }
}

impl Message<Ping> for Kameo {
    type Reply = ();

    async fn handle(&mut self, _: Ping, _: &mut kameo::message::Context<Self, ()>) {
        self.serving.send(Instant::now()).unwrap();
    }
}

impl Message<Fail> for Kameo {
    type Reply = Result<(), &'static str>;

    async fn handle(
        &mut self,
        Fail(crash): Fail,
        _: &mut kameo::message::Context<Self, Self::Reply>,
    ) -> Self::Reply {
        Err(crash.happen())
    }
}
