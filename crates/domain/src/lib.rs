//! The nouns and the decisions of GLITCHLAB: plain data and pure functions.
//!
//! Nothing here reads a clock, a file, the network or a source of randomness: they come as arguments. A change of
//! rule is a change of one pure function here, with a property test beside it.

pub mod agent;
pub mod alert;
pub mod bead;
pub mod board;
pub mod breaker;
pub mod command;
pub mod consent;
pub mod control;
pub mod decide;
pub mod dispatch;
pub mod event;
pub mod gate;
pub mod history;
pub mod id;
pub mod ledger;
pub mod money;
pub mod outcome;
pub mod pacing;
pub mod policy;
pub mod readiness;
pub mod reason;
pub mod response;
pub mod rows;
pub mod snapshot;
pub mod stage;
pub mod story;
pub mod task;
pub mod trace;
pub mod watchdog;
pub mod why;
