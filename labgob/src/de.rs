//! The deserializer: reads a value's bytes and reports to a probe.
//!
//! It trusts no length. Text and bytes are borrowed from the input before anything is allocated,
//! and a list can claim at most as many elements as bytes are left, since each element takes one
//! byte at least (see [`Gob::MIN_BYTES`](crate::Gob::MIN_BYTES)).

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

use crate::DecodeError;
use crate::depth::{deeper, too_deep};
use crate::fault::{Fault, Why};
use crate::probe::{Open, Probe};
use crate::shape::Primitive;
use crate::wire::{Input, Take, take};

type Names = &'static [&'static str];

/// Reads one value, which is at `depth`, from the start of `input`, and moves past it.
#[inline(always)]
pub(crate) fn read<'de, T, P>(
    input: &mut Input<'de>,
    depth: u32,
    probe: &mut P,
) -> Result<T, DecodeError>
where
    T: DeserializeOwned,
    P: Probe,
{
    T::deserialize(De { from: &mut Source { input, depth, probe }, depth })
}

struct Source<'b, 'de, P> {
    input: &'b mut Input<'de>,
    /// That of the whole value.
    depth: u32,
    probe: &'b mut P,
}

impl<'de, P: Probe> Source<'_, 'de, P> {
    /// Reads what has no parts.
    #[inline(always)]
    fn take<T: Take<'de>>(&mut self) -> Result<T, Fault> {
        let value = take(self.input)?;
        if P::SEES {
            self.probe.left(self.input.left())?;
        }
        Ok(value)
    }
}

// Two words, and the depth a value, as in the serializer.
struct De<'a, 'b, 'de, P> {
    from: &'a mut Source<'b, 'de, P>,
    depth: u32,
}

impl<'a, 'b, 'de, P: Probe> De<'a, 'b, 'de, P> {
    #[inline(always)]
    fn open(
        self,
        open: Open,
        count: usize,
        names: Names,
    ) -> Result<Parts<'a, 'b, 'de, P>, DecodeError> {
        let Some(depth) = deeper(self.depth) else {
            return Err(too_deep(self.from.depth).into());
        };
        self.from.probe.open(open)?;
        Ok(Parts { from: self.from, depth, left: count, names: names.iter() })
    }

    #[inline(always)]
    fn fields<V: Visitor<'de>>(
        self,
        open: Open,
        count: usize,
        names: Names,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let mut parts = self.open(open, count, names)?;
        let value = visitor.visit_seq(&mut parts)?;
        parts.close()?;
        Ok(value)
    }

    /// Reads how many elements follow.
    #[inline(always)]
    fn count(&mut self) -> Result<usize, DecodeError> {
        let claimed: u64 = self.from.take()?;
        let left = self.from.input.left();
        if claimed > left as u64 {
            return Err(Fault::new(Why::Length { claimed, left }).into());
        }
        Ok(claimed as usize)
    }
}

/// The parts of a value, being read.
struct Parts<'a, 'b, 'de, P> {
    from: &'a mut Source<'b, 'de, P>,
    depth: u32,
    left: usize,
    names: std::slice::Iter<'static, &'static str>,
}

impl<'de, P: Probe> Parts<'_, '_, 'de, P> {
    #[inline(always)]
    fn part<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, DecodeError> {
        let name = if P::SEES { self.names.next().copied() } else { None };
        self.from.probe.part(name)?;
        seed.deserialize(De { from: self.from, depth: self.depth })
    }

    #[inline(always)]
    fn close(self) -> Result<(), DecodeError> {
        self.from.probe.close()?;
        if self.left != 0 {
            let text = format!("Deserialize leaves {} of the parts unread", self.left);
            return Err(Fault::shape(text).into());
        }
        Ok(())
    }
}

macro_rules! primitives {
    ($($method:ident: $ty:ty => $primitive:ident, $visit:ident;)*) => {$(
        #[inline(always)]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.from.probe.primitive(Primitive::$primitive)?;
            let value: $ty = self.from.take()?;
            visitor.$visit(value)
        }
    )*};
}

macro_rules! not_self_describing {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, DecodeError> {
            let text = "Deserialize asks what comes next, which these bytes do not say: \
                        it must ask for a type";
            Err(Fault::shape(text).into())
        }
    )*};
}

impl<'de, P: Probe> Deserializer<'de> for De<'_, '_, 'de, P> {
    type Error = DecodeError;

    primitives! {
        deserialize_bool: bool => Bool, visit_bool;
        deserialize_i8: i8 => I8, visit_i8;
        deserialize_i16: i16 => I16, visit_i16;
        deserialize_i32: i32 => I32, visit_i32;
        deserialize_i64: i64 => I64, visit_i64;
        deserialize_i128: i128 => I128, visit_i128;
        deserialize_u8: u8 => U8, visit_u8;
        deserialize_u16: u16 => U16, visit_u16;
        deserialize_u32: u32 => U32, visit_u32;
        deserialize_u64: u64 => U64, visit_u64;
        deserialize_u128: u128 => U128, visit_u128;
        deserialize_f32: f32 => F32, visit_f32;
        deserialize_f64: f64 => F64, visit_f64;
        deserialize_char: char => Char, visit_char;
        deserialize_str: &str => String, visit_borrowed_str;
        deserialize_string: &str => String, visit_borrowed_str;
        deserialize_bytes: &[u8] => Bytes, visit_borrowed_bytes;
        deserialize_byte_buf: &[u8] => Bytes, visit_borrowed_bytes;
    }

    not_self_describing! { deserialize_any deserialize_identifier deserialize_ignored_any }

    #[inline(always)]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.from.probe.primitive(Primitive::Unit)?;
        visitor.visit_unit()
    }

    #[inline(always)]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let some = match self.from.take::<u8>()? {
            0 => false,
            1 => true,
            byte => return Err(not_an_option(byte).into()),
        };
        let parts = self.open(Open::Option, 0, &[])?;
        let value = if some {
            parts.from.probe.part(None)?;
            visitor.visit_some(De { from: &mut *parts.from, depth: parts.depth })?
        } else {
            visitor.visit_none::<DecodeError>()?
        };
        parts.close()?;
        Ok(value)
    }

    #[inline(always)]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.open(Open::Struct(0), 0, &[])?.close()?;
        visitor.visit_unit()
    }

    #[inline(always)]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let parts = self.open(Open::Struct(1), 0, &[])?;
        parts.from.probe.part(None)?;
        let inner = De { from: &mut *parts.from, depth: parts.depth };
        let value = visitor.visit_newtype_struct(inner)?;
        parts.close()?;
        Ok(value)
    }

    #[inline(always)]
    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, DecodeError> {
        let count = self.count()?;
        self.fields(Open::List, count, &[], visitor)
    }

    #[inline(always)]
    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, DecodeError> {
        let count = self.count()?;
        let mut parts = self.open(Open::Map, count, &[])?;
        let value = visitor.visit_map(&mut parts)?;
        parts.close()?;
        Ok(value)
    }

    #[inline(always)]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.fields(Open::Tuple(len), len, &[], visitor)
    }

    #[inline(always)]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.fields(Open::Struct(len), len, &[], visitor)
    }

    #[inline(always)]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        names: Names,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.fields(Open::Struct(names.len()), names.len(), names, visitor)
    }

    #[inline(always)]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        names: Names,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let index: u32 = self.from.take()?;
        let Some(name) = names.get(index as usize) else {
            return Err(no_such_variant(index, names).into());
        };
        visitor.visit_enum(Variant { de: self, index, name })
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

#[cold]
fn not_an_option(byte: u8) -> Fault {
    Fault::new(Why::Invalid(format!("the byte {byte} is neither None nor Some")))
}

#[cold]
fn no_such_variant(index: u32, names: Names) -> Fault {
    let names = names.join("`, `");
    Fault::new(Why::Invalid(format!("there is no variant {index}, counted from 0, in `{names}`")))
}

impl<'de, P: Probe> SeqAccess<'de> for &mut Parts<'_, '_, 'de, P> {
    type Error = DecodeError;

    #[inline(always)]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.part(seed).map(Some)
    }

    #[inline(always)]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de, P: Probe> MapAccess<'de> for &mut Parts<'_, '_, 'de, P> {
    type Error = DecodeError;

    #[inline(always)]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        self.next_element_seed(seed)
    }

    #[inline(always)]
    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        self.part(seed)
    }

    #[inline(always)]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

struct Variant<'a, 'b, 'de, P> {
    de: De<'a, 'b, 'de, P>,
    index: u32,
    name: &'static str,
}

impl<'de, P: Probe> EnumAccess<'de> for Variant<'_, '_, 'de, P> {
    type Error = DecodeError;
    type Variant = Self;

    #[inline(always)]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), DecodeError> {
        let index: U32Deserializer<DecodeError> = self.index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de, P: Probe> VariantAccess<'de> for Variant<'_, '_, 'de, P> {
    type Error = DecodeError;

    #[inline(always)]
    fn unit_variant(self) -> Result<(), DecodeError> {
        self.de.open(Open::Variant(self.index, self.name), 0, &[])?.close()
    }

    #[inline(always)]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        let mut parts = self.de.open(Open::Variant(self.index, self.name), 0, &[])?;
        let value = parts.part(seed)?;
        parts.close()?;
        Ok(value)
    }

    #[inline(always)]
    fn tuple_variant<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.de.fields(Open::Variant(self.index, self.name), len, &[], visitor)
    }

    #[inline(always)]
    fn struct_variant<V: Visitor<'de>>(
        self,
        names: Names,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let open = Open::Variant(self.index, self.name);
        self.de.fields(open, names.len(), names, visitor)
    }
}
