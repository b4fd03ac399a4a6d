//! The clocks.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which clock ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// No supervisor answers: every thread is blocked.
    Beat,
    /// An actor is at one message for too long.
    Handler,
    /// The work beside an actor, such as a poll of the backlog, does not come to its end.
    Task,
    /// An attempt makes no durable call, step or effect, and no work product.
    Progress,
    /// An attempt is in one stage for too long.
    Stage,
    /// An agent changes nothing.
    WorkProduct,
    /// An agent says nothing.
    Silence,
    /// Work is there, nothing keeps it from starting, and nothing starts.
    Loop,
}

impl Clock {
    /// Every clock.
    pub const ALL: [Self; 8] = [
        Self::Beat,
        Self::Handler,
        Self::Task,
        Self::Progress,
        Self::Stage,
        Self::WorkProduct,
        Self::Silence,
        Self::Loop,
    ];

    /// Returns its name in rows and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Beat => "beat",
            Self::Handler => "handler",
            Self::Task => "task",
            Self::Progress => "progress",
            Self::Stage => "stage",
            Self::WorkProduct => "work_product",
            Self::Silence => "silence",
            Self::Loop => "loop",
        }
    }

    /// Says what is the matter when it has run out.
    #[must_use]
    pub const fn trouble(self) -> &'static str {
        match self {
            Self::Beat => "no supervisor answers",
            Self::Handler => "it is still at one message",
            Self::Task => "the work beside it does not end",
            Self::Progress => "its attempt makes no progress",
            Self::Stage => "its attempt is still in one stage",
            Self::WorkProduct => "its agent changes nothing",
            Self::Silence => "its agent says nothing",
            Self::Loop => "work is ready and nothing starts",
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
