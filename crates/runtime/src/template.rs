//! How a dynamic supervisor makes its children.

use std::any::{Any, type_name};
use std::fmt;
use std::sync::Arc;

use crate::child::{ChildId, ChildSpec};

type Make = dyn Fn(ChildId, Box<dyn Any + Send>) -> Option<ChildSpec> + Send + Sync;

/// Makes the specs of children that are started at run time, from their id and what each is given.
///
/// What is made lasts as long as its child: a restart uses the same spec. A handle belongs to one child, so it is part
/// of what the child is given, or made here.
#[derive(Clone)]
pub struct Template {
    make: Arc<Make>,
    expects: &'static str,
}

impl Template {
    /// Makes children from `A`. The id of the spec that `make` returns is replaced by the one that was asked for.
    pub fn new<A: Send + 'static>(make: impl Fn(ChildId, A) -> ChildSpec + Send + Sync + 'static) -> Self {
        let make = move |id: ChildId, given: Box<dyn Any + Send>| {
            let spec = make(id.clone(), *given.downcast::<A>().ok()?);
            Some(ChildSpec { id, ..spec })
        };
        Self { make: Arc::new(make), expects: type_name::<A>() }
    }

    /// Describes a child; the error names the type that it must be given.
    pub(crate) fn describe<A: Send + 'static>(
        &self,
        id: ChildId,
        given: A,
    ) -> Result<ChildSpec, &'static str> {
        (self.make)(id, Box::new(given)).ok_or(self.expects)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.expects).finish()
    }
}
