//! What the actor library below costs by itself: a start, and a supervisor that does nothing but restart. No rules, no
//! names, nothing to look at; that a child is gone before its successor starts is not made sure of either.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;

use crate::restart::{Crash, Latency, Serving, micros};

const STARTS: usize = 3_000;

/// Returns the time from a start to the first message that the actor sent itself in it.
pub(crate) async fn start() -> Latency {
    let (serving, mut served) = unbounded_channel();
    let mut taken = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let (actor, tokio_task) = Actor::spawn(None, Child(None), serving.clone()).await.unwrap();
        taken.push(micros(began, served.recv().await.unwrap()));
        actor.stop(None);
        tokio_task.await.unwrap();
    }
    Latency::of(taken)
}

/// Reaches the first child of the minimal supervisor.
#[derive(Clone, Default)]
pub(crate) struct First(Arc<Mutex<Option<ActorRef<ChildMsg>>>>);

impl First {
    /// Lets the child fail.
    pub(crate) fn fail(&self, crash: Crash) {
        self.0.lock().unwrap().as_ref().unwrap().cast(ChildMsg::Fail(crash)).unwrap();
    }
}

/// Starts the minimal supervisor and its children, who share their fate.
pub(crate) async fn supervise(children: usize, serving: &Serving) -> First {
    let first = First::default();
    Actor::spawn(None, Supervisor, (children, first.clone(), serving.clone())).await.unwrap();
    first
}

struct Supervisor;

struct Children {
    first: First,
    serving: Serving,
    up: Vec<(ActorRef<ChildMsg>, JoinHandle<()>)>,
}

impl Children {
    async fn start(&mut self, count: usize, supervisor: &ActorRef<()>) -> Result<(), ActorProcessingErr> {
        for n in 0..count {
            let child = Child((n == 0).then(|| self.first.clone()));
            self.up
                .push(Actor::spawn_linked(None, child, self.serving.clone(), supervisor.get_cell()).await?);
        }
        Ok(())
    }
}

impl Actor for Supervisor {
    type Msg = ();
    type State = Children;
    type Arguments = (usize, First, Serving);

    async fn pre_start(
        &self,
        myself: ActorRef<()>,
        (count, first, serving): Self::Arguments,
    ) -> Result<Children, ActorProcessingErr> {
        let mut children = Children { first, serving, up: Vec::new() };
        children.start(count, &myself).await?;
        Ok(children)
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<()>,
        event: SupervisionEvent,
        children: &mut Children,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(..) = event {
            let count = children.up.len();
            for (sibling, tokio_task) in children.up.drain(1..).rev() {
                sibling.stop(None);
                tokio_task.await?;
            }
            children.up.clear();
            children.start(count, &myself).await?;
        }
        Ok(())
    }
}

/// A child; the first one can be reached.
struct Child(Option<First>);

/// What a child is told.
pub(crate) enum ChildMsg {
    Ping,
    Fail(Crash),
}

impl Actor for Child {
    type Msg = ChildMsg;
    type State = Serving;
    type Arguments = Serving;

    async fn pre_start(
        &self,
        myself: ActorRef<ChildMsg>,
        serving: Serving,
    ) -> Result<Serving, ActorProcessingErr> {
        myself.cast(ChildMsg::Ping)?;
        if let Some(first) = &self.0 {
            *first.0.lock().unwrap() = Some(myself);
        }
        Ok(serving)
    }

    async fn handle(
        &self,
        _: ActorRef<ChildMsg>,
        msg: ChildMsg,
        serving: &mut Serving,
    ) -> Result<(), ActorProcessingErr> {
        match msg {
            ChildMsg::Ping => serving.send(Instant::now())?,
            ChildMsg::Fail(crash) => return Err(crash.happen().into()),
        }
        Ok(())
    }
}
