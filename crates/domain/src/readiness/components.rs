//! Strongly connected components, after Tarjan (1972), with a stack of its own: backlogs may be deeper than a thread's.

/// Returns the components of a graph of vertices `0..count` that hold a circle: two vertices or more, or one with an
/// edge to itself.
pub(super) fn components(count: usize, edges: impl Fn(usize) -> Vec<usize>) -> Vec<Vec<usize>> {
    let mut search = Search {
        edges,
        order: vec![UNSEEN; count],
        low: vec![0; count],
        is_open: vec![false; count],
        open: Vec::new(),
        frames: Vec::new(),
        seen: 0,
        found: Vec::new(),
    };
    for root in 0..count {
        if search.order[root] == UNSEEN {
            search.walk(root);
        }
    }
    search.found
}

const UNSEEN: usize = usize::MAX;

struct Search<F> {
    edges: F,
    /// When each vertex was first seen.
    order: Vec<usize>,
    /// The earliest vertex, by `order`, that each can reach among the open ones.
    low: Vec<usize>,
    is_open: Vec<bool>,
    /// Seen, and not yet in a component.
    open: Vec<usize>,
    frames: Vec<Frame>,
    seen: usize,
    found: Vec<Vec<usize>>,
}

struct Frame {
    vertex: usize,
    /// Where its edges lead, those not yet followed.
    ahead: Vec<usize>,
    is_looped: bool,
}

impl<F: Fn(usize) -> Vec<usize>> Search<F> {
    fn walk(&mut self, root: usize) {
        self.enter(root);
        while let Some(frame) = self.frames.last_mut() {
            let vertex = frame.vertex;
            match frame.ahead.pop() {
                Some(next) if self.order[next] == UNSEEN => self.enter(next),
                Some(next) if self.is_open[next] => self.low[vertex] = self.low[vertex].min(self.order[next]),
                Some(_) => {}
                None => self.leave(),
            }
        }
    }

    fn enter(&mut self, vertex: usize) {
        self.order[vertex] = self.seen;
        self.low[vertex] = self.seen;
        self.seen += 1;
        self.is_open[vertex] = true;
        self.open.push(vertex);
        let ahead = (self.edges)(vertex);
        let is_looped = ahead.contains(&vertex);
        self.frames.push(Frame { vertex, ahead, is_looped });
    }

    fn leave(&mut self) {
        let Some(Frame { vertex, is_looped, .. }) = self.frames.pop() else { return };
        if let Some(below) = self.frames.last() {
            self.low[below.vertex] = self.low[below.vertex].min(self.low[vertex]);
        }
        if self.low[vertex] == self.order[vertex] {
            self.close(vertex, is_looped);
        }
    }

    fn close(&mut self, root: usize, is_looped: bool) {
        let start = self.open.iter().rposition(|&vertex| vertex == root).unwrap_or_default();
        let component = self.open.split_off(start);
        component.iter().for_each(|&vertex| self.is_open[vertex] = false);
        if component.len() > 1 || is_looped {
            self.found.push(component);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_components_with_a_circle_are_found() {
        let edges = [vec![1], vec![2], vec![0, 3], vec![4], vec![4], vec![]];
        let mut found = components(edges.len(), |vertex| edges[vertex].clone());
        found.iter_mut().for_each(|component| component.sort_unstable());
        found.sort();
        assert_eq!(found, [vec![0, 1, 2], vec![4]]);
    }

    #[test]
    fn a_circle_of_a_million_does_not_overflow_the_stack() {
        let count = 1_000_000;
        let found = components(count, |vertex| vec![(vertex + 1) % count]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].len(), count);
    }
}
