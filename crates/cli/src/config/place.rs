//! Where the configuration of a repository is: in its main checkout, never in a worktree.

use std::fs;
use std::path::{Path, PathBuf};

/// The file, from the top of the main checkout.
pub(crate) const FILE: &str = ".glitchlab/config.toml";

/// Finds the top of the main checkout that a directory belongs to; without a repository, the directory itself.
pub(crate) fn main_checkout(start: &Path) -> PathBuf {
    let top = top(start);
    main_of(top).unwrap_or_else(|| top.to_owned())
}

/// Finds the top of the checkout or worktree that a directory belongs to; without a repository, the directory itself.
pub(crate) fn top(start: &Path) -> &Path {
    start.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(start)
}

/// A worktree's `.git` is a file that names a folder in the repository, which names the repository's own folder.
fn main_of(top: &Path) -> Option<PathBuf> {
    let link = fs::read_to_string(top.join(".git")).ok()?;
    let own = top.join(link.strip_prefix("gitdir:")?.trim());
    let common = fs::read_to_string(own.join("commondir")).ok()?;
    let common = fs::canonicalize(own.join(common.trim())).ok()?;
    common.file_name().filter(|name| *name == ".git")?;
    common.parent().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = fs::canonicalize(folder.path()).expect("it is there");
        (folder, path)
    }

    #[test]
    fn a_folder_deep_in_a_checkout_belongs_to_its_top() {
        let (_held, path) = folder();
        fs::create_dir_all(path.join("repo/.git")).expect("a folder");
        fs::create_dir_all(path.join("repo/a/b")).expect("a folder");
        assert_eq!(main_checkout(&path.join("repo/a/b")), path.join("repo"));
        assert_eq!(top(&path.join("repo/a/b")), path.join("repo"));
    }

    #[test]
    fn a_worktree_belongs_to_the_main_checkout() {
        let (_held, path) = folder();
        let own = path.join("repo/.git/worktrees/tree");
        fs::create_dir_all(&own).expect("a folder");
        fs::write(own.join("commondir"), "../..\n").expect("a file");
        fs::create_dir(path.join("tree")).expect("a folder");
        fs::write(path.join("tree/.git"), format!("gitdir: {}\n", own.display())).expect("a file");
        assert_eq!(main_checkout(&path.join("tree")), path.join("repo"));
        assert_eq!(top(&path.join("tree")), path.join("tree"), "a worktree has files of its own");
    }

    #[test]
    fn a_folder_without_a_repository_is_its_own() {
        let (_held, path) = folder();
        assert_eq!(main_checkout(&path), path);
    }
}
