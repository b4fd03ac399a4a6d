//! `pull_request`: commits the work, then opens the request or merges; each once, whatever happens in between.

use glitchlab_domain::id::EffectKey;
use glitchlab_domain::outcome::{Outcome, Reference};
use glitchlab_domain::reason::Reason;
use glitchlab_domain::stage::Stage;
use serde::{Deserialize, Serialize};

use crate::attempt::{Job, Merge};
use crate::durable::EffectState;
use crate::ending::{End, Stop, one_line};
use crate::forge::{self, ForgeError, MergeResult, TASK_TRAILER};
use crate::run::{Run, conflict};
use crate::step::{Report, Step};
use crate::trouble;
use crate::workspace::{CommitMessage, Worktree};

/// The most characters of a title in the first line of a commit.
const TITLE: usize = 70;

#[derive(Serialize)]
pub(crate) struct PullRequest {
    /// The commit of the base that the tests ran on; none when there are no tests.
    pub(crate) tested_base: Option<String>,
}

/// Commits all work to the branch; work that is there already is not committed again.
pub(super) async fn commit(run: &mut Run<'_>) -> Result<(Worktree, CommitMessage), Stop> {
    let at = run.worktree().await?;
    let message = message(run);
    run.job.workspace.commit(&at, &message).await.map_err(trouble::workspace)?;
    Ok((at, message))
}

/// What became of the work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Delivered {
    /// It waits for a merge.
    InReview { request: String, held: Option<Reason> },
    /// It is on the base.
    Merged { commit: String },
    /// The base has all of it already.
    NothingNew,
    /// The base is not what the tests ran on.
    BaseMoved { base_commit: String },
    /// Both sides changed the same places.
    Conflict { files: Vec<String> },
}

impl Step for PullRequest {
    type Output = Delivered;

    fn stage(&self) -> Stage {
        Stage::PullRequest
    }

    async fn work(&self, run: &mut Run<'_>, _: u32) -> Result<Delivered, Stop> {
        let (at, message) = commit(run).await?;
        match run.job.settings.merge {
            Merge::Never => request(run, &at, &message).await,
            Merge::WhenGreen => self.merge(run.job, &at, &message).await,
        }
    }

    fn report(delivered: &Delivered) -> Report {
        match delivered {
            Delivered::InReview { request, held: None } => Report::new(true, format!("{request} is open")),
            Delivered::InReview { request, held: Some(why) } => {
                Report::new(false, format!("{request} stays open: {why}"))
            }
            Delivered::Merged { commit } => Report::new(true, format!("merged as {}", short(commit))),
            Delivered::NothingNew => Report::new(true, "the base has it already"),
            Delivered::BaseMoved { base_commit } => {
                Report::new(false, format!("the base moved to {}", short(base_commit)))
            }
            Delivered::Conflict { files } => Report::new(false, format!("conflict in {}", files.join(", "))),
        }
    }
}

impl PullRequest {
    async fn merge(&self, job: &Job, at: &Worktree, message: &CommitMessage) -> Result<Delivered, Stop> {
        let key = key("merge", job);
        if let EffectState::Done(commit) =
            job.durable.begin_effect(key.clone(), "merge", &job.settings.base).await?
        {
            return Ok(Delivered::Merged { commit });
        }
        let merge = forge::Merge {
            task_id: job.task.trailer(),
            branch: at.branch.clone(),
            base: job.settings.base.clone(),
            expected_base: self.tested_base.clone(),
            message: message.subject.clone(),
            author: job.settings.author.clone(),
        };
        let delivered = match job.forge.merge(&merge).await {
            Ok(result) => sort(result, &at.branch),
            Err(ForgeError::CheckoutBusy { path, why }) => held(&at.branch, vec![format!("{path} ({why})")]),
            Err(error) => return Err(trouble::forge(error)),
        };
        if let Delivered::Merged { commit } = &delivered {
            job.durable.finish_effect(&key, commit).await?;
        }
        Ok(delivered)
    }
}

fn sort(result: MergeResult, branch: &str) -> Delivered {
    match result {
        MergeResult::Merged { commit } | MergeResult::AlreadyMerged { commit } => {
            Delivered::Merged { commit }
        }
        MergeResult::BaseMoved { base_commit } => Delivered::BaseMoved { base_commit },
        MergeResult::Conflict { files } => Delivered::Conflict { files },
        MergeResult::BaseCheckedOutDirty { files } => held(branch, files),
        MergeResult::NothingToMerge => Delivered::NothingNew,
    }
}

fn held(branch: &str, files: Vec<String>) -> Delivered {
    Delivered::InReview { request: branch.to_owned(), held: Some(Reason::BaseCheckedOutDirty { files }) }
}

async fn request(run: &Run<'_>, at: &Worktree, message: &CommitMessage) -> Result<Delivered, Stop> {
    let job = run.job;
    let key = key("pr", job);
    if let EffectState::Done(request) = job.durable.begin_effect(key.clone(), "pr", &at.branch).await? {
        // A request of an earlier attempt shows another branch; this one's work is newer.
        if request == at.branch {
            return Ok(Delivered::InReview { request, held: None });
        }
    }
    let request = forge::Request {
        effect_key: key.to_string(),
        bead_id: job.task.bead_id.to_string(),
        branch: at.branch.clone(),
        base: job.settings.base.clone(),
        title: message.subject.clone(),
        body: message.body.clone(),
    };
    let opened = job.forge.open_request(&request).await.map_err(trouble::forge)?;
    job.durable.finish_effect(&key, &opened.reference).await?;
    Ok(Delivered::InReview { request: opened.reference, held: None })
}

/// Names an effect by what it does, so that every attempt and every boot finds it again.
fn key(kind: &str, job: &Job) -> EffectKey {
    EffectKey::new(format!("{kind}:{}:{}", job.task.key, job.task.generation))
}

/// Other people's words are kept to one line each, so that none of them can pass for a trailer.
fn message(run: &Run<'_>) -> CommitMessage {
    let task = &run.job.task;
    let title: String = one_line(&task.title).chars().take(TITLE).collect();
    CommitMessage {
        subject: format!("{}: {title}", task.bead_id),
        body: one_line(run.approach()),
        trailers: vec![(TASK_TRAILER.to_owned(), task.trailer())],
    }
}

impl Delivered {
    /// Returns the end that it is; none when the work must be tested again first.
    pub(crate) fn into_end(self, base: &str) -> Option<End> {
        Some(match self {
            Self::InReview { request, held } => {
                let detail = match &held {
                    Some(why) => format!("{request} waits: {why}"),
                    None => format!("{request} waits for a merge"),
                };
                End::new(Outcome::InReview { request, held }, detail)
            }
            Self::Merged { commit } => {
                let detail = format!("merged as {}", short(&commit));
                End::new(Outcome::Completed { reference: Reference::Merge { commit } }, detail)
            }
            Self::NothingNew => {
                let why = format!("`{base}` has all of the change already");
                End::new(Outcome::Completed { reference: Reference::AlreadyDone { why: why.clone() } }, why)
            }
            Self::Conflict { files } => conflict(base, &files),
            Self::BaseMoved { .. } => return None,
        })
    }
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
