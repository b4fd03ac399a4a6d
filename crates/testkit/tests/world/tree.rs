//! The tree is the one that `docs/supervision.md` promises.

use std::sync::{Arc, Mutex};

use glitchlab_actors::Engine;
use glitchlab_domain::watchdog::Clock;
use glitchlab_runtime::{NodeSnapshot, Restart, Strategy};
use glitchlab_testkit::{Act, Units, World, beads};

const PAGE: &str = include_str!("../../../../docs/supervision.md");
const WORKERS: usize = 3;

/// Path, kind, restart and intensity, as the page writes them.
type Row = [String; 4];

/// The rows of the page's first table; the program has children of its own beside the hub.
fn promised() -> Vec<Row> {
    let table = PAGE
        .lines()
        .skip_while(|line| !line.starts_with("| path |"))
        .take_while(|line| line.starts_with('|'));
    let rows = table.filter(|line| line.starts_with("| `glitchlab"));
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let row = |line: &str| <Row>::try_from(cells(line)[..4].to_vec()).unwrap();
    let mut promised = Vec::new();
    let of_program = ["web", "configuration", "trace_exporter"].map(|id| format!("glitchlab/views/{id}"));
    for row in rows.map(row).filter(|row| !of_program.contains(&row[0])) {
        if !row[0].ends_with("-N") {
            promised.push(row.map(|cell| cell.replace("3 + N", &(3 + WORKERS).to_string())));
            continue;
        }
        for n in 1..=WORKERS {
            promised.push(row.clone().map(|cell| cell.replace("-N", &format!("-{n}"))));
        }
    }
    promised
}

fn add(node: &NodeSnapshot, rows: &mut Vec<Row>) {
    let kind = node.supervision.map_or("worker", |supervision| match supervision.strategy {
        Strategy::OneForOne => "one_for_one",
        Strategy::OneForAll => "one_for_all",
        Strategy::RestForOne => "rest_for_one",
        Strategy::SimpleOneForOne => "simple_one_for_one",
    });
    let restart = match node.restart {
        Restart::Permanent => "permanent",
        Restart::Transient => "transient",
        Restart::Temporary => "temporary",
    };
    // Nobody restarts the root.
    let restart = if node.path.contains('/') { restart } else { "" };
    let intensity = node.supervision.map(|s| format!("{} in {} s", s.max, s.window_ms / 1_000));
    rows.push([node.path.clone(), kind.to_owned(), restart.to_owned(), intensity.unwrap_or_default()]);
    node.children.iter().for_each(|child| add(child, rows));
}

#[test]
fn every_clock_of_the_watchdog_is_on_the_page_in_order() {
    let rows = PAGE.lines().filter(|line| line.contains("`watchdog.") && line.starts_with("| `"));
    let named: Vec<&str> = rows.filter_map(|line| line.split('`').nth(1)).collect();
    assert_eq!(named, Clock::ALL.map(Clock::name));
}

#[test]
fn the_tree_has_the_paths_and_policies_of_its_page_in_the_same_order() {
    let rows: Arc<Mutex<Vec<Row>>> = Arc::default();
    let found = Arc::clone(&rows);
    let look = Act::look(|engine: Arc<Engine>| async move {
        add(&engine.tree.snapshot().unwrap().root, &mut found.lock().unwrap());
    });
    let _ran = World::seed(1).backlog(beads::tasks(1)).workers(WORKERS).at(1.secs(), look).run(1.hours());
    let promised = promised().into_iter().map(|[path, kind, restart, intensity]| {
        [path, kind, restart, intensity.split(';').next().unwrap_or_default().to_owned()]
    });
    assert_eq!(*rows.lock().unwrap(), promised.collect::<Vec<_>>());
}
