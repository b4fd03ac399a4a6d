//! The program `glitchlab`: arguments, configuration, composition, exit codes.

mod agents;
mod args;
mod banner;
mod boot;
mod commands;
mod compose;
mod config;
mod dashboard;
mod demo;
mod exit;
mod exports;
mod here;
mod history_file;
mod log;
mod output;
mod own_process;
mod pages;
mod progress;
mod records;
mod reload;
mod standing;
mod summary;
mod table;
mod times;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

use crate::args::{Args, Command};
use crate::exit::Stop;

/// Tasks and threads hand what they allocated to each other all the time, which this allocator is made for: in the system's, the
/// writer of the store spent a fifth of its processor time (`docs/benchmarks.md`).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // A usage error is told by clap, with a suggestion, and exits 2.
    let args = Args::parse();
    let run = match args.command {
        Command::Continuous(flags) => commands::continuous::run(&flags),
        Command::Status(flags) => commands::status::run(&flags),
        Command::Dashboard(flags) => commands::dashboard::run(&flags),
        Command::Service(flags) => commands::service::run(&flags),
        Command::Why(flags) => commands::why::run(&flags),
        Command::Trace(named) => commands::trace::run(&named),
        Command::Run(flags) => commands::run::run(&flags),
        Command::Pause(flags) => commands::control::pause(&flags),
        Command::Resume(place) => commands::control::resume(&place),
        Command::Stop(place) => commands::control::stop(&place),
        Command::Approve(named) => commands::control::approve(&named),
        Command::Retry(named) => commands::control::retry(&named),
        Command::Drop(named) => commands::control::put_away(&named),
        Command::Alerts { what } => commands::alerts::run(&what),
        Command::Config(flags) => commands::config::run(&flags),
        Command::Init(flags) => commands::init::run(&flags),
        Command::Doctor(flags) => commands::doctor::run(&flags),
        Command::History(flags) => commands::history::run(&flags),
        Command::Report(flags) => commands::report::run(&flags),
    };
    run.unwrap_or_else(|stop: Stop| stop.tell())
}
