//! The stages, one file each, and the flow through them.

mod decompose;
mod gate;
mod implement;
mod planner;
mod pull_request;
mod question;
mod review;
mod test;
mod triage;

use glitchlab_domain::outcome::{FailureKind, HumanReason, Outcome, Reference, Size};
use glitchlab_models::reply::{Plan, Verdict};

use crate::attempt::Merge;
use crate::ending::{End, Stop};
use crate::run::Run;

use decompose::Decompose;
use gate::Gate;
use implement::{Edit, Occasion};
use planner::{Planner, Replan};
use pull_request::PullRequest;
use review::Reviewing;
use test::{Test, Tested};
use triage::Triaging;

/// How often work is tested again because the base moved. Attempts of one engine merge in turn, so it takes pushes of
/// other people to get there.
const MERGE_ROUNDS: u32 = 5;

/// Goes through the stages to the outcome.
pub(crate) async fn flow(run: &mut Run<'_>) -> Result<End, Stop> {
    let triage = run.step(&Triaging).await?;
    if triage.already_done {
        let reference = Reference::AlreadyDone { why: triage.evidence.clone() };
        return Ok(End::new(Outcome::Completed { reference }, triage.evidence));
    }
    let planned = plan(run, triage.size, triage.notes).await?;
    run.follow(&planned.plan.approach);
    if planned.decomposes {
        let subtasks = run.step(&Decompose { plan: planned.plan }).await?.subtasks;
        let detail = format!("split into {} sub-tasks", subtasks.len());
        return Ok(End::new(Outcome::Decomposed { subtasks }, detail));
    }
    question::about_plan(run.job, triage.size, &planned.plan)?;
    let tested = make_green(run, &planned.plan).await?;
    let review = run.step(&Reviewing { plan: planned.plan, tested: tested.clone() }).await?;
    if review.verdict == Verdict::Reject {
        return Err(rejected(review.comments).into());
    }
    question::about_request(run).await?;
    deliver(run, tested).await
}

struct Planned {
    plan: Plan,
    decomposes: bool,
}

/// Plans until the gate has a word.
async fn plan(run: &mut Run<'_>, size: Size, notes: String) -> Result<Planned, Stop> {
    let mut plan = run.step(&Planner { size, notes }).await?;
    let mut replanned = false;
    loop {
        let gate = Gate { size, estimated_tokens: plan.estimated_tokens, replanned };
        let judged = run.step(&gate).await?;
        match judged.verdict {
            gate::Verdict::Pass => return Ok(Planned { plan, decomposes: false }),
            gate::Verdict::Decompose => return Ok(Planned { plan, decomposes: true }),
            gate::Verdict::Reject => {
                return Err(End::human(HumanReason::GateRejected { why: judged.why }).into());
            }
            gate::Verdict::TooDeep => return Err(End::human(HumanReason::TooDeep).into()),
            gate::Verdict::Replan => {
                plan = run.step(&Replan { plan, budget_tokens: judged.budget_tokens }).await?;
                replanned = true;
            }
        }
    }
}

/// Edits and tests until the tests pass, or the rounds are used up.
async fn make_green(run: &mut Run<'_>, plan: &Plan) -> Result<Tested, Stop> {
    let limits = run.job.settings.limits;
    let (mut rounds, mut debugged, mut changed) = (limits.edit_rounds, 0, false);
    let mut occasion = Occasion::Implement { plan: plan.clone() };
    loop {
        let edited = run.step(&Edit { occasion: occasion.clone(), rounds, changed }).await?;
        run.take_over(&edited.made);
        changed |= edited.made.files() > 0;
        let tested = run.step(&Test { onto_new_base: false, finished: edited.done }).await?;
        run.count_files(tested.files);
        occasion = if !edited.done {
            rounds = rounds.saturating_sub(edited.rounds).max(1);
            edited.go_on(occasion.stage(), &tested)
        } else if tested.passed {
            return Ok(tested);
        } else if debugged == limits.debug_rounds {
            return Err(red(&tested).into());
        } else {
            (rounds, debugged) = (limits.edit_rounds, debugged + 1);
            Occasion::Debug { plan: plan.clone(), output: tested.output }
        };
    }
}

/// Opens the request or merges; when the base has moved, tests again on the new one first.
async fn deliver(run: &mut Run<'_>, mut tested: Tested) -> Result<End, Stop> {
    let settings = &run.job.settings;
    let _turn = match settings.merge {
        // Without tests a base that moves makes nothing stale, and the forge alone decides who is first.
        Merge::WhenGreen if tested.base().is_some() => {
            settings.merge_turn.take(run.job.durable.as_ref()).await
        }
        Merge::WhenGreen | Merge::Never => None,
    };
    for _ in 0..MERGE_ROUNDS {
        let delivered = run.step(&PullRequest { tested_base: tested.base() }).await?;
        // The branch has the work now; from here on it changes by merges of the base only.
        run.forget_changes();
        if let Some(end) = delivered.into_end(&run.job.settings.base) {
            return Ok(end);
        }
        tested = run.step(&Test { onto_new_base: true, finished: true }).await?;
        if !tested.passed {
            return Err(red(&tested)
                .recommending("make it work together with what is new on the base")
                .into());
        }
    }
    let message = format!("the base moved {MERGE_ROUNDS} times while the work was tested on it");
    Err(End::retry(FailureKind::Transient, message).into())
}

fn red(tested: &Tested) -> End {
    let message = format!("the tests fail: {}", tested.verdict);
    End::retry(FailureKind::TestsFailed, message).discovered(vec![tested.last_lines()])
}

fn rejected(comments: Vec<String>) -> End {
    let message = format!("the review rejects the change: {}", comments.join("; "));
    let end =
        End::retry(FailureKind::ReviewRejected, message).recommending("answer each comment of the review");
    end.discovered(comments)
}
