//! The whole tree in virtual time: one file for each kind of trouble.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

mod alerts;
mod crashes;
mod day;
mod failpoints;
mod gate;
mod kills;
mod metrics;
mod money;
mod people;
mod promises;
mod questions;
mod sample;
mod stalls;
mod traces;
mod tree;
