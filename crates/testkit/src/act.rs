//! What happens to a world while it runs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use glitchlab_actors::Engine;
use glitchlab_domain::task::TaskState;
use glitchlab_pipeline::forge::{Merge, MergeResult};

use crate::backlog::FakeBacklog;

/// What is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kill {
    /// The whole process, as `kill -9` does; the next one starts at once.
    Process,
    /// One actor of the tree, by its path.
    Actor(String),
}

impl Kill {
    /// Kills the actor at a path.
    pub fn actor(path: impl Into<String>) -> Self {
        Self::Actor(path.into())
    }
}

type Look = Box<dyn FnOnce(Arc<Engine>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What happens to a world while it runs.
pub enum Act {
    /// Something dies.
    Kill(Kill),
    /// The engine is asked to stop, waits this long for what runs, and starts again.
    Restart {
        /// How long what runs may take to finish.
        drain: std::time::Duration,
    },
    /// People change the backlog.
    Edit(Box<dyn FnOnce(&FakeBacklog) + Send>),
    /// The wall clock is set forward, or back with a negative number of ms.
    Jump(i64),
    /// The scenario looks into the process that lives, or asks something of it.
    Look(Look),
}

impl Act {
    /// Looks into the process that lives.
    pub fn look<F>(look: impl FnOnce(Arc<Engine>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::Look(Box::new(move |engine| Box::pin(look(engine))))
    }

    /// A person merges the first request that is open.
    ///
    /// # Panics
    ///
    /// When none is open.
    #[must_use]
    pub fn merge_by_hand() -> Self {
        Self::look(|engine| async move {
            let tasks = engine.reader.tasks(&engine.repo_id).await.expect("a store in memory answers");
            let open = tasks.iter().find(|task| task.state == TaskState::InReview).expect("an open request");
            let merge = Merge {
                task_id: open.trailer(),
                branch: open.request.clone().expect("it has a branch"),
                base: "main".to_owned(),
                expected_base: None,
                message: "by hand".to_owned(),
                author: engine.tools.stages.author.clone(),
            };
            let merged = engine.tools.forge.merge(&merge).await.expect("a fake forge answers");
            assert!(matches!(merged, MergeResult::Merged { .. }), "{merged:?}");
        })
    }

    /// Changes the backlog.
    pub fn edit(edit: impl FnOnce(&FakeBacklog) + Send + 'static) -> Self {
        Self::Edit(Box::new(edit))
    }
}

impl From<Kill> for Act {
    fn from(kill: Kill) -> Self {
        Self::Kill(kill)
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(kill) => f.debug_tuple("Kill").field(kill).finish(),
            Self::Restart { drain } => f.debug_struct("Restart").field("drain", drain).finish(),
            Self::Edit(_) => f.write_str("Edit"),
            Self::Look(_) => f.write_str("Look"),
            Self::Jump(by_ms) => f.debug_tuple("Jump").field(by_ms).finish(),
        }
    }
}
