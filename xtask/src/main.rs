//! The project's own commands: `cargo xtask test`, `tools`, `e2e`, `screenshots`.
//!
//! Each command is one file. `test` is what a contributor and CI run, and it runs everything else that proves
//! something; `CONTRIBUTING.md` tells how a test reports that it was skipped.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for a terminal speaks by printing")]

mod checks;
mod demo;
mod e2e;
mod licences;
mod process;
mod screenshots;
mod skips;
mod suite;
mod tally;
mod test;
mod tools;
mod troubled;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs every check and every test, and ends with one line that counts them
    Test(test::Options),
    /// Installs what the whole suite needs, or says what is missing and how to get it
    Tools,
    /// Looks at the running demo with a real browser
    E2e(demo::Options),
    /// Takes the pictures in docs/images from the running demo and from an engine in trouble
    Screenshots(demo::Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Test(options) => test::run(options),
        Command::Tools => tools::run(),
        Command::E2e(options) => e2e::run(&options),
        Command::Screenshots(options) => screenshots::run(options),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
