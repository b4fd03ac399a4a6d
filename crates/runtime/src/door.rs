//! The way from one incarnation to the next in the same host.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex};

use ractor::{ActorCell, ActorStatus};

use crate::actor::Actor;
use crate::life::Life;
use crate::shutdown::Spawned;
use crate::sync::lock;

/// A host that its incarnation has left, for the next one. It ends when there is none.
#[derive(Debug)]
pub(crate) struct Vacant {
    host: Option<Spawned>,
    door: AnyDoor,
}

impl Vacant {
    pub(crate) fn new(host: Spawned, door: AnyDoor) -> Self {
        Self { host: Some(host), door }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.cell().get_status() < ActorStatus::Draining
    }

    pub(crate) fn cell(&self) -> &ActorCell {
        &self.host.as_ref().expect("only `occupied` takes it out, and ends this").cell
    }

    /// Lets an incarnation in, which is up as far as others are concerned.
    pub(crate) fn let_in<A: Actor>(&self, life: Life<A>) {
        if let Some(door) = self.door.0.downcast_ref::<Door<A>>() {
            *lock(&door.0) = Some(life);
        }
    }

    /// Somebody has moved in.
    pub(crate) fn occupied(mut self) -> Spawned {
        self.host.take().expect("only this takes it out")
    }
}

impl Drop for Vacant {
    fn drop(&mut self) {
        self.host.iter().for_each(|host| host.cell.stop(None));
    }
}

/// Where the next incarnation of an actor comes in, when its start is over.
pub(crate) struct Door<A: Actor>(Mutex<Option<Life<A>>>);

impl<A: Actor> Door<A> {
    /// Takes who stands there.
    pub(crate) fn take(&self) -> Option<Life<A>> {
        lock(&self.0).take()
    }
}

impl<A: Actor> Default for Door<A> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// A door with the type of its actor left behind.
pub(crate) struct AnyDoor(Arc<dyn Any + Send + Sync>);

impl AnyDoor {
    pub(crate) fn new<A: Actor>(door: &Arc<Door<A>>) -> Self {
        Self(Arc::clone(door) as _)
    }
}

impl fmt::Debug for AnyDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyDoor")
    }
}
