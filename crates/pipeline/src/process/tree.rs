//! A process with all it started, and how they end.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::ChildProcess;
use super::engine::Engine;
use super::procfs::{self, Stat};

/// How long killed processes may take to vanish; one in an uninterruptible system call can take forever.
const KILL_WAIT: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// One process of ours and what it started. Dropped before it was ended, it kills them at once.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) leader: ChildProcess,
    members: Members,
    ended: bool,
}

/// Which processes belong to a tree.
#[derive(Clone, Debug)]
struct Members {
    leader: u32,
    /// Found in the environment of those that left both the group and the line of descent.
    marker: Option<String>,
    /// Whether the leader itself is one of those to end; a shim goes last, for it holds the others together.
    with_leader: bool,
}

impl Tree {
    /// A shim with the program behind it.
    pub(super) fn behind_shim(pid: u32, marker: String) -> Self {
        Self::new(pid, Members { leader: pid, marker: Some(marker), with_leader: false })
    }

    /// A program that was started directly.
    pub(super) fn direct(pid: u32) -> Self {
        Self::new(pid, Members { leader: pid, marker: None, with_leader: true })
    }

    fn new(pid: u32, members: Members) -> Self {
        let start_ticks = procfs::stat(pid).map_or(0, |stat| stat.start_ticks);
        let host = Engine::current().host.clone();
        Self { leader: ChildProcess { pid, pgid: pid, start_ticks, host }, members, ended: false }
    }

    /// Asks the members to end, then kills them; returns those that are still there.
    pub(super) async fn end(&mut self, grace: Duration) -> Vec<u32> {
        let members = self.members.clone();
        let left = end(move || members.alive(), grace).await;
        self.ended = true;
        left.iter().map(|stat| stat.pid).collect()
    }

    /// Leaves the tree alone: its leader ended and it may have daemons that are meant to live on.
    pub(super) fn release(&mut self) {
        self.ended = true;
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // The future that ran it was dropped, so nobody can wait. Twice, for what was forked during the first walk.
        for _ in 0..2 {
            self.members.alive().iter().for_each(|stat| procfs::signal(stat, Signal::SIGKILL));
        }
        if let Some(leader) = procfs::stat(self.leader.pid) {
            procfs::signal(&leader, Signal::SIGKILL);
        }
    }
}

impl Members {
    fn alive(&self) -> Vec<Stat> {
        let all = procfs::all();
        let line = procfs::descendants(&all, self.leader);
        all.iter().filter(|stat| !stat.dead && self.includes(stat, &line)).copied().collect()
    }

    fn includes(&self, stat: &Stat, line: &[Stat]) -> bool {
        if stat.pid == self.leader {
            return self.with_leader;
        }
        stat.group == self.leader || line.contains(stat) || self.is_marked(stat.pid)
    }

    fn is_marked(&self, pid: u32) -> bool {
        self.marker.is_some() && procfs::marker(pid) == self.marker
    }
}

/// Ends what `alive` finds: SIGTERM, the grace, SIGKILL until nothing is found. Returns what does not go.
pub(super) async fn end(
    alive: impl Fn() -> Vec<Stat> + Clone + Send + 'static,
    grace: Duration,
) -> Vec<Stat> {
    let first = look(alive.clone(), Vec::new()).await;
    if first.is_empty() {
        return first;
    }
    for stat in &first {
        procfs::signal(stat, Signal::SIGTERM);
        // One that was stopped would never get to see the signal.
        procfs::signal(stat, Signal::SIGCONT);
    }
    let stubborn = wait_until_gone(alive.clone(), first, grace, None).await;
    if stubborn.is_empty() {
        return stubborn;
    }
    wait_until_gone(alive, stubborn, KILL_WAIT, Some(Signal::SIGKILL)).await
}

async fn wait_until_gone(
    alive: impl Fn() -> Vec<Stat> + Clone + Send + 'static,
    mut left: Vec<Stat>,
    at_most: Duration,
    signal: Option<Signal>,
) -> Vec<Stat> {
    let deadline = Instant::now() + at_most;
    let mut pause = Duration::from_millis(2);
    loop {
        left = look(alive.clone(), left).await;
        if left.is_empty() || Instant::now() >= deadline {
            return left;
        }
        if let Some(signal) = signal {
            left.iter().for_each(|stat| procfs::signal(stat, signal));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Finds what is alive now, with those `known` from before: a member whose leader just went belongs to it no less.
async fn look(alive: impl Fn() -> Vec<Stat> + Send + 'static, known: Vec<Stat>) -> Vec<Stat> {
    let find = move || {
        let mut found = alive();
        for old in known {
            let same = procfs::stat(old.pid).filter(|now| now.start_ticks == old.start_ticks && !now.dead);
            found.extend(same.filter(|now| found.iter().all(|stat| stat.pid != now.pid)));
        }
        found
    };
    spawn_blocking(find).await.unwrap_or_default()
}
