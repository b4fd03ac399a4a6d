//! Changes that are laid over a worktree without touching it.

use std::collections::BTreeMap;

use crate::run::{Changes, Made};
use crate::workspace::{Hit, Workspace, WorkspaceError, Worktree};

/// How many lines a search finds at most, as far as the draft goes.
const HITS: usize = 200;

/// One file of the draft.
struct Draught {
    /// What the worktree has; none when it has no such file.
    before: Option<String>,
    /// The worktree has something that cannot be read as text.
    unreadable: bool,
    /// What it is to be; none when it is to be removed.
    after: Option<String>,
}

/// A worktree with changes laid over it.
pub(super) struct Draft<'a> {
    workspace: &'a dyn Workspace,
    at: &'a Worktree,
    files: BTreeMap<String, Draught>,
}

impl<'a> Draft<'a> {
    pub(super) const fn new(workspace: &'a dyn Workspace, at: &'a Worktree) -> Self {
        Self { workspace, at, files: BTreeMap::new() }
    }

    /// Gives up the changes, without those that change nothing in the end.
    pub(super) fn into_made(self) -> Made {
        let differs = |draught: &Draught| draught.unreadable || draught.before != draught.after;
        let changes: Changes = self
            .files
            .into_iter()
            .filter(|(_, draught)| differs(draught))
            .map(|(path, draught)| (path, draught.after))
            .collect();
        Made { changes, base_commit: self.at.base_commit.clone(), snapshot: None }
    }

    pub(super) async fn list(&self) -> Result<Vec<String>, WorkspaceError> {
        let mut paths = self.workspace.list(self.at).await?;
        paths.retain(|path| !self.files.contains_key(path));
        let there = self.files.iter().filter(|(_, draught)| draught.after.is_some());
        paths.extend(there.map(|(path, _)| path.clone()));
        paths.sort_unstable();
        Ok(paths)
    }

    pub(super) async fn read(&self, path: &str) -> Result<String, WorkspaceError> {
        let path = &*plain(path);
        match self.files.get(path) {
            Some(draught) => draught.after.clone().ok_or_else(|| not_found(path)),
            None => self.workspace.read(self.at, path).await,
        }
    }

    pub(super) async fn search(&self, pattern: &str) -> Result<Vec<Hit>, WorkspaceError> {
        let mut hits = self.workspace.search(self.at, pattern).await?;
        hits.retain(|hit| !self.files.contains_key(&hit.path));
        for (path, draught) in &self.files {
            let lines = draught.after.as_deref().unwrap_or_default().lines();
            let found = (1..).zip(lines).filter(|(_, line)| line.contains(pattern));
            hits.extend(found.map(|(line, text)| Hit { path: path.clone(), line, text: text.to_owned() }));
        }
        hits.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        hits.truncate(HITS);
        Ok(hits)
    }

    pub(super) async fn write(&mut self, path: &str, content: &str) -> Result<(), WorkspaceError> {
        let path = &*plain(path);
        self.workspace.check_change(self.at, path, Some(content)).await?;
        self.set(path, Some(content.to_owned())).await
    }

    pub(super) async fn replace(&mut self, path: &str, old: &str, new: &str) -> Result<(), WorkspaceError> {
        let path = &*plain(path);
        self.workspace.check_change(self.at, path, None).await?;
        let content = self.read(path).await?;
        let found = if old.is_empty() { 0 } else { content.matches(old).count() };
        if found != 1 {
            return Err(WorkspaceError::NotOnce { path: path.to_owned(), found });
        }
        self.set(path, Some(content.replacen(old, new, 1))).await
    }

    pub(super) async fn remove(&mut self, path: &str) -> Result<(), WorkspaceError> {
        let path = &*plain(path);
        self.workspace.check_change(self.at, path, None).await?;
        match self.read(path).await {
            Ok(_) | Err(WorkspaceError::Binary { .. } | WorkspaceError::TooLarge { .. }) => {}
            Err(error) => return Err(error),
        }
        self.set(path, None).await
    }

    async fn set(&mut self, path: &str, after: Option<String>) -> Result<(), WorkspaceError> {
        if let Some(draught) = self.files.get_mut(path) {
            draught.after = after;
            return Ok(());
        }
        let (before, unreadable) = match self.workspace.read(self.at, path).await {
            Ok(content) => (Some(content), false),
            Err(WorkspaceError::NotFound { .. }) => (None, false),
            Err(WorkspaceError::Binary { .. } | WorkspaceError::TooLarge { .. }) => (None, true),
            Err(error) => return Err(error),
        };
        self.files.insert(path.to_owned(), Draught { before, unreadable, after });
        Ok(())
    }
}

/// Takes the ornament off a path, so that one file has one name. What leads out is left for the workspace to refuse.
fn plain(path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    path.split('/').filter(|name| !matches!(*name, "" | ".")).collect::<Vec<_>>().join("/")
}

fn not_found(path: &str) -> WorkspaceError {
    WorkspaceError::NotFound { path: path.to_owned() }
}
