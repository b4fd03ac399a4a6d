//! Spans, metrics and logs: what they are called, how they follow from what happened, and how they reach a receiver.
//!
//! Three signals, three sources. **Spans** follow from the store's rows, so that a trace is whole after a restart, a kill or
//! an outage of its receiver ([`spans`]). **Metrics** are one fold over committed events ([`metrics`]). **Logs** are what
//! `tracing` is given, each with the trace of its task ([`logs`]).

mod client;
pub mod config;
mod exporters;
pub mod filter;
pub mod genai;
pub mod health;
pub mod logs;
pub mod metrics;
pub mod names;
pub mod outlet;
pub mod providers;
pub mod signal;
pub mod spans;
pub mod trace_context;
mod watched;

pub use providers::Telemetry;
