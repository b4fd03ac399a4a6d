//! Readiness of 100 000 beads: from nothing, and edit by edit.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use glitchlab_domain::bead::{Bead, BeadId, Dependency, DependencyKind, Gate, Status};
use glitchlab_domain::readiness::{Index, Node, Overlay, full};
use std::hint::black_box;

const BEADS: usize = 100_000;
/// An epic and the tasks under it.
const FAMILY: usize = 20;
const NOW_MS: i64 = 1_000_000;

fn id(number: usize) -> BeadId {
    BeadId::new(format!("bench-{number}"))
}

/// Families of an epic and its tasks, in chains; a quarter is closed, and some have dates.
fn node(number: usize) -> Node {
    let mut bead = Bead::new(id(number), "title");
    let epic = number - number % FAMILY;
    if number == epic {
        bead.issue_type = "epic".to_owned();
    } else {
        bead.dependencies.push(Dependency { on: id(epic), kind: DependencyKind::ParentChild });
    }
    if number % 3 == 1 && number > 2 {
        bead.dependencies.push(Dependency { on: id(number - 1), kind: DependencyKind::Blocks });
    }
    if number % 500 == 7 {
        let gate = Gate::AllChildren;
        bead.dependencies.push(Dependency { on: id(epic), kind: DependencyKind::WaitsFor { gate } });
    }
    if number % 4 == 3 {
        bead.status = Status::Closed;
    }
    if number % 50 == 5 {
        bead.defer_until_ms = Some(NOW_MS + i64::try_from(number).expect("a small number"));
    }
    Node::new(&bead, Overlay::None)
}

fn index(nodes: &[Node]) -> Index {
    let mut index = Index::new(NOW_MS);
    nodes.iter().cloned().for_each(|node| index.upsert(node));
    index.drain();
    index
}

fn readiness(criterion: &mut Criterion) {
    let nodes: Vec<_> = (0..BEADS).map(node).collect();
    let mut group = criterion.benchmark_group("readiness_100k");
    group.sample_size(20);
    group.bench_function("full", |bencher| bencher.iter(|| full(black_box(&nodes), NOW_MS).len()));
    group.bench_function("index_from_nothing", |bencher| {
        bencher.iter(|| index(black_box(&nodes)).ready().count());
    });

    let mut index = index(&nodes);
    let mut number = 0;
    group.bench_function("edit_and_drain", |bencher| {
        bencher.iter(|| {
            number = (number + 7) % BEADS;
            index.set_overlay(&nodes[number].id, Overlay::Closed);
            index.set_overlay(&nodes[number].id, Overlay::None);
            index.drain()
        });
    });
    let mut now_ms = NOW_MS;
    group.bench_function("tick_past_20_dates", |bencher| {
        bencher.iter(|| {
            now_ms = NOW_MS + (now_ms - NOW_MS + 1_000) % 100_000;
            index.tick(now_ms);
            (index.drain(), index.next_change_ms())
        });
    });
    group.bench_function("same_again_all", |bencher| {
        let again = || nodes.clone();
        bencher.iter_batched(
            again,
            |nodes| nodes.into_iter().for_each(|node| index.upsert(node)),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("cycles", |bencher| bencher.iter(|| index.cycles().len()));
    group.finish();
}

criterion_group!(benches, readiness);
criterion_main!(benches);
