//! One issue as the file writes it, and the bead it becomes.

use glitchlab_domain::bead::{
    Bead, BeadId, Dependency, DependencyKind, Gate, MIDDLE_PRIORITY, Status, clamp_priority,
};
use serde::Deserialize;
use serde_json::Value;

use super::time::millis;

/// A line of the file. Every field may be missing or null, and fields that nobody knows are passed over: only an id is
/// needed.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an issue")]
pub(super) struct Line {
    #[serde(rename = "_schema")]
    pub(super) schema: Option<Value>,
    /// `memory` and other records share the file with the issues.
    #[serde(rename = "_type")]
    pub(super) record: Option<String>,
    id: Option<String>,
    title: Option<String>,
    description: Option<String>,
    design: Option<String>,
    acceptance_criteria: Option<String>,
    notes: Option<String>,
    status: Option<String>,
    issue_type: Option<String>,
    priority: Option<i64>,
    assignee: Option<String>,
    labels: Option<Vec<String>>,
    parent: Option<String>,
    dependencies: Option<Vec<Link>>,
    defer_until: Option<String>,
    pinned: Option<bool>,
    ephemeral: Option<bool>,
    created_at: Option<String>,
    updated_at: Option<String>,
    close_reason: Option<String>,
    external_ref: Option<String>,
    metadata: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "a dependency")]
struct Link {
    depends_on_id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    /// JSON as an object, or as a text that holds one.
    metadata: Option<Value>,
}

/// As much of a line that can't be understood as tells whose it is.
#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
}

impl Line {
    /// Says whether this is an issue rather than another kind of record.
    pub(super) fn is_issue(&self) -> bool {
        self.schema.is_none() && self.record.as_deref().is_none_or(|record| record == "issue")
    }

    /// Makes the bead, or says what is wrong with the line.
    pub(super) fn into_bead(self) -> Result<Bead, String> {
        let id = self.id.filter(|id| !id.trim().is_empty()).ok_or("it has no `id`")?;
        let created_ms = instant("created_at", self.created_at.as_deref())?;
        let updated_ms = instant("updated_at", self.updated_at.as_deref())?;
        Ok(Bead {
            title: self.title.unwrap_or_else(|| id.clone()),
            id: BeadId::new(id),
            description: self.description.unwrap_or_default(),
            design: self.design.unwrap_or_default(),
            acceptance_criteria: self.acceptance_criteria.unwrap_or_default(),
            notes: self.notes.unwrap_or_default(),
            status: self.status.filter(|word| !word.is_empty()).map_or(Status::Open, Status::from),
            issue_type: self.issue_type.filter(|word| !word.is_empty()).unwrap_or_else(|| "task".to_owned()),
            priority: self.priority.map_or(MIDDLE_PRIORITY, clamp_priority),
            assignee: self.assignee.filter(|name| !name.is_empty()),
            labels: self.labels.unwrap_or_default(),
            dependencies: dependencies(self.dependencies.unwrap_or_default(), self.parent),
            defer_until_ms: instant("defer_until", self.defer_until.as_deref())?,
            pinned: self.pinned.unwrap_or_default(),
            ephemeral: self.ephemeral.unwrap_or_default(),
            created_ms: created_ms.or(updated_ms).unwrap_or_default(),
            updated_ms: updated_ms.or(created_ms).unwrap_or_default(),
            close_reason: self.close_reason.filter(|reason| !reason.is_empty()),
            external_ref: self.external_ref.filter(|name| !name.is_empty()),
            metadata: self.metadata.unwrap_or_default(),
        })
    }
}

/// A missing instant is fine, one that can't be read is not: it might be what keeps the issue from starting.
fn instant(field: &str, text: Option<&str>) -> Result<Option<i64>, String> {
    text.filter(|text| !text.trim().is_empty())
        .map(|text| {
            millis(text)
                .ok_or_else(|| format!("`{field}` is no date or time, write it as 2026-01-31T12:00:00Z"))
        })
        .transpose()
}

/// A parent that is named beside the links counts when no link names one.
fn dependencies(links: Vec<Link>, parent: Option<String>) -> Vec<Dependency> {
    let mut all: Vec<_> = links.into_iter().map(dependency).collect();
    let has_parent = all.iter().any(|dependency| dependency.kind == DependencyKind::ParentChild);
    let parent = parent.filter(|parent| !parent.is_empty() && !has_parent);
    all.extend(parent.map(|on| Dependency { on: BeadId::new(on), kind: DependencyKind::ParentChild }));
    all
}

fn dependency(link: Link) -> Dependency {
    let kind = match link.kind.as_deref() {
        None | Some("" | "blocks") => DependencyKind::Blocks,
        Some("conditional-blocks") => DependencyKind::ConditionalBlocks,
        Some("waits-for") => DependencyKind::WaitsFor { gate: gate(link.metadata.as_ref()) },
        Some("parent-child") => DependencyKind::ParentChild,
        Some(other) => DependencyKind::Other(other.to_owned()),
    };
    Dependency { on: BeadId::new(link.depends_on_id), kind }
}

fn gate(metadata: Option<&Value>) -> Gate {
    let is_any = |object: &Value| object.get("gate").and_then(Value::as_str) == Some("any-children");
    let found = match metadata {
        Some(Value::String(text)) => serde_json::from_str(text).is_ok_and(|object: Value| is_any(&object)),
        Some(object) => is_any(object),
        None => false,
    };
    if found { Gate::AnyChildren } else { Gate::AllChildren }
}
