//! When the scheduler looks outward, and what it takes from there.

use std::time::Duration;

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::Command;
use glitchlab_domain::event::{About, EventKind};
use glitchlab_runtime::{Context, Failure};

use super::backlog_poll::{self, Changed, Reading};
use super::{SchedulerMsg, SchedulerState, claims, reviews};
use crate::alarm::Alarm;

/// How often claims are compared with what the slots really run, beside every restart.
const INSPECTION: Duration = Duration::from_secs(30);

/// The timers of the scheduler.
#[derive(Default)]
pub(super) struct Alarms {
    look: Alarm,
    poll: Alarm,
    inspect: Alarm,
}

impl SchedulerState {
    /// Starts to read the backlog and to ask for open requests, and plans the next time.
    pub(super) fn poll(&mut self, context: &Context<SchedulerMsg>) -> Result<(), Failure> {
        let next = context.send_after(self.engine.live.borrow().poll_interval, SchedulerMsg::Poll);
        self.alarms.poll.set(Some(next));
        self.take_exits()?;
        if self.tasks.backlog.running().is_none() {
            let known = self.faults.iter().chain(&self.unreadable).cloned().collect();
            let reading = backlog_poll::reading(&self.engine, self.revision.clone(), known);
            self.tasks.backlog.spawn(reading)?;
        }
        if self.tasks.reviews.running().is_none() {
            self.tasks.reviews.spawn(reviews::poll(&self.engine))?;
        }
        Ok(())
    }

    /// Reads the backlog when no reading is under way and none was taken: one that began before this incarnation may
    /// have found it unchanged from what only that one knew.
    pub(super) fn read_if_never(&mut self, context: &Context<SchedulerMsg>) -> Result<(), Failure> {
        let never = self.revision.is_none() && self.unreadable.is_none();
        if never && self.tasks.backlog.running().is_none() { self.poll(context) } else { Ok(()) }
    }

    /// Starts to compare claims and slots, and plans the next time.
    pub(super) fn inspect(&mut self, context: &Context<SchedulerMsg>) -> Result<(), Failure> {
        self.alarms.inspect.set(Some(context.send_after(INSPECTION, SchedulerMsg::Inspect)));
        self.take_exits()?;
        if self.tasks.claims.running().is_none() {
            self.tasks.claims.spawn(claims::inspection(&self.engine))?;
        }
        Ok(())
    }

    /// Plans a look for the next instant at which time alone lets a task start, or opens the gate.
    pub(super) fn set_alarm(&mut self, context: &Context<SchedulerMsg>) {
        let now_ms = self.engine.now_ms();
        let instants = self.board.next_change_ms().into_iter().chain(self.gate.next_change_ms(now_ms));
        let next = instants.min().map(|at| {
            let rest = u64::try_from(at - now_ms).unwrap_or(0);
            context.send_after(Duration::from_millis(rest), SchedulerMsg::Look)
        });
        self.alarms.look.set(next);
    }

    /// Takes what ended tasks brought. One that failed fails the scheduler with it.
    pub(super) fn take_exits(&mut self) -> Result<(), Failure> {
        if let Some(exit) = self.tasks.claims.take_exit() {
            self.lost = exit.into_result()?;
            self.has_inspected = true;
        }
        if let Some(exit) = self.tasks.reviews.take_exit() {
            exit.into_result()?;
            self.has_reviewed = true;
        }
        if let Some(exit) = self.tasks.backlog.take_exit() {
            self.take_reading(exit.into_result()?);
        }
        Ok(())
    }

    fn take_reading(&mut self, reading: Reading) {
        self.unreadable = None;
        match reading {
            Reading::Unreadable(why) => {
                self.unreadable = Some(why);
                return;
            }
            Reading::Unchanged if self.revision.is_none() => return,
            Reading::Unchanged => {}
            Reading::Changed(changed) => self.take_changed(changed),
        }
        self.read_ms = Some(self.engine.now_ms());
    }

    /// Issues that vanish are more often a file cut short than work taken back.
    fn tell_gone(&self, gone: &[BeadId]) {
        let Some(first) = gone.first() else { return };
        let what = format!(
            "{} issues are no longer in it, {first} among them; their tasks will not start",
            gone.len()
        );
        let kind = EventKind::BacklogFaulty { line: None, what };
        self.engine.queue.submit_detached(Command::Note { about: About::default(), kind });
    }

    fn take_changed(&mut self, changed: Changed) {
        let gone = self.board.take_reading(&changed.beads, changed.is_complete, &mut self.known);
        self.tell_gone(&gone);
        self.revision = Some(changed.revision);
        self.faults = changed.faults;
    }
}
