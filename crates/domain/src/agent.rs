//! Coding agents that are programs of their own: what may be asked of one, how long it may be silent or idle, and what it
//! is charged. Nothing meters what such a program spends, so each run is reserved in full and charged as it says only
//! where that is plausible.

mod clocks;
mod report;
mod template;

pub use clocks::{Clocks, Overdue, Seen};
pub use report::{Pointers, Report};
pub use template::{BadTemplate, Template, Values};

/// What the names of unmetered agents begin with, where models are named.
const PREFIX: &str = "agent/";

/// Names an agent as models are named, by its program: `agent/mender` for `/opt/bin/mender`.
#[must_use]
pub fn name_of(program: &str) -> String {
    let name = program.rsplit('/').find(|part| !part.is_empty()).unwrap_or("command");
    format!("{PREFIX}{name}")
}

/// Tells whether what goes by this name spends without a meter of ours.
#[must_use]
pub fn is_unmetered(model: &str) -> bool {
    model.starts_with(PREFIX)
}

/// Names what implements for people, with a word where nothing of ours holds what it spends.
#[must_use]
pub fn label(model: &str) -> String {
    if is_unmetered(model) { format!("{model} UNBOUNDED") } else { model.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_goes_by_the_name_of_its_program() {
        assert_eq!(name_of("/opt/bin/mender"), "agent/mender");
        assert_eq!(name_of("mender.sh"), "agent/mender.sh");
        assert_eq!(
            (label("agent/x"), label("simulated/fast")),
            ("agent/x UNBOUNDED".into(), "simulated/fast".into())
        );
        assert!(is_unmetered(&name_of("mender")) && !is_unmetered("simulated/fast"));
    }
}
