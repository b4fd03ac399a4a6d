//! One attempt at a task, and the outside world it touches.
//!
//! [`attempt::run`] goes through the stages, or goes on where an interruption left them. Three ports keep them testable:
//! [`durable::Durable`] (the log of one attempt, implemented over the store elsewhere), [`workspace::Workspace`] (a git
//! worktree per attempt) and [`forge::Forge`] (requests and merges), with their implementations beside them. Every
//! process of ours is started in [`process`], every git command in [`git`].
//!
//! Linux only: process trees are found in `/proc`, and children die with the engine by a parent-death signal.

pub mod attempt;
mod call;
pub mod durable;
mod ending;
#[cfg(any(test, feature = "fakes"))]
pub mod fakes;
pub mod forge;
pub mod git;
pub mod implementer;
mod kept;
pub mod process;
mod prompt;
mod reading;
mod run;
mod stages;
mod step;
mod trouble;
pub mod workspace;
