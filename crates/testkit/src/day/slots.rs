//! A slot: one attempt at a time, one call after the other.

use super::load::{Call, Work};

/// What an attempt came to.
pub(super) struct Ended {
    pub(super) attempt: String,
    pub(super) hold_micro: i64,
    pub(super) cost_micro: i64,
}

struct Running {
    attempt: String,
    work: Work,
    hold_micro: i64,
    /// The call that is next, or under way.
    next: usize,
    asked: bool,
}

/// A place for one attempt.
#[derive(Default)]
pub(super) struct Slot {
    running: Option<Running>,
}

impl Slot {
    pub(super) const fn is_free(&self) -> bool {
        self.running.is_none()
    }

    pub(super) fn start(&mut self, attempt: String, work: Work, hold_micro: i64) {
        self.running = Some(Running { attempt, work, hold_micro, next: 0, asked: false });
    }

    pub(super) fn wants_money(&self) -> bool {
        self.running.as_ref().is_some_and(|running| !running.asked)
    }

    /// Returns the attempt and its next call.
    pub(super) fn next_call(&self) -> Option<(String, usize, Call)> {
        let running = self.running.as_ref()?;
        Some((running.attempt.clone(), running.next, running.work.calls[running.next]))
    }

    /// Notes that the call was sent.
    pub(super) fn asks(&mut self) {
        if let Some(running) = &mut self.running {
            running.asked = true;
        }
    }

    /// Takes the answer to the call that was sent, and goes on to the next.
    pub(super) fn answered(&mut self) -> Option<(String, usize, Call)> {
        let call = self.next_call()?;
        let running = self.running.as_mut()?;
        running.next += 1;
        running.asked = false;
        Some(call)
    }

    /// Returns what an attempt without a further call came to, and is free then.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        let ended = self.running.take_if(|running| running.next == running.work.calls.len())?;
        let cost_micro = ended.work.calls.iter().map(|call| call.cost_micro).sum();
        Some(Ended { attempt: ended.attempt, hold_micro: ended.hold_micro, cost_micro })
    }
}
