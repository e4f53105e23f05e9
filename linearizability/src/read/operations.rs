//! Events as operations of a model.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::once;
use std::sync::Arc;

use super::edn::Edn;
use super::events::{Call, Event, calls};
use super::{ReadError, shown};
use crate::history::{History, Operation, Returned};
use crate::models::{
    CasInput, CasOutput, KvInput, KvOutput, QueueInput, QueueOutput, RegisterInput, RegisterOutput,
};

/// A value in a file.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// `nil`: nothing.
    #[default]
    Nil,
    /// A whole number.
    Int(i64),
    /// Anything else, about as it stands in the file. Equal values have equal texts: what is in a map or
    /// a set is sorted.
    Other(Arc<str>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Other(text) => f.write_str(text),
        }
    }
}

impl From<&Edn> for Value {
    fn from(edn: &Edn) -> Value {
        match edn {
            Edn::Nil => Value::Nil,
            Edn::Int(number) => Value::Int(*number),
            other => Value::Other(other.to_string().into()),
        }
    }
}

/// A history of a register: `:read` and `:write`.
///
/// # Errors
///
/// If the file is none.
pub fn register(
    text: &str,
) -> Result<History<RegisterInput<Value>, RegisterOutput<Value>>, ReadError> {
    let input = |event: &Event| match &event.f[..] {
        "read" => Ok(RegisterInput::Read),
        "write" => Ok(RegisterInput::Write((&event.value).into())),
        _ => Err(unknown(event, "a register", ":read and :write")),
    };
    let output = |event: &Event| match &event.f[..] {
        "read" => Ok(RegisterOutput::Value((&event.value).into())),
        _ => Ok(RegisterOutput::Written),
    };
    history(calls(text)?, input, output)
}

/// A history of a register with compare-and-set: `:read`, `:write`, and `:cas` of `[from to]`.
///
/// # Errors
///
/// If the file is none.
pub fn cas_register(text: &str) -> Result<History<CasInput<Value>, CasOutput<Value>>, ReadError> {
    let input = |event: &Event| match (&event.f[..], &event.value) {
        ("read", _) => Ok(CasInput::Read),
        ("write", value) => Ok(CasInput::Write(value.into())),
        ("cas", Edn::Sequence(values)) if values.len() == 2 => {
            Ok(CasInput::Cas { from: (&values[0]).into(), to: (&values[1]).into() })
        }
        ("cas", other) => {
            let problem = format!("{} is no pair: :cas has a value such as [3 4]", show(other));
            Err(ReadError::new(event.line, problem))
        }
        _ => Err(unknown(event, "a register with compare-and-set", ":read, :write and :cas")),
    };
    let output = |event: &Event| match &event.f[..] {
        "read" => Ok(CasOutput::Value((&event.value).into())),
        "write" => Ok(CasOutput::Written),
        // One that did not find `from` is a :fail.
        _ => Ok(CasOutput::Swapped(true)),
    };
    history(calls(text)?, input, output)
}

/// A history of a map: `:get`, `:put` and `:append`, each with a `:key`.
///
/// Its keys and values are texts. A key that is none counts as what stands in the file, a whole number as its digits,
/// and the value `nil` as the empty text.
///
/// # Errors
///
/// If the file is none, or has a key or a value both with quotes and without, such as `"1"` and `1`: the two would
/// count as one.
pub fn kv(text: &str) -> Result<History<KvInput, KvOutput>, ReadError> {
    let calls = calls(text)?;
    refuse_two_of_one_text(&calls)?;
    let input = |event: &Event| {
        let missing = || ReadError::new(event.line, "the event has no :key");
        let key = event.key_text().ok_or_else(missing)?;
        match &event.f[..] {
            "get" => Ok(KvInput::Get { key }),
            "put" => Ok(KvInput::Put { key, value: text_of(event)? }),
            "append" => Ok(KvInput::Append { key, value: text_of(event)? }),
            _ => Err(unknown(event, "a map", ":get, :put and :append")),
        }
    };
    let output = |event: &Event| match &event.f[..] {
        "get" => Ok(KvOutput::Value(text_of(event)?)),
        _ => Ok(KvOutput::Done),
    };
    history(calls, input, output)
}

/// A history of a queue: `:enqueue`, and `:dequeue` whose value is `nil` if the queue was empty.
///
/// # Errors
///
/// If the file is none.
pub fn queue(text: &str) -> Result<History<QueueInput<Value>, QueueOutput<Value>>, ReadError> {
    let input = |event: &Event| match &event.f[..] {
        "enqueue" => Ok(QueueInput::Enqueue((&event.value).into())),
        "dequeue" => Ok(QueueInput::Dequeue),
        _ => Err(unknown(event, "a queue", ":enqueue and :dequeue")),
    };
    let output = |event: &Event| match (&event.f[..], &event.value) {
        ("dequeue", Edn::Nil) => Ok(QueueOutput::Dequeued(None)),
        ("dequeue", value) => Ok(QueueOutput::Dequeued(Some(value.into()))),
        _ => Ok(QueueOutput::Enqueued),
    };
    history(calls(text)?, input, output)
}

fn history<I: PartialEq, O>(
    calls: Vec<Call>,
    input: impl Fn(&Event) -> Result<I, ReadError>,
    output: impl Fn(&Event) -> Result<O, ReadError>,
) -> Result<History<I, O>, ReadError> {
    let operation = |Call { process, call, invoke, ok }: Call| {
        refuse_many_objects(&invoke)?;
        let asked = input(&invoke)?;
        let returned = match ok {
            Some((at, event)) => {
                // An end need not say again what was asked for. One that says something else is
                // damaged, and would accuse who did nothing wrong.
                let agrees =
                    event.value == Edn::Nil || input(&event).is_ok_and(|ended| ended == asked);
                if !agrees {
                    let (ended, invoked) = (event.value.to_string(), invoke.value.to_string());
                    return Err(event.contradicts(&invoke, "with", &ended, &invoked));
                }
                Some(Returned { at, output: output(&event)? })
            }
            None => None,
        };
        Ok(Operation { client: process, call, input: asked, returned })
    };
    let operations: Vec<_> = calls.into_iter().map(operation).collect::<Result<_, _>>()?;
    // Events have times of their own, and calls of one process do not overlap: nothing else is left
    // but too many of them.
    History::new(operations).map_err(|error| ReadError::new(1, error.to_string()))
}

/// Refuses what `jepsen.independent` writes: the values of many objects, each as a pair with the object's key. As values
/// of one object they would accuse a right service.
fn refuse_many_objects(invoke: &Event) -> Result<(), ReadError> {
    let Edn::Sequence(values) = &invoke.value else { return Ok(()) };
    let of_many = match (&invoke.f[..], &values[..]) {
        // Who asks for a value has none yet.
        ("read" | "dequeue", [_, value]) => *value == Edn::Nil,
        ("cas", [key, Edn::Sequence(pair)]) => is_key(key) && pair.len() == 2,
        _ => false,
    };
    match of_many {
        false => Ok(()),
        true => {
            let problem = format!(
                "{} looks like a key and a value, as jepsen.independent writes them for many objects: make a \
                 file for each key, with the values alone",
                show(&invoke.value)
            );
            Err(ReadError::new(invoke.line, problem))
        }
    }
}

/// Refuses a map in which one text would stand for two keys, or for two values. As one of them they would accuse a right
/// service, or let pass what is wrong.
fn refuse_two_of_one_text(calls: &[Call]) -> Result<(), ReadError> {
    let mut keys = Spellings { what: "key", known: BTreeMap::new() };
    let mut values = Spellings { what: "value", known: BTreeMap::new() };
    for call in calls {
        for event in once(&call.invoke).chain(call.ok.as_ref().map(|(_, event)| event)) {
            if let (Some(key), Some(text)) = (&event.key, event.key_text()) {
                keys.add(event.line, key, text)?;
            }
            // `nil` is the empty text on purpose, and what is no text is refused for that.
            if event.value != Edn::Nil
                && let Ok(text) = text_of(event)
            {
                values.add(event.line, &event.value, text)?;
            }
        }
    }
    Ok(())
}

/// How texts stand in a file.
struct Spellings {
    /// What they are.
    what: &'static str,
    /// Whether they stand in quotes, and in which line.
    known: BTreeMap<String, (bool, usize)>,
}

impl Spellings {
    fn add(&mut self, line: usize, value: &Edn, text: String) -> Result<(), ReadError> {
        // Two values without quotes are equal if their texts are.
        let quoted = matches!(value, Edn::Text(_));
        let shown = shown(&text);
        let (before, other) = *self.known.entry(text).or_insert((quoted, line));
        if before == quoted {
            return Ok(());
        }
        let in_words = |quoted| if quoted { "in quotes" } else { "without quotes" };
        // An operation may return behind the call of the next one.
        let (line, quoted, first) = match line < other {
            true => (other, before, line),
            false => (line, quoted, other),
        };
        let what = self.what;
        let problem = format!(
            "the {what} {shown} stands here {}, and {} in line {first}: the two would count as one; write each \
             {what} in one way",
            in_words(quoted),
            in_words(!quoted)
        );
        Err(ReadError::new(line, problem))
    }
}

/// Whether this may be a key. A register of pairs may be swapped from a pair, or from nothing.
fn is_key(value: &Edn) -> bool {
    !matches!(value, Edn::Nil | Edn::Sequence(_))
}

/// The text of an event; `nil` is the empty one.
fn text_of(event: &Event) -> Result<String, ReadError> {
    match &event.value {
        Edn::Text(text) => Ok(text.clone()),
        Edn::Nil => Ok(String::new()),
        Edn::Int(number) => Ok(number.to_string()),
        other => {
            let problem = format!("{} is no text: write it in quotes", show(other));
            Err(ReadError::new(event.line, problem))
        }
    }
}

fn unknown(event: &Event, what: &str, known: &str) -> ReadError {
    let problem = format!(
        "{} is nothing to ask {what} for: it knows {known}. Is it another model?",
        shown(&format!(":{}", event.f))
    );
    ReadError::new(event.line, problem)
}

fn show(value: &Edn) -> String {
    shown(&value.to_string())
}
