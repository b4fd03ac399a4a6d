//! Which tasks a branch has, by the trailers of its commits.

use std::collections::HashMap;

use super::{ForgeError, TASK_TRAILER};
use crate::git::{GitError, GitRepo};

/// The trailers of the branches that were asked about. Each commit is read once: a later look reads what is new.
#[derive(Debug, Default)]
pub(super) struct TrailerIndex {
    branches: HashMap<String, Seen>,
}

/// What was read of a branch.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Where the branch was.
    pub(super) commit: String,
    tasks: HashMap<String, Carrier>,
}

/// A commit that carries a task's trailer.
#[derive(Debug)]
struct Carrier {
    commit: String,
    is_merge: bool,
}

impl TrailerIndex {
    /// Reads what is new on a branch.
    pub(super) async fn look(&mut self, repo: &GitRepo, branch: &str) -> Result<&Seen, ForgeError> {
        let now = repo.branch_commit(branch).await?;
        let now = now.ok_or_else(|| ForgeError::NoBranch { branch: branch.to_owned() })?;
        let seen = self.branches.entry(branch.to_owned()).or_default();
        if seen.commit != now {
            seen.advance(repo, now).await?;
        }
        Ok(seen)
    }
}

impl Seen {
    /// Returns the commit that carries the task's trailer: the merge, when one of several is a merge.
    pub(super) fn find(&self, task_id: &str) -> Option<&str> {
        self.tasks.get(task_id).map(|carrier| carrier.commit.as_str())
    }

    async fn advance(&mut self, repo: &GitRepo, now: String) -> Result<(), GitError> {
        let grown = !self.commit.is_empty() && repo.is_ancestor(&self.commit, &now).await.unwrap_or(false);
        let range = if grown { format!("{}..{now}", self.commit) } else { now.clone() };
        let carriers = read(repo, &range).await?;
        if !grown {
            self.tasks.clear();
        }
        for (task_id, carrier) in carriers {
            if carrier.is_merge || self.tasks.get(&task_id).is_none_or(|known| !known.is_merge) {
                self.tasks.insert(task_id, carrier);
            }
        }
        self.commit = now;
        Ok(())
    }
}

/// Reads the carriers of a range of commits, the oldest first.
async fn read(repo: &GitRepo, range: &str) -> Result<Vec<(String, Carrier)>, GitError> {
    let grep = format!("--grep={TASK_TRAILER}:");
    let format = format!("--format=%H%x09%P%x09%(trailers:key={TASK_TRAILER},valueonly,separator=%x09)");
    let log = [
        "log",
        "--reverse",
        "--no-show-signature",
        "--no-color",
        "--fixed-strings",
        &grep,
        &format,
        range,
        "--",
    ];
    let answer = repo.call(&log).run().await?;
    Ok(answer.text().lines().flat_map(parse).collect())
}

fn parse(line: &str) -> Vec<(String, Carrier)> {
    let mut fields = line.split('\t');
    let (commit, parents) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    let is_merge = parents.contains(' ');
    let carrier = |task_id: &str| (task_id.to_owned(), Carrier { commit: commit.to_owned(), is_merge });
    fields.map(str::trim).filter(|task_id| !task_id.is_empty()).map(carrier).collect()
}

/// Refuses an id that a trailer cannot carry.
pub(super) fn check_task_id(task_id: &str) -> Result<(), ForgeError> {
    let plain = !task_id.is_empty() && task_id.trim() == task_id && !task_id.contains(char::is_control);
    if plain { Ok(()) } else { Err(ForgeError::TaskId { task_id: task_id.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_commit_and_each_of_its_tasks() {
        let found = parse("c0ffee\tp1 p2\tgl-1.2 g1\tgl-3 g1");
        let tasks: Vec<_> = found.iter().map(|(task, carrier)| (task.as_str(), carrier.is_merge)).collect();
        assert_eq!(tasks, [("gl-1.2 g1", true), ("gl-3 g1", true)]);
        assert!(parse("c0ffee\tp1\t").is_empty());
    }

    #[test]
    fn only_one_line_of_text_can_be_a_task_id() {
        assert!(check_task_id("gl-1.2 g1").is_ok());
        for id in ["", " gl-1", "gl-1\nSigned-off-by: x", "gl\t1"] {
            assert!(check_task_id(id).is_err(), "{id:?}");
        }
    }
}
