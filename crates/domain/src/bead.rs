//! One issue of the backlog, as far as we keep it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One issue of the backlog; everything the engine keeps of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bead {
    /// Its id in the backlog, of any length and alphabet.
    pub id: BeadId,
    /// One line.
    pub title: String,
    /// What is wanted.
    #[serde(default)]
    pub description: String,
    /// How it is meant to be built.
    #[serde(default)]
    pub design: String,
    /// When it counts as done.
    #[serde(default)]
    pub acceptance_criteria: String,
    /// Whatever people added.
    #[serde(default)]
    pub notes: String,
    /// Where the source says it stands.
    pub status: Status,
    /// `task`, `bug`, `epic`, .. or any other word.
    pub issue_type: String,
    /// From 0, the most urgent, to 4; see [`clamp_priority`].
    pub priority: i64,
    /// Who holds it.
    #[serde(default)]
    pub assignee: Option<String>,
    /// Its labels, in the source's order.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What it depends on; its parent is among them.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
    /// Not to be started before, ms UTC.
    #[serde(default)]
    pub defer_until_ms: Option<i64>,
    /// Kept in view for ever: context, not work.
    #[serde(default)]
    pub pinned: bool,
    /// Made to vanish: it is neither work nor in anybody's way.
    #[serde(default)]
    pub ephemeral: bool,
    /// When it was written, ms UTC; 0 when the source does not say.
    #[serde(default)]
    pub created_ms: i64,
    /// When it was last changed, ms UTC; the creation when the source does not say.
    #[serde(default)]
    pub updated_ms: i64,
    /// Why it was closed.
    #[serde(default)]
    pub close_reason: Option<String>,
    /// Its name in another tracker.
    #[serde(default)]
    pub external_ref: Option<String>,
    /// Free data of other tools; null when there is none.
    #[serde(default)]
    pub metadata: Value,
}

impl Bead {
    /// Makes an open task of middle priority that has nothing but an id and a title.
    #[must_use]
    pub fn new(id: BeadId, title: impl Into<String>) -> Self {
        Self {
            id,
            title: title.into(),
            description: String::new(),
            design: String::new(),
            acceptance_criteria: String::new(),
            notes: String::new(),
            status: Status::Open,
            issue_type: "task".to_owned(),
            priority: MIDDLE_PRIORITY,
            assignee: None,
            labels: Vec::new(),
            dependencies: Vec::new(),
            defer_until_ms: None,
            pinned: false,
            ephemeral: false,
            created_ms: 0,
            updated_ms: 0,
            close_reason: None,
            external_ref: None,
            metadata: Value::Null,
        }
    }

    /// Returns the parent: the first target of a parent-child dependency.
    #[must_use]
    pub fn parent(&self) -> Option<&BeadId> {
        self.dependencies.iter().find(|d| d.kind == DependencyKind::ParentChild).map(|d| &d.on)
    }
}

/// Names an issue in its backlog.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BeadId(String);

impl BeadId {
    /// Wraps the text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether the name alone makes this a child of `parent`: beads names children `parent.n`.
    #[must_use]
    pub fn is_named_under(&self, parent: &Self) -> bool {
        self.0.strip_prefix(&parent.0).is_some_and(|rest| rest.starts_with('.'))
    }
}

impl fmt::Display for BeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for BeadId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Writes an id as an argument for a shell: it is a stranger's text, and people paste the commands that name it.
#[must_use]
pub fn argument(id: &str) -> String {
    // A shell cannot take a NUL at all.
    let word = shlex::try_quote(id).map_or_else(|_| format!("{id:?}"), std::borrow::Cow::into_owned);
    if id.starts_with('-') { format!("-- {word}") } else { word }
}

/// The priority that beads gives an issue that names none.
pub const MIDDLE_PRIORITY: i64 = 2;

/// Takes the nearest priority to a number; the scale runs from 0, the most urgent, to 4.
#[must_use]
pub fn clamp_priority(number: i64) -> i64 {
    number.clamp(0, 4)
}

/// Where the source says an issue stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    /// Nobody has it.
    Open,
    /// Somebody has it.
    InProgress,
    /// A person marked it as blocked.
    Blocked,
    /// Put on ice.
    Deferred,
    /// Done or dropped.
    Closed,
    /// Context that stays.
    Pinned,
    /// An agent has it on its hook.
    Hooked,
    /// Deleted; only its trace is left. It counts as absent.
    Tombstone,
    /// A word of the backlog's own.
    Custom(String),
}

impl Status {
    /// Returns the word the backlog uses.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in_progress",
            Self::Blocked => "blocked",
            Self::Deferred => "deferred",
            Self::Closed => "closed",
            Self::Pinned => "pinned",
            Self::Hooked => "hooked",
            Self::Tombstone => "tombstone",
            Self::Custom(word) => word,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&str> for Status {
    fn from(word: &str) -> Self {
        match word {
            "open" => Self::Open,
            "in_progress" => Self::InProgress,
            "blocked" => Self::Blocked,
            "deferred" => Self::Deferred,
            "closed" => Self::Closed,
            "pinned" => Self::Pinned,
            "hooked" => Self::Hooked,
            "tombstone" => Self::Tombstone,
            other => Self::Custom(other.to_owned()),
        }
    }
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        Self::from(word.as_str())
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        match status {
            Status::Custom(word) => word,
            known => known.as_str().to_owned(),
        }
    }
}

/// One thing an issue depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dependency {
    /// The other issue; it need not exist.
    pub on: BeadId,
    /// In which way.
    pub kind: DependencyKind,
}

/// In which way an issue depends on another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DependencyKind {
    /// Not before the other is closed.
    Blocks,
    /// The same; beads means the other's failure, but treats it as `Blocks`.
    ConditionalBlocks,
    /// Not before the children of the other, its spawner, open the gate.
    WaitsFor {
        /// What opens it.
        gate: Gate,
    },
    /// It is a child of the other.
    ParentChild,
    /// Any other link (`related`, `discovered-from`, ..); it blocks nothing.
    Other(String),
}

/// What opens the gate of a `waits-for` dependency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// No child of the spawner is active any more.
    #[default]
    AllChildren,
    /// One child of the spawner is closed, or none is active.
    AnyChildren,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_survives_its_word() {
        for word in
            ["open", "in_progress", "blocked", "deferred", "closed", "pinned", "hooked", "tombstone", "odd"]
        {
            let status = Status::from(word);
            assert_eq!(String::from(status.clone()), word);
            assert_eq!(serde_json::from_value::<Status>(Value::from(word)).unwrap(), status);
        }
        assert_eq!(Status::from("odd"), Status::Custom("odd".to_owned()));
    }

    #[test]
    fn a_priority_outside_the_scale_is_taken_to_its_nearest_end() {
        assert_eq!(clamp_priority(i64::MIN), 0);
        assert_eq!(clamp_priority(3), 3);
        assert_eq!(clamp_priority(99), 4);
    }

    #[test]
    fn only_a_dot_after_the_whole_name_makes_a_named_child() {
        let epic = BeadId::from("gl-1");
        assert!(BeadId::from("gl-1.2").is_named_under(&epic));
        assert!(!BeadId::from("gl-12").is_named_under(&epic));
        assert!(!BeadId::from("gl-1").is_named_under(&epic));
    }

    #[test]
    fn a_bead_survives_json_with_every_kind_of_dependency() {
        let mut bead = Bead::new(BeadId::from("a"), "A");
        bead.dependencies = [
            DependencyKind::Blocks,
            DependencyKind::ConditionalBlocks,
            DependencyKind::WaitsFor { gate: Gate::AnyChildren },
            DependencyKind::ParentChild,
            DependencyKind::Other("related".to_owned()),
        ]
        .map(|kind| Dependency { on: BeadId::from("p"), kind })
        .into();
        let text = serde_json::to_string(&bead).unwrap();
        let back: Bead = serde_json::from_str(&text).unwrap();
        assert_eq!(back, bead);
        assert_eq!(back.parent(), Some(&BeadId::from("p")));
    }
}
