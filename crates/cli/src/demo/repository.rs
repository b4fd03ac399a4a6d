//! The demo's repository: made and committed as if the machine had no settings of git at all.

use std::fmt;
use std::path::Path;

use super::tool::{self, GIT, Unavailable};

/// Who begins the repository, and in whose name the engine goes on.
pub(super) const AUTHOR: Author = Author { name: "Almanac Keeper", mail: "keeper@almanac.example" };

/// An author of commits.
pub(super) struct Author {
    name: &'static str,
    mail: &'static str,
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.mail)
    }
}

/// Settings of this repository, so that those of the person do not count in it: no signatures, no hooks, no rules about
/// line ends or about files to leave out.
const SETTINGS: [(&str, &str); 7] = [
    ("user.name", AUTHOR.name),
    ("user.email", AUTHOR.mail),
    ("commit.gpgSign", "false"),
    ("core.autocrlf", "false"),
    ("core.excludesFile", "/dev/null"),
    ("core.attributesFile", "/dev/null"),
    ("core.hooksPath", "/dev/null"),
];

/// Makes a repository of the files that are there, with `main` checked out and one commit.
pub(super) fn commit(repo: &Path) -> Result<(), Unavailable> {
    git(repo, &["init", "--quiet", "--template=", "-b", "main"])?;
    for (key, value) in SETTINGS {
        git(repo, &["config", key, value])?;
    }
    git(repo, &["add", "--all"])?;
    git(repo, &["commit", "--quiet", "-m", "Begin the almanac, mostly wrong"])
}

fn git(repo: &Path, arguments: &[&str]) -> Result<(), Unavailable> {
    let mut command = tool::command(&GIT, repo);
    command
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", AUTHOR.name)
        .env("GIT_AUTHOR_EMAIL", AUTHOR.mail)
        .env("GIT_COMMITTER_NAME", AUTHOR.name)
        .env("GIT_COMMITTER_EMAIL", AUTHOR.mail);
    tool::run(&GIT, command)
}
