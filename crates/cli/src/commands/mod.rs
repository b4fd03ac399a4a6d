//! One file for each command.

pub(crate) mod continuous;
pub(crate) mod status;
