//! The store: both kinds agree, files are opened with care, and neither crashes nor a full disk lose a command.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agreement;
mod commands;
mod concurrency;
mod files;
mod open;
mod pages;
mod parts;
mod processes;
mod script;
