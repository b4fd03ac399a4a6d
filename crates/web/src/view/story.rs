//! The page of one task: what became of it, and what it cost in all.

pub(crate) mod costs;
pub(crate) mod lead;
pub(crate) mod parts;
pub(crate) mod transcript;
pub(crate) mod tree;
pub(crate) mod waterfall;

/// Polls a task that runs this often, seconds.
pub(crate) const WHILE_RUNNING_S: u32 = 5;
/// Polls anything else this often, seconds.
pub(crate) const AT_REST_S: u32 = 30;
