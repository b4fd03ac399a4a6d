//! Log lines with the trace of their task: as JSON lines, and as records for a receiver. Both take what an event says of its
//! task from its own fields `task`, `attempt`, `trace` and `span`, and what it does not say from the spans around it.

mod carried;
mod fields;
mod json;
mod otlp;

pub use carried::{Carried, Carrying, carried};
pub use fields::{Fields, Value};
pub use json::JsonLines;
pub use otlp::LogRecords;

#[cfg(test)]
mod tests;
