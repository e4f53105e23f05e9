//! Looking into an encoded value where it lies, without decoding it.

use crate::depth::deeper;
use crate::shape::{Field, Primitive, Shape, Type};
use crate::wire::{Input, Take, take};
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

    fn at(mut shape: &'static Shape, bytes: &'a [u8]) -> Peek<'a> {
        while let Shape::Struct { fields: [only], transparent: true, .. } = shape {
            shape = only.ty.shape();
        }
        Peek { shape, bytes }
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

    /// The elements of a list, a set, an array or a tuple.
    pub fn items(&self) -> Option<impl Iterator<Item = Peek<'a>> + use<'a>> {
        let mut rest = self.bytes;
        let (count, types): (usize, &[Type]) = match self.shape {
            Shape::List(item) | Shape::Set(item) => (count(&mut rest)?, std::slice::from_ref(item)),
            Shape::Array(item, count) => (*count, std::slice::from_ref(item)),
            Shape::Tuple(items) => (items.len(), items),
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

fn value<'a, T: Take<'a>>(input: &mut Input<'a>) -> Option<T> {
    take(input).ok()
}

/// How many elements follow; never more than bytes are left, since each takes one at least.
fn count(bytes: &mut &[u8]) -> Option<usize> {
    let mut input = Input::new(bytes);
    let count = counted(&mut input)?;
    *bytes = &bytes[bytes.len() - input.left()..];
    Some(count)
}

fn counted(input: &mut Input<'_>) -> Option<usize> {
    let claimed: u64 = value(input)?;
    usize::try_from(claimed).ok().filter(|count| *count <= input.left())
}

/// The value that comes next.
fn next<'a>(ty: &Type, rest: &mut &'a [u8]) -> Option<Peek<'a>> {
    let mut input = Input::new(rest);
    skip(ty.shape(), &mut input, 0)?;
    let (this, after) = rest.split_at(rest.len() - input.left());
    *rest = after;
    Some(Peek::at(ty.shape(), this))
}

/// The fields of the variant that comes next, and its name.
fn variant(
    variants: &'static [crate::Variant],
    input: &mut Input<'_>,
) -> Option<&'static crate::Variant> {
    let number: u32 = value(input)?;
    variants.get(usize::try_from(number).ok()?)
}

/// Moves past a value.
fn skip(shape: &'static Shape, input: &mut Input<'_>, depth: u32) -> Option<()> {
    let depth = deeper(depth)?;
    match shape {
        Shape::Primitive(primitive) => skip_primitive(*primitive, input),
        Shape::Struct { fields, .. } => {
            skip_all(fields.iter().map(|field| &field.ty), input, depth)
        }
        Shape::Enum { variants, .. } => {
            let variant = variant(variants, input)?;
            skip_all(variant.fields.iter().map(|field| &field.ty), input, depth)
        }
        Shape::Option(item) => match value::<u8>(input)? {
            0 => Some(()),
            1 => skip(item.shape(), input, depth),
            _ => None,
        },
        Shape::List(item) | Shape::Set(item) => {
            let count = counted(input)?;
            if let Shape::Primitive(Primitive::U8) = item.shape() {
                return skip_bytes(count, input);
            }
            skip_all(std::iter::repeat_n(item, count), input, depth)
        }
        Shape::Map(key, item) => {
            let count = counted(input)?;
            skip_all([key, item].into_iter().cycle().take(2 * count), input, depth)
        }
        Shape::Array(item, count) => skip_all(std::iter::repeat_n(item, *count), input, depth),
        Shape::Tuple(items) => skip_all(items.iter(), input, depth),
    }
}

fn skip_all(
    mut types: impl Iterator<Item = &'static Type>,
    input: &mut Input<'_>,
    depth: u32,
) -> Option<()> {
    types.try_for_each(|ty| skip(ty.shape(), input, depth))
}

fn skip_bytes(count: usize, input: &mut Input<'_>) -> Option<()> {
    (0..count).try_for_each(|_| value::<u8>(input).map(drop))
}

pub(crate) fn skip_primitive(primitive: Primitive, input: &mut Input<'_>) -> Option<()> {
    match primitive {
        Primitive::Bool => value::<bool>(input).map(drop),
        Primitive::U8 | Primitive::I8 => value::<u8>(input).map(drop),
        Primitive::U16 | Primitive::I16 => value::<u16>(input).map(drop),
        Primitive::U32 | Primitive::I32 => value::<u32>(input).map(drop),
        Primitive::U64 | Primitive::I64 => value::<u64>(input).map(drop),
        Primitive::U128 | Primitive::I128 => value::<u128>(input).map(drop),
        Primitive::F32 => value::<f32>(input).map(drop),
        Primitive::F64 => value::<f64>(input).map(drop),
        Primitive::Char => value::<char>(input).map(drop),
        Primitive::String => value::<&str>(input).map(drop),
        Primitive::Bytes => value::<&[u8]>(input).map(drop),
        Primitive::Unit => Some(()),
    }
}

/// The view of the value that comes next.
fn view(shape: &'static Shape, input: &mut Input<'_>, depth: u32) -> Option<View> {
    let depth = deeper(depth)?;
    let mut of = |ty: &Type| view(ty.shape(), input, depth);
    Some(match shape {
        Shape::Primitive(primitive) => return view_of_primitive(*primitive, input),
        Shape::Struct { fields: [only], transparent: true, .. } => return of(&only.ty),
        Shape::Struct { fields, .. } => view_of_fields(fields, of)?,
        Shape::Enum { variants, .. } => {
            let variant = variant(variants, input)?;
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
