//! Points at which a test lets something panic: at every start, message and stop of an actor, in every attached task,
//! and wherever the program has points of its own. Only with the feature `failpoints`; without it none of this is there.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use crate::exit::Failure;

/// Says where in a piece of work a point lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// An actor is about to start.
    Starting,
    /// An actor has done what its start does, and nobody knows.
    Started,
    /// An actor is about to handle a message of this kind.
    Handling(&'static str),
    /// An actor has handled a message of this kind, and nobody knows.
    Handled(&'static str),
    /// An actor is about to clean up.
    Stopping,
    /// An actor has cleaned up.
    Stopped,
    /// Work has begun, and has done nothing.
    Begun,
    /// Work is in the middle of what it does.
    Midway,
    /// Work has done all that it does, and nobody knows.
    Done,
}

type Hook = dyn Fn(&str, Moment) + Send + Sync;

/// Calls a test's hook at every point of one tree; a hook that panics does so exactly there. Clones share the hook.
#[derive(Clone, Default)]
pub struct Failpoints(Arc<OnceLock<Box<Hook>>>);

impl Failpoints {
    /// Sets what is called, once and before the tree starts; a later hook is not taken.
    ///
    /// It is given the place, which is an actor's path, an actor's path and the name of a slot, or what the program
    /// calls a place of its own.
    pub fn install(&self, hook: impl Fn(&str, Moment) + Send + Sync + 'static) {
        let _the_first_one_stays = self.0.set(Box::new(hook));
    }

    /// Is a point.
    pub fn reach(&self, place: &str, moment: Moment) {
        if let Some(hook) = self.0.get() {
            hook(place, moment);
        }
    }

    /// Puts points before and after a piece of an actor.
    pub(crate) async fn around<T>(
        &self,
        place: &str,
        [before, after]: [Moment; 2],
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.reach(place, before);
        let done = work.await?;
        self.reach(place, after);
        Ok(done)
    }

    /// Puts points at the beginning of a task, at each of its awaits, and at its end.
    pub(crate) async fn through<T>(
        &self,
        place: &str,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.reach(place, Moment::Begun);
        let (mut work, mut goes_on) = (pin!(work), false);
        let polled = poll_fn(|context| {
            if std::mem::replace(&mut goes_on, true) {
                self.reach(place, Moment::Midway);
            }
            work.as_mut().poll(context)
        });
        let done = polled.await?;
        self.reach(place, Moment::Done);
        Ok(done)
    }
}

impl fmt::Debug for Failpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Failpoints").field(&self.0.get().is_some()).finish()
    }
}
