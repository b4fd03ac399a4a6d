//! What the scheduler offers to the pacer, and what it says of the whole backlog.

use glitchlab_domain::dispatch::{full_of_requests, full_of_tasks, may_begin, request_room};
use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_domain::rows::ClaimRow;
use glitchlab_domain::task::{TaskRow, TaskState};
use glitchlab_pipeline::attempt::Merge;

use super::SchedulerState;
use crate::engine::BoardView;
use crate::offer::Candidate;

impl SchedulerState {
    /// Offers as many candidates as there are free slots: lost claims first, then the queue in order.
    pub(super) fn offer(&mut self) {
        self.forget_found_claims();
        let free = self.engine.slots.free();
        if free == 0 || !self.has_inspected || !self.has_heard || self.puts_down {
            return;
        }
        let candidates: Vec<_> = self.candidates().take(free).collect();
        if !candidates.is_empty() {
            self.engine.handles.offer.put(candidates);
        }
    }

    /// Lists what could take a slot now, in order.
    fn candidates(&self) -> impl Iterator<Item = Candidate> {
        let resumes = self.lost.iter().filter(|claim| self.is_chosen(&claim.task_key));
        let resumes = resumes.cloned().map(Candidate::Resume);
        let room = self.request_room().min(self.gate_room());
        let starts = self.board.startable().filter(|task| self.is_chosen(&task.key) && self.may_begin(task));
        resumes.chain(starts.take(room).map(start))
    }

    /// Tells whether this run may start an attempt at a task.
    fn may_begin(&self, task: &TaskRow) -> bool {
        may_begin(self.engine.settings.max_tasks, &self.begun, task)
    }

    /// Says that this run may begin nothing more, and something is left for which that matters.
    pub(super) fn full_of_tasks(&self) -> Option<Reason> {
        let reason = full_of_tasks(self.engine.settings.max_tasks, &self.begun)?;
        let is_left = self.board.startable().next().is_some();
        let is_over = !self.board.startable().any(|task| self.may_begin(task));
        (is_left && is_over).then_some(reason)
    }

    /// A lost claim that has a slot again, or whose attempt has ended, is lost no more.
    fn forget_found_claims(&mut self) {
        let (slots, board) = (&self.engine.slots, &self.board);
        let runs = |claim: &ClaimRow| {
            board.task(&claim.task_key).is_none_or(|task| task.state == TaskState::Running)
        };
        self.lost.retain(|claim| runs(claim) && slots.find(&claim.attempt_id).is_none());
    }

    fn request_room(&self) -> usize {
        let queue = self.board.queue();
        let merges_here = self.engine.tools.stages.merge == Merge::WhenGreen;
        request_room(self.engine.live.borrow().max_open, queue.in_review, queue.in_progress, merges_here)
    }

    pub(super) fn full_of_requests(&self) -> Option<Reason> {
        full_of_requests(self.engine.live.borrow().max_open, self.board.in_review())
    }

    /// Says how the backlog stands, for pages and the program.
    pub(super) fn publish(&self) {
        let mut queue = self.board.queue();
        queue.read_ms = self.read_ms;
        self.engine.metrics.levels().queue(queue.pending, queue.blocked);
        let full = self.full_of_requests().map(|reason| Wait { reason, until_ms: None });
        let begun = self.full_of_tasks().map(|reason| Wait { reason, until_ms: None });
        let held = self.gate_wait().or(full).or(begun);
        let chosen = self.chosen();
        let is_quiet = self.is_quiet();
        let could_start = self.candidates().next().is_some();
        let faults: Vec<String> = self.unreadable.iter().chain(&self.faults).cloned().collect();
        let has_read = self.read_ms.is_some();
        self.engine.board.send_if_modified(|view| {
            let told = |wait: &Wait| queue.pending > 0 && !is_of_gate(wait);
            let held = held.or_else(|| view.held.take().filter(told));
            let new = BoardView { queue, held, could_start, has_read, is_quiet, faults, chosen };
            std::mem::replace(view, new.clone()) != new
        });
    }

    /// Tells whether nothing is left to do or to wait for. It must have looked at everything once to know.
    fn is_quiet(&self) -> bool {
        let has_looked = self.read_ms.is_some() && self.has_inspected && self.has_reviewed;
        let is_busy = self.tasks.closings.running().is_some() || self.tasks.reviews.running().is_some();
        let waits_for_people = self.full_of_requests().is_some() && self.board.queue().in_progress == 0;
        has_looked
            && !is_busy
            && self.unreadable.is_none()
            && self.lost.is_empty()
            && self.commits.is_empty()
            && self.engine.slots.are_all_free()
            && (waits_for_people
                || self.board.is_quiet_but(self.engine.settings.close_epics, |task| self.may_begin(task)))
    }
}

fn start(task: &TaskRow) -> Candidate {
    Candidate::Start {
        key: task.key.clone(),
        bead_id: task.bead_id.clone(),
        goes_on: task.goes_on.as_ref().map(|answer| answer.attempt_id.clone()),
    }
}

/// Tells whether a wait is the gate's, which is known here better than what the pacer was told last.
const fn is_of_gate(wait: &Wait) -> bool {
    matches!(wait.reason, Reason::Paused { .. } | Reason::BreakerOpen { .. })
}
