//! What a type looks like on the wire, as constant data.

use crate::Gob;

/// The shape of a type: its name, its fields in order, and their shapes.
///
/// `#[derive(Gob)]` writes it. Write one by hand only for a type whose `Serialize` is written by
/// hand and emits something else than its fields; most often that is another type's shape:
///
/// ```
/// use labgob::{Gob, Shape};
/// use labgob::serde::{Deserialize, Deserializer, Serialize, Serializer};
///
/// struct Id(u64);
///
/// impl Serialize for Id {
///     fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
///         format!("id-{}", self.0).serialize(s)
///     }
/// }
///
/// impl<'de> Deserialize<'de> for Id {
///     fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Id, D::Error> {
///         let text = String::deserialize(d)?;
///         let number = text.strip_prefix("id-").and_then(|n| n.parse().ok());
///         // "id-07" is not how 7 is written.
///         let number = number.filter(|n| format!("id-{n}") == text);
///         number.map(Id).ok_or_else(|| serde::de::Error::custom("not an id"))
///     }
/// }
///
/// impl Gob for Id {
///     const SHAPE: &'static Shape = <String as Gob>::SHAPE;
///     const MIN_BYTES: usize = <String as Gob>::MIN_BYTES;
/// }
///
/// assert_eq!(labgob::decode::<String>(&labgob::encode(&Id(7))).unwrap(), "id-7");
/// ```
#[derive(Debug)]
pub enum Shape {
    /// A single value without parts.
    Primitive(Primitive),
    /// A struct of any style. Fields without names are called `0`, `1`, ...
    Struct {
        /// The name without module or type parameters.
        name: &'static str,
        /// The fields, in the order in which they travel.
        fields: &'static [Field],
        /// Whether serde passes straight on to the only field (`#[serde(transparent)]`).
        transparent: bool,
    },
    /// An enum. A variant travels as its position in this list, then its fields.
    Enum {
        /// The name without module or type parameters.
        name: &'static str,
        /// The variants, in order.
        variants: &'static [Variant],
    },
    /// `Option` of a type.
    Option(Type),
    /// `Vec` or `VecDeque`, which travel alike.
    List(Type),
    /// `BTreeSet`.
    Set(Type),
    /// `BTreeMap`.
    Map(Type, Type),
    /// An array, with its length.
    Array(Type, usize),
    /// A tuple.
    Tuple(&'static [Type]),
}

/// A value without parts. `usize` and `isize` travel as, and count as, their 64-bit kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the Rust type of that name")]
pub enum Primitive {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    String,
    Bytes,
    Unit,
}

impl Primitive {
    /// The type's name in Rust.
    pub const fn name(self) -> &'static str {
        match self {
            Primitive::Bool => "bool",
            Primitive::I8 => "i8",
            Primitive::I16 => "i16",
            Primitive::I32 => "i32",
            Primitive::I64 => "i64",
            Primitive::I128 => "i128",
            Primitive::U8 => "u8",
            Primitive::U16 => "u16",
            Primitive::U32 => "u32",
            Primitive::U64 => "u64",
            Primitive::U128 => "u128",
            Primitive::F32 => "f32",
            Primitive::F64 => "f64",
            Primitive::Char => "char",
            Primitive::String => "String",
            Primitive::Bytes => "Bytes",
            Primitive::Unit => "()",
        }
    }
}

/// A field of a struct or of a variant.
#[derive(Debug)]
pub struct Field {
    /// Its name on the wire: that of `#[serde(rename = "...")]` if there is one.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
}

/// A variant of an enum.
#[derive(Debug)]
pub struct Variant {
    /// Its name on the wire: that of `#[serde(rename = "...")]` if there is one.
    pub name: &'static str,
    /// Its fields, in order.
    pub fields: &'static [Field],
}

/// A reference from one shape to another.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    pub(crate) facts: Facts,
    /// What a value takes in memory, without what it points to.
    pub(crate) size: usize,
    // A function, since the shape of a recursive type could not hold itself.
    shape: fn() -> &'static Shape,
}

fn shape_of<T: Gob>() -> &'static Shape {
    T::SHAPE
}

/// What follows from a shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// The fingerprint, unless the shape is recursive.
    pub(crate) fingerprint: u32,
    /// It has a reference marked as recursive, at any depth: the rest of this holds for the shape
    /// as far as those references, and [`Graph`](crate::graph::Graph) tells the whole.
    pub(crate) recursive: bool,
    /// `Deserialize` takes only what `Serialize` writes. (It takes a set in any order.)
    pub(crate) one_form: bool,
}

impl Facts {
    /// Of a reference that the compiler does not follow.
    pub(crate) const LATER: Facts = Facts { fingerprint: 0, recursive: true, one_form: true };
}

impl Type {
    /// The type `T`.
    pub const fn of<T: Gob>() -> Type {
        Type { facts: T::SHAPE.facts(), size: size_of::<T>(), shape: shape_of::<T> }
    }

    /// The type `T`, which may lead back to the type that holds it, so that the compiler could not
    /// come to an end with its shape. What follows from the shape is found when it is first needed.
    pub const fn recursive<T: Gob>() -> Type {
        Type { facts: Facts::LATER, size: size_of::<T>(), shape: shape_of::<T> }
    }

    /// The type `T`, whose `Deserialize` also takes bytes that its `Serialize` does not write.
    pub(crate) const fn of_many_forms<T: Gob>() -> Type {
        let ty = Type::of::<T>();
        Type { facts: Facts { one_form: false, ..ty.facts }, ..ty }
    }

    /// The shape referred to.
    pub fn shape(&self) -> &'static Shape {
        (self.shape)()
    }
}

impl Shape {
    /// The name of a struct or enum.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Shape::Struct { name, .. } | Shape::Enum { name, .. } => Some(name),
            _ => None,
        }
    }

    /// What serde shows of it: it passes straight through `#[serde(transparent)]` structs.
    pub(crate) fn shown(&'static self) -> &'static Shape {
        let mut shape = self;
        while let Shape::Struct { fields: [only], transparent: true, .. } = shape {
            shape = only.ty.shape();
        }
        shape
    }

    /// The types this shape refers to directly, in order.
    pub(crate) fn types(&self) -> Vec<&Type> {
        match self {
            Shape::Primitive(_) => Vec::new(),
            Shape::Struct { fields, .. } => fields.iter().map(|field| &field.ty).collect(),
            Shape::Enum { variants, .. } => {
                variants.iter().flat_map(|v| v.fields).map(|field| &field.ty).collect()
            }
            Shape::Option(item) | Shape::List(item) | Shape::Set(item) | Shape::Array(item, _) => {
                vec![item]
            }
            Shape::Map(key, value) => vec![key, value],
            Shape::Tuple(items) => items.iter().collect(),
        }
    }
}
