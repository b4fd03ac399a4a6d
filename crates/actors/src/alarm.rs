//! A timer that is set anew.

use tokio::task::AbortHandle;

/// The one timer of a kind: a second one takes the place of the first, so that there are no two chains of looks.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<AbortHandle>);

impl Alarm {
    /// Sets it, or takes it away.
    pub(crate) fn set(&mut self, next: Option<AbortHandle>) {
        if let Some(old) = std::mem::replace(&mut self.0, next) {
            old.abort();
        }
    }
}
