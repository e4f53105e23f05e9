//! Messages as they are kept until somebody reads the trace.

use labgob::{Field, Peek, Shape};
use run_record::trace::{What, left_out};
use serde_json::{Map, Value};

use crate::kept::json_in_page;

/// Messages of so many bytes and fewer stay encoded, which costs least.
const SMALL: usize = 256;
/// Longer lists are shortened to this beginning and this end.
const LONGEST_LIST: usize = 32;
const FIRST_ITEMS: usize = 16;
const LAST_ITEMS: usize = 8;
/// Longer texts are cut off here, in bytes.
const LONGEST_TEXT: usize = 400;

/// A message of an event.
pub(crate) enum Message {
    /// Shown field by field only if its event is ever looked at.
    Encoded {
        /// With its fingerprint.
        bytes: Vec<u8>,
        /// Its type's.
        shape: &'static Shape,
    },
    /// As JSON, with what is long shortened.
    Shown(String),
}

impl Message {
    /// Keeps a message; a large one is shortened at once, so that it takes little room.
    pub(crate) fn new(bytes: &[u8], shape: &'static Shape) -> Message {
        match bytes.len() {
            0..=SMALL => Message::Encoded { bytes: bytes.to_vec(), shape },
            _ => Message::Shown(shown(bytes, shape).to_string()),
        }
    }

    /// How many bytes of a trace or of its page it will take, roughly.
    pub(crate) fn size(&self) -> usize {
        match self {
            // Numbers of a byte or two, and the names of their fields; no letter takes more than six.
            Message::Encoded { bytes, .. } => 40 + 6 * bytes.len(),
            Message::Shown(text) => json_in_page(text),
        }
    }

    /// Puts it into its event.
    pub(crate) fn put_into(&self, what: &mut What) {
        let value = match self {
            Message::Encoded { bytes, shape } => shown(bytes, shape),
            Message::Shown(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        };
        match what {
            What::Sent { args, .. } => *args = value,
            What::Replied { reply, .. } | What::RepliedAgain { reply, .. } => *reply = value,
            _ => {}
        }
    }
}

fn shown(bytes: &[u8], shape: &'static Shape) -> Value {
    Peek::of_shape(shape, bytes).map_or(Value::Null, |peek| show(&peek))
}

/// A message with what is long shortened. What is left out of a list is not even looked at.
fn show(message: &Peek<'_>) -> Value {
    match message.shape() {
        Shape::Struct { fields, transparent: false, .. } if is_named(fields) => {
            let fields = message.fields().map(|(name, part)| (name.to_string(), show(&part)));
            Value::Object(fields.collect())
        }
        Shape::List(item) if !matches!(item.shape(), Shape::Primitive(_)) => {
            let items: Vec<Peek<'_>> = message.items().into_iter().flatten().collect();
            let bytes = |items: &[Peek<'_>]| items.iter().map(|item| item.bytes().len()).sum();
            shorten_list(&items, show, bytes)
        }
        _ => {
            let mut value = serde_json::to_value(message.view()).unwrap_or(Value::Null);
            shorten(&mut value);
            value
        }
    }
}

/// Whether fields have names, and not numbers only.
fn is_named(fields: &[Field]) -> bool {
    fields.first().is_some_and(|first| first.name != "0")
}

/// The beginning and the end of a list, with a word about what is in between.
fn shorten_list<T>(
    items: &[T],
    show: impl Fn(&T) -> Value,
    bytes: impl Fn(&[T]) -> usize,
) -> Value {
    if items.len() <= LONGEST_LIST {
        return items.iter().map(show).collect();
    }
    let (first, rest) = items.split_at(FIRST_ITEMS);
    let (middle, last) = rest.split_at(rest.len() - LAST_ITEMS);
    let middle = left_out(middle.len(), bytes(middle));
    first.iter().map(&show).chain([middle]).chain(last.iter().map(&show)).collect()
}

/// Leaves out the middle of long lists and the ends of long texts, and says how much that was.
fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => run_record::trace::cut(text, LONGEST_TEXT),
        Value::Array(items) => {
            items.iter_mut().for_each(shorten);
            let bytes = |items: &[Value]| items.iter().map(|item| item.to_string().len()).sum();
            *value = shorten_list(items, Value::clone, bytes);
        }
        Value::Object(fields) => shorten_fields(fields),
        _ => {}
    }
}

fn shorten_fields(fields: &mut Map<String, Value>) {
    if fields.len() > LONGEST_LIST {
        let surplus: Vec<String> = fields.keys().skip(FIRST_ITEMS).cloned().collect();
        let bytes = surplus.iter().filter_map(|key| fields.remove(key));
        let bytes = bytes.map(|value| value.to_string().len()).sum();
        fields.insert("...".into(), left_out(surplus.len(), bytes));
    }
    fields.values_mut().for_each(shorten);
}

#[cfg(test)]
mod tests {
    use labgob::{Deserialize, Gob, Serialize};
    use run_record::trace::items_left_out;

    use super::*;

    #[derive(Serialize, Deserialize, Gob)]
    #[serde(crate = "labgob::serde")]
    struct Append {
        term: u64,
        entries: Vec<(u64, Vec<u8>)>,
    }

    fn sent(count: u64, command: usize) -> Value {
        let entries = (0..count).map(|index| (index, vec![b'x'; command])).collect();
        let bytes = labgob::encode(&Append { term: 3, entries });
        let mut what = What::Sent {
            call: 1,
            to: 1,
            method: "Raft.AppendEntries".into(),
            args: Value::Null,
            bytes: 0,
        };
        let message = Message::new(&bytes, Append::SHAPE);
        message.put_into(&mut what);
        let What::Sent { args, .. } = what else { unreachable!("it was sent") };
        assert!(args.to_string().len() <= 2 * message.size(), "its size is not even roughly known");
        args
    }

    #[test]
    fn a_short_list_is_whole() {
        for count in [0, 1, 32] {
            let args = sent(count, 3);
            let entries = args["entries"].as_array().expect("a list");
            assert_eq!(entries.len() as u64, count);
            assert!(entries.iter().all(|entry| items_left_out(entry).is_none()));
        }
    }

    #[test]
    fn of_a_long_list_the_middle_is_left_out_and_said_so() {
        let args = sent(1000, 3);
        let entries = args["entries"].as_array().expect("a list");
        assert_eq!(entries.len(), FIRST_ITEMS + 1 + LAST_ITEMS);
        assert_eq!(items_left_out(&entries[FIRST_ITEMS]), Some(976));
        assert_eq!(entries[FIRST_ITEMS - 1][0], 15);
        assert_eq!(entries[FIRST_ITEMS + 1][0], 992);
        assert!(args.to_string().len() < 600, "{args}");
    }

    #[test]
    fn a_long_text_is_cut_off_and_says_how_long_it_was() {
        let args = sent(1, 10_000);
        let command = args["entries"][0][1].as_str().expect("a text");
        assert!(
            command.starts_with("xxx") && command.ends_with("xx... (10000 bytes)"),
            "{command}"
        );
        assert!(command.len() < 500);
    }
}
