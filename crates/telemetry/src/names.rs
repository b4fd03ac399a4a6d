//! Every name that leaves the program. `docs/telemetry.md` is made from these constants.

pub mod attribute;
pub mod metric;
pub mod span;

#[cfg(test)]
mod page;
#[cfg(test)]
mod tests;
