//! The counter of self-restarts, in a file beside the store: it must survive the process, and the store may be what hangs.

use std::fs;
use std::io;
use std::path::Path;

use glitchlab_domain::watchdog::Restarts;

use super::measures::too_often;

/// The counter's file.
const FILE: &str = "restarts.json";

/// Counts one restart more.
///
/// # Errors
///
/// Says that there were too many, or that the counter cannot be kept: without it nothing would end a loop of restarts.
pub(super) fn count(folder: &Path, now_ms: i64) -> Result<(), String> {
    let path = folder.join(FILE);
    let mut restarts = match fs::read(&path) {
        // One that cannot be read is as good as none: it is written anew.
        Ok(text) => serde_json::from_slice(&text).unwrap_or_default(),
        Err(_) => Restarts::default(),
    };
    if !restarts.count(now_ms) {
        return Err(too_often());
    }
    write(&path, &restarts).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

/// Replaces the file as a whole, so that a kill in between leaves the old one.
fn write(path: &Path, restarts: &Restarts) -> io::Result<()> {
    let text = serde_json::to_vec(restarts)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_survives_in_its_file_and_a_broken_one_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("watchdog");
        assert!((0..3).all(|n| count(&below, n).is_ok()));
        assert!(count(&below, 4).unwrap_err().contains("3 times within 6 h"));
        fs::write(below.join(FILE), "not JSON").unwrap();
        assert_eq!(count(&below, 5), Ok(()));
    }

    #[test]
    fn a_counter_that_cannot_be_kept_allows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(count(&file.join("watchdog"), 0).unwrap_err().contains("cannot be written"));
    }
}
