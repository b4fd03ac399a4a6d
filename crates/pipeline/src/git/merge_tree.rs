//! Merging without a checkout.

use super::{GitError, GitRepo};
use crate::process::Exit;

/// What git makes of two sides.
pub(crate) enum MergedTree {
    /// A tree with both.
    Clean(String),
    /// The files that both changed.
    Conflict(Vec<String>),
}

/// Merges two commits without a checkout.
pub(crate) async fn merge_trees(repo: &GitRepo, ours: &str, theirs: &str) -> Result<MergedTree, GitError> {
    let call = repo.call(&["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs]);
    let answer = call.answer().await?;
    let fields: Vec<String> = answer.fields().map(str::to_owned).collect();
    match (answer.exit, fields.as_slice()) {
        (Exit::Code(0), [tree]) => Ok(MergedTree::Clean(tree.clone())),
        (Exit::Code(1), [_, files @ ..]) => Ok(MergedTree::Conflict(files.to_vec())),
        _ => Err(answer.failure()),
    }
}
