//! Every reason of the closed list is truly caused here, by the code that says it, or in the scenario that its case
//! names; and `docs/reasons.md` is the list.

mod causes;
#[path = "../money/desk.rs"]
#[expect(dead_code, reason = "the tests of money need more of it")]
mod desk;
mod table;
#[path = "../money/world.rs"]
mod world;

use causes::{Case, case};
use glitchlab_domain::reason::{End, ReasonKind};

#[test]
fn every_reason_is_caused_and_ends_as_the_list_says() {
    for &kind in ReasonKind::ALL {
        let Case::Caused(wait) = case(kind) else { continue };
        assert_eq!(wait.reason.kind(), kind, "{wait:?}");
        match kind.end() {
            End::Instant => assert!(wait.until_ms.is_some(), "{wait:?} has no instant"),
            End::Event | End::Person => assert_eq!(wait.until_ms, None, "{wait:?} has an instant"),
            End::InstantOrEvent => {}
        }
    }
}

#[test]
fn the_scenarios_that_cause_a_reason_are_there() {
    let scenarios = include_str!("../../../../tests/why.rs");
    for &kind in ReasonKind::ALL {
        let Case::Scenario(name) = case(kind) else { continue };
        let at = scenarios.find(&format!("fn {name}()")).unwrap_or_else(|| panic!("no scenario {name}"));
        let body = &scenarios[at..];
        let body = &body[..body.find("\n}\n").unwrap_or(body.len())];
        assert!(body.contains(&format!("ReasonKind::{}", kind.name())), "{name} does not look for it");
    }
}

#[test]
fn every_reason_says_itself_and_what_unblocks_it_in_plain_clauses() {
    for &kind in ReasonKind::ALL {
        let Case::Caused(wait) = case(kind) else { continue };
        let (reason, unblocks) = (wait.reason.to_string(), wait.reason.unblocks("gl-1"));
        for clause in [reason.as_str(), unblocks.as_str(), wait.reason.ends_with()] {
            assert!(
                !clause.is_empty() && !clause.ends_with('.') && !clause.contains('\n'),
                "{kind:?}: {clause}"
            );
        }
        assert_eq!(unblocks.matches('`').count() % 2, 0, "{kind:?}: {unblocks}");
        assert!(wait.reason.chip().starts_with(kind.name()), "{kind:?}: {}", wait.reason.chip());
    }
}

#[test]
fn the_documented_list_is_the_list() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reasons.md");
    let (written, documented) = (table::document(), std::fs::read_to_string(path).unwrap_or_default());
    if written != documented {
        std::fs::write(path, &written).expect("docs/reasons.md is written");
        panic!("docs/reasons.md was not the list; it is written anew: look at it and commit it");
    }
}
