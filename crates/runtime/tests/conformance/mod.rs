//! The conformance table: one test for each case, named as in OTP's `supervisor_SUITE`, whose meaning decides.

mod admin;
mod beyond;
mod misc;
mod significant;
mod start;
mod stop;
mod strategies;
mod types;

/// Asks this very binary what it has, so that a test which is not run is not counted either.
#[test]
fn the_table_and_the_tests_are_the_same_list() {
    let listed = std::process::Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut there: Vec<String> = listed
        .lines()
        .filter_map(|line| line.strip_prefix("conformance::")?.strip_suffix(": test"))
        .filter_map(|path| path.split_once("::").map(|(group, name)| format!("{group} {name}")))
        .collect();
    there.sort();
    assert_eq!(there, promised());
}

/// Returns every name in the table behind the heading it stands under.
fn promised() -> Vec<String> {
    let mut group = "";
    let mut names = Vec::new();
    for line in include_str!("names.txt").lines() {
        match line.strip_prefix("# ") {
            Some(heading) => group = heading,
            None => names.push(format!("{group} {line}")),
        }
    }
    names.sort();
    names
}
