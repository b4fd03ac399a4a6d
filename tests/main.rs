//! End-to-end scenarios: the real program, real git, real processes. One file for each; `every_scenario_is_listed` sees
//! to it that none is forgotten.

mod agent;
mod alerts;
mod bad_input;
mod breach;
mod collector;
mod configuration;
mod control;
mod control_kill;
mod dashboard;
mod history;
mod kill_minus_nine;
mod metrics;
mod money;
mod review;
mod run;
mod sample_backlog;
mod shutdown;
mod support;
mod telemetry;
mod watchdog;
mod why;

#[test]
fn every_scenario_is_listed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests");
    let listed = include_str!("main.rs");
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let name = entry.expect("an entry").file_name().into_string().expect("a plain name");
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(
                listed.contains(&format!("mod {module};")),
                "tests/{name} is not listed in tests/main.rs"
            );
        }
    }
}
