//! The random ids that this process makes.

use uuid::Uuid;

/// Returns 32 random hex digits, random from the first on.
pub(crate) fn random() -> String {
    Uuid::new_v4().simple().to_string()
}
