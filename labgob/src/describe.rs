//! A type's description as a value: it can be shown, embedded in bytes and compared.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::graph::Graph;
use crate::probe::Blind;
use crate::shape::{Field, Shape, Type};
use crate::wire::Input;
use crate::{DecodeError, de, ser};

/// A type's description: names, fields and their types at every depth.
///
/// It shows as one line, `Vote { term: u64, candidate: u32 }`, in which the structs and enums of
/// the fields have their names only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    // The first is the type itself. The others are referred to by their place, so that a
    // recursive type has a finite description.
    pub(crate) nodes: Vec<Node>,
}

/// Where a node stands in its description.
pub(crate) type Place = u32;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Node {
    Primitive(String),
    Struct(String, Vec<Part>),
    Enum(String, Vec<(String, Vec<Part>)>),
    /// `Option<T>`, `Vec<T>`, ...
    Generic(String, Vec<Place>),
    Array(Place, u64),
    Tuple(Vec<Place>),
}

/// A field's name and type.
pub(crate) type Part = (String, Place);

/// A line of an error stays readable, and hostile bytes cannot make it long.
const LONGEST: usize = 400;

impl Description {
    pub(crate) fn of(shape: &'static Shape) -> Description {
        let (nodes, known) = (Vec::new(), BTreeMap::new());
        let mut builder = Builder { graph: Graph::of(shape), nodes, known };
        builder.add(shape);
        Description { nodes: builder.nodes }
    }

    /// The bytes that [`Description::from_bytes`] reads.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        ser::write(self, &mut bytes, 0, &mut Blind).expect("a description can always be written");
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Description, DecodeError> {
        let mut input = Input::new(bytes);
        let found: Description = de::read(&mut input, 0, &mut Blind)?;
        let known = |place: &Place| (*place as usize) < found.nodes.len();
        let sound = found.nodes.iter().all(|node| node.places().iter().all(known));
        if !sound || found.nodes.is_empty() || input.left() > 0 {
            return Err(Fault::shape("it has references to nowhere, or no end").into());
        }
        Ok(found)
    }

    pub(crate) fn node(&self, place: Place) -> &Node {
        &self.nodes[place as usize]
    }

    /// The name of the type at `place`, with its parameters if it is one of std's.
    pub(crate) fn name_at(&self, place: Place) -> String {
        let mut text = Text { description: self, out: String::new() };
        text.name(place, 0);
        text.finish()
    }

    /// The name of the type.
    pub fn name(&self) -> String {
        self.name_at(0)
    }
}

impl Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Text { description: self, out: String::new() };
        text.expanded();
        f.write_str(&text.finish())
    }
}

impl Node {
    fn places(&self) -> Vec<Place> {
        let of_parts = |parts: &[Part]| parts.iter().map(|part| part.1).collect::<Vec<_>>();
        match self {
            Node::Primitive(_) => Vec::new(),
            Node::Struct(_, fields) => of_parts(fields),
            Node::Enum(_, variants) => variants.iter().flat_map(|v| of_parts(&v.1)).collect(),
            Node::Generic(_, items) | Node::Tuple(items) => items.clone(),
            Node::Array(item, _) => vec![*item],
        }
    }
}

/// Turns shapes into nodes, each once.
struct Builder {
    graph: Graph,
    nodes: Vec<Node>,
    /// The nodes of the kinds met so far.
    known: BTreeMap<u32, Place>,
}

impl Builder {
    fn add(&mut self, shape: &'static Shape) -> Place {
        let kind = self.graph.kind(shape);
        if let Some(place) = self.known.get(&kind) {
            return *place;
        }
        let place = self.nodes.len() as Place;
        self.known.insert(kind, place);
        self.nodes.push(Node::Tuple(Vec::new()));
        let node = match shape {
            Shape::Primitive(primitive) => Node::Primitive(primitive.name().into()),
            Shape::Struct { name, fields, .. } => Node::Struct((*name).into(), self.parts(fields)),
            Shape::Enum { name, variants } => {
                let variants = variants.iter().map(|v| (v.name.into(), self.parts(v.fields)));
                Node::Enum((*name).into(), variants.collect())
            }
            Shape::Option(item) => Node::Generic("Option".into(), vec![self.ty(item)]),
            Shape::List(item) => Node::Generic("Vec".into(), vec![self.ty(item)]),
            Shape::Set(item) => Node::Generic("BTreeSet".into(), vec![self.ty(item)]),
            Shape::Map(key, value) => {
                Node::Generic("BTreeMap".into(), vec![self.ty(key), self.ty(value)])
            }
            Shape::Array(item, len) => Node::Array(self.ty(item), *len as u64),
            Shape::Tuple(items) => Node::Tuple(items.iter().map(|item| self.ty(item)).collect()),
        };
        self.nodes[place as usize] = node;
        place
    }

    fn ty(&mut self, ty: &Type) -> Place {
        self.add(ty.shape())
    }

    fn parts(&mut self, fields: &[Field]) -> Vec<Part> {
        fields.iter().map(|field| (field.name.into(), self.ty(&field.ty))).collect()
    }
}

/// Writes a description, but never much more than [`LONGEST`].
struct Text<'a> {
    description: &'a Description,
    out: String,
}

impl Text<'_> {
    fn expanded(&mut self) {
        match self.description.node(0) {
            Node::Struct(name, fields) => {
                self.push(name);
                self.fields(fields);
            }
            Node::Enum(name, variants) => {
                self.out.push_str("enum ");
                self.push(name);
                self.out.push_str(" { ");
                self.list(variants, |text, (name, fields)| {
                    text.push(name);
                    text.fields(fields);
                });
                self.out.push_str(" }");
            }
            _ => self.name(0, 0),
        }
    }

    /// `{ a: A, b: B }`, or `(A, B)` for fields that are called by numbers.
    fn fields(&mut self, fields: &[Part]) {
        match fields {
            [] => {}
            [(first, _), ..] if first == "0" => {
                self.out.push('(');
                self.list(fields, |text, (_, place)| text.name(*place, 0));
                self.out.push(')');
            }
            _ => {
                self.out.push_str(" { ");
                self.list(fields, |text, (name, place)| {
                    text.push(name);
                    text.out.push_str(": ");
                    text.name(*place, 0);
                });
                self.out.push_str(" }");
            }
        }
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        for (at, item) in items.iter().enumerate() {
            if self.out.len() > LONGEST {
                return self.out.push_str("...");
            }
            if at > 0 {
                self.out.push_str(", ");
            }
            each(self, item);
        }
    }

    fn name(&mut self, place: Place, depth: usize) {
        // Only a forged description has std's types inside each other without end.
        if depth > 8 {
            return self.out.push_str("...");
        }
        match self.description.node(place) {
            Node::Primitive(name) | Node::Struct(name, _) | Node::Enum(name, _) => self.push(name),
            Node::Generic(name, items) => {
                self.push(name);
                self.out.push('<');
                self.list(items, |text, item| text.name(*item, depth + 1));
                self.out.push('>');
            }
            Node::Array(item, len) => {
                self.out.push('[');
                self.name(*item, depth + 1);
                self.out.push_str(&format!("; {len}]"));
            }
            Node::Tuple(items) => {
                self.out.push('(');
                self.list(items, |text, item| text.name(*item, depth + 1));
                self.out.push_str(if items.len() == 1 { ",)" } else { ")" });
            }
        }
    }

    /// A name, which may be forged: nothing in it disturbs a terminal.
    fn push(&mut self, name: &str) {
        // Of a longer one not all is shown.
        self.out.extend(name.chars().take(2 * LONGEST + 1).flat_map(char::escape_debug));
    }

    fn finish(mut self) -> String {
        // A single forged name may be as long as the input.
        if let Some((end, _)) = self.out.char_indices().nth(2 * LONGEST) {
            self.out.truncate(end);
            self.out.push_str("...");
        }
        self.out
    }
}
