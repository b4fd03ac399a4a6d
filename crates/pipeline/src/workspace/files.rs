//! Reading and changing single files.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::WorkspaceError;
use super::contain::{Inside, failed};

/// When a whole-file write is taken for a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShrinkBound {
    /// Files smaller than this may shrink as they like.
    pub from_bytes: u64,
    /// The least part of its size that a larger file must keep.
    pub keep_percent: u64,
}

/// Reads a text file.
pub(super) fn read_text(file: &Inside, limit_bytes: u64) -> Result<String, WorkspaceError> {
    let bytes = regular(file)?.len();
    if bytes > limit_bytes {
        return Err(WorkspaceError::TooLarge { path: file.given.clone(), bytes, limit_bytes });
    }
    let content = fs::read(&file.absolute).map_err(|source| failed("read", &file.absolute, source))?;
    let text = String::from_utf8(content).ok().filter(|text| !text.contains('\0'));
    text.ok_or_else(|| WorkspaceError::Binary { path: file.given.clone() })
}

/// Says whether [`write_text`] would refuse content of so many bytes.
pub(super) fn check_write(file: &Inside, bytes: u64, bound: ShrinkBound) -> Result<(), WorkspaceError> {
    match regular(file) {
        Ok(before) => refuse_shrinking(file, before.len(), bytes, bound),
        Err(WorkspaceError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes a whole file with its directories, at once: whoever reads sees the old or the new content.
pub(super) fn write_text(
    file: &Inside,
    content: &str,
    bound: Option<ShrinkBound>,
    scratch: &Path,
) -> Result<(), WorkspaceError> {
    let before = match regular(file) {
        Ok(metadata) => Some(metadata),
        Err(WorkspaceError::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    if let (Some(before), Some(bound)) = (&before, bound) {
        refuse_shrinking(file, before.len(), content.len() as u64, bound)?;
    }
    let replaced = replace_file(&file.absolute, content, before.as_ref(), scratch);
    replaced.map_err(|source| failed("write", &file.absolute, source))
}

/// Returns the text with `old`, which must be there exactly once, replaced.
pub(super) fn replace_once(
    file: &Inside,
    text: &str,
    old: &str,
    new: &str,
) -> Result<String, WorkspaceError> {
    let found = if old.is_empty() { 0 } else { occurrences(text, old) };
    if found == 1 {
        Ok(text.replacen(old, new, 1))
    } else {
        Err(WorkspaceError::NotOnce { path: file.given.clone(), found })
    }
}

/// Removes a file or a link.
pub(super) fn remove(entry: &Inside) -> Result<(), WorkspaceError> {
    let metadata = entry.absolute.symlink_metadata().map_err(|error| not_found(entry, error))?;
    if metadata.is_dir() {
        return Err(WorkspaceError::NotAFile { path: entry.given.clone() });
    }
    fs::remove_file(&entry.absolute).map_err(|source| failed("remove", &entry.absolute, source))
}

fn regular(file: &Inside) -> Result<Metadata, WorkspaceError> {
    let metadata = fs::metadata(&file.absolute).map_err(|error| not_found(file, error))?;
    // Opening a pipe would wait for its other end.
    if metadata.is_file() { Ok(metadata) } else { Err(WorkspaceError::NotAFile { path: file.given.clone() }) }
}

fn not_found(file: &Inside, error: io::Error) -> WorkspaceError {
    match error.kind() {
        io::ErrorKind::NotFound => WorkspaceError::NotFound { path: file.given.clone() },
        _ => failed("look at", &file.absolute, error),
    }
}

fn refuse_shrinking(
    file: &Inside,
    before_bytes: u64,
    after_bytes: u64,
    bound: ShrinkBound,
) -> Result<(), WorkspaceError> {
    if before_bytes >= bound.from_bytes
        && after_bytes.saturating_mul(100) < before_bytes.saturating_mul(bound.keep_percent)
    {
        return Err(WorkspaceError::Shrinks { path: file.given.clone(), before_bytes, after_bytes });
    }
    Ok(())
}

fn replace_file(path: &Path, content: &str, before: Option<&Metadata>, scratch: &Path) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let new = scratch.join(format!("{}-{n}", std::process::id()));
    fs::create_dir_all(scratch)?;
    fs::write(&new, content)?;
    if let Some(before) = before {
        fs::set_permissions(&new, before.permissions())?;
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::rename(&new, path)
}

/// Counts also those that overlap: replacing either would be a guess.
fn occurrences(text: &str, old: &str) -> usize {
    let first = old.chars().next().map_or(1, char::len_utf8);
    let (mut found, mut from) = (0, 0);
    while let Some(at) = text[from..].find(old) {
        found += 1;
        from += at + first;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::contain::resolve;
    use super::*;

    const BOUND: ShrinkBound = ShrinkBound { from_bytes: 100, keep_percent: 50 };

    struct Place {
        top: tempfile::TempDir,
        scratch: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            Self { top: tempfile::tempdir().unwrap(), scratch: tempfile::tempdir().unwrap() }
        }

        fn file(&self, path: &str) -> Inside {
            resolve(self.top.path(), path).unwrap()
        }

        fn write(&self, path: &str, content: &str) -> Result<(), WorkspaceError> {
            write_text(&self.file(path), content, Some(BOUND), self.scratch.path())
        }
    }

    #[test]
    fn a_written_file_reads_back_and_its_directories_are_made() {
        let place = Place::new();
        place.write("a/b/c.txt", "hello").unwrap();
        assert_eq!(read_text(&place.file("a/b/c.txt"), 100).unwrap(), "hello");
        assert_eq!(fs::read_dir(place.scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_executable_file_stays_executable() {
        let place = Place::new();
        place.write("run.sh", "old").unwrap();
        let path = place.top.path().join("run.sh");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        place.write("run.sh", "new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_write_that_loses_half_of_a_file_is_refused() {
        let place = Place::new();
        place.write("long", &"x".repeat(200)).unwrap();
        let error = place.write("long", &"y".repeat(99)).unwrap_err();
        assert!(
            matches!(error, WorkspaceError::Shrinks { before_bytes: 200, after_bytes: 99, .. }),
            "{error}"
        );
        place.write("long", &"y".repeat(100)).unwrap();
        place.write("short", &"x".repeat(99)).unwrap();
        place.write("short", "").unwrap();
    }

    #[test]
    fn what_is_no_text_of_moderate_size_is_not_read() {
        let place = Place::new();
        let error_of = |path: &str| read_text(&place.file(path), 10).unwrap_err();
        fs::write(place.top.path().join("zero"), b"a\0b").unwrap();
        fs::write(place.top.path().join("latin"), b"gr\xfc\xdf").unwrap();
        fs::write(place.top.path().join("large"), "01234567890").unwrap();
        fs::create_dir(place.top.path().join("directory")).unwrap();
        assert!(matches!(error_of("zero"), WorkspaceError::Binary { .. }));
        assert!(matches!(error_of("latin"), WorkspaceError::Binary { .. }));
        assert!(matches!(error_of("large"), WorkspaceError::TooLarge { bytes: 11, limit_bytes: 10, .. }));
        assert!(matches!(error_of("directory"), WorkspaceError::NotAFile { .. }));
        assert!(matches!(error_of("nothing"), WorkspaceError::NotFound { .. }));
    }

    #[test]
    fn a_replacement_needs_exactly_one_place() {
        let place = Place::new();
        let file = place.file("a");
        assert_eq!(replace_once(&file, "one two three", "two", "2").unwrap(), "one 2 three");
        for (text, old, expected) in
            [("a a", "a", 2), ("aaa", "aa", 2), ("abc", "x", 0), ("abc", "", 0), ("ß ß", "ß", 2)]
        {
            let error = replace_once(&file, text, old, "new").unwrap_err();
            assert!(
                matches!(error, WorkspaceError::NotOnce { found, .. } if found == expected),
                "{text:?} {old:?}: {error}"
            );
        }
    }
}
