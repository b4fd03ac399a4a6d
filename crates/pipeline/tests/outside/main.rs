//! The outside world as it is: real git, real processes, in directories of their own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod engine;
mod files;
mod gate;
mod history;
mod kills;
mod leftovers;
mod locks;
mod merges;
mod prune;
mod repository;
mod requests;
mod runs;
mod steps;
mod support;
mod worktrees;
