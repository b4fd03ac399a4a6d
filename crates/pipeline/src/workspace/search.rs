//! Which files there are, and where a text occurs in them.

use super::git::GitWorkspace;
use super::{Hit, WorkspaceError, Worktree};
use crate::process::Exit;

/// How much of a found line is returned.
const LINE_CHARACTERS: usize = 300;
/// How much of git's output is read; what it prints beyond that is more than anyone looks at.
const OUTPUT_BYTES: usize = 1024 * 1024;

impl GitWorkspace {
    pub(super) async fn list_files(&self, at: &Worktree) -> Result<Vec<String>, WorkspaceError> {
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
        let answer = self.git(at, &list).run().await?;
        let mut files: Vec<&str> = answer.fields().collect();
        files.sort_unstable();
        // The index still names files that are removed.
        let is_there = |file: &&&str| at.path.join(file).symlink_metadata().is_ok();
        Ok(files
            .iter()
            .filter(is_there)
            .take(self.options.max_listed)
            .map(|file| (*file).to_owned())
            .collect())
    }

    pub(super) async fn search_files(
        &self,
        at: &Worktree,
        pattern: &str,
    ) -> Result<Vec<Hit>, WorkspaceError> {
        if pattern.is_empty() || pattern.contains(['\n', '\0']) {
            return Err(WorkspaceError::Pattern { pattern: pattern.to_owned() });
        }
        let per_file = format!("--max-count={}", self.options.max_hits);
        let grep = [
            "grep",
            "--fixed-strings",
            "--line-number",
            "--no-column",
            "--full-name",
            "--no-color",
            "-I",
            "-z",
        ];
        let call = grep.iter().skip(1).fold(self.git(at, &grep[..1]), |call, option| call.arg(*option));
        let call =
            call.arg("--untracked").arg("--no-recurse-submodules").arg(per_file).arg("-e").arg(pattern);
        let answer = call.run_cut(OUTPUT_BYTES).await?;
        match answer.exit {
            Exit::Code(0 | 1) => {}
            _ => return Err(answer.failure().into()),
        }
        // A last line that was cut off is left out with its missing end.
        let text = answer.text();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        Ok(whole.lines().filter_map(hit).take(self.options.max_hits).collect())
    }
}

/// Reads `path<nul>line<nul>text`.
fn hit(line: &str) -> Option<Hit> {
    let mut fields = line.splitn(3, '\0');
    let (path, number, text) = (fields.next()?, fields.next()?, fields.next()?);
    let text = text.trim_end().chars().take(LINE_CHARACTERS).collect();
    Some(Hit { path: path.to_owned(), line: number.parse().ok()?, text })
}
