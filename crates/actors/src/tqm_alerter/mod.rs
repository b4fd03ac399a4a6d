//! Tells people what they must know: it follows the events of its repository from a persisted cursor, has `domain::alert`
//! decide what fires, and queues what receivers are told. What is queued is delivered by an attached task.
//!
//! It owns nothing that is not in the store. Each event is taken in once, since the cursor moves in the transaction that
//! writes what follows from it; the commits that it sees only say that it is time to look.

mod courier;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::alert::delivery::Endpoint;
use glitchlab_domain::alert::rules::{Facts, RULES, Waiting, kinds};
use glitchlab_domain::command::{Command, Evaluate, Refusal, Reply};
use glitchlab_domain::event::Event;
use glitchlab_domain::id::BootId;
use glitchlab_domain::task::TaskRow;
use glitchlab_runtime::{Actor, Context, Failure, Grace, MessageKind, TaskSlot};
use glitchlab_store::{Committed, Following, StoreError};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::activation::Activation;
use crate::alarm::Alarm;
use crate::engine::Engine;

/// How many events are looked at in one transaction.
const PORTION: u32 = 500;
/// The cursor moves without anything of interest only when it is so far behind: it would double every commit otherwise.
const BEHIND: u64 = 1_000;
/// How often alerts are compared with what the store knows.
const COMPARE: Duration = Duration::from_secs(60);
/// How long it rests when the store does not answer.
const OUTAGE_REST: Duration = Duration::from_secs(5);

/// What the alerter understands.
#[derive(Debug)]
pub enum AlerterMsg {
    /// Something was committed, or an alert is due.
    Look,
    /// Compare the alerts with what the store knows.
    Compare,
    /// The delivery has ended.
    Ended,
}

impl MessageKind for AlerterMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Compare => "compare",
            Self::Ended => "ended",
        }
    }
}

/// The actor.
pub struct TqmAlerter;

/// What an incarnation is given.
pub struct AlerterArguments {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Where what is queued is delivered.
    pub delivery: TaskSlot<()>,
}

/// Makes the slot of the delivery, which tells the alerter when it ends.
#[must_use]
pub fn delivery_slot(engine: &Engine) -> TaskSlot<()> {
    let alerter = engine.handles.alerter.clone();
    TaskSlot::new("delivery", Grace::default(), move || drop(alerter.send(AlerterMsg::Ended)))
}

/// What an incarnation remembers; all of it can be had again from the store.
pub struct AlerterState {
    engine: Arc<Engine>,
    delivery: TaskSlot<()>,
    /// The names of the events that some rule looks at.
    kinds: Vec<&'static str>,
    commits: UnboundedReceiver<Arc<Committed>>,
    activation: Activation,
    /// The boots of before have been looked at.
    has_caught_up: bool,
    /// When time alone changes an alert, ms UTC.
    due_ms: Option<i64>,
    look: Alarm,
    compare: Alarm,
}

impl Actor for TqmAlerter {
    type Msg = AlerterMsg;
    type Arguments = AlerterArguments;
    type State = AlerterState;

    async fn start(
        &self,
        context: &Context<AlerterMsg>,
        arguments: AlerterArguments,
    ) -> Result<AlerterState, Failure> {
        let AlerterArguments { engine, delivery } = arguments;
        // A delivery that outlived its shell goes on.
        if delivery.running().is_none() {
            let _how_it_ended_was_told = delivery.take_exit();
            delivery.spawn(courier::delivering(&engine))?;
        }
        let alerter = context.handle().clone();
        let activation = Activation::new(move || alerter.send(AlerterMsg::Look).is_ok());
        let commits = engine.feed.follow(activation.clone());
        context.send_self(AlerterMsg::Compare)?;
        Ok(AlerterState {
            engine,
            delivery,
            kinds: kinds(RULES),
            commits,
            activation,
            has_caught_up: false,
            due_ms: None,
            look: Alarm::default(),
            compare: Alarm::default(),
        })
    }

    async fn handle(
        &self,
        context: &Context<AlerterMsg>,
        msg: AlerterMsg,
        state: &mut AlerterState,
    ) -> Result<(), Failure> {
        match msg {
            AlerterMsg::Look => state.look(context).await?,
            AlerterMsg::Compare => state.compare(context).await?,
            AlerterMsg::Ended => state.ended()?,
        }
        context.gauges().progress();
        Ok(())
    }
}

impl AlerterState {
    /// Follows its own boot when something of interest was committed or an alert is due.
    async fn look(&mut self, context: &Context<AlerterMsg>) -> Result<(), Failure> {
        self.activation.taken();
        let is_due = self.due_ms.is_some_and(|due_ms| due_ms <= self.engine.now_ms());
        if self.take_commits() || is_due {
            let boot = self.engine.boot.boot_id.clone();
            let followed = self.follow(&boot, is_due).await;
            self.rest(context, followed)?;
        }
        Ok(())
    }

    /// Follows every boot of the repository for the first time, then its own, and compares with what the store knows.
    async fn compare(&mut self, context: &Context<AlerterMsg>) -> Result<(), Failure> {
        self.activation.taken();
        self.take_commits();
        let compared = self.compare_all().await;
        self.rest(context, compared)?;
        self.compare.set(Some(context.send_after(COMPARE, AlerterMsg::Compare)));
        Ok(())
    }

    async fn compare_all(&mut self) -> Result<(), Trouble> {
        if !self.has_caught_up {
            for boot in self.engine.reader.boots_of(&self.engine.repo_id).await? {
                self.follow(&boot, false).await?;
            }
            self.has_caught_up = true;
        }
        let boot = self.engine.boot.boot_id.clone();
        self.follow(&boot, true).await
    }

    /// Plans the next look: when an alert is due, or when the store may answer again.
    fn rest(&mut self, context: &Context<AlerterMsg>, result: Result<(), Trouble>) -> Result<(), Failure> {
        let rest = match result {
            Ok(()) => self.due_ms.map(|due_ms| {
                let rest_ms = due_ms.saturating_sub(self.engine.now_ms());
                context
                    .send_after(Duration::from_millis(u64::try_from(rest_ms).unwrap_or(0)), AlerterMsg::Look)
            }),
            // The boot has ended, and so does this.
            Err(Trouble::Refused(Refusal::StaleBoot(_))) => None,
            Err(Trouble::Refused(refusal)) => return Err(refusal.into()),
            Err(Trouble::Outage(error)) => {
                tracing::warn!(event = "alerts.unread", "alerts wait for the store: {error}");
                Some(context.send_after(OUTAGE_REST, AlerterMsg::Compare))
            }
        };
        self.look.set(rest);
        Ok(())
    }

    /// Takes what was committed, and tells whether some rule looks at it.
    fn take_commits(&mut self) -> bool {
        let mut is_of_interest = false;
        while let Ok(committed) = self.commits.try_recv() {
            let is_asked_for = |event: &Event| self.kinds.contains(&event.kind.name());
            is_of_interest |= committed.events.iter().any(is_asked_for);
        }
        is_of_interest
    }

    /// Takes in what a boot has written since the cursor; `compares` also compares with what the store knows.
    async fn follow(&mut self, boot: &BootId, compares: bool) -> Result<(), Trouble> {
        let engine = Arc::clone(&self.engine);
        let mut after = engine.reader.cursor(&engine.repo_id, boot).await?;
        loop {
            let new = engine.reader.events_after(boot, after, &self.kinds, PORTION).await?;
            let is_last = new.through < after + u64::from(PORTION);
            // Looked up after the events, so that it is what they led to, or newer.
            let facts = if compares && is_last { Some(self.facts().await?) } else { None };
            let is_own = *boot == engine.boot.boot_id;
            let is_worth_it = !new.events.is_empty()
                || facts.is_some()
                || new.through >= after + if is_own { BEHIND } else { 1 };
            after = new.through;
            if is_worth_it {
                self.evaluate(boot, new, facts).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn facts(&self) -> Result<Facts, Trouble> {
        let engine = &self.engine;
        let waiting = engine.reader.tasks_that_wait(&engine.repo_id).await?;
        let gate = engine.reader.gate(&engine.repo_id).await?;
        Ok(Facts { waiting: waiting.iter().map(waiting_task).collect(), gate })
    }

    async fn evaluate(&mut self, boot: &BootId, new: Following, facts: Option<Facts>) -> Result<(), Trouble> {
        let engine = &self.engine;
        let ask = Evaluate {
            by: engine.boot.clone(),
            repo_id: engine.repo_id.clone(),
            repository: engine.settings.about.repo.clone(),
            of: boot.clone(),
            events: new.events,
            through: new.through,
            facts,
            endpoints: self.endpoints(),
        };
        let reply = engine.queue.submit(Command::Evaluate(Box::new(ask))).await??;
        if let Reply::Evaluated { firing, due_ms } = reply {
            self.due_ms = due_ms;
            engine.firing.send_if_modified(|now| std::mem::replace(now, firing) != firing);
            engine.receivers.wake();
        }
        Ok(())
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.engine.receivers.iter().map(|receiver| receiver.endpoint.clone()).collect()
    }

    fn ended(&self) -> Result<(), Failure> {
        self.delivery.take_exit().map_or(Ok(()), |exit| exit.into_result().map_err(Into::into))
    }
}

/// Why nothing could be taken in.
enum Trouble {
    /// The store does not answer: it is tried again.
    Outage(StoreError),
    /// The writer refuses.
    Refused(Refusal),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Outage(error)
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn waiting_task(task: &TaskRow) -> Waiting {
    Waiting {
        bead_id: task.bead_id.clone(),
        why: task.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
        trace_id: task.trace_id.clone(),
    }
}
