//! `review`: reads the change as a stranger.

use std::fmt::Write;

use glitchlab_domain::stage::Stage;
use glitchlab_models::reply::{Plan, Review, Verdict};
use serde::Serialize;

use super::test::Tested;
use crate::call::Conversation;
use crate::ending::Stop;
use crate::prompt;
use crate::run::Run;
use crate::step::{Report, Step};
use crate::trouble;
use crate::workspace::{FileChange, Workspace, WorkspaceError, Worktree};

/// How much of one changed file, and of all together, is shown.
const FILE_BYTES: usize = 12 * 1024;
const CHANGES_BYTES: usize = 48 * 1024;

#[derive(Serialize)]
pub(crate) struct Reviewing {
    pub(crate) plan: Plan,
    pub(crate) tested: Tested,
}

impl Step for Reviewing {
    type Output = Review;

    fn stage(&self) -> Stage {
        Stage::Review
    }

    async fn work(&self, run: &mut Run<'_>, n: u32) -> Result<Review, Stop> {
        let at = run.worktree().await?;
        let changes = changes(run, &at).await?;
        let tests = format!("The repository's tests: {}.", self.tested.verdict);
        let values = [
            ("task", &*prompt::task(&run.job.task)),
            ("plan", &prompt::plan(&self.plan)),
            ("tests", &tests),
            ("changes", &changes),
        ];
        let turns = prompt::open(prompt::REVIEW, &values);
        Conversation::new(run.job, self.stage(), n, turns).ask(check).await
    }

    fn report(review: &Review) -> Report {
        let word = match review.verdict {
            Verdict::Approve => "approved",
            Verdict::Reject => "rejected",
        };
        let summary = format!("{word}: {}", review.comments.join("; "));
        Report::new(review.verdict == Verdict::Approve, summary.trim_end_matches([':', ' ']).to_owned())
    }
}

fn check(review: &Review) -> Result<(), String> {
    if review.verdict == Verdict::Reject && review.comments.iter().all(|comment| comment.trim().is_empty()) {
        return Err("a rejection needs at least one of `comments`".to_owned());
    }
    Ok(())
}

/// Shows each changed file as it now is, with the number of its changed lines.
async fn changes(run: &Run<'_>, at: &Worktree) -> Result<String, Stop> {
    let workspace = run.job.workspace.as_ref();
    let diff = workspace.diff(at).await.map_err(trouble::workspace)?;
    let mut text = String::new();
    for file in &diff.files {
        if text.len() > CHANGES_BYTES {
            let _ = writeln!(text, "{} (+{} -{}), not shown", file.path, file.added, file.removed);
            continue;
        }
        let _ = writeln!(text, "{} (+{} -{}):", file.path, file.added, file.removed);
        text.push_str(&content(workspace, at, file).await?);
    }
    Ok(prompt::quote(&text))
}

async fn content(workspace: &dyn Workspace, at: &Worktree, file: &FileChange) -> Result<String, Stop> {
    match workspace.read(at, &file.path).await {
        Ok(content) => Ok(format!("{}\n", prompt::cut(&content, FILE_BYTES))),
        Err(WorkspaceError::NotFound { .. }) => Ok("(removed)\n".to_owned()),
        Err(
            error @ (WorkspaceError::Binary { .. }
            | WorkspaceError::TooLarge { .. }
            | WorkspaceError::NotAFile { .. }),
        ) => Ok(format!("({error})\n")),
        Err(error) => Err(trouble::workspace(error)),
    }
}
