//! Paths that stay inside a worktree.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::WorkspaceError;

/// A path that was checked to lead to a place inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inside {
    /// The path as it was given, for messages.
    pub(super) given: String,
    /// The place on the disk, with no symbolic link on the way.
    pub(super) absolute: PathBuf,
    /// The same place, relative to the top.
    pub(super) relative: String,
}

/// Follows a path, links included, to the place it leads to.
pub(super) fn resolve(top: &Path, path: &str) -> Result<Inside, WorkspaceError> {
    let outside = || WorkspaceError::Outside { path: path.to_owned() };
    let names = plain_names(path).ok_or_else(outside)?;
    let top = top.canonicalize().map_err(|source| failed("find", top, source))?;
    let absolute = follow(&top, &names).map_err(|source| failed("follow", Path::new(path), source))?;
    let absolute = absolute.ok_or_else(outside)?;
    let relative = absolute.strip_prefix(&top).map_err(|_| outside())?;
    let relative = relative.to_str().filter(|relative| !relative.is_empty()).ok_or_else(outside)?.to_owned();
    refuse_git(path, path)?;
    refuse_git(path, &relative)?;
    Ok(Inside { given: path.to_owned(), absolute, relative })
}

/// Follows a path to the entry that it names, which may be a link itself.
pub(super) fn resolve_entry(top: &Path, path: &str) -> Result<Inside, WorkspaceError> {
    let Some((directory, name)) = path.rsplit_once('/') else {
        return entry_at(top, path, path, "");
    };
    if !top.join(directory).exists() {
        return Err(WorkspaceError::NotFound { path: path.to_owned() });
    }
    let directory = resolve(top, directory)?;
    entry_at(&directory.absolute, name, path, &format!("{}/", directory.relative))
}

fn entry_at(directory: &Path, name: &str, given: &str, prefix: &str) -> Result<Inside, WorkspaceError> {
    match plain_names(name).as_deref() {
        Some([_]) => {}
        _ => return Err(WorkspaceError::Outside { path: given.to_owned() }),
    }
    refuse_git(given, name)?;
    Ok(Inside {
        given: given.to_owned(),
        absolute: directory.join(name),
        relative: format!("{prefix}{name}"),
    })
}

fn plain_names(path: &str) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => names.push(name.to_str()?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!names.is_empty() && !path.contains('\0')).then_some(names)
}

/// Resolves what exists of the path; the rest is taken as it is. `None` for a link that leads nowhere: what would be
/// written through it cannot be known to be inside.
fn follow(top: &Path, names: &[&str]) -> io::Result<Option<PathBuf>> {
    let mut place = top.to_owned();
    for (n, name) in names.iter().enumerate() {
        let next = place.join(name);
        match next.canonicalize() {
            Ok(real) => place = real,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                let dangling = fs::symlink_metadata(&next).is_ok();
                return Ok((!dangling).then(|| names[n..].iter().fold(place, |place, name| place.join(name))));
            }
            Err(error) => return Err(error),
        }
        if !place.starts_with(top) {
            return Ok(None);
        }
    }
    Ok(Some(place))
}

/// git's own files decide what git does, so they are never touched, wherever they are.
fn refuse_git(given: &str, path: &str) -> Result<(), WorkspaceError> {
    if path.split('/').any(|name| name.eq_ignore_ascii_case(".git")) {
        return Err(WorkspaceError::Protected { path: given.to_owned(), pattern: ".git".to_owned() });
    }
    Ok(())
}

pub(super) fn failed(doing: &'static str, path: &Path, source: io::Error) -> WorkspaceError {
    WorkspaceError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn top() -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join("src")).unwrap();
        fs::write(top.path().join("src/a.rs"), "a").unwrap();
        top
    }

    #[test]
    fn a_path_inside_is_found_whether_or_not_it_exists() {
        let top = top();
        assert_eq!(resolve(top.path(), "src/a.rs").unwrap().relative, "src/a.rs");
        assert_eq!(resolve(top.path(), "./src/new/b.rs").unwrap().relative, "src/new/b.rs");
    }

    #[test]
    fn ways_out_are_refused() {
        let top = top();
        for path in ["", ".", "..", "../x", "src/../../x", "src/..", "/etc/passwd", "a\0b"] {
            let error = resolve(top.path(), path).unwrap_err();
            assert!(matches!(error, WorkspaceError::Outside { .. }), "{path:?}: {error}");
        }
    }

    #[test]
    fn links_that_leave_are_refused_and_links_that_stay_are_followed() {
        let (top, elsewhere) = (top(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("secret"), "s").unwrap();
        symlink(elsewhere.path(), top.path().join("out")).unwrap();
        symlink(elsewhere.path().join("secret"), top.path().join("secret")).unwrap();
        symlink(elsewhere.path().join("nothing"), top.path().join("dangling")).unwrap();
        symlink("src", top.path().join("alias")).unwrap();
        for path in ["out/secret", "out/new", "secret", "dangling", "dangling/x", "out"] {
            let error = resolve(top.path(), path).unwrap_err();
            assert!(matches!(error, WorkspaceError::Outside { .. }), "{path:?}: {error}");
        }
        assert_eq!(resolve(top.path(), "alias/a.rs").unwrap().relative, "src/a.rs");
    }

    #[test]
    fn the_files_of_git_are_refused_under_any_name() {
        let top = top();
        fs::create_dir(top.path().join(".git")).unwrap();
        symlink(".git", top.path().join("alias")).unwrap();
        for path in [".git", ".git/config", ".GIT/config", "src/.git/config", "alias/config"] {
            let error = resolve(top.path(), path).unwrap_err();
            assert!(matches!(error, WorkspaceError::Protected { .. }), "{path:?}: {error}");
        }
        assert!(resolve(top.path(), ".gitignore").is_ok());
    }

    #[test]
    fn an_entry_is_the_link_itself() {
        let top = top();
        symlink("a.rs", top.path().join("src/link")).unwrap();
        let entry = resolve_entry(top.path(), "src/link").unwrap();
        assert!(entry.absolute.ends_with("src/link"));
        assert!(matches!(resolve_entry(top.path(), ".."), Err(WorkspaceError::Outside { .. })));
        assert!(matches!(resolve_entry(top.path(), "src/.git"), Err(WorkspaceError::Protected { .. })));
        assert!(matches!(resolve_entry(top.path(), "no/such"), Err(WorkspaceError::NotFound { .. })));
    }
}
