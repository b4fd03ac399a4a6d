//! A coding agent that is a program of its own: it gets a prompt, works in the worktree, and ends.
//!
//! Money for the whole run is set aside before it begins, and settled only when nothing of it runs any more: as it says
//! itself where that is plausible, else at the bound. What it changed is taken from the worktree; what it says about it
//! counts for nothing.

use std::path::PathBuf;

use glitchlab_domain::agent::{Clocks, Overdue, Pointers, Report, Template, Values};
use glitchlab_domain::command::Paid;
use glitchlab_domain::ledger::Bounds;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::FailureKind;
use glitchlab_domain::stage::Stage;
use glitchlab_domain::trace::{self, SpanId};
use glitchlab_models::{Answer, ErrorKind, ModelError, Reservation, Turn};
use sha2::{Digest, Sha256};

use super::artifact::Artifacts;
use super::vigil::Vigil;
use super::{Assignment, Edited};
use crate::attempt::Job;
use crate::call::{Money, secure};
use crate::durable::{Ask, Lost};
use crate::ending::{End, Stop, one_line};
use crate::process::contained::{Cause, Finished};
use crate::process::redact::Redactor;
use crate::process::{Exit, ProcessError, RunLimits};
use crate::prompt;
use crate::run::Made;
use crate::step::hex;
use crate::trouble;
use crate::workspace::{Snapshot, WorkspaceError, Worktree};

/// How much of what it prints is kept.
const OUTPUT_BYTES: usize = 1024 * 1024;
/// How a shell says that there is no such program, or none that it may run.
const NOT_RUNNABLE: [Exit; 2] = [Exit::Code(126), Exit::Code(127)];

/// A program that edits.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its name among models.
    pub name: String,
    /// How it is started.
    pub command: Template,
    /// What a run may cost, which it is told.
    pub cap: MicroUsd,
    /// What it may cost beyond that before it notices.
    pub overshoot: MicroUsd,
    /// The tokens that a run counts for, where tokens are limited.
    pub tokens: u64,
    /// Where in its report the numbers are.
    pub pointers: Pointers,
    /// How long it may be silent, idle, and at work.
    pub clocks: Clocks,
    /// Where its prompts and what it says are kept.
    pub artifacts: Artifacts,
    /// What nobody is to read of its output or to find in its changes.
    pub secrets: Redactor,
}

impl Agent {
    /// Returns what is set aside for a run, and charged when nobody knows what it cost.
    #[must_use]
    pub fn bound(&self) -> MicroUsd {
        self.cap + self.overshoot
    }
}

/// Lets the agent work, or returns what it came to before an interruption.
pub(super) async fn edit(job: &Job, agent: &Agent, assignment: Assignment<'_>) -> Result<Edited, Stop> {
    let Assignment { at, stage, step_n, turns, .. } = assignment;
    let words = turns.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>().join("\n\n");
    let session = Session { job, agent, at, step_n, words };
    let mut try_no = 0;
    match secure(job.durable.as_ref(), |try_no| session.question(stage, try_no), &mut try_no).await? {
        Money::Memo { text, .. } => serde_json::from_str(&text).map_err(|error| unreadable(&error).into()),
        Money::Granted(money) => session.work(money).await,
    }
}

/// Only another version of the engine writes what this one cannot read.
fn unreadable(error: &serde_json::Error) -> End {
    End::retry(FailureKind::Transient, format!("what the agent came to cannot be read: {error}"))
}

/// One run.
struct Session<'a> {
    job: &'a Job,
    agent: &'a Agent,
    at: &'a Worktree,
    step_n: u32,
    /// What it is told.
    words: String,
}

/// What came of a run: who pays what, and what it means.
struct Came {
    /// What it cost; none when nobody knows.
    paid: Option<Paid>,
    latency_ms: i64,
    result: Result<Edited, Stop>,
}

impl Came {
    /// Nothing ran, so nothing is owed.
    fn nothing(stop: Stop) -> Self {
        let free = Paid { cost: MicroUsd::ZERO, input_tokens: 0, output_tokens: 0 };
        Self { paid: Some(free), latency_ms: 0, result: Err(stop) }
    }
}

impl Session<'_> {
    fn question(&self, stage: Stage, try_no: u32) -> Ask {
        let Self { agent, step_n, .. } = *self;
        let input_hash = hex(&Sha256::digest(format!("{}\n{}", agent.name, self.words)));
        let bounds = Bounds::flat(agent.bound(), agent.tokens);
        Ask { step_n, call_no: 0, try_no, stage, model: agent.name.clone(), input_hash, bounds }
    }

    async fn work(&self, money: Reservation) -> Result<Edited, Stop> {
        let came = match self.prepare().await {
            Ok(prompt_file) => self.run(&prompt_file, money.bound(), trace::call_span(money.key())).await,
            Err(stop) => Came::nothing(stop),
        };
        let Came { paid, latency_ms, result } = came;
        let reply = match &result {
            Ok(edited) => serde_json::to_string(edited)
                .map(Answer::from)
                .map_err(|error| ModelError::new(ErrorKind::Provider, error.to_string())),
            Err(stop) => Err(ModelError::new(ErrorKind::Transient, why(stop))),
        };
        let mut settlement = money.spent(paid, reply, latency_ms).into_settlement();
        settlement.prompt = self.job.kept(&[Turn::user(self.words.clone())]);
        self.job.durable.settle(settlement).await?;
        self.job.durable.progress();
        result
    }

    /// Brings the worktree to where the step begins, and writes down what is to be done, outside of it.
    async fn prepare(&self) -> Result<PathBuf, Stop> {
        let marked = self.job.workspace.mark(self.at, self.attempt_id(), self.step_n).await;
        marked.map_err(trouble::workspace)?;
        let path = self.agent.artifacts.prompt(self.attempt_id(), self.step_n);
        let written = self.agent.artifacts.write(path.clone(), self.words.clone()).await;
        written.map_err(|error| unwritable(&path, &error))?;
        Ok(path)
    }

    async fn run(&self, prompt_file: &std::path::Path, bound: MicroUsd, span: SpanId) -> Came {
        let Self { job, agent, at, .. } = *self;
        let values = Values {
            prompt_file: &prompt_file.to_string_lossy(),
            worktree: &at.path.to_string_lossy(),
            budget: agent.cap,
        };
        let vigil = Vigil::new(job.durable.as_ref(), job.workspace.as_ref(), at, agent.clocks);
        let limits = RunLimits { timeout: vigil.wall(), max_output_bytes: OUTPUT_BYTES };
        tracing::info!(event = "agent.started", task = %job.task.bead_id, agent = agent.name, "up to {bound} are set aside");
        let traceparent = job.attempt.trace_id.as_deref().and_then(|id| trace::traceparent(id, span));
        let command = agent.command.fill(&values);
        let ran = job.workspace.run_agent(at, &command, traceparent.as_deref(), &limits, &vigil).await;
        let overdue = vigil.overdue();
        match ran {
            Ok(finished) => self.judge(finished, overdue, &vigil.into_stdout(), bound).await,
            Err(error) if may_have_run(&error) => {
                Came { paid: None, latency_ms: 0, result: Err(trouble::workspace(error)) }
            }
            Err(error) => Came::nothing(trouble::workspace(error)),
        }
    }

    /// Everything of the run is gone now.
    async fn judge(&self, ran: Finished, overdue: Option<Overdue>, stdout: &str, bound: MicroUsd) -> Came {
        let said = self.agent.secrets.redact(&untorn(&ran.output));
        let overdue = match ran.cause {
            Cause::Timeout => Some(Overdue::Long(self.agent.clocks.wall_ms)),
            Cause::Stopped | Cause::Itself => overdue.filter(|_| ran.cause == Cause::Stopped),
        };
        // One that was ended has not counted to its end, and one that cannot be killed spends on.
        let is_whole = ran.cause == Cause::Itself && ran.survivors.is_empty();
        let paid = if is_whole { Report::read(stdout, &self.agent.pointers).paid(bound) } else { None };
        self.keep(&ran, overdue, &said, paid).await;
        let taken =
            self.job.workspace.take(self.at, self.attempt_id(), self.step_n, &self.agent.secrets).await;
        let result = match (ran.cause, overdue) {
            (_, Some(overdue)) => Err(late(overdue, &said, taken.ok()).into()),
            (Cause::Stopped, None) => Err(Lost::new("it was told to end while its agent worked").into()),
            _ => taken.map_err(trouble::workspace).and_then(|snapshot| self.edited(&ran, &said, snapshot)),
        };
        Came { paid, latency_ms: i64::try_from(ran.took.as_millis()).unwrap_or(i64::MAX), result }
    }

    fn edited(&self, ran: &Finished, said: &str, snapshot: Snapshot) -> Result<Edited, Stop> {
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it said nothing");
        if snapshot.touched.is_empty() && NOT_RUNNABLE.contains(&ran.exit) {
            let message =
                format!("the agent `{}` cannot be run ({}): {last}", self.agent.command.program(), ran.exit);
            return Err(End::permanent(message).into());
        }
        let summary = match ran.exit {
            exit if exit.is_success() => one_line(last),
            exit => one_line(&format!("the agent ended with {exit}: {last}")),
        };
        let base_commit = self.at.base_commit.clone();
        let made = Made { changes: crate::run::Changes::new(), base_commit, snapshot: Some(snapshot) };
        Ok(Edited { made, done: true, rounds: 1, summary, turns: Vec::new() })
    }

    /// Keeps what it said. A transcript that cannot be written is no fault of the change.
    async fn keep(&self, ran: &Finished, overdue: Option<Overdue>, said: &str, paid: Option<Paid>) {
        let path = self.agent.artifacts.transcript(self.attempt_id(), self.step_n);
        let end = overdue.map_or_else(|| format!("ended with {}", ran.exit), |overdue| overdue.to_string());
        let cost = paid.map_or_else(
            || format!("{}, its bound: it said nothing that can be believed", self.agent.bound()),
            |paid| paid.cost.to_string(),
        );
        let text =
            format!("{} {end} after {} s; charged {cost}\n\n{said}", self.agent.name, ran.took.as_secs());
        let task = &self.job.task.bead_id;
        tracing::info!(event = "agent.ended", %task, transcript = %path.display(), "{} {end}; charged {cost}", self.agent.name);
        if let Err(error) = self.agent.artifacts.write(path, text).await {
            tracing::warn!(event = "agent.transcript_lost", %task, "what the agent said cannot be written: {error}");
        }
    }

    fn attempt_id(&self) -> &str {
        self.job.attempt.attempt_id.as_str()
    }
}

fn late(overdue: Overdue, said: &str, snapshot: Option<Snapshot>) -> End {
    let touched = snapshot.map(|snapshot| snapshot.touched).unwrap_or_default();
    let mut discoveries = Vec::new();
    if !touched.is_empty() {
        let paths: Vec<&str> = touched.keys().map(String::as_str).collect();
        discoveries.push(one_line(&format!("it had changed {}", paths.join(", "))));
    }
    let words = prompt::last_lines(said);
    if !words.is_empty() {
        discoveries.push(words);
    }
    let end = End::retry(overdue.failure(), format!("the agent {overdue}"));
    end.discovered(discoveries).recommending(overdue.advice())
}

/// A process that was begun may have spent, whatever became of us.
const fn may_have_run(error: &WorkspaceError) -> bool {
    matches!(error, WorkspaceError::Process(ProcessError::Lost { .. } | ProcessError::TimedOut { .. }))
}

fn unwritable(path: &std::path::Path, error: &std::io::Error) -> End {
    End::retry(FailureKind::Transient, format!("{} cannot be written: {error}", path.display()))
}

fn why(stop: &Stop) -> String {
    match stop {
        Stop::Ended(end) => end.detail.clone(),
        Stop::Lost(lost) => lost.why.clone(),
    }
}

/// How much goes on both sides of a cut, where half a secret would be no secret that anyone knows.
const TORN: usize = 512;
const CUT: &str = "\n[... ";

fn untorn(output: &str) -> String {
    let Some((head, rest)) = output.split_once(CUT) else { return output.to_owned() };
    let Some((mark, tail)) = rest.split_once('\n') else { return output.to_owned() };
    let head = &head[..head.floor_char_boundary(head.len().saturating_sub(TORN))];
    let tail = &tail[tail.ceil_char_boundary(TORN.min(tail.len()))..];
    format!("{head}{CUT}{mark}\n{tail}")
}
