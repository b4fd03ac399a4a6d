//! The whole tree in virtual time.
//!
//! A [`World`] is everything that survives a process: the store, the backlog, the repository with its forge, the
//! provider with its own account, and the time. In it a *process* is a tokio runtime with the tree of
//! `glitchlab-actors` on top; killing it drops the runtime at an instant, and the next one starts on what is left.
//! Nothing sleeps: a day of waiting for a cap takes seconds.
//!
//! ```
//! use glitchlab_testkit::{Kill, Units, World, beads, check};
//!
//! World::seed(7)
//!     .backlog(beads::tasks(2))
//!     .at(40.secs(), Kill::Process)
//!     .run(2.hours())
//!     .check(check::provider_spend_at_most(5.usd()))
//!     .check(check::all_work_is_completed());
//! ```
//!
//! What must always hold ([`invariant`]) is checked during and after every run; a failure names its seed.

pub mod account;
pub mod act;
pub mod backlog;
pub mod beads;
pub mod check;
pub mod clock;
pub mod collector;
pub mod counted;
pub mod day;
pub mod engine;
pub mod failures;
pub mod invariant;
pub mod meters;
pub mod mortal;
mod probe;
mod process;
pub mod ran;
pub mod receiver;
pub mod settings;
pub mod tripwire;
mod units;
pub mod wired;
pub mod world;

pub use act::{Act, Kill};
pub use backlog::FakeBacklog;
pub use clock::WorldClock;
pub use collector::{FakeCollector, Manner};
pub use failures::{Failures, Often, Point};
pub use meters::Meters;
pub use ran::{End, Ran};
pub use receiver::{FakeReceiver, Reaction};
pub use tripwire::{Hold, Place, Trip, Tripwire};
pub use units::Units;
pub use world::World;
