//! Thin shells over the decisions of `glitchlab-domain`, in one supervision tree.
//!
//! [`tree`] is the only list of children and policies; [`engine::Engine`] is what they all are built from. An actor
//! here decides nothing that `domain` could decide, and owns nothing that the store does not have.

pub mod activation;
pub mod admission;
mod alarm;
pub mod budget_pacer;
pub mod carrying;
pub mod dashboard_hub;
pub mod durable;
pub mod engine;
pub mod feed;
pub mod ids;
pub mod janitor;
pub mod journal;
pub mod offer;
pub mod recovery;
pub mod scheduler;
pub mod shutdown;
pub mod slots;
pub mod tqm_alerter;
pub mod trace_exporter;
pub mod tree;
pub mod watchdog;
pub mod worker;

pub use engine::{BoardView, Chosen, Engine, Handles, Live, Parts, Settings, Tools};
pub use janitor::free_bytes;
