//! The sentence over the tree.

use glitchlab_domain::snapshot::{Activity, Snapshot};
use glitchlab_runtime::{NodeSnapshot, NodeState, Supervision, TreeSnapshot};

use super::state;
use crate::view::Moment;
use crate::view::glyph::Glyph;
use crate::view::lead::{Figure, Lead};
use crate::view::text;

/// Says whether the tree is whole, and how near a supervisor is to giving up.
pub(crate) fn lead(moment: &Moment) -> Lead {
    let Some(tree) = &moment.tree else {
        return Lead::says(
            Glyph::Stop,
            "No actor runs here",
            "This process has no supervision tree, or not yet.",
        );
    };
    let all = count(tree);
    let heading = if all.running == all.nodes {
        format!("All {} actors run", all.nodes)
    } else {
        format!("{} of {} actors run", all.running, all.nodes)
    };
    let text = [all.down(), tolerance(all.worst)].join(" ");
    let mut lead = Lead::says(all.glyph(&moment.snapshot), heading, text.trim());
    if let Some((_, worst)) = all.worst {
        let value = format!("{} of {}", worst.restarts_in_window, worst.max);
        lead.figures = vec![Figure { value, label: "restarts in the worst window".to_owned() }];
    }
    lead
}

/// What a whole tree adds up to.
#[derive(Default)]
struct Sum<'a> {
    nodes: usize,
    running: usize,
    zombies: bool,
    /// The first that does not run, and its state.
    first_down: Option<(&'a str, &'static str)>,
    /// The supervisor with the largest used share of its restarts.
    worst: Option<(&'a str, Supervision)>,
}

fn count(tree: &TreeSnapshot) -> Sum<'_> {
    let mut sum = Sum::default();
    sum.add(&tree.root);
    sum
}

impl<'a> Sum<'a> {
    fn add(&mut self, node: &'a NodeSnapshot) {
        self.nodes += 1;
        if node.state == NodeState::Running {
            self.running += 1;
        } else {
            self.first_down = self.first_down.or(Some((&node.id, state(node).1)));
        }
        self.zombies |= node.state == NodeState::Zombie || node.zombies > 0;
        if let Some(supervision) = node.supervision
            && self.worst.is_none_or(|(_, worst)| nearer(supervision, worst))
        {
            self.worst = Some((&node.id, supervision));
        }
        for child in &node.children {
            self.add(child);
        }
    }

    /// Names what does not run.
    fn down(&self) -> String {
        match (self.first_down, self.nodes - self.running) {
            (None, _) => String::new(),
            (Some((id, state)), 1) => format!("{id}: {}.", state.to_lowercase()),
            (Some((id, state)), n) => format!("{id}: {}; {} more.", state.to_lowercase(), n - 1),
        }
    }

    fn glyph(&self, snapshot: &Snapshot) -> Glyph {
        if self.running == self.nodes {
            if self.zombies { Glyph::Dead } else { Glyph::Ok }
        } else if matches!(snapshot.activity, Activity::Draining | Activity::Stopped) {
            Glyph::Pause
        } else {
            Glyph::Again
        }
    }
}

/// Tells whether one supervisor has used a larger share of its restarts than another; with equal shares the one that
/// tolerates fewer is nearer to the end.
fn nearer(one: Supervision, other: Supervision) -> bool {
    let share = |it: Supervision| it.restarts_in_window as u64 * 1_000_000 / (u64::from(it.max) + 1);
    (share(one), other.max) > (share(other), one.max)
}

fn tolerance(worst: Option<(&str, Supervision)>) -> String {
    let Some((id, it)) = worst else { return String::new() };
    let (times, window_s) = (text::count(u64::from(it.max), "time"), it.window_ms / 1000);
    format!(
        "Supervisor {id} may restart its children {times} in {window_s} s; one more is a breach and ends it."
    )
}
