//! All shapes that a type is made of, also if they lead back to each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::shape::{Facts, Shape};

/// The shapes that can be reached from one, which is the first.
pub(crate) struct Graph {
    shapes: Vec<&'static Shape>,
    /// Where the shapes are to which each shape refers, in order.
    next: Vec<Vec<usize>>,
    places: BTreeMap<usize, usize>,
    /// A number for each shape: see [`Graph::kind`].
    kinds: Vec<u32>,
}

/// What tells a shape from others while the program runs. The compiler may keep one shape in
/// several places, but not in infinitely many.
pub(crate) fn address(shape: &'static Shape) -> usize {
    std::ptr::from_ref(shape).addr()
}

impl Graph {
    pub(crate) fn of(shape: &'static Shape) -> Graph {
        let (shapes, next, places) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut graph = Graph { shapes, next, places, kinds: Vec::new() };
        graph.place(shape);
        while let Some(shape) = graph.shapes.get(graph.next.len()) {
            let next = shape.types().into_iter().map(|ty| graph.place(ty.shape())).collect();
            graph.next.push(next);
        }
        graph.kinds = graph.find_kinds();
        graph
    }

    fn place(&mut self, shape: &'static Shape) -> usize {
        let new = self.shapes.len();
        let place = *self.places.entry(address(shape)).or_insert(new);
        if place == new {
            self.shapes.push(shape);
        }
        place
    }

    /// A number that is equal for equal shapes. That of the first one is its fingerprint, and so is
    /// that of each that does not lead into a circle.
    pub(crate) fn kind(&self, shape: &'static Shape) -> u32 {
        self.kinds[self.places[&address(shape)]]
    }

    /// The fingerprint of the first shape.
    pub(crate) fn fingerprint(&self) -> u32 {
        self.kinds[0]
    }

    /// How many kinds of shapes there are.
    pub(crate) fn len(&self) -> usize {
        self.kinds.iter().collect::<BTreeSet<_>>().len()
    }

    /// Whether `Deserialize` takes only what `Serialize` writes.
    pub(crate) fn has_one_form(&self) -> bool {
        self.shapes.iter().all(|shape| shape.facts().one_form)
    }

    /// The shapes whose values can hold others of their kind.
    pub(crate) fn recursive(&self) -> impl Iterator<Item = &'static Shape> + '_ {
        let leads_back = |place: &usize| self.inside(*place).contains(place);
        (0..self.shapes.len()).filter(leads_back).map(|place| self.shapes[place])
    }

    /// Where the shapes are to which this one leads.
    fn inside(&self, place: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut todo = vec![place];
        while let Some(place) = todo.pop() {
            todo.extend(self.next[place].iter().filter(|next| found.insert(**next)));
        }
        found
    }

    // A shape that leads into a circle would go on for ever, so it is followed inwards just until
    // any difference must have shown. In each round a shape's number follows from its own names and
    // from the numbers that the shapes it refers to had before, so it tells what can be seen one
    // level further inwards. When a round tells no more shapes apart, those that look alike will do
    // so for ever. This is how a finite automaton is made small (Moore, 1956), and as two automata
    // do, two types with so many kinds each differ within twice as many levels, or not at all.
    fn find_kinds(&self) -> Vec<u32> {
        let (mut kinds, endless) = self.finite_kinds();
        let (mut count, mut rounds) = (0, 0);
        loop {
            self.next_round(&mut kinds, &endless);
            rounds += 1;
            let before = count;
            count = endless.iter().map(|place| kinds[*place]).collect::<BTreeSet<_>>().len();
            if count == before {
                break;
            }
        }
        for _ in rounds..2 * count {
            self.next_round(&mut kinds, &endless);
        }
        kinds
    }

    /// The numbers of the shapes that do not lead into a circle, and where the others are, whose
    /// number is 0.
    fn finite_kinds(&self) -> (Vec<u32>, Vec<usize>) {
        let facts = self.shapes.iter().map(|shape| shape.facts()).collect::<Vec<_>>();
        let kind = |facts: &Facts| if facts.recursive { 0 } else { facts.fingerprint };
        let mut kinds = facts.iter().map(kind).collect::<Vec<_>>();
        let mut endless = (0..facts.len()).filter(|at| facts[*at].recursive).collect::<Vec<_>>();
        // What is marked as recursive need not be.
        while let Some(at) = endless.iter().position(|place| self.is_finite(*place, &endless)) {
            let place = endless.swap_remove(at);
            self.next_round(&mut kinds, &[place]);
        }
        (kinds, endless)
    }

    fn is_finite(&self, place: usize, endless: &[usize]) -> bool {
        self.next[place].iter().all(|next| !endless.contains(next))
    }

    fn next_round(&self, kinds: &mut [u32], places: &[usize]) {
        let kind = |place: &usize| {
            let of_types = self.next[*place].iter().map(|next| kinds[*next]).collect::<Vec<_>>();
            self.shapes[*place].fingerprint_with(&of_types)
        };
        let new = places.iter().map(kind).collect::<Vec<_>>();
        for (place, kind) in places.iter().zip(new) {
            kinds[*place] = kind;
        }
    }
}
