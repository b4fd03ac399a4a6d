//! What a start costs in the actor library below: no restart on top of it can be quicker.

use std::time::Instant;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::restart::{Latency, micros};

const STARTS: usize = 3_000;

/// Returns the time from a start to the first message that the actor sent itself in it.
pub(crate) async fn start() -> Latency {
    let (serving, mut served) = unbounded_channel();
    let mut taken = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let (actor, tokio_task) = Actor::spawn(None, Raw, serving.clone()).await.unwrap();
        taken.push(micros(began, served.recv().await.unwrap()));
        actor.stop(None);
        tokio_task.await.unwrap();
    }
    Latency::of(taken)
}

struct Raw;
struct Ping;

impl Actor for Raw {
    type Msg = Ping;
    type State = UnboundedSender<Instant>;
    type Arguments = UnboundedSender<Instant>;

    async fn pre_start(
        &self,
        myself: ActorRef<Ping>,
        serving: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(Ping)?;
        Ok(serving)
    }

    async fn handle(
        &self,
        _: ActorRef<Ping>,
        _: Ping,
        serving: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        serving.send(Instant::now())?;
        Ok(())
    }
}
