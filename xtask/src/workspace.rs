//! Where things are: the checkout, its target directory, programs on the search path.

use std::env;
use std::path::{Path, PathBuf};

/// Returns the root of the checkout that this program was built from.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// Returns the directory that Cargo builds into.
pub(crate) fn target() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Returns the folder of the browser's scripts and packages.
pub(crate) fn e2e() -> PathBuf {
    root().join("tests/e2e")
}

/// Returns whether this is a run where nobody reads the reasons of a skip.
pub(crate) fn is_ci() -> bool {
    variable("CI").is_some_and(|value| !matches!(value.to_str(), Some("" | "0" | "false")))
}

/// Finds the first of some programs on the search path.
pub(crate) fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = variable("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

#[expect(clippy::disallowed_methods, reason = "the ban is for the engine; this program has no configuration")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_folder_of_the_workspace_manifest() {
        assert!(root().join("Cargo.toml").is_file());
        assert!(root().join("xtask/Cargo.toml").is_file());
    }

    #[test]
    fn a_program_is_found_by_its_first_name_that_exists() {
        let found = find_program(&["no-such-program-anywhere", "sh"]).expect("every system has a shell");
        assert!(found.ends_with("sh"));
        assert_eq!(find_program(&["no-such-program-anywhere"]), None);
    }
}
