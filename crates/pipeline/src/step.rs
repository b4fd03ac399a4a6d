//! The wrapper of every stage: what a step came to is durable, and is never done again.

use glitchlab_domain::outcome::{FailureKind, Size};
use glitchlab_domain::stage::{Decision, Stage};
use glitchlab_domain::trace;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::Instrument;

use crate::durable::{Begun, StepDone};
use crate::ending::{End, Stop, one_line};
use crate::run::Run;

/// A stage as it is asked for: its fields are its input.
pub(crate) trait Step: Serialize + Sync {
    /// What it comes to.
    type Output: Serialize + DeserializeOwned + Send + Sync;

    /// Which stage it is.
    fn stage(&self) -> Stage;

    /// Does the work of step `n`.
    fn work(&self, run: &mut Run<'_>, n: u32) -> impl Future<Output = Result<Self::Output, Stop>> + Send;

    /// Says how it went.
    fn report(output: &Self::Output) -> Report;
}

/// How a step went, for people.
pub(crate) struct Report {
    pub(crate) ok: bool,
    /// One line.
    pub(crate) summary: String,
    /// The size, when the step judged it.
    pub(crate) size: Option<Size>,
    /// What was decided, when the step is the budget gate.
    pub(crate) decision: Option<Decision>,
}

impl Report {
    pub(crate) fn new(ok: bool, summary: impl Into<String>) -> Self {
        Self { ok, summary: summary.into(), size: None, decision: None }
    }
}

/// A step's output as it is stored: a stage can end the attempt, and does so again when the attempt is resumed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored<T> {
    Went(T),
    Ended(End),
}

impl Run<'_> {
    /// Does a step, or takes its output from the log.
    pub(crate) async fn step<S: Step>(&mut self, step: &S) -> Result<S::Output, Stop> {
        let (n, stage) = (self.number_step(), step.stage());
        let begun = self.job.durable.begin(n, stage, &hash(step)).await?;
        if let Begun::Done { output, .. } = begun {
            return restore(&output, stage);
        }
        let id = trace::step_span(&self.job.attempt.attempt_id, stage, n);
        let span =
            tracing::info_span!("stage", stage = stage.name(), n, task = %self.job.task.bead_id, span = %id);
        self.finish(step, n).instrument(span).await
    }

    async fn finish<S: Step>(&mut self, step: &S, n: u32) -> Result<S::Output, Stop> {
        let stored = match step.work(self, n).await {
            Ok(output) => Stored::Went(output),
            Err(Stop::Ended(end)) => Stored::Ended(*end),
            Err(lost) => return Err(lost),
        };
        let Report { ok, summary, size, decision } = match &stored {
            Stored::Went(output) => S::report(output),
            Stored::Ended(end) => Report::new(false, end.detail.clone()),
        };
        let output = serde_json::to_string(&stored).map_err(|error| unreadable(step.stage(), &error))?;
        let done = StepDone { output, ok, summary: one_line(&summary), size, decision };
        self.job.durable.finish_step(n, done).await?;
        self.job.durable.progress();
        stored.open()
    }
}

impl<T> Stored<T> {
    fn open(self) -> Result<T, Stop> {
        match self {
            Self::Went(output) => Ok(output),
            Self::Ended(end) => Err(end.into()),
        }
    }
}

fn restore<T: DeserializeOwned>(output: &str, stage: Stage) -> Result<T, Stop> {
    serde_json::from_str::<Stored<T>>(output).map_err(|error| unreadable(stage, &error))?.open()
}

/// Only another version of the engine writes what this one cannot read.
fn unreadable(stage: Stage, error: &serde_json::Error) -> End {
    let message = format!("the stored output of stage `{}` cannot be read: {error}", stage.name());
    End::retry(FailureKind::Transient, message)
}

fn hash(input: &impl Serialize) -> String {
    // What cannot be written as JSON has no stable form, so it is never taken for the same.
    let json = serde_json::to_vec(input).unwrap_or_default();
    hex(&Sha256::digest(json))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
