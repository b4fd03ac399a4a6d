//! `implement` and `debug`: the edits. Each step of them ends with a list of changes in the log; the worktree gets them
//! when the next step needs it, so that an edit that is interrupted finds the worktree as it began.

use glitchlab_domain::outcome::FailureKind;
use glitchlab_domain::stage::Stage;
use glitchlab_models::Turn;
use glitchlab_models::reply::Plan;
use serde::Serialize;

use super::test::Tested;
use crate::attempt::Job;
use crate::ending::{End, Stop};
use crate::implementer::{Assignment, Edited, edit};
use crate::prompt;
use crate::run::Run;
use crate::step::{Report, Step};

/// Why there is something to edit.
#[derive(Clone, Serialize)]
pub(crate) enum Occasion {
    /// The plan.
    Implement { plan: Plan },
    /// The tests fail.
    Debug { plan: Plan, output: String },
    /// The implementer asked for the tests; here is what they say.
    GoOn { stage: Stage, turns: Vec<Turn> },
}

impl Occasion {
    pub(crate) const fn stage(&self) -> Stage {
        match self {
            Self::Implement { .. } => Stage::Implement,
            Self::Debug { .. } => Stage::Debug,
            Self::GoOn { stage, .. } => *stage,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Edit {
    pub(crate) occasion: Occasion,
    /// The most rounds.
    pub(crate) rounds: u32,
    /// Earlier steps have changed something.
    pub(crate) changed: bool,
}

impl Step for Edit {
    type Output = Edited;

    fn stage(&self) -> Stage {
        self.occasion.stage()
    }

    async fn work(&self, run: &mut Run<'_>, n: u32) -> Result<Edited, Stop> {
        let at = run.worktree().await?;
        let turns = self.turns(run).await?;
        let assignment = Assignment { at: &at, stage: self.stage(), step_n: n, turns, rounds: self.rounds };
        let edited = edit(run.job, assignment).await?;
        match self.idle(&edited) {
            Some(end) => Err(end.into()),
            None => Ok(edited),
        }
    }

    fn report(edited: &Edited) -> Report {
        let files = edited.made.files();
        let summary = match (edited.done, edited.summary.as_str()) {
            (true, "") => format!("{files} files changed"),
            (true, summary) => summary.to_owned(),
            (false, _) => format!("{files} files changed; asks for the tests"),
        };
        Report::new(true, summary)
    }
}

impl Edit {
    async fn turns(&self, run: &mut Run<'_>) -> Result<Vec<Turn>, Stop> {
        match (&self.occasion, run.job.settings.implementer.agent()) {
            (Occasion::GoOn { turns, .. }, _) => Ok(turns.clone()),
            (Occasion::Implement { plan }, None) => self.implement(run, plan).await,
            (Occasion::Debug { plan, output }, None) => self.debug(run, plan, output).await,
            (Occasion::Implement { plan }, Some(_)) => Ok(hand_over(run.job, plan)),
            (Occasion::Debug { plan, output }, Some(_)) => Ok(hand_over_again(run.job, plan, output)),
        }
    }

    async fn implement(&self, run: &mut Run<'_>, plan: &Plan) -> Result<Vec<Turn>, Stop> {
        let task = &run.job.task;
        let values = [
            ("task", &*prompt::task(task)),
            ("plan", &prompt::plan(plan)),
            ("lessons", &prompt::lessons(&task.learned)),
            ("files", &prompt::files(&run.list_files().await?)),
            ("rounds", &self.rounds.to_string()),
        ];
        Ok(prompt::open(prompt::IMPLEMENT, &values))
    }

    async fn debug(&self, run: &mut Run<'_>, plan: &Plan, output: &str) -> Result<Vec<Turn>, Stop> {
        let values = [
            ("task", &*prompt::task(&run.job.task)),
            ("plan", &prompt::plan(plan)),
            ("files", &prompt::files(&run.changed_files().await?)),
            ("output", &prompt::quote(output)),
            ("rounds", &self.rounds.to_string()),
        ];
        Ok(prompt::open(prompt::DEBUG, &values))
    }

    /// Says when the implementer is through without a change.
    fn idle(&self, edited: &Edited) -> Option<End> {
        if !edited.done || edited.made.files() > 0 {
            return None;
        }
        match self.occasion {
            Occasion::Debug { .. } => {
                let message = format!("the tests fail and nothing was found to mend: {}", edited.summary);
                Some(End::retry(FailureKind::TestsFailed, message))
            }
            _ if self.changed => None,
            _ => {
                let message = format!("nothing was changed: {}", edited.summary);
                Some(End::retry(FailureKind::NoProgress, message))
            }
        }
    }
}

impl Edited {
    /// Goes on with what the tests say.
    pub(crate) fn go_on(self, stage: Stage, tested: &Tested) -> Occasion {
        let mut turns = self.turns;
        let said = format!("run_tests: {}\n{}", tested.verdict, prompt::quote(&tested.output));
        match turns.last_mut() {
            Some(results) => *results = Turn::user(format!("{}\n{said}", results.text)),
            None => turns.push(Turn::user(said)),
        }
        Occasion::GoOn { stage, turns }
    }
}

fn hand_over(job: &Job, plan: &Plan) -> Vec<Turn> {
    let values = [
        ("task", &*prompt::task(&job.task)),
        ("plan", &prompt::plan(plan)),
        ("lessons", &prompt::lessons(&job.task.learned)),
        ("test", job.settings.test.as_deref().unwrap_or("(there is none)")),
    ];
    prompt::hand_over(prompt::AGENT, &values)
}

fn hand_over_again(job: &Job, plan: &Plan, output: &str) -> Vec<Turn> {
    let values = [
        ("task", &*prompt::task(&job.task)),
        ("plan", &prompt::plan(plan)),
        ("output", &prompt::quote(output)),
        ("test", job.settings.test.as_deref().unwrap_or("(there is none)")),
    ];
    prompt::hand_over(prompt::AGENT_DEBUG, &values)
}
