//! What a dead engine left running.

use std::time::Duration;

use super::engine::Engine;
use super::procfs::{self, Stat};
use super::{ChildProcess, tree};

/// How long leftovers may take to end by themselves when they are asked to.
const GRACE: Duration = Duration::from_secs(2);

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many processes were found running.
    pub found: usize,
    /// Those that could not be killed.
    pub survivors: Vec<u32>,
}

/// Ends what dead engines left running, and returns when it is gone.
///
/// That is every process of the recorded ones that is still the one it was (by machine, id and start), with its group
/// and all it started; and every process that carries the marker of an engine that no longer lives, which finds what
/// left the group, and what nobody had recorded yet. What a living engine started is never touched.
pub async fn kill(recorded: &[ChildProcess]) -> Swept {
    let recorded = recorded.to_vec();
    let alive = move || alive(&recorded);
    let found = alive().len();
    let survivors = tree::end(alive, GRACE).await;
    Swept { found, survivors: survivors.iter().map(|stat| stat.pid).collect() }
}

/// Kills everything that this engine has started and that still runs, at once, and returns when it is gone.
pub async fn kill_own() -> Swept {
    let own = Engine::current();
    let is_ours = |stat: &Stat| !stat.dead && stat.pid != own.pid && starter(stat.pid).as_ref() == Some(own);
    let alive = move || procfs::all().into_iter().filter(is_ours).collect::<Vec<_>>();
    let found = alive().len();
    let survivors = tree::end(alive, Duration::ZERO).await;
    Swept { found, survivors: survivors.iter().map(|stat| stat.pid).collect() }
}

/// Reads from a process's marker which engine started it.
fn starter(pid: u32) -> Option<Engine> {
    procfs::marker(pid).and_then(|marker| Engine::from_marker(&marker))
}

fn alive(recorded: &[ChildProcess]) -> Vec<Stat> {
    let all = procfs::all();
    let leaders: Vec<&ChildProcess> = recorded.iter().filter(|child| is_same(child, &all)).collect();
    let lines: Vec<Stat> = leaders.iter().flat_map(|leader| procfs::descendants(&all, leader.pid)).collect();
    let belongs = |stat: &Stat| {
        leaders.iter().any(|leader| stat.pid == leader.pid || stat.group == leader.pgid)
            || lines.contains(stat)
            || is_orphan(stat.pid)
    };
    let own = std::process::id();
    all.iter().filter(|stat| !stat.dead && stat.pid != own && belongs(stat)).copied().collect()
}

fn is_same(child: &ChildProcess, all: &[Stat]) -> bool {
    child.host == Engine::current().host
        && all.iter().any(|stat| stat.pid == child.pid && stat.start_ticks == child.start_ticks)
}

/// A marker of another machine or namespace is not ours to judge.
fn is_orphan(pid: u32) -> bool {
    starter(pid).is_some_and(|engine| engine.host == Engine::current().host && !engine.is_alive())
}
