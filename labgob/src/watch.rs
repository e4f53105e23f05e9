//! Which parts of a type have been met in values whose serde code was checked, and which are new.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::depth::deeper;
use crate::graph::address;
use crate::shape::{Primitive, Shape, Type, Variant};
use crate::wire::{after, count, number};

/// A type unfolded: every place at which a value of it may hold something, in the order of its
/// bytes.
///
/// Two fields of one type are two places, and so are their fields in turn, since code written by
/// hand may keep one and lose the other. A recursive type leads back to places that are there.
pub(crate) struct Watch {
    places: Vec<Place>,
    /// Where places of one value begin and end, for those that lead back.
    ranges: Vec<Range<usize>>,
    /// From here on all places have been met, and none leads back to one that has not.
    open: AtomicUsize,
}

struct Place {
    kind: Kind,
    /// The places inside it follow it and end here.
    end: usize,
    met: AtomicBool,
}

enum Kind {
    /// Holds something if its bytes are not all zero: a zero might come from nowhere as well.
    Primitive(Primitive),
    /// Holds something if there is a value.
    Option,
    /// Holds something if there are elements.
    List,
    /// So many values of what is inside.
    Array(usize),
    /// One of these variants.
    Enum(Vec<usize>),
    /// Holds something if it is there at all.
    Variant,
    /// A value like that of a range.
    Back(usize),
}

/// A type with more places than these has some in common for its fields of one type.
const MOST: usize = 4096;

impl Watch {
    pub(crate) fn of(shape: &'static Shape) -> Watch {
        let mut builder = Builder { places: Vec::new(), shapes: Vec::new(), path: Vec::new() };
        builder.shape(shape);
        let ranges = builder.shapes.into_iter().map(|(_, range)| range).collect();
        let open = AtomicUsize::new(builder.places.len());
        Watch { places: builder.places, ranges, open }
    }

    /// Whether all has been met.
    pub(crate) fn is_complete(&self) -> bool {
        self.open.load(Relaxed) == 0
    }

    /// Whether the value at the start of these bytes holds something at a place that has not been
    /// met. Bytes that are no value are news too.
    pub(crate) fn has_news(&self, bytes: &[u8]) -> bool {
        let walk = Walk { watch: self, stop: |place: &Place| !place.met.load(Relaxed) };
        walk.places(0..self.open.load(Relaxed), 0, bytes).is_none()
    }

    /// Notes that the value at the start of these bytes has been checked.
    pub(crate) fn meet(&self, bytes: &[u8]) {
        let stop = |place: &Place| {
            place.met.store(true, Relaxed);
            false
        };
        Walk { watch: self, stop }.places(0..self.places.len(), 0, bytes);
        let is_met = |place: &Place| place.met.load(Relaxed);
        let is_open = |place: &Place| !is_met(place) || matches!(place.kind, Kind::Back(_));
        let open = match self.places.iter().all(is_met) {
            true => 0,
            false => self.places.iter().rposition(is_open).map_or(0, |place| place + 1),
        };
        self.open.store(open, Relaxed);
    }
}

struct Builder {
    places: Vec<Place>,
    /// The addresses of the shapes met so far, and where their places are.
    shapes: Vec<(usize, Range<usize>)>,
    /// Those of them that the next shape is inside of.
    path: Vec<usize>,
}

impl Builder {
    fn shape(&mut self, shape: &'static Shape) {
        if let Some(known) = self.known(shape) {
            return self.place(Kind::Back(known), |_| ());
        }
        let (known, start) = (self.shapes.len(), self.places.len());
        self.shapes.push((address(shape), start..start));
        self.path.push(known);
        match shape {
            Shape::Primitive(Primitive::Unit) | Shape::Array(_, 0) => {}
            Shape::Primitive(primitive) => self.place(Kind::Primitive(*primitive), |_| ()),
            Shape::Option(_) => self.place(Kind::Option, |this| this.types(shape.types())),
            Shape::List(item) | Shape::Set(item) if is_byte(item) => {
                self.place(Kind::Primitive(Primitive::Bytes), |_| ());
            }
            Shape::List(_) | Shape::Set(_) | Shape::Map(..) => {
                self.place(Kind::List, |this| this.types(shape.types()));
            }
            Shape::Array(_, len) => self.place(Kind::Array(*len), |this| this.types(shape.types())),
            Shape::Struct { .. } | Shape::Tuple(_) => self.types(shape.types()),
            Shape::Enum { variants, .. } => self.variants(variants),
        }
        self.path.pop();
        self.shapes[known].1.end = self.places.len();
    }

    /// The shape that a value of this one is to share its places with.
    fn known(&self, shape: &'static Shape) -> Option<usize> {
        let is_it = |known: &usize| self.shapes[*known].0 == address(shape);
        match self.places.len() {
            ..MOST => self.path.iter().copied().find(is_it),
            _ => (0..self.shapes.len()).find(is_it),
        }
    }

    fn types(&mut self, types: Vec<&'static Type>) {
        for ty in types {
            self.shape(ty.shape());
        }
    }

    fn variants(&mut self, variants: &'static [Variant]) {
        let place = self.places.len();
        self.place(Kind::Enum(Vec::new()), |this| {
            let mut starts = Vec::new();
            for variant in variants {
                starts.push(this.places.len());
                let types = variant.fields.iter().map(|field| &field.ty).collect();
                this.place(Kind::Variant, |this| this.types(types));
            }
            this.places[place].kind = Kind::Enum(starts);
        });
    }

    fn place(&mut self, kind: Kind, inside: impl FnOnce(&mut Builder)) {
        let place = self.places.len();
        let met = matches!(kind, Kind::Array(_) | Kind::Enum(_) | Kind::Back(_));
        self.places.push(Place { kind, end: 0, met: AtomicBool::new(met) });
        inside(self);
        self.places[place].end = self.places.len();
    }
}

/// Whether a list of these looks like `Bytes`.
fn is_byte(ty: &Type) -> bool {
    matches!(ty.shape(), Shape::Primitive(Primitive::U8 | Primitive::I8))
}

/// Follows values along the places of their type. What it returns is what follows the value, or
/// `None` if the bytes are no value or the walk is to end.
struct Walk<'a, F> {
    watch: &'a Watch,
    /// Called for each place at which the value holds something. True ends the walk.
    stop: F,
}

impl<F: Fn(&Place) -> bool> Walk<'_, F> {
    fn places<'b>(&self, places: Range<usize>, depth: u32, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let (mut at, mut bytes) = (places.start, bytes);
        while at < places.end {
            let place = &self.watch.places[at];
            if let Kind::Primitive(primitive) = place.kind {
                let holds;
                (holds, bytes) = after(primitive, bytes)?;
                if holds && (self.stop)(place) {
                    return None;
                }
            } else {
                bytes = self.parts(at, depth, bytes)?;
            }
            at = place.end;
        }
        Some(bytes)
    }

    fn parts<'b>(&self, at: usize, depth: u32, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let place = &self.watch.places[at];
        let inside = at + 1..place.end;
        let (place, count, of, bytes) = match &place.kind {
            Kind::Option => match bytes.split_first()? {
                (0, rest) => return Some(rest),
                (1, rest) => (place, 1, inside, rest),
                _ => return None,
            },
            Kind::List => {
                let (count, rest) = count(bytes)?;
                if count == 0 {
                    return Some(rest);
                }
                (place, count, inside, rest)
            }
            Kind::Enum(variants) => {
                let (number, rest) = number(bytes)?;
                let variant = *variants.get(number)?;
                let place = &self.watch.places[variant];
                (place, 1, variant + 1..place.end, rest)
            }
            Kind::Array(len) => (place, *len, inside, bytes),
            Kind::Back(range) => (place, 1, self.watch.ranges[*range].clone(), bytes),
            Kind::Primitive(_) | Kind::Variant => return None,
        };
        if (self.stop)(place) {
            return None;
        }
        let depth = deeper(depth)?;
        (0..count).try_fold(bytes, |bytes, _| self.places(of.clone(), depth, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gob;
    use crate::round_trip::write;

    fn body<T: Gob>(value: &T) -> Vec<u8> {
        let mut body = Vec::new();
        write(value, &mut body).unwrap();
        body
    }

    /// What is seen of a type when this value of it has been met.
    fn met<T: Gob>(value: &T) -> Watch {
        let watch = Watch::of(T::SHAPE);
        let body = body(value);
        assert!(watch.has_news(&body), "nothing was met before");
        watch.meet(&body);
        assert!(!watch.has_news(&body), "it was met just now");
        watch
    }

    #[test]
    fn what_is_inside_of_what_was_met_is_no_news() {
        assert!(met(&Some(7_u64)).is_complete());
        assert!(met(&vec![(7_u64, true)]).is_complete());
        assert!(met(&[Some('x'); 3]).is_complete());
        assert!(met(&(1_u64, Some((2_u64, vec![3_u64])), 4_u64)).is_complete());
        let one_of_two = met::<Result<u64, Option<u64>>>(&Ok(7));
        assert!(!one_of_two.is_complete());
        one_of_two.meet(&body::<Result<u64, Option<u64>>>(&Err(Some(7))));
        assert!(one_of_two.is_complete());
    }

    #[test]
    fn what_stands_before_it_is_another_place() {
        type Value = (u64, Option<u64>);
        let watch = met::<Value>(&(0, Some(7)));
        assert!(watch.has_news(&body::<Value>(&(5, None))));
        type Chosen = (u64, Result<u64, u64>);
        let watch = met::<Chosen>(&(0, Err(7)));
        assert!(watch.has_news(&body::<Chosen>(&(5, Err(7)))));
        assert!(watch.has_news(&body::<Chosen>(&(0, Ok(7)))));
    }
}
