use std::process::ExitCode;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "--help".to_owned());
    match argument.as_str() {
        "--help" => println!("Usage: almanac 2026-01-31"),
        "--version" => println!("almanac {}", env!("CARGO_PKG_VERSION")),
        text => match almanac::parse::parse(text) {
            Ok(date) => print!("{}", almanac::page::page(date)),
            Err(what) => {
                eprintln!("{what}");
                return ExitCode::FAILURE;
            }
        },
    }
    ExitCode::SUCCESS
}
