//! `test`: looks at what was changed, then runs the repository's own tests on it.

use glitchlab_domain::outcome::{FailureKind, Outcome};
use glitchlab_domain::stage::Stage;
use serde::{Deserialize, Serialize};

use crate::durable::{Durable, Lost};
use crate::ending::{End, Stop};
use crate::process::Exit;
use crate::prompt;
use crate::run::Run;
use crate::step::{Report, Step};
use crate::trouble;
use crate::workspace::{DiffSummary, FileChange, TestRun, Worktree};

/// How much of the output the log keeps; the end of it says most.
const OUTPUT_BYTES: usize = 16 * 1024;

#[derive(Serialize)]
pub(crate) struct Test {
    /// The base moved: the newest one is merged into the worktree first.
    pub(crate) onto_new_base: bool,
    /// The implementer is through, so something must have changed.
    pub(crate) finished: bool,
}

/// What the tests say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tested {
    pub(crate) passed: bool,
    /// There is no test command.
    pub(crate) skipped: bool,
    /// How it went, in a few words.
    pub(crate) verdict: String,
    /// What was printed, the beginning left out when it was much.
    pub(crate) output: String,
    /// Files in the diff.
    pub(crate) files: u32,
    /// What they differ by, for the pages.
    #[serde(default)]
    pub(crate) changes: Vec<FileChange>,
    /// The commit of the base that the tests ran on.
    base_commit: String,
}

impl Tested {
    /// Returns the commit of the base that the tests vouch for; none when there are no tests.
    pub(crate) fn base(&self) -> Option<String> {
        (!self.skipped).then(|| self.base_commit.clone())
    }

    /// Returns the end of the output, where tests say what is wrong.
    pub(crate) fn last_lines(&self) -> String {
        prompt::last_lines(&self.output)
    }
}

impl Step for Test {
    type Output = Tested;

    fn stage(&self) -> Stage {
        Stage::Test
    }

    async fn work(&self, run: &mut Run<'_>, _: u32) -> Result<Tested, Stop> {
        let at = if self.onto_new_base { run.refresh().await? } else { run.worktree().await? };
        let diff = run.job.workspace.diff(&at).await.map_err(trouble::workspace)?;
        if let Some(end) = self.refuse(&diff, run.job.settings.limits.diff_lines) {
            return Err(end.into());
        }
        let files = u32::try_from(diff.files.len()).unwrap_or(u32::MAX);
        let tested = match &run.job.settings.test {
            Some(command) => run_tests(run, &at, command).await?.into(),
            None => skip(run)?,
        };
        Ok(Tested { files, changes: diff.files, base_commit: at.base_commit, ..tested })
    }

    fn report(tested: &Tested) -> Report {
        Report::new(tested.passed, tested.verdict.clone())
    }
}

impl Test {
    /// Says why the change may not go further, whatever the tests say.
    fn refuse(&self, diff: &DiffSummary, most_lines: u32) -> Option<End> {
        if !diff.protected.is_empty() {
            let message = format!("the change touches protected files: {}", diff.protected.join(", "));
            return Some(
                End::retry(FailureKind::Boundary, message).recommending("leave these files as they are"),
            );
        }
        if diff.lines > u64::from(most_lines) {
            let why = format!("scope: its change has {} lines, {most_lines} are allowed", diff.lines);
            let end = End::new(Outcome::Deferred { why: why.clone() }, why);
            return Some(end.recommending("do less, or plan it in parts"));
        }
        let idle = self.finished && !self.onto_new_base && diff.files.is_empty();
        idle.then(|| End::retry(FailureKind::NoProgress, "in the end nothing is changed"))
    }
}

async fn run_tests(run: &Run<'_>, at: &Worktree, command: &str) -> Result<TestRun, Stop> {
    let (durable, limits) = (&run.job.durable, &run.job.settings.test_limits);
    let ran = run.job.workspace.run_tests(at, command, limits, durable.child_watch()).await;
    let ran = ran.map_err(trouble::workspace)?;
    refuse_stopped(durable.as_ref()).await?;
    Ok(ran)
}

/// Tests that were ended because the attempt is put down say nothing about the change.
async fn refuse_stopped(durable: &dyn Durable) -> Result<(), Lost> {
    tokio::select! {
        biased;
        () = durable.child_watch().stop_requested() => Err(Lost::new("it was told to end during its tests")),
        () = std::future::ready(()) => Ok(()),
    }
}

fn skip(run: &Run<'_>) -> Result<Tested, Stop> {
    if !run.job.settings.allow_untested {
        let why = "there is no test command: name one under `[work] test`, or allow untested work";
        return Err(End::permanent(why).into());
    }
    let verdict = "skipped: there is no test command".to_owned();
    Ok(Tested { passed: true, skipped: true, verdict, ..Tested::default() })
}

impl From<TestRun> for Tested {
    fn from(ran: TestRun) -> Self {
        let seconds = ran.duration_ms / 1_000;
        let verdict = match (ran.passed, ran.timed_out, ran.exit) {
            (true, ..) => format!("passed in {seconds} s"),
            (false, true, _) => format!("ended after {seconds} s because their time was over"),
            (false, false, Exit::Code(code)) => format!("failed with exit code {code} after {seconds} s"),
            (false, false, Exit::Signal(signal)) => format!("ended by signal {signal} after {seconds} s"),
        };
        let start = ran.output.ceil_char_boundary(ran.output.len().saturating_sub(OUTPUT_BYTES));
        let output = ran.output[start..].to_owned();
        Self { passed: ran.passed, verdict, output, ..Self::default() }
    }
}
