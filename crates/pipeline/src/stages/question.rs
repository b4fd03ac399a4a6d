//! Where an attempt asks a person before it goes on. The question is no step: asked again, it finds the answer in the
//! attempt's own row.

use glitchlab_domain::consent::Consent;
use glitchlab_domain::outcome::{HumanReason, Size};
use glitchlab_models::reply::Plan;

use super::pull_request;
use crate::attempt::Job;
use crate::ending::{End, Stop};
use crate::run::Run;

/// Asks about a plan before anything is changed, when the settings want it and nobody has answered.
pub(crate) fn about_plan(job: &Job, size: Size, plan: &Plan) -> Result<(), Stop> {
    if !job.settings.approve.asks_about_plan(size) || has(job, Consent::Plan) {
        return Ok(());
    }
    let attempt_id = job.attempt.attempt_id.clone();
    let steps = u32::try_from(plan.steps.len()).unwrap_or(u32::MAX);
    Err(End::human(HumanReason::ApprovePlan { attempt_id, size, steps }).into())
}

/// Asks about finished work, which is committed first, so that a person can look at the branch.
pub(crate) async fn about_request(run: &mut Run<'_>) -> Result<(), Stop> {
    let job = run.job;
    if !job.settings.approve.asks_about_request() || has(job, Consent::Request) {
        return Ok(());
    }
    let (at, _) = pull_request::commit(run).await?;
    let (attempt_id, files) = (job.attempt.attempt_id.clone(), run.files_changed());
    Err(End::human(HumanReason::ApproveRequest { attempt_id, branch: at.branch, files }).into())
}

fn has(job: &Job, consent: Consent) -> bool {
    job.attempt.consents.contains(&consent)
}
