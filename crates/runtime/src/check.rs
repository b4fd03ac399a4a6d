//! Whether a spec is sound, before anything of it is started.

use std::collections::HashSet;

use crate::child::{ChildId, ChildSpec, Restart};
use crate::significance::AutoShutdown;
use crate::start::StartError;
use crate::strategy::Strategy;
use crate::supervisor::SupervisorSpec;
use crate::worker::StartFn;

/// Checks a supervisor's children and all below.
pub(crate) fn check(path: &str, spec: &SupervisorSpec) -> Result<(), StartError> {
    let dynamic = spec.strategy == Strategy::SimpleOneForOne;
    if dynamic != spec.template.is_some() || dynamic && !spec.children.is_empty() {
        return Err(StartError::Template { path: path.to_owned() });
    }
    let mut seen = HashSet::new();
    for child in &spec.children {
        check_child(path, spec.auto_shutdown, child)?;
        if !seen.insert(child.id()) {
            return Err(StartError::DuplicateChild { path: format!("{path}/{}", child.id()) });
        }
    }
    Ok(())
}

/// Checks one child of the supervisor at `parent`, and all below.
pub(crate) fn check_child(parent: &str, auto: AutoShutdown, child: &ChildSpec) -> Result<(), StartError> {
    check_id(child.id(), parent)?;
    let path = format!("{parent}/{}", child.id());
    if child.significant && (child.restart == Restart::Permanent || auto == AutoShutdown::Never) {
        return Err(StartError::Significant { path });
    }
    match &child.start {
        StartFn::Supervisor(spec) => check(&path, spec),
        StartFn::Worker(_) => Ok(()),
    }
}

pub(crate) fn check_id(id: &ChildId, parent: &str) -> Result<(), StartError> {
    if id.as_str().is_empty() || id.as_str().contains('/') {
        return Err(StartError::BadId { id: id.to_string(), parent: parent.to_owned() });
    }
    Ok(())
}
