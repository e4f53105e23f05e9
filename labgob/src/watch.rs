//! Which parts of a type have been met in values whose serde code was checked, and which are new.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::depth::deeper;
use crate::graph::address;
use crate::peek::skip_primitive;
use crate::shape::{Field, Primitive, Shape, Type};
use crate::wire::{Input, take};

/// A type unfolded: every place at which a value of it can hold something.
///
/// Two fields of one type are two places, and so are their fields in turn, since code written by
/// hand may keep one and lose the other. A recursive type leads back to a place that is there.
pub(crate) struct Watch {
    places: Vec<Place>,
}

struct Place {
    kind: Kind,
    /// The places of its parts, in order.
    parts: Vec<usize>,
    met: AtomicBool,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Met once its bytes were not all zero: a zero might come from nowhere as well.
    Primitive(Primitive),
    /// One value of each part: a struct, a variant, a tuple.
    All,
    /// So many values of one part.
    Array(usize),
    /// Met once there was a value.
    Option,
    /// Met once there was an element.
    List,
    /// One of the parts.
    Enum,
}

/// A type with more places than these shares some of them between its fields.
const MOST: usize = 4096;

impl Watch {
    pub(crate) fn of(shape: &'static Shape) -> Watch {
        let mut builder = Builder { places: Vec::new(), known: Vec::new(), path: Vec::new() };
        builder.shape(shape);
        Watch { places: builder.places }
    }

    /// Whether all has been met.
    pub(crate) fn is_complete(&self) -> bool {
        self.places.iter().all(|place| place.met.load(Relaxed))
    }

    /// Whether the value at the start of these bytes holds something at a place that has not been
    /// met. Bytes that are no value are news too.
    pub(crate) fn has_news(&self, bytes: &[u8]) -> bool {
        let mut is_new = |place: &Place| !place.met.load(Relaxed);
        let mut walk = Walk { places: &self.places, input: Input::new(bytes), stop: &mut is_new };
        !matches!(walk.value(0, 0), Some(Go::On))
    }

    /// Notes that the value at the start of these bytes has been checked.
    pub(crate) fn meet(&self, bytes: &[u8]) {
        let mut meet = |place: &Place| {
            place.met.store(true, Relaxed);
            false
        };
        let mut walk = Walk { places: &self.places, input: Input::new(bytes), stop: &mut meet };
        walk.value(0, 0);
    }
}

struct Builder {
    places: Vec<Place>,
    /// The places of the shapes met so far.
    known: Vec<(usize, usize)>,
    /// The places of the shapes that the next one is in.
    path: Vec<(usize, usize)>,
}

impl Builder {
    /// The place of a value of this shape.
    fn shape(&mut self, shape: &'static Shape) -> usize {
        let shared = if self.places.len() < MOST { &self.path } else { &self.known };
        if let Some((_, place)) = shared.iter().find(|(known, _)| *known == address(shape)) {
            return *place;
        }
        let place = self.place(match shape {
            Shape::Primitive(primitive) => Kind::Primitive(*primitive),
            Shape::Struct { .. } | Shape::Tuple(_) => Kind::All,
            Shape::Enum { .. } => Kind::Enum,
            Shape::Option(_) => Kind::Option,
            Shape::List(item) | Shape::Set(item) if is_byte(item) => {
                Kind::Primitive(Primitive::Bytes)
            }
            Shape::List(_) | Shape::Set(_) | Shape::Map(..) => Kind::List,
            Shape::Array(_, len) => Kind::Array(*len),
        });
        self.known.push((address(shape), place));
        self.path.push((address(shape), place));
        let parts = match shape {
            Shape::Enum { variants, .. } => {
                variants.iter().map(|variant| self.variant(variant.fields)).collect()
            }
            // No value of it has a part.
            Shape::Array(_, 0) => Vec::new(),
            Shape::List(item) | Shape::Set(item) if is_byte(item) => Vec::new(),
            shape => shape.types().into_iter().map(|ty| self.shape(ty.shape())).collect(),
        };
        self.path.pop();
        self.places[place].parts = parts;
        place
    }

    fn variant(&mut self, fields: &'static [Field]) -> usize {
        let place = self.place(Kind::All);
        self.places[place].parts =
            fields.iter().map(|field| self.shape(field.ty.shape())).collect();
        place
    }

    fn place(&mut self, kind: Kind) -> usize {
        self.places.push(Place { kind, parts: Vec::new(), met: AtomicBool::new(false) });
        self.places.len() - 1
    }
}

/// Whether a list of these looks like `Bytes`.
fn is_byte(ty: &Type) -> bool {
    matches!(ty.shape(), Shape::Primitive(Primitive::U8 | Primitive::I8))
}

/// Follows a value along its places.
struct Walk<'a, 'de, F> {
    places: &'a [Place],
    input: Input<'de>,
    /// Called for each place that the value has something at. True ends the walk.
    stop: &'a mut F,
}

#[derive(PartialEq)]
enum Go {
    On,
    Stop,
}

impl<F: FnMut(&Place) -> bool> Walk<'_, '_, F> {
    /// `None` if the bytes are no value.
    fn value(&mut self, place: usize, depth: u32) -> Option<Go> {
        let depth = deeper(depth)?;
        let place = &self.places[place];
        let rest = self.input.rest();
        let (holds, rounds) = match place.kind {
            Kind::Primitive(primitive) => {
                skip_primitive(primitive, &mut self.input)?;
                let bytes = &rest[..rest.len() - self.input.left()];
                (primitive == Primitive::Unit || bytes.iter().any(|byte| *byte != 0), 0)
            }
            Kind::All | Kind::Enum => (true, 1),
            Kind::Array(len) => (true, len),
            Kind::Option => {
                let some = take::<bool>(&mut self.input).ok()?;
                (some, usize::from(some))
            }
            Kind::List => {
                let count: u64 = take(&mut self.input).ok()?;
                let count = usize::try_from(count).ok().filter(|n| *n <= self.input.left())?;
                (count > 0, count)
            }
        };
        if holds && (self.stop)(place) {
            return Some(Go::Stop);
        }
        if let Kind::Enum = place.kind {
            let number: u32 = take(&mut self.input).ok()?;
            return self.value(*place.parts.get(usize::try_from(number).ok()?)?, depth);
        }
        for _ in 0..rounds {
            for part in &place.parts {
                if self.value(*part, depth)? == Go::Stop {
                    return Some(Go::Stop);
                }
            }
        }
        Some(Go::On)
    }
}
