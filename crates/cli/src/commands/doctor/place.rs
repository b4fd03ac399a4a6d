//! Where the work happens: git, the repository, its backlog, the disks.

use glitchlab_backlog::{JsonlSource, Polled, Source as _};
use glitchlab_pipeline::git::{GitRepo, RepoError, RepoOptions};

use super::Check;
use crate::compose;
use crate::config::Config;

/// How many faults of a backlog are named.
const NAMED: usize = 3;

/// Opens the repository as an engine would, and says what git and the repository are.
pub(super) async fn repository(config: &Config, checks: &mut Vec<Check>) -> Option<GitRepo> {
    let options = RepoOptions {
        base: config.base.clone(),
        author: config.author.clone(),
        ..RepoOptions::new(config.environment.clone())
    };
    match GitRepo::open(&config.repo, &options).await {
        Ok(repo) => {
            checks.push(git(&repo).await);
            checks.push(opened(&repo));
            Some(repo)
        }
        Err(error @ (RepoError::NoGit { .. } | RepoError::GitTooOld { .. })) => {
            checks.push(Check::broken("git", &error));
            None
        }
        Err(error) => {
            checks.push(Check::broken("repository", &error));
            None
        }
    }
}

async fn git(repo: &GitRepo) -> Check {
    match repo.call(&["version"]).run().await {
        Ok(answer) => Check::ok("git", answer.text().trim().to_owned()),
        Err(error) => Check::broken("git", &error),
    }
}

fn opened(repo: &GitRepo) -> Check {
    let commit = repo.base_commit.get(..12).unwrap_or(&repo.base_commit);
    let found = format!("base {} at {commit}", repo.base);
    if repo.dirty_files == 0 {
        return Check::ok("repository", found);
    }
    let found = format!("{found}; {} files in your checkout are not committed", repo.dirty_files);
    Check::warning("repository", found, "commit what tasks should see: they start from the base")
}

/// Reads the backlog as an engine would.
pub(super) async fn backlog(config: &Config) -> Check {
    let source = match JsonlSource::discover(&config.repo, config.backlog.as_deref()) {
        Ok(source) => source,
        Err(error) => return Check::broken("backlog", &error),
    };
    let poll = match source.poll(None).await {
        Ok(Polled::Changed(poll)) => poll,
        Ok(Polled::Unchanged) => return Check::ok("backlog", source.location()),
        Err(error) => return Check::broken("backlog", &error),
    };
    let found = format!("{} issues in {}", poll.beads.len(), source.location());
    if poll.faults.is_empty() {
        return Check::ok("backlog", found);
    }
    let named: Vec<String> = poll.faults.iter().take(NAMED).map(ToString::to_string).collect();
    let found = format!("{found}, {} faults: {}", poll.faults.len(), named.join("; "));
    Check::warning("backlog", found, "mend these lines; the rest is worked on")
}

/// Looks at the disks as the engine does.
pub(super) fn disk(config: &Config, repo: Option<&GitRepo>) -> Check {
    let folders = compose::watched_disks(config, repo);
    let free = folders.iter().filter_map(|folder| glitchlab_actors::free_bytes(folder)).min();
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    match free {
        None => Check::warning("disk", "the free room cannot be told", "look yourself: `df`"),
        Some(free) if free < config.min_free_bytes => Check::failed(
            "disk",
            format!("{} are free, and nothing starts below {}", mib(free), mib(config.min_free_bytes)),
            "make room, or lower `min_free_disk` under [store]",
        ),
        Some(free) => {
            Check::ok("disk", format!("{} are free, the limit is {}", mib(free), mib(config.min_free_bytes)))
        }
    }
}
