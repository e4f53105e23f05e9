//! Looking into an encoded value where it lies, without decoding it.

use crate::depth::deeper;
use crate::shape::{Field, Primitive, Shape, Type};
use crate::wire::{Input, Output, Put, Take, after, count, number, put, take};
use crate::{Gob, View};

/// A value, or a part of one, in its encoded form, for checkers that know a field by its name and
/// have to be quick: nothing is decoded that is not asked for, and nothing is copied.
///
/// Bytes that are no value of the type have no parts: everything is `None`.
///
/// ```
/// use labgob::{Deserialize, Gob, Peek, Serialize};
///
/// #[derive(Serialize, Deserialize, Gob)]
/// # #[serde(crate = "labgob::serde")]
/// struct Vote { term: u64, candidate: Option<u32> }
///
/// let bytes = labgob::encode(&Vote { term: 7, candidate: Some(2) });
/// let vote = Peek::of::<Vote>(&bytes).unwrap();
/// let term = vote.fields().find(|(name, _)| *name == "term").unwrap().1;
/// assert_eq!(term.number(), Some(7));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Peek<'a> {
    shape: &'static Shape,
    /// The bytes of the value, and no others.
    bytes: &'a [u8],
}

impl<'a> Peek<'a> {
    /// Looks into the encoding of a `T`; none if it does not begin like one.
    pub fn of<T: Gob>(encoded: &'a [u8]) -> Option<Peek<'a>> {
        Peek::after_fingerprint(T::SHAPE, T::fingerprint(), encoded)
    }

    /// As [`of`](Peek::of), for a type known by its shape.
    pub fn of_shape(shape: &'static Shape, encoded: &'a [u8]) -> Option<Peek<'a>> {
        Peek::after_fingerprint(shape, shape.fingerprint(), encoded)
    }

    fn after_fingerprint(
        shape: &'static Shape,
        fingerprint: u32,
        encoded: &'a [u8],
    ) -> Option<Peek<'a>> {
        let (header, bytes) = encoded.split_first_chunk()?;
        let is_of_this_type = u32::from_le_bytes(*header) == fingerprint;
        is_of_this_type.then(|| Peek::at(shape, bytes))
    }

    /// A part that was found before and kept: what [`shape`](Peek::shape) and
    /// [`bytes`](Peek::bytes) gave.
    pub fn part(shape: &'static Shape, bytes: &'a [u8]) -> Peek<'a> {
        Peek::at(shape, bytes)
    }

    fn at(shape: &'static Shape, bytes: &'a [u8]) -> Peek<'a> {
        Peek { shape: shape.shown(), bytes }
    }

    /// Its encoding, without a fingerprint. Two values of one type are equal if these are.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its type's shape.
    pub fn shape(&self) -> &'static Shape {
        self.shape
    }

    /// The fields of a struct, in order; none of anything else.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Peek<'a>)> + use<'a> {
        let fields: &'static [Field] = match self.shape {
            Shape::Struct { fields, .. } => fields,
            _ => &[],
        };
        let mut rest = self.bytes;
        fields.iter().map_while(move |field| Some((field.name, next(&field.ty, &mut rest)?)))
    }

    /// The elements of a list, a set, an array or a tuple; of an `Option` the one that it has, or none.
    pub fn items(&self) -> Option<impl Iterator<Item = Peek<'a>> + use<'a>> {
        let mut rest = self.bytes;
        let (count, types): (usize, &[Type]) = match self.shape {
            Shape::List(item) | Shape::Set(item) => {
                let count;
                (count, rest) = crate::wire::count(rest)?;
                (count, std::slice::from_ref(item))
            }
            Shape::Array(item, count) => (*count, std::slice::from_ref(item)),
            Shape::Tuple(items) => (items.len(), items),
            Shape::Option(item) => {
                let (is_some, content) = rest.split_first().filter(|(is_some, _)| **is_some < 2)?;
                rest = content;
                (usize::from(*is_some), std::slice::from_ref(item))
            }
            _ => return None,
        };
        let types = types.iter().cycle().take(count);
        Some(types.map_while(move |ty| next(ty, &mut rest)))
    }

    /// The number, if it is a whole one that is not negative and fits.
    pub fn number(&self) -> Option<u64> {
        let Shape::Primitive(primitive) = self.shape else { return None };
        let mut input = Input::new(self.bytes);
        let input = &mut input;
        match primitive {
            Primitive::U8 => value::<u8>(input).map(u64::from),
            Primitive::U16 => value::<u16>(input).map(u64::from),
            Primitive::U32 => value::<u32>(input).map(u64::from),
            Primitive::U64 => value::<u64>(input),
            Primitive::U128 => value::<u128>(input)?.try_into().ok(),
            Primitive::I8 => value::<i8>(input)?.try_into().ok(),
            Primitive::I16 => value::<i16>(input)?.try_into().ok(),
            Primitive::I32 => value::<i32>(input)?.try_into().ok(),
            Primitive::I64 => value::<i64>(input)?.try_into().ok(),
            Primitive::I128 => value::<i128>(input)?.try_into().ok(),
            _ => None,
        }
    }

    /// The encoding of another whole number in the place of this one; none if this is no number, or its
    /// type cannot hold the other one. Past newtypes and an `Option`, which then has it.
    ///
    /// ```
    /// use labgob::Peek;
    ///
    /// let bytes = labgob::encode(&Some(7u32));
    /// let seven = Peek::of::<Option<u32>>(&bytes).unwrap();
    /// assert_eq!(seven.renumbered(1_000), Some(labgob::encode(&Some(1_000u32))[4..].to_vec()));
    /// assert_eq!(seven.renumbered(1 << 40), None);
    /// ```
    pub fn renumbered(&self, number: u64) -> Option<Vec<u8>> {
        let mut out = Output::after(Vec::new());
        renumber(self.shape, number, &mut out, 0)?;
        Some(out.take())
    }

    /// The truth value, if it is one.
    pub fn bool(&self) -> Option<bool> {
        match self.shape {
            Shape::Primitive(Primitive::Bool) => value(&mut Input::new(self.bytes)),
            _ => None,
        }
    }

    /// What it holds, field by field.
    pub fn view(&self) -> Option<View> {
        view(self.shape, &mut Input::new(self.bytes), 0)
    }
}

/// Writes a number as a value of a type.
fn renumber(shape: &'static Shape, number: u64, out: &mut Output, depth: u32) -> Option<()> {
    fn as_a<T: Put + TryFrom<u64>>(number: u64, out: &mut Output) -> Option<()> {
        T::try_from(number).ok().map(|number| put(out, &number))
    }
    // A type may have itself inside, and no number anywhere.
    let depth = deeper(depth)?;
    match shape.shown() {
        Shape::Struct { fields: [only], .. } => renumber(only.ty.shape(), number, out, depth),
        Shape::Option(item) => {
            put(out, &1u8);
            renumber(item.shape(), number, out, depth)
        }
        Shape::Primitive(primitive) => match primitive {
            Primitive::U8 => as_a::<u8>(number, out),
            Primitive::U16 => as_a::<u16>(number, out),
            Primitive::U32 => as_a::<u32>(number, out),
            Primitive::U64 => as_a::<u64>(number, out),
            Primitive::U128 => as_a::<u128>(number, out),
            Primitive::I8 => as_a::<i8>(number, out),
            Primitive::I16 => as_a::<i16>(number, out),
            Primitive::I32 => as_a::<i32>(number, out),
            Primitive::I64 => as_a::<i64>(number, out),
            Primitive::I128 => as_a::<i128>(number, out),
            _ => None,
        },
        _ => None,
    }
}

fn value<'a, T: Take<'a>>(input: &mut Input<'a>) -> Option<T> {
    take(input).ok()
}

/// How many elements follow.
fn counted(input: &mut Input<'_>) -> Option<usize> {
    let (count, rest) = count(input.rest())?;
    *input = Input::new(rest);
    Some(count)
}

/// The value that comes next.
fn next<'a>(ty: &Type, rest: &mut &'a [u8]) -> Option<Peek<'a>> {
    let after = skip(ty.shape(), rest, 0)?;
    let this = &rest[..rest.len() - after.len()];
    *rest = after;
    Some(Peek::at(ty.shape(), this))
}

/// The depth of the parts of a value at `depth`: whoever writes it counts as here.
fn inside(shape: &Shape, depth: u32) -> Option<u32> {
    match shape {
        Shape::Primitive(_) => Some(depth),
        _ => deeper(depth),
    }
}

/// What follows a value.
fn skip<'b>(shape: &'static Shape, bytes: &'b [u8], depth: u32) -> Option<&'b [u8]> {
    let shape = shape.shown();
    let depth = inside(shape, depth)?;
    let skip_fields = |fields: &'static [Field], bytes| {
        fields.iter().try_fold(bytes, |bytes, field| skip(field.ty.shape(), bytes, depth))
    };
    let skip_times = |count, item: &Type, bytes| {
        (0..count).try_fold(bytes, |bytes, _| skip(item.shape(), bytes, depth))
    };
    match shape {
        Shape::Primitive(primitive) => after(*primitive, bytes).map(|(_, rest)| rest),
        Shape::Struct { fields, .. } => skip_fields(fields, bytes),
        Shape::Enum { variants, .. } => {
            let (number, rest) = number(bytes)?;
            skip_fields(variants.get(number)?.fields, rest)
        }
        Shape::Option(item) => match bytes.split_first()? {
            (0, rest) => Some(rest),
            (1, rest) => skip(item.shape(), rest, depth),
            _ => None,
        },
        Shape::List(item) | Shape::Set(item) => {
            let (count, rest) = count(bytes)?;
            match item.shape() {
                Shape::Primitive(Primitive::U8) => rest.get(count..),
                _ => skip_times(count, item, rest),
            }
        }
        Shape::Map(key, value) => {
            let (count, rest) = count(bytes)?;
            let skip_entry = |bytes, _| skip_times(1, value, skip_times(1, key, bytes)?);
            (0..count).try_fold(rest, skip_entry)
        }
        Shape::Array(item, count) => skip_times(*count, item, bytes),
        Shape::Tuple(items) => items.iter().try_fold(bytes, |b, item| skip_times(1, item, b)),
    }
}

/// The view of the value that comes next.
fn view(shape: &'static Shape, input: &mut Input<'_>, depth: u32) -> Option<View> {
    let shape = shape.shown();
    let depth = inside(shape, depth)?;
    let mut of = |ty: &Type| view(ty.shape(), input, depth);
    Some(match shape {
        Shape::Primitive(primitive) => return view_of_primitive(*primitive, input),
        Shape::Struct { fields, .. } => view_of_fields(fields, of)?,
        Shape::Enum { variants, .. } => {
            let number: u32 = value(input)?;
            let variant = variants.get(usize::try_from(number).ok()?)?;
            if variant.fields.is_empty() {
                return Some(View::Text(variant.name.into()));
            }
            let content = view_of_fields(variant.fields, |ty| view(ty.shape(), input, depth))?;
            View::Variant(variant.name, Box::new(content))
        }
        Shape::Option(item) => match value::<u8>(input)? {
            0 => View::Nothing,
            1 => return view(item.shape(), input, depth),
            _ => return None,
        },
        Shape::List(item) | Shape::Set(item) => {
            let count = counted(input)?;
            if let Shape::Primitive(Primitive::U8) = item.shape() {
                let bytes = (0..count).map(|_| value::<u8>(input));
                return bytes.collect::<Option<_>>().map(View::Bytes);
            }
            let items = (0..count).map(|_| view(item.shape(), input, depth));
            View::List(items.collect::<Option<_>>()?)
        }
        Shape::Map(key, item) => {
            let count = counted(input)?;
            let mut of = |ty: &Type| view(ty.shape(), input, depth);
            let entries = (0..count).map(|_| Some((of(key)?, of(item)?)));
            View::Map(entries.collect::<Option<_>>()?)
        }
        Shape::Array(item, count) => {
            View::List((0..*count).map(|_| of(item)).collect::<Option<_>>()?)
        }
        Shape::Tuple(items) => View::List(items.iter().map(of).collect::<Option<_>>()?),
    })
}

/// Fields by name; by their order, if they are called by numbers.
fn view_of_fields(
    fields: &'static [Field],
    mut of: impl FnMut(&Type) -> Option<View>,
) -> Option<View> {
    match fields {
        [] => Some(View::Nothing),
        [only] if only.name == "0" => of(&only.ty),
        [first, ..] if first.name == "0" => {
            Some(View::List(fields.iter().map(|field| of(&field.ty)).collect::<Option<_>>()?))
        }
        _ => {
            let named = fields.iter().map(|field| Some((field.name, of(&field.ty)?)));
            Some(View::Fields(named.collect::<Option<_>>()?))
        }
    }
}

fn view_of_primitive(primitive: Primitive, input: &mut Input<'_>) -> Option<View> {
    fn number<'a, T: Copy + Take<'a> + TryInto<u128> + TryInto<i128>>(
        input: &mut Input<'a>,
    ) -> Option<View> {
        let number: T = value(input)?;
        let negative = || number.try_into().ok().map(View::Negative);
        number.try_into().ok().map(View::Number).or_else(negative)
    }
    match primitive {
        Primitive::Bool => value(input).map(View::Bool),
        Primitive::U8 => number::<u8>(input),
        Primitive::U16 => number::<u16>(input),
        Primitive::U32 => number::<u32>(input),
        Primitive::U64 => number::<u64>(input),
        Primitive::U128 => number::<u128>(input),
        Primitive::I8 => number::<i8>(input),
        Primitive::I16 => number::<i16>(input),
        Primitive::I32 => number::<i32>(input),
        Primitive::I64 => number::<i64>(input),
        Primitive::I128 => number::<i128>(input),
        Primitive::F32 => value::<f32>(input).map(|number| View::Float(number.into())),
        Primitive::F64 => value(input).map(View::Float),
        Primitive::Char => value::<char>(input).map(|c| View::Text(c.into())),
        Primitive::String => value::<&str>(input).map(|text| View::Text(text.into())),
        Primitive::Bytes => value::<&[u8]>(input).map(|bytes| View::Bytes(bytes.into())),
        Primitive::Unit => Some(View::Nothing),
    }
}
