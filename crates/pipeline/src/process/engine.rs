//! Who an engine is, so that another one can tell whether it still lives.

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::procfs;

/// One life of an engine's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    /// The boot of the machine and the namespace in which the process id holds.
    pub host: String,
    /// The process id.
    pub pid: u32,
    /// When it started, in clock ticks since the machine booted.
    pub start_ticks: u64,
}

impl Engine {
    /// Names this process.
    #[must_use]
    pub fn current() -> &'static Self {
        static CURRENT: OnceLock<Engine> = OnceLock::new();
        CURRENT.get_or_init(|| {
            let pid = std::process::id();
            let start_ticks = procfs::stat(pid).map_or(0, |stat| stat.start_ticks);
            Self { host: host(), pid, start_ticks }
        })
    }

    /// Says whether it runs; what was started before the machine booted does not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let same = |stat: procfs::Stat| stat.start_ticks == self.start_ticks && !stat.dead;
        self.host == Self::current().host && procfs::stat(self.pid).is_some_and(same)
    }

    /// Makes a marker for one more process of this engine.
    pub(super) fn next_marker(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("{} {} {} {n}", self.host, self.pid, self.start_ticks)
    }

    /// Reads back who started the process that carries this marker.
    pub(super) fn from_marker(marker: &str) -> Option<Self> {
        let mut parts = marker.split(' ');
        let host = parts.next()?.to_owned();
        Some(Self { host, pid: parts.next()?.parse().ok()?, start_ticks: parts.next()?.parse().ok()? })
    }
}

/// Names the boot of the machine and the namespace of process ids: only within both do ids mean the same process.
fn host() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{}/{}", boot.trim(), namespace.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_its_namesake_of_another_start_is_not() {
        let current = Engine::current();
        assert!(current.is_alive());
        assert!(!Engine { start_ticks: current.start_ticks + 1, ..current.clone() }.is_alive());
        assert!(!Engine { host: "another boot".into(), ..current.clone() }.is_alive());
    }

    #[test]
    fn a_marker_names_its_engine_and_is_never_used_twice() {
        let current = Engine::current();
        let (first, second) = (current.next_marker(), current.next_marker());
        assert_ne!(first, second);
        assert_eq!(Engine::from_marker(&first).as_ref(), Some(current));
    }
}
