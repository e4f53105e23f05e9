//! A value as people and tools see it: names and parts, without its type.

use std::fmt::{self, Display, Write as _};

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::Gob;

/// What a value holds, by name, for tools that look at values of any type: a trace of messages, a
/// checker that knows a field's name and not its type.
///
/// It shows as text for people. As a serde value it is a plain tree of maps, lists, texts and
/// numbers; bytes and lists of `u8` are text if they are UTF-8 without control characters, else
/// hexadecimal.
///
/// ```
/// use labgob::{Deserialize, Gob, Serialize, View};
///
/// #[derive(Serialize, Deserialize, Gob)]
/// # #[serde(crate = "labgob::serde")]
/// struct Vote { term: u64, candidate: Option<u32> }
///
/// let view = View::of(&Vote { term: 7, candidate: Some(2) });
/// assert_eq!(view.to_string(), "{term: 7, candidate: 2}");
/// assert_eq!(view.field("term").and_then(View::number), Some(7));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// Nothing: `()`, `None`, a struct without fields.
    Nothing,
    /// A truth value.
    Bool(bool),
    /// A number that is not negative.
    Number(u128),
    /// A negative number.
    Negative(i128),
    /// A number with a fraction.
    Float(f64),
    /// A text, a character, or the name of a variant without fields.
    Text(String),
    /// A single `u8`.
    Byte(u8),
    /// Bytes, or a list of `u8` that is not empty.
    Bytes(Vec<u8>),
    /// A list, set, array or tuple.
    List(Vec<View>),
    /// A struct, with its fields in order.
    Fields(Vec<(&'static str, View)>),
    /// A variant with fields: its name and its content.
    Variant(&'static str, Box<View>),
    /// A map, with its entries in order.
    Map(Vec<(View, View)>),
}

impl View {
    /// The view of a value.
    ///
    /// A value whose `Serialize` fails shows as the error's text.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> View {
        value.serialize(Viewer).unwrap_or_else(|error| View::Text(error.to_string()))
    }

    /// The view of an encoded value of type `T`; none if the bytes are not one.
    pub fn of_encoded<T: Gob>(bytes: &[u8]) -> Option<View> {
        crate::decode::<T>(bytes).ok().map(|value| View::of(&value))
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&View> {
        self.fields().iter().find(|(field, _)| *field == name).map(|(_, view)| view)
    }

    /// The fields of a struct; none of anything else.
    pub fn fields(&self) -> &[(&'static str, View)] {
        match self {
            View::Fields(fields) => fields,
            _ => &[],
        }
    }

    /// The number, if it is one that is not negative and fits.
    pub fn number(&self) -> Option<u64> {
        match self {
            View::Number(number) => u64::try_from(*number).ok(),
            View::Byte(byte) => Some(u64::from(*byte)),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn bool(&self) -> Option<bool> {
        match self {
            View::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements of a list; none of anything else.
    pub fn list(&self) -> Option<&[View]> {
        match self {
            View::List(items) => Some(items),
            _ => None,
        }
    }
}

/// Bytes as text: themselves if they are text, else hexadecimal.
fn show_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_string(),
        _ => bytes.iter().fold("0x".to_string(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

impl Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            View::Nothing => f.write_str("none"),
            View::Bool(value) => value.fmt(f),
            View::Number(number) => number.fmt(f),
            View::Negative(number) => number.fmt(f),
            View::Float(number) => number.fmt(f),
            View::Byte(byte) => byte.fmt(f),
            View::Text(text) => f.write_str(text),
            View::Bytes(bytes) => f.write_str(&show_bytes(bytes)),
            View::List(items) => {
                f.write_char('[')?;
                separated(f, items, |f, item| item.fmt(f))?;
                f.write_char(']')
            }
            View::Fields(fields) => {
                f.write_char('{')?;
                separated(f, fields, |f, (name, view)| write!(f, "{name}: {view}"))?;
                f.write_char('}')
            }
            View::Variant(name, content) => write!(f, "{name} {content}"),
            View::Map(entries) => {
                f.write_char('{')?;
                separated(f, entries, |f, (key, value)| write!(f, "{key}: {value}"))?;
                f.write_char('}')
            }
        }
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    mut each: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        each(f, item)?;
    }
    Ok(())
}

impl Serialize for View {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            View::Nothing => serializer.serialize_none(),
            View::Bool(value) => serializer.serialize_bool(*value),
            View::Number(number) => match u64::try_from(*number) {
                Ok(number) => serializer.serialize_u64(number),
                Err(_) => serializer.collect_str(number),
            },
            View::Negative(number) => match i64::try_from(*number) {
                Ok(number) => serializer.serialize_i64(number),
                Err(_) => serializer.collect_str(number),
            },
            View::Float(number) => serializer.serialize_f64(*number),
            View::Byte(byte) => serializer.serialize_u8(*byte),
            View::Text(text) => serializer.serialize_str(text),
            View::Bytes(bytes) => serializer.serialize_str(&show_bytes(bytes)),
            View::List(items) => serializer.collect_seq(items),
            View::Fields(fields) => {
                serializer.collect_map(fields.iter().map(|(name, view)| (name, view)))
            }
            View::Variant(name, content) => serializer.collect_map([(name, content)]),
            View::Map(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key.to_string(), value)))
            }
        }
    }
}

/// A `Serialize` has refused its value, in its own words.
#[derive(Debug)]
struct Refused(String);

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl serde::ser::Error for Refused {
    fn custom<T: Display>(words: T) -> Refused {
        Refused(words.to_string())
    }
}

/// The serializer that makes views.
struct Viewer;

type Made = Result<View, Refused>;

/// The parts of a value that has some, as they come.
struct Parts {
    /// The variant that they belong to.
    variant: Option<&'static str>,
    fields: Vec<(&'static str, View)>,
    items: Vec<View>,
    entries: Vec<(View, View)>,
}

impl Parts {
    fn new(variant: Option<&'static str>) -> Parts {
        Parts { variant, fields: Vec::new(), items: Vec::new(), entries: Vec::new() }
    }

    fn with_fields(variant: Option<&'static str>, count: usize) -> Parts {
        Parts { fields: Vec::with_capacity(count), ..Parts::new(variant) }
    }

    fn field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.fields.push((name, value.serialize(Viewer)?));
        Ok(())
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.items.push(value.serialize(Viewer)?);
        Ok(())
    }

    fn list(self) -> Made {
        let byte = |view: &View| match view {
            View::Byte(byte) => Some(*byte),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = self.items.iter().map(byte).collect();
        let view = match bytes {
            Some(bytes) if !bytes.is_empty() => View::Bytes(bytes),
            _ => View::List(self.items),
        };
        wrap(self.variant, view)
    }
}

fn wrap(variant: Option<&'static str>, view: View) -> Made {
    Ok(match variant {
        Some(name) => View::Variant(name, Box::new(view)),
        None => view,
    })
}

/// Methods that make a view of a value without parts.
macro_rules! leaves {
    ($($method:ident($value:ident: $ty:ty) => $view:expr;)*) => {$(
        fn $method(self, $value: $ty) -> Made {
            Ok($view)
        }
    )*};
}

/// Methods that make a view of a whole number.
macro_rules! numbers {
    ($($method:ident: $ty:ty;)*) => {$(
        fn $method(self, value: $ty) -> Made {
            Ok(u128::try_from(value).map_or(View::Negative(value as i128), View::Number))
        }
    )*};
}

impl Serializer for Viewer {
    type Ok = View;
    type Error = Refused;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    numbers! {
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_i128: i128;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
        serialize_u128: u128;
    }

    leaves! {
        serialize_bool(value: bool) => View::Bool(value);
        serialize_u8(value: u8) => View::Byte(value);
        serialize_f32(value: f32) => View::Float(value.into());
        serialize_f64(value: f64) => View::Float(value);
        serialize_char(value: char) => View::Text(value.into());
        serialize_str(value: &str) => View::Text(value.into());
        serialize_bytes(value: &[u8]) => View::Bytes(value.into());
    }

    fn serialize_none(self) -> Made {
        Ok(View::Nothing)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Made {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Made {
        Ok(View::Nothing)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Made {
        Ok(View::Nothing)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Made {
        Ok(View::Text(variant.into()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Made {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Made {
        wrap(Some(variant), value.serialize(self)?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Refused> {
        Ok(Parts::new(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, Refused> {
        Ok(Parts::new(None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Refused> {
        Ok(Parts::new(None))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Refused> {
        Ok(Parts::new(Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Refused> {
        Ok(Parts::new(None))
    }

    fn serialize_struct(self, _: &'static str, fields: usize) -> Result<Parts, Refused> {
        Ok(Parts::with_fields(None, fields))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        fields: usize,
    ) -> Result<Parts, Refused> {
        Ok(Parts::with_fields(Some(variant), fields))
    }
}

/// The traits whose values have parts without names.
macro_rules! lists {
    ($($serialize:ident: $method:ident;)*) => {$(
        impl $serialize for Parts {
            type Ok = View;
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                self.item(value)
            }

            fn end(self) -> Made {
                self.list()
            }
        }
    )*};
}

lists! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

/// The traits whose values have parts with names.
macro_rules! structs {
    ($($serialize:ident;)*) => {$(
        impl $serialize for Parts {
            type Ok = View;
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Refused> {
                self.field(name, value)
            }

            fn end(self) -> Made {
                wrap(self.variant, View::Fields(self.fields))
            }
        }
    )*};
}

structs! {
    SerializeStruct;
    SerializeStructVariant;
}

impl SerializeMap for Parts {
    type Ok = View;
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.entries.push((key.serialize(Viewer)?, View::Nothing));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let last = self.entries.last_mut().ok_or_else(|| Refused::custom("no key"))?;
        last.1 = value.serialize(Viewer)?;
        Ok(())
    }

    fn end(self) -> Made {
        Ok(View::Map(self.entries))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::View;

    #[derive(Serialize)]
    enum Kind {
        Plain,
        One(u16),
        Two(u8, u8),
        Named { a: i32 },
    }

    #[derive(Serialize)]
    struct All {
        kinds: Vec<Kind>,
        text: &'static str,
        raw: Vec<u8>,
        numbers: Vec<u64>,
        nobody: Option<u8>,
        somebody: Option<u8>,
        map: BTreeMap<u8, bool>,
        large: u128,
    }

    fn all() -> All {
        All {
            kinds: vec![Kind::Plain, Kind::One(7), Kind::Two(104, 105), Kind::Named { a: -1 }],
            text: "x",
            raw: vec![0, 255],
            numbers: vec![1, 2],
            nobody: None,
            somebody: Some(3),
            map: BTreeMap::from([(1, true)]),
            large: u128::MAX,
        }
    }

    #[test]
    fn every_kind_of_value_shows() {
        assert_eq!(
            View::of(&all()).to_string(),
            "{kinds: [Plain, One 7, Two hi, Named {a: -1}], text: x, raw: 0x00ff, numbers: [1, 2], \
             nobody: none, somebody: 3, map: {1: true}, \
             large: 340282366920938463463374607431768211455}"
        );
    }

    #[test]
    fn fields_are_found_by_name() {
        let view = View::of(&all());
        assert_eq!(view.field("somebody").and_then(View::number), Some(3));
        assert_eq!(view.field("numbers").and_then(View::list).map(<[View]>::len), Some(2));
        assert_eq!(view.field("large").and_then(View::number), None);
        assert_eq!(view.field("other"), None);
        assert_eq!(View::of(&true).bool(), Some(true));
    }

    #[test]
    fn only_bytes_are_bytes_and_only_text_is_text() {
        assert_eq!(View::of(&b"hi".to_vec()), View::Bytes(b"hi".to_vec()));
        assert_eq!(View::of(&vec![104u16, 105]).to_string(), "[104, 105]");
        assert_eq!(View::of(&Vec::<u8>::new()), View::List(Vec::new()));
        assert_eq!(View::of(&b"a\nb".to_vec()).to_string(), "0x610a62");
    }

    #[test]
    fn a_value_that_refuses_shows_its_words() {
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("not today"))
            }
        }
        assert_eq!(View::of(&vec![Refuses]).to_string(), "not today");
    }
}
