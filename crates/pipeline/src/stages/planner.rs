//! `planner` and `replan`: what to do, in which files, for how many tokens.

use glitchlab_domain::outcome::Size;
use glitchlab_domain::stage::Stage;
use glitchlab_models::reply::Plan;
use serde::Serialize;

use crate::call::Conversation;
use crate::ending::Stop;
use crate::prompt;
use crate::run::Run;
use crate::step::{Report, Step};

#[derive(Serialize)]
pub(crate) struct Planner {
    pub(crate) size: Size,
    /// What triage had to say.
    pub(crate) notes: String,
}

impl Step for Planner {
    type Output = Plan;

    fn stage(&self) -> Stage {
        Stage::Planner
    }

    async fn work(&self, run: &mut Run<'_>, n: u32) -> Result<Plan, Stop> {
        let files = run.list_files().await?;
        let task = &run.job.task;
        let values = [
            ("task", &*prompt::task(task)),
            ("lessons", &prompt::lessons(&task.learned)),
            ("files", &prompt::files(&files)),
            ("size", self.size.name()),
            ("notes", &prompt::cut(&self.notes, 2_000)),
        ];
        let turns = prompt::open(prompt::PLANNER, &values);
        Conversation::new(run.job, self.stage(), n, turns).ask(check).await
    }

    fn report(plan: &Plan) -> Report {
        report(plan)
    }
}

/// Plans again, smaller, where no split is possible.
#[derive(Serialize)]
pub(crate) struct Replan {
    /// The plan so far.
    pub(crate) plan: Plan,
    pub(crate) budget_tokens: u64,
}

impl Step for Replan {
    type Output = Plan;

    fn stage(&self) -> Stage {
        Stage::Replan
    }

    async fn work(&self, run: &mut Run<'_>, n: u32) -> Result<Plan, Stop> {
        let values = [
            ("task", &*prompt::task(&run.job.task)),
            ("plan", &prompt::plan(&self.plan)),
            ("budget", &self.budget_tokens.to_string()),
            ("estimate", &self.plan.estimated_tokens.to_string()),
        ];
        let turns = prompt::open(prompt::REPLAN, &values);
        Conversation::new(run.job, self.stage(), n, turns).ask(check).await
    }

    fn report(plan: &Plan) -> Report {
        report(plan)
    }
}

fn check(plan: &Plan) -> Result<(), String> {
    if plan.approach.trim().is_empty() || plan.steps.is_empty() {
        return Err("a plan needs an `approach` and at least one of `steps`".to_owned());
    }
    Ok(())
}

fn report(plan: &Plan) -> Report {
    Report::new(true, format!("{} steps, about {} tokens", plan.steps.len(), plan.estimated_tokens))
}
