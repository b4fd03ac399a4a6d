//! What one reading of the backlog does to the board.

use std::collections::BTreeSet;

use super::Board;
use crate::bead::{Bead, BeadId};

impl Board {
    /// Takes all beads of one reading and returns the ids that it had before and has no more. `known` holds the ids of
    /// the last complete reading, and of this one afterwards if it is complete; an incomplete one takes nothing away.
    pub fn take_reading(
        &mut self,
        beads: &[Bead],
        is_complete: bool,
        known: &mut BTreeSet<BeadId>,
    ) -> Vec<BeadId> {
        for bead in beads {
            self.take_bead(bead);
        }
        if !is_complete {
            self.keep_known();
            return Vec::new();
        }
        let now: BTreeSet<BeadId> = beads.iter().map(|bead| bead.id.clone()).collect();
        let gone: Vec<BeadId> = known.difference(&now).cloned().collect();
        gone.iter().for_each(|id| self.drop_bead(id));
        *known = now;
        self.release_known();
        gone
    }
}
