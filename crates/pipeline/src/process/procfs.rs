//! What `/proc` says about processes; those that end while one looks are simply not there.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::MARKER;

/// One process at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) start_ticks: u64,
    /// Whether it ended and only waits for its parent to notice.
    pub(super) dead: bool,
}

/// Looks at one process.
pub(super) fn stat(pid: u32) -> Option<Stat> {
    let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &String::from_utf8_lossy(&bytes))
}

/// The program's name stands in parentheses and may hold any character, so the fields are counted from its end; their
/// order is that of proc(5): 3 state, 4 ppid, 5 pgrp, 22 starttime.
fn parse(pid: u32, text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Some(Stat {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start_ticks: fields.get(19)?.parse().ok()?,
        dead: matches!(*fields.first()?, "Z" | "X"),
    })
}

/// Looks at all processes.
pub(super) fn all() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(stat).collect()
}

/// Selects what `root` started, directly or not.
pub(super) fn descendants(all: &[Stat], root: u32) -> Vec<Stat> {
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for child in all.iter().filter(|stat| stat.parent == parent && stat.pid != root) {
            parents.push(child.pid);
            found.push(*child);
        }
    }
    found
}

/// Reads the marker that a process of ours carries; `None` too when its environment is another user's.
pub(super) fn marker(pid: u32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let prefix = format!("{MARKER}=");
    let value =
        environment.split(|&byte| byte == 0).find_map(|entry| entry.strip_prefix(prefix.as_bytes()))?;
    String::from_utf8(value.to_vec()).ok()
}

/// Signals a process unless its id belongs to another one by now.
pub(super) fn signal(process: &Stat, signal: Signal) {
    let same = stat(process.pid).is_some_and(|now| now.start_ticks == process.start_ticks);
    if let (true, Ok(pid)) = (same, i32::try_from(process.pid)) {
        // An error says that it ended in between, or may not be signalled: the caller looks again anyway.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let line = "42 (a ) b) S 7 42 42 0 -1 4194304 101 0 0 0 0 0 0 0 20 0 1 0 212950 3133440 390";
        let expected = Stat { pid: 42, parent: 7, group: 42, start_ticks: 212_950, dead: false };
        assert_eq!(parse(42, line), Some(expected));
    }

    #[test]
    fn descendants_are_found_at_any_depth() {
        let at = |pid, parent| Stat { pid, parent, group: 1, start_ticks: 0, dead: false };
        let all = [at(1, 0), at(2, 1), at(3, 2), at(4, 3), at(5, 1), at(6, 5)];
        let mut found: Vec<u32> = descendants(&all, 2).iter().map(|stat| stat.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [3, 4]);
    }
}
