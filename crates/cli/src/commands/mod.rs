//! One file for each command.

pub(crate) mod config;
pub(crate) mod continuous;
pub(crate) mod control;
pub(crate) mod doctor;
pub(crate) mod dry_run;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod past;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod why;
