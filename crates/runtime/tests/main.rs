//! All tests of the crate, in one binary: the conformance table in `conformance`, and beside it what goes beyond it.

mod backoff;
mod conformance;
mod dynamic;
mod groups;
mod handle;
mod hang;
mod hosts;
mod invariants;
mod joining;
mod probe;
mod start;
mod stop;
mod tasks;
mod trace;
mod tree;
mod zombies;

/// A module that nobody declared would never be run.
#[test]
fn no_test_file_is_forgotten() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let declared = include_str!("main.rs");
    for entry in std::fs::read_dir(here).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let module = file.trim_end_matches(".rs");
        assert!(module == "main" || declared.contains(&format!("mod {module};")), "{file} is not declared");
    }
}
