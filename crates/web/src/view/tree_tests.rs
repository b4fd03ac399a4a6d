use std::sync::Arc;

use glitchlab_runtime::TreeSnapshot;

use super::*;
use crate::sample::{live, tree};
use crate::view::{NOW_MS, moment};

fn looked_at(tree: TreeSnapshot, earlier: Option<TreeSnapshot>) -> Moment {
    Moment { tree: Some(Arc::new(tree)), earlier_tree: earlier.map(Arc::new), ..moment(live(NOW_MS)) }
}

fn row<'a>(tree: &'a Tree, id: &str) -> &'a ActorRow {
    tree.rows.iter().find(|row| row.id == id).expect("the actor has a row")
}

#[test]
fn guides_draw_the_lines_of_the_tree() {
    let drawn = Tree::new(&looked_at(tree(), None));
    let lines: Vec<_> =
        drawn.rows.iter().map(|row| row.guides.iter().collect::<String>() + " " + &row.id).collect();
    let expected = [
        " glitchlab",
        "t journal",
        "t budget_pacer",
        "t work",
        "vt workers",
        "vvt worker-1",
        "vvt worker-2",
        "vvl worker-3",
        "vl scheduler",
        "t janitor",
        "l views",
        "ot dashboard_hub",
        "ol web",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn rates_need_two_looks_and_are_unknown_before() {
    let mut later = tree();
    later.as_of_ms += 2_000;
    let activity = later.root.children[0].activity.as_mut().expect("journal is a worker");
    activity.messages_total += 83;
    activity.busy_total_ms += 360;
    let first = Tree::new(&looked_at(tree(), None));
    assert_eq!((row(&first, "journal").rate.as_str(), &row(&first, "journal").busy), ("—", &None));
    let second = Tree::new(&looked_at(later, Some(tree())));
    assert_eq!(row(&second, "journal").rate, "41.5");
    assert_eq!(row(&second, "journal").busy.as_deref(), Some("18.00%"));
    assert_eq!(row(&second, "work").rate, "", "a supervisor has no mailbox of its own");
}

#[test]
fn a_failed_actor_has_a_note_with_its_error() {
    let drawn = Tree::new(&looked_at(tree(), None));
    let note = row(&drawn, "worker-3").note.as_ref().expect("it failed");
    assert_eq!(note.parts[0], "Starts again in 8 s.");
    assert!(note.parts[2].ends_with("9 s ago: panicked: stream closed mid-frame"), "{:?}", note.parts);
    assert!(row(&drawn, "worker-1").note.is_none());
}

#[test]
fn the_lead_names_what_is_down_and_the_nearest_breach() {
    let lead = lead(&looked_at(tree(), None));
    assert_eq!((lead.glyph, lead.heading.as_str()), (Glyph::Again, "12 of 13 actors run"));
    assert!(
        lead.text
            .starts_with("worker-3: restarting. Supervisor work may restart its children 2 times in 60 s;")
    );
    assert_eq!(lead.figures[0].value, "1 of 2");
}

#[test]
fn without_a_tree_the_page_says_so() {
    let lead = lead(&moment(live(NOW_MS)));
    assert_eq!(lead.heading, "No actor runs here");
    assert!(Tree::new(&moment(live(NOW_MS))).rows.is_empty());
}

#[test]
fn the_last_error_names_its_trace() {
    let mut failed = tree();
    let activity = failed.root.children[0].activity.as_mut().expect("journal is a worker");
    let trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned());
    activity.last_error =
        Some(glitchlab_runtime::ErrorSnapshot { message: "disk full".to_owned(), age_ms: 1_000, trace_id });
    let drawn = Tree::new(&looked_at(failed, None));
    let note = row(&drawn, "journal").note.as_ref().expect("it has a note");
    assert!(
        note.parts[0].ends_with("disk full (trace 4bf92f3577b34da6a3ce929d0e0e4736)"),
        "{:?}",
        note.parts
    );
}
