//! Things in the order in which they were added, that are also found by their id.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Index, IndexMut, RangeBounds};

use crate::child::ChildId;

/// A place in the order; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

/// What is kept in order. To add, to find and to take out cost next to nothing, however many there are.
#[derive(Debug)]
pub(crate) struct Ordered<T> {
    next: u64,
    items: BTreeMap<Place, T>,
    places: HashMap<ChildId, Place>,
}

impl<T> Ordered<T> {
    /// Adds an item behind all others; the caller has made sure that its id is free.
    pub(crate) fn push(&mut self, id: ChildId, item: T) -> Place {
        let place = Place(self.next);
        self.next += 1;
        self.items.insert(place, item);
        self.places.insert(id, place);
        place
    }

    /// Takes an item out.
    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        let place = self.places.remove(id)?;
        self.items.remove(&place)
    }

    /// Returns where an item is.
    pub(crate) fn place(&self, id: &str) -> Option<Place> {
        self.places.get(id).copied()
    }

    /// Finds an item.
    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.items.get(self.places.get(id)?)
    }

    /// Returns the places in these bounds, in order.
    pub(crate) fn places(&self, bounds: impl RangeBounds<Place>) -> Vec<Place> {
        self.items.range(bounds).map(|(place, _)| *place).collect()
    }

    /// Visits all items in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.values()
    }

    /// Visits all items in order, to change them.
    pub(crate) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (Place, &mut T)> {
        self.items.iter_mut().map(|(place, item)| (*place, item))
    }
}

impl<T> FromIterator<(ChildId, T)> for Ordered<T> {
    fn from_iter<I: IntoIterator<Item = (ChildId, T)>>(items: I) -> Self {
        let mut ordered = Self { next: 0, items: BTreeMap::new(), places: HashMap::new() };
        for (id, item) in items {
            ordered.push(id, item);
        }
        ordered
    }
}

impl<T> Index<Place> for Ordered<T> {
    type Output = T;

    fn index(&self, place: Place) -> &T {
        self.items.get(&place).expect("a place is used only before its item is taken out")
    }
}

impl<T> IndexMut<Place> for Ordered<T> {
    fn index_mut(&mut self, place: Place) -> &mut T {
        self.items.get_mut(&place).expect("a place is used only before its item is taken out")
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use super::Ordered;

    #[test]
    fn the_order_outlives_removals_and_a_place_is_never_given_twice() {
        let mut ordered: Ordered<u8> =
            [("a", 1), ("b", 2), ("c", 3)].map(|(id, n)| (id.into(), n)).into_iter().collect();
        let c = ordered.place("c").expect("it is there");
        assert_eq!(ordered.remove("c"), Some(3));
        assert_eq!((ordered.remove("c"), ordered.get("c")), (None, None));
        let again = ordered.push("c".into(), 4);
        assert!(again > c);
        ordered.remove("a");
        assert_eq!(ordered.iter().copied().collect::<Vec<_>>(), [2, 4]);
        let b = ordered.place("b").expect("it is still there");
        assert_eq!(ordered.places((Bound::Excluded(b), Bound::Unbounded)), [again]);
        assert_eq!(ordered[b], 2);
    }
}
