//! What a type looks like on the wire, as constant data, and the fingerprint of it.

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
    Leaf(Leaf),
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
pub enum Leaf {
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

impl Leaf {
    /// The type's name in Rust.
    pub const fn name(self) -> &'static str {
        match self {
            Leaf::Bool => "bool",
            Leaf::I8 => "i8",
            Leaf::I16 => "i16",
            Leaf::I32 => "i32",
            Leaf::I64 => "i64",
            Leaf::I128 => "i128",
            Leaf::U8 => "u8",
            Leaf::U16 => "u16",
            Leaf::U32 => "u32",
            Leaf::U64 => "u64",
            Leaf::U128 => "u128",
            Leaf::F32 => "f32",
            Leaf::F64 => "f64",
            Leaf::Char => "char",
            Leaf::String => "String",
            Leaf::Bytes => "Bytes",
            Leaf::Unit => "()",
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
    fingerprint: u32,
    // A function, since the shape of a recursive type could not hold itself.
    shape: fn() -> &'static Shape,
}

fn shape_of<T: Gob>() -> &'static Shape {
    T::SHAPE
}

impl Type {
    /// The type `T`.
    pub const fn of<T: Gob>() -> Type {
        Type { fingerprint: T::FINGERPRINT, shape: shape_of::<T> }
    }

    /// The type `T`, which leads back to the type that holds it.
    ///
    /// Its fingerprint would be part of itself, so `text`, the type as written, stands in for it.
    pub const fn recursive<T: Gob>(text: &str) -> Type {
        Type { fingerprint: Mixer::new().text(text).finish(), shape: shape_of::<T> }
    }

    /// The shape referred to.
    pub fn shape(&self) -> &'static Shape {
        (self.shape)()
    }
}

impl Shape {
    /// A number that is equal for equal shapes and differs, but for chance of 1 in 2^32, for
    /// shapes that differ in a name, an order, a count or a type at any depth.
    pub const fn fingerprint(&self) -> u32 {
        // Each kind starts with its own mark, so that no kind can look like another.
        let mixer = Mixer::new();
        let mixer = match self {
            Shape::Leaf(leaf) => mixer.text("leaf").text(leaf.name()),
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
            Shape::Set(item) => mixer.text("set").ty(item),
            Shape::Map(key, value) => mixer.text("map").ty(key).ty(value),
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
        };
        mixer.finish()
    }

    /// The name of a struct or enum.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Shape::Struct { name, .. } | Shape::Enum { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The shapes this one refers to directly.
    pub(crate) fn children(&self) -> Vec<&'static Shape> {
        let of_fields = |fields: &'static [Field]| fields.iter().map(|f| f.ty.shape());
        match self {
            Shape::Leaf(_) => Vec::new(),
            Shape::Struct { fields, .. } => of_fields(fields).collect(),
            Shape::Enum { variants, .. } => {
                variants.iter().flat_map(|v| of_fields(v.fields)).collect()
            }
            Shape::Option(item) | Shape::List(item) | Shape::Set(item) | Shape::Array(item, _) => {
                vec![item.shape()]
            }
            Shape::Map(key, value) => vec![key.shape(), value.shape()],
            Shape::Tuple(items) => items.iter().map(Type::shape).collect(),
        }
    }
}

/// The first four bytes of an encoding that carries its description. No type has this fingerprint.
pub(crate) const DESCRIBED: u32 = u32::from_le_bytes(*b"GOB+");

/// 64-bit FNV-1a, folded to 32 bits at the end.
struct Mixer(u64);

impl Mixer {
    const fn new() -> Mixer {
        Mixer(0xcbf2_9ce4_8422_2325)
    }

    const fn byte(self, byte: u8) -> Mixer {
        Mixer((self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }

    // The length goes first, so that "ab", "c" and "a", "bc" differ.
    const fn text(self, text: &str) -> Mixer {
        let bytes = text.as_bytes();
        let mut mixer = self.number(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            mixer = mixer.byte(bytes[at]);
            at += 1;
        }
        mixer
    }

    const fn number(self, number: usize) -> Mixer {
        let bytes = (number as u64).to_le_bytes();
        let mut mixer = self;
        let mut at = 0;
        while at < bytes.len() {
            mixer = mixer.byte(bytes[at]);
            at += 1;
        }
        mixer
    }

    const fn ty(self, ty: &Type) -> Mixer {
        self.number(ty.fingerprint as usize)
    }

    const fn fields(self, fields: &[Field]) -> Mixer {
        let mut mixer = self.number(fields.len());
        let mut at = 0;
        while at < fields.len() {
            mixer = mixer.text(fields[at].name).ty(&fields[at].ty);
            at += 1;
        }
        mixer
    }

    const fn finish(self) -> u32 {
        let folded = (self.0 ^ (self.0 >> 32)) as u32;
        if folded == DESCRIBED { !folded } else { folded }
    }
}
