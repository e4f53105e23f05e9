//! The serializer: walks a value, writes its bytes and reports to a probe.

use std::mem;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::depth::{deeper, too_deep};
use crate::fault::Fault;
use crate::probe::{Open, Probe};
use crate::shape::Primitive;
use crate::wire::{Output, Put, put};

/// Appends the bytes of `value`, which is at `depth`, to `out`.
#[inline(always)]
pub(crate) fn write<T, P>(
    value: &T,
    out: &mut Vec<u8>,
    depth: u32,
    probe: &mut P,
) -> Result<(), Fault>
where
    T: Serialize + ?Sized,
    P: Probe,
{
    let bytes = Output::after(mem::take(out));
    value.serialize(Ser { to: &mut Sink { bytes, home: out, depth, probe }, depth })
}

// It holds the bytes themselves, since a reference to them would be followed at each write.
struct Sink<'a, P> {
    bytes: Output,
    home: &'a mut Vec<u8>,
    /// That of the whole value.
    depth: u32,
    probe: &'a mut P,
}

// Also when a `Serialize` panics.
impl<P> Drop for Sink<'_, P> {
    fn drop(&mut self) {
        *self.home = self.bytes.take();
    }
}

// Two words travel in registers. The depth is a value, not a counter in memory: the compiler
// folds its checks away wherever it knows how deep a type is nested.
struct Ser<'a, 'b, P> {
    to: &'a mut Sink<'b, P>,
    depth: u32,
}

impl<'a, 'b, P: Probe> Ser<'a, 'b, P> {
    #[inline(always)]
    fn primitive<T: Put + ?Sized>(self, primitive: Primitive, value: &T) -> Result<(), Fault> {
        self.to.probe.primitive(primitive)?;
        put(&mut self.to.bytes, value);
        Ok(())
    }

    #[inline(always)]
    fn open(self, open: Open, parts: usize) -> Result<Parts<'a, 'b, P>, Fault> {
        let Some(depth) = deeper(self.depth) else { return Err(too_deep(self.to.depth)) };
        self.to.probe.open(open)?;
        if let Open::Variant(index, ..) = open {
            put(&mut self.to.bytes, &index);
        }
        Ok(Parts { to: self.to, depth, promised: parts, written: 0 })
    }

    #[inline(always)]
    fn open_counted(self, open: Open, len: Option<usize>) -> Result<Parts<'a, 'b, P>, Fault> {
        let Some(len) = len else {
            return Err(Fault::shape("Serialize does not give the number of elements in advance"));
        };
        let parts = self.open(open, len)?;
        put(&mut parts.to.bytes, &(len as u64));
        Ok(parts)
    }
}

/// The parts of a value, being written.
struct Parts<'a, 'b, P> {
    to: &'a mut Sink<'b, P>,
    depth: u32,
    promised: usize,
    written: usize,
}

impl<P: Probe> Parts<'_, '_, P> {
    #[inline(always)]
    fn part<T>(&mut self, name: Option<&'static str>, value: &T) -> Result<(), Fault>
    where
        T: Serialize + ?Sized,
    {
        self.written += 1;
        self.uncounted(name, value)
    }

    #[inline(always)]
    fn uncounted<T>(&mut self, name: Option<&'static str>, value: &T) -> Result<(), Fault>
    where
        T: Serialize + ?Sized,
    {
        self.to.probe.part(name)?;
        value.serialize(Ser { to: self.to, depth: self.depth })
    }

    #[inline(always)]
    fn close(self) -> Result<(), Fault> {
        self.to.probe.close()?;
        if self.written != self.promised {
            return Err(Fault::shape(format!(
                "Serialize promises {} parts and writes {}",
                self.promised, self.written
            )));
        }
        Ok(())
    }
}

#[cold]
fn skipped(field: &'static str) -> Fault {
    Fault::shape(format!("Serialize skips `{field}`, so it would not arrive: make it an `Option`"))
}

macro_rules! primitives {
    ($($method:ident: $ty:ty => $primitive:ident;)*) => {$(
        #[inline(always)]
        fn $method(self, value: $ty) -> Result<(), Fault> {
            self.primitive(Primitive::$primitive, &value)
        }
    )*};
}

impl<'a, 'b, P: Probe> Serializer for Ser<'a, 'b, P> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Parts<'a, 'b, P>;
    type SerializeTuple = Parts<'a, 'b, P>;
    type SerializeTupleStruct = Parts<'a, 'b, P>;
    type SerializeTupleVariant = Parts<'a, 'b, P>;
    type SerializeMap = Parts<'a, 'b, P>;
    type SerializeStruct = Parts<'a, 'b, P>;
    type SerializeStructVariant = Parts<'a, 'b, P>;

    primitives! {
        serialize_bool: bool => Bool;
        serialize_i8: i8 => I8;
        serialize_i16: i16 => I16;
        serialize_i32: i32 => I32;
        serialize_i64: i64 => I64;
        serialize_i128: i128 => I128;
        serialize_u8: u8 => U8;
        serialize_u16: u16 => U16;
        serialize_u32: u32 => U32;
        serialize_u64: u64 => U64;
        serialize_u128: u128 => U128;
        serialize_f32: f32 => F32;
        serialize_f64: f64 => F64;
        serialize_char: char => Char;
        serialize_str: &str => String;
        serialize_bytes: &[u8] => Bytes;
    }

    #[inline(always)]
    fn serialize_unit(self) -> Result<(), Fault> {
        self.to.probe.primitive(Primitive::Unit)
    }

    #[inline(always)]
    fn serialize_none(self) -> Result<(), Fault> {
        let parts = self.open(Open::Option, 0)?;
        put(&mut parts.to.bytes, &0u8);
        parts.close()
    }

    #[inline(always)]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        let mut parts = self.open(Open::Option, 1)?;
        put(&mut parts.to.bytes, &1u8);
        parts.part(None, value)?;
        parts.close()
    }

    #[inline(always)]
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Fault> {
        self.open(Open::Struct(0), 0)?.close()
    }

    #[inline(always)]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        let mut parts = self.open(Open::Struct(1), 1)?;
        parts.part(None, value)?;
        parts.close()
    }

    #[inline(always)]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), Fault> {
        self.open(Open::Variant(index, variant), 0)?.close()
    }

    #[inline(always)]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        let mut parts = self.open(Open::Variant(index, variant), 1)?;
        parts.part(None, value)?;
        parts.close()
    }

    #[inline(always)]
    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'a, 'b, P>, Fault> {
        self.open_counted(Open::List, len)
    }

    #[inline(always)]
    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'a, 'b, P>, Fault> {
        self.open_counted(Open::Map, len)
    }

    #[inline(always)]
    fn serialize_tuple(self, len: usize) -> Result<Parts<'a, 'b, P>, Fault> {
        self.open(Open::Tuple(len), len)
    }

    #[inline(always)]
    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        len: usize,
    ) -> Result<Parts<'a, 'b, P>, Fault> {
        self.open(Open::Struct(len), len)
    }

    #[inline(always)]
    fn serialize_struct(self, _name: &'static str, len: usize) -> Result<Parts<'a, 'b, P>, Fault> {
        self.open(Open::Struct(len), len)
    }

    #[inline(always)]
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts<'a, 'b, P>, Fault> {
        self.open(Open::Variant(index, variant), len)
    }

    #[inline(always)]
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts<'a, 'b, P>, Fault> {
        self.open(Open::Variant(index, variant), len)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! unnamed_parts {
    ($($trait:ident :: $method:ident;)*) => {$(
        impl<P: Probe> $trait for Parts<'_, '_, P> {
            type Ok = ();
            type Error = Fault;

            #[inline(always)]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
                self.part(None, value)
            }

            #[inline(always)]
            fn end(self) -> Result<(), Fault> {
                self.close()
            }
        }
    )*};
}

unnamed_parts! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

macro_rules! named_parts {
    ($($trait:ident;)*) => {$(
        impl<P: Probe> $trait for Parts<'_, '_, P> {
            type Ok = ();
            type Error = Fault;

            #[inline(always)]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Fault> {
                self.part(Some(name), value)
            }

            // serde calls this for `skip_serializing_if`. Its default does nothing.
            fn skip_field(&mut self, name: &'static str) -> Result<(), Fault> {
                self.to.probe.part(Some(name))?;
                Err(skipped(name))
            }

            #[inline(always)]
            fn end(self) -> Result<(), Fault> {
                self.close()
            }
        }
    )*};
}

named_parts! {
    SerializeStruct;
    SerializeStructVariant;
}

impl<P: Probe> SerializeMap for Parts<'_, '_, P> {
    type Ok = ();
    type Error = Fault;

    #[inline(always)]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.part(None, key)
    }

    // A key and its value count as one of the promised entries.
    #[inline(always)]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.uncounted(None, value)
    }

    #[inline(always)]
    fn end(self) -> Result<(), Fault> {
        self.close()
    }
}
