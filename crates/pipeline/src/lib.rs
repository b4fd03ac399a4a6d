//! One attempt at a task, and the outside world it touches.
//!
//! Three ports keep the stages testable: [`workspace::Workspace`] (a git worktree per attempt), [`forge::Forge`]
//! (requests and merges) and the durable log. Their implementations stand beside them. Every process of ours is
//! started in [`process`], every git command in [`git`].
//!
//! Linux only: process trees are found in `/proc`, and children die with the engine by a parent-death signal.

pub mod forge;
pub mod git;
pub mod process;
pub mod workspace;
