//! A bead as it becomes a task of ours.

use super::SourceTask;
use crate::bead::Bead;
use crate::id::TaskKey;

impl SourceTask {
    /// Takes what matters of a bead that a source has given.
    #[must_use]
    pub fn of(repo_id: &str, source: &str, bead: &Bead) -> Self {
        let body = body(bead);
        Self {
            key: TaskKey::of(repo_id, &bead.id),
            repo_id: repo_id.to_owned(),
            bead_id: bead.id.clone(),
            source: source.to_owned(),
            parent: bead.parent().cloned(),
            rev: Self::revision(&bead.title, &body),
            title: bead.title.clone(),
            body,
            priority: bead.priority,
            kind: bead.issue_type.clone(),
            labels: bead.labels.clone(),
            created_ms: bead.created_ms,
            state: bead.status.as_str().to_owned(),
        }
    }
}

/// Puts together what the work needs to know, each part under its name.
fn body(bead: &Bead) -> String {
    let parts = [
        ("", &bead.description),
        ("Design", &bead.design),
        ("Acceptance criteria", &bead.acceptance_criteria),
        ("Notes", &bead.notes),
    ];
    let filled = parts.iter().filter(|(_, text)| !text.trim().is_empty());
    let titled =
        filled.map(|(name, text)| if name.is_empty() { (*text).clone() } else { format!("{name}:\n{text}") });
    titled.collect::<Vec<_>>().join("\n\n")
}
