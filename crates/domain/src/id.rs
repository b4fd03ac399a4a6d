//! The ids that our own rows carry, each its own type so that none can stand for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// Names a task in every table and effect: a hash of the repository's id and the bead's id.
    TaskKey
}
text_id! {
    /// Names one attempt. Made by the caller; its first eight characters tell the attempts of a task apart.
    AttemptId
}
text_id! {
    /// Names one life of the process.
    BootId
}
text_id! {
    /// The random id written with a claim; every write and reservation of the attempt carries it.
    Fence
}
text_id! {
    /// Names one effect by what it does, never by when or by which attempt.
    EffectKey
}

/// Names one reservation: one HTTP request for one call of one step of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TryKey {
    /// The attempt that asks.
    pub attempt_id: AttemptId,
    /// The step, counted from 0 within the attempt.
    pub step_n: u32,
    /// The call, counted from 0 within the step.
    pub call_no: u32,
    /// The try, counted from 0 within the call.
    pub try_no: u32,
}

impl fmt::Display for TryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.attempt_id, self.step_n, self.call_no, self.try_no)
    }
}
