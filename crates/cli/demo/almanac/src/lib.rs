//! The page of a wall calendar for any day: one module for each thing that is printed on it.

pub mod count;
pub mod date;
pub mod daylight;
pub mod frame;
pub mod grid;
pub mod heading;
pub mod leap;
pub mod month;
pub mod moon;
pub mod ordinal;
pub mod page;
pub mod parse;
pub mod roman;
pub mod season;
pub mod weekday;
