//! Who else is at work in a directory.

use std::fs;
use std::path::PathBuf;

use super::engine::Engine;
use super::procfs;

/// Says whether a program whose name begins with `name` runs in or below one of the directories, other than those
/// that `engine` started. Processes of other users show neither name nor place and don't count.
#[must_use]
pub fn others_at_work(name: &str, places: &[PathBuf], engine: &Engine) -> bool {
    let is_own =
        |pid| procfs::marker(pid).and_then(|marker| Engine::from_marker(&marker)).as_ref() == Some(engine);
    let is_there = |pid: u32| {
        fs::read_link(format!("/proc/{pid}/cwd"))
            .is_ok_and(|cwd| places.iter().any(|place| cwd.starts_with(place)))
    };
    let is_named =
        |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.starts_with(name));
    procfs::all()
        .iter()
        .any(|stat| !stat.dead && is_named(stat.pid) && is_there(stat.pid) && !is_own(stat.pid))
}
