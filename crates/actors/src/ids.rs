//! The random ids that this process makes.

use glitchlab_domain::id::BootId;
use uuid::Uuid;

/// Returns the id of a new life of the process.
#[must_use]
pub fn boot() -> BootId {
    BootId::new(random())
}

/// Returns 32 random hex digits, random from the first on.
pub(crate) fn random() -> String {
    Uuid::new_v4().simple().to_string()
}
