//! A value as people and tools see it: names and parts, without its type.

use std::fmt::{self, Display, Write as _};

use serde::ser::{Serialize, Serializer};

use crate::{Gob, Peek};

/// What a value holds, by name, for tools that show values of any type, such as a trace of messages.
///
/// It shows as text for people, without control characters. As a serde value it is a plain tree of maps, lists, texts and
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
    /// Bytes, or a list of `u8`.
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
    /// # Panics
    /// As [`encode`](crate::encode).
    #[track_caller]
    pub fn of<T: Gob>(value: &T) -> View {
        let bytes = crate::encode(value);
        Peek::of::<T>(&bytes).and_then(|peek| peek.view()).unwrap_or(View::Nothing)
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

    /// What stands for it as the key of a map: a text is its own.
    fn key(&self) -> String {
        match self {
            View::Text(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The number, if it is one that is not negative and fits.
    pub fn number(&self) -> Option<u64> {
        match self {
            View::Number(number) => u64::try_from(*number).ok(),
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
            View::Text(text) => text.chars().try_for_each(|c| match c.is_control() {
                true => c.escape_debug().fmt(f),
                false => f.write_char(c),
            }),
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
            View::Text(text) => serializer.serialize_str(text),
            View::Bytes(bytes) => serializer.serialize_str(&show_bytes(bytes)),
            View::List(items) => serializer.collect_seq(items),
            View::Fields(fields) => {
                serializer.collect_map(fields.iter().map(|(name, view)| (name, view)))
            }
            View::Variant(name, content) => serializer.collect_map([(name, content)]),
            View::Map(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key.key(), value)))
            }
        }
    }
}
