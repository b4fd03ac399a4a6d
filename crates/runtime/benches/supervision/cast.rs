//! A message through a handle and its envelope, beside a raw cast of the actor library below.

use std::time::{Duration, Instant};

use glitchlab_runtime::{
    Actor, ChildSpec, Context, Failure, Handle, MessageKind, ReplyPort, Strategy, SupervisorSpec, start_tree,
};
use ractor::{ActorProcessingErr, ActorRef, RpcReplyPort};
use tracing::Instrument;

use crate::traces::Tracing;

/// Short enough that one is over before another program has its turn, and many, so that most of them are.
const ROUNDS: usize = 400;
const MESSAGES: u32 = 5_000;
const MINUTE: Duration = Duration::from_secs(60);

/// Returns the nanoseconds that a message takes from the sender to its end, raw and ours, from rounds by turns.
pub(crate) async fn compare(tracing: Tracing) -> (f64, f64) {
    let counter = Handle::new("counter");
    let spec =
        SupervisorSpec::new(Strategy::OneForOne)
            .child(ChildSpec::worker("counter", &counter, |_child| (Counter, ())));
    let tree = start_tree("bench", spec).await.unwrap();
    let (raw, raw_task) = ractor::Actor::spawn(None, Raw, ()).await.unwrap();

    let (mut raw_ns, mut ours_ns) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raw_ns.push(in_span(tracing, cast(&raw)).await);
        ours_ns.push(in_span(tracing, send(&counter)).await);
    }
    raw.stop(None);
    raw_task.await.unwrap();
    tree.stop().await;
    (undisturbed(raw_ns), undisturbed(ours_ns))
}

async fn in_span(tracing: Tracing, round: impl Future<Output = f64>) -> f64 {
    match tracing {
        Tracing::Absent => round.await,
        Tracing::Unsampled | Tracing::Sampled => round.instrument(tracing::info_span!("sender")).await,
    }
}

async fn cast(raw: &ActorRef<RawMsg>) -> f64 {
    let began = Instant::now();
    for _ in 0..MESSAGES {
        raw.cast(RawMsg::Add(1)).unwrap();
    }
    raw.call(RawMsg::Total, None).await.unwrap().unwrap();
    per_message(began)
}

async fn send(counter: &Handle<CounterMsg>) -> f64 {
    let began = Instant::now();
    for _ in 0..MESSAGES {
        counter.send(CounterMsg::Add(1)).unwrap();
    }
    counter.call(CounterMsg::Total, MINUTE).await.unwrap();
    per_message(began)
}

fn per_message(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e9 / f64::from(MESSAGES)
}

/// Returns the best decile: of a machine that others use as well, the rounds that were left alone.
fn undisturbed(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 10]
}

struct Raw;

enum RawMsg {
    Add(u64),
    Total(RpcReplyPort<u64>),
}

impl ractor::Actor for Raw {
    type Msg = RawMsg;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<RawMsg>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<RawMsg>,
        msg: RawMsg,
        total: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match msg {
            RawMsg::Add(n) => *total += n,
            RawMsg::Total(reply) => reply.send(*total)?,
        }
        Ok(())
    }
}

struct Counter;

enum CounterMsg {
    Add(u64),
    Total(ReplyPort<u64>),
}

impl MessageKind for CounterMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Total(_) => "total",
        }
    }
}

impl Actor for Counter {
    type Msg = CounterMsg;
    type Arguments = ();
    type State = u64;

    async fn start(&self, _: &Context<CounterMsg>, (): ()) -> Result<u64, Failure> {
        Ok(0)
    }

    async fn handle(&self, _: &Context<CounterMsg>, msg: CounterMsg, total: &mut u64) -> Result<(), Failure> {
        match msg {
            CounterMsg::Add(n) => *total += n,
            CounterMsg::Total(reply) => reply.send(*total),
        }
        Ok(())
    }
}
