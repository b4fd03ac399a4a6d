//! Whole attempts over fakes of the three ports, and one over real git.

mod agents;
mod calls;
mod edits;
mod merges;
mod outcomes;
mod questions;
mod real;
mod resume;
mod simulated;
mod world;
