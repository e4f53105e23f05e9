//! The fingerprint of a shape, and what else the compiler can tell from it.

use crate::graph::Graph;
use crate::shape::{Facts, Field, Shape, Type};

impl Shape {
    /// A number that is equal for equal shapes and differs, but for chance of 1 in 2^32, for
    /// shapes that differ in a name, an order, a count or a type at any depth.
    ///
    /// A recursive shape counts as what it would be if it were written out for ever, each type in
    /// full wherever it is met. So neither the spelling of its source counts, nor which of several
    /// types that hold each other comes first.
    pub fn fingerprint(&'static self) -> u32 {
        let facts = self.facts();
        if facts.recursive { Graph::of(self).fingerprint() } else { facts.fingerprint }
    }

    /// What the compiler can tell.
    pub(crate) const fn facts(&self) -> Facts {
        self.mix(None).finish()
    }

    /// The fingerprint, if the types that the shape refers to have these.
    pub(crate) fn fingerprint_with(&self, of_types: &[u32]) -> u32 {
        self.mix(Some(of_types)).finish().fingerprint
    }

    const fn mix<'a>(&self, given: Option<&'a [u32]>) -> Mixer<'a> {
        // Each kind starts with its own mark, so that no kind can look like another.
        let mixer = Mixer::new(given);
        match self {
            Shape::Primitive(primitive) => mixer.text("leaf").text(primitive.name()),
            Shape::Struct { name, fields, .. } => mixer.text("struct").text(name).fields(fields),
            Shape::Enum { name, variants } => {
                let mut mixer = mixer.text("enum").text(name).number(variants.len());
                let mut at = 0;
                while at < variants.len() {
                    mixer = mixer.text(variants[at].name).fields(variants[at].fields);
                    at += 1;
                }
                mixer
            }
            Shape::Option(item) => mixer.text("option").ty(item),
            Shape::List(item) => mixer.text("list").ty(item),
            Shape::Set(item) => mixer.text("set").ty(item).sorted(),
            Shape::Map(key, value) => mixer.text("map").ty(key).ty(value).sorted(),
            Shape::Array(item, len) => mixer.text("array").ty(item).number(*len),
            Shape::Tuple(items) => {
                let mut mixer = mixer.text("tuple").number(items.len());
                let mut at = 0;
                while at < items.len() {
                    mixer = mixer.ty(&items[at]);
                    at += 1;
                }
                mixer
            }
        }
    }
}

/// The first four bytes of an encoding that carries its description. No type has this fingerprint.
pub(crate) const DESCRIBED: u32 = u32::from_le_bytes(*b"GOB+");

/// The first four bytes of a value with a name. No type has this fingerprint.
pub(crate) const NAMED: u32 = u32::from_le_bytes(*b"GOB=");

/// 64-bit FNV-1a, folded to 32 bits at the end, and the facts that are collected on the way.
#[derive(Clone, Copy)]
struct Mixer<'a> {
    hash: u64,
    /// The fingerprints of the types referred to, if not their own.
    given: Option<&'a [u32]>,
    /// How many types have been mixed in.
    types: usize,
    recursive: bool,
    one_form: bool,
}

impl<'a> Mixer<'a> {
    const fn new(given: Option<&'a [u32]>) -> Mixer<'a> {
        Mixer { hash: 0xcbf2_9ce4_8422_2325, given, types: 0, recursive: false, one_form: true }
    }

    const fn byte(self, byte: u8) -> Mixer<'a> {
        let hash = (self.hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        Mixer { hash, ..self }
    }

    // The length goes first, so that "ab", "c" and "a", "bc" differ.
    const fn text(self, text: &str) -> Mixer<'a> {
        let bytes = text.as_bytes();
        let mut mixer = self.number(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            mixer = mixer.byte(bytes[at]);
            at += 1;
        }
        mixer
    }

    const fn number(self, number: usize) -> Mixer<'a> {
        let bytes = (number as u64).to_le_bytes();
        let mut mixer = self;
        let mut at = 0;
        while at < bytes.len() {
            mixer = mixer.byte(bytes[at]);
            at += 1;
        }
        mixer
    }

    const fn ty(self, ty: &Type) -> Mixer<'a> {
        let Facts { fingerprint, recursive, one_form } = ty.facts;
        let fingerprint = match self.given {
            Some(given) => given[self.types],
            None => fingerprint,
        };
        Mixer {
            types: self.types + 1,
            recursive: self.recursive | recursive,
            one_form: self.one_form & one_form,
            ..self.number(fingerprint as usize)
        }
    }

    const fn fields(self, fields: &[Field]) -> Mixer<'a> {
        let mut mixer = self.number(fields.len());
        let mut at = 0;
        while at < fields.len() {
            mixer = mixer.text(fields[at].name).ty(&fields[at].ty);
            at += 1;
        }
        mixer
    }

    /// serde's `Deserialize` puts the elements in order and drops those that are there twice.
    const fn sorted(self) -> Mixer<'a> {
        Mixer { one_form: false, ..self }
    }

    const fn finish(self) -> Facts {
        let folded = (self.hash ^ (self.hash >> 32)) as u32;
        let reserved = folded == DESCRIBED || folded == NAMED;
        let fingerprint = if reserved { !folded } else { folded };
        Facts { fingerprint, recursive: self.recursive, one_form: self.one_form }
    }
}
