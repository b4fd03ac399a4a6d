//! Backlogs for scenarios.

use glitchlab_backlog::jsonl;
use glitchlab_domain::bead::{Bead, BeadId, Dependency, DependencyKind};

use crate::clock::BEGIN_MS;

/// Returns one task.
#[must_use]
pub fn task(id: &str) -> Bead {
    let mut bead = Bead::new(BeadId::from(id), format!("Do what {id} says"));
    bead.description = format!("What {id} says is not much, but it must be done.");
    bead.created_ms = BEGIN_MS - 86_400_000;
    bead
}

/// Returns so many tasks that wait for nothing, `t-001` and so on.
#[must_use]
pub fn tasks(count: usize) -> Vec<Bead> {
    (1..=count).map(|n| task(&format!("t-{n:03}"))).collect()
}

/// Returns so many tasks, `t-001` and so on, of which each waits for the one before.
#[must_use]
pub fn chain(count: usize) -> Vec<Bead> {
    let mut beads = tasks(count);
    for n in 1..beads.len() {
        let on = beads[n - 1].id.clone();
        beads[n].dependencies = vec![Dependency { on, kind: DependencyKind::Blocks }];
    }
    beads
}

/// Reads the export of a tracker.
///
/// # Panics
///
/// When a line of it cannot be read.
#[must_use]
pub fn export(jsonl: &[u8]) -> Vec<Bead> {
    let parsed = jsonl::parse(jsonl);
    assert!(parsed.faults.is_empty(), "the export has faults: {:?}", parsed.faults);
    parsed.beads
}

/// Gives an issue and all it depends on other names: `prefix` before the old ones.
#[must_use]
pub fn renamed(mut bead: Bead, prefix: &str) -> Bead {
    let rename = |id: &BeadId| BeadId::new(format!("{prefix}-{id}"));
    bead.id = rename(&bead.id);
    for dependency in &mut bead.dependencies {
        dependency.on = rename(&dependency.on);
    }
    bead
}
