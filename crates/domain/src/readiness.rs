//! Which issues are ready to be worked on, by the rules of beads' own `bd ready` (1.0.2 and 1.0.3).
//!
//! An issue is *active* unless it is closed, pinned by its status, ephemeral or absent. It is *blocked* when it is active and
//! waits for an active issue (`blocks`, `conditional-blocks`) or for a shut gate (`waits-for`). It is *ready* when it
//! is open, of a type that can be work, not deferred, not blocked, and its parent is neither blocked nor deferred.
//! Parents count for one level only: grandchildren of a blocked issue are ready.
//!
//! [`full`] says so in plain code; [`Index`] keeps the same answer up to date edit by edit. What of the ready is work
//! for us (types, labels, priorities) is [`crate::dispatch`]'s question, not this module's.

mod components;
mod cycles;
mod explain;
mod full;
mod graph;
mod index;
mod node;

pub use cycles::Cycle;
pub use explain::Readiness;
pub use full::full;
pub use index::{Changes, Index};
pub use node::{Facts, Node, Overlay};
