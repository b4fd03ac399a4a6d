//! Says once that the store is out, and once that it is back, however many batches fail in between.

use crate::error::StoreError;

/// Whether the store is out, as far as the log knows.
#[derive(Default)]
pub(crate) struct Outage {
    is_on: bool,
}

impl Outage {
    /// Notes that a batch failed.
    pub(crate) fn failed(&mut self, error: &StoreError, commands: usize) {
        if !error.is_outage() {
            tracing::error!(name: "store.command_failed", error = %error, commands, "the store did not take a command");
        } else if !std::mem::replace(&mut self.is_on, true) {
            tracing::error!(name: "store.failed", error = %error, commands, "the store takes nothing: commands wait");
        }
    }

    /// Notes that a batch was written.
    pub(crate) fn written(&mut self) {
        if std::mem::take(&mut self.is_on) {
            tracing::info!(name: "store.recovered", "the store takes commands again");
        }
    }
}
