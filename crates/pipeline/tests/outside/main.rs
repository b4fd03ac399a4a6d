//! The outside world as it is: real git, real processes, in directories of their own.

mod engine;
mod files;
mod gate;
mod history;
mod leftovers;
mod locks;
mod merges;
mod prune;
mod repository;
mod requests;
mod runs;
mod support;
mod worktrees;
