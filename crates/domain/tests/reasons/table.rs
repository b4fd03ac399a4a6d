//! `docs/reasons.md`.

use std::fmt::Write as _;

use glitchlab_domain::outcome::FailureKind;
use glitchlab_domain::reason::{Group, Reason, ReasonKind, Window};

use crate::causes::{Case, case};

const HEAD: &str = "\
# Reasons

Why a task is not running, or why nothing starts: one closed list. The page `/why`, `/api/v1/why` and `glitchlab why` show a
reason's name verbatim, with since, until and what unblocks it. This table is written by a test from the list itself.

Each reason belongs to a group, by whose turn it is. A pause by the loss limit (`stop_loss`) waits for you; every other pause
waits for the engine, because somebody wanted it so.
";

/// Writes the whole document.
pub(crate) fn document() -> String {
    let mut text = HEAD.to_owned();
    for group in Group::ALL {
        let _ = write!(text, "\n## {}\n\n", group.title());
        text.push_str("| reason | such as | ended by | what unblocks it |\n|---|---|---|---|\n");
        for &kind in ReasonKind::ALL.iter().filter(|kind| kind.group() == group) {
            let reason = sample(kind);
            let (such, unblocks) = (cell(&reason.to_string()), cell(&reason.unblocks("ID")));
            let _ = writeln!(text, "| `{}` | {such} | {} | {unblocks} |", kind.name(), kind.end().words());
        }
    }
    text
}

/// What the scenarios cause is written down here once more, for its words.
fn sample(kind: ReasonKind) -> Reason {
    match (case(kind), kind) {
        (Case::Caused(wait), _) => wait.reason,
        (_, ReasonKind::DiskLow) => Reason::DiskLow { free_bytes: 1 << 30, limit_bytes: 5 << 30 },
        (_, ReasonKind::StoreUnavailable) => Reason::StoreUnavailable { why: "the disk is full".to_owned() },
        (_, ReasonKind::ShuttingDown) => Reason::ShuttingDown,
        (_, ReasonKind::BreakerOpen) => Reason::BreakerOpen { failure: FailureKind::Provider },
        (_, ReasonKind::CapReached) => Reason::CapReached { window: Window::Hour },
        (_, other) => panic!("{other:?} is caused by a scenario: give it words here"),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
