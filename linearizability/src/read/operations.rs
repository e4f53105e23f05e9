//! Events as operations of a model.

use std::fmt;
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
    history(text, input, output)
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
    history(text, input, output)
}

/// A history of a map: `:get`, `:put` and `:append`, each with a `:key`.
///
/// # Errors
///
/// If the file is none.
pub fn kv(text: &str) -> Result<History<KvInput, KvOutput>, ReadError> {
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
    history(text, input, output)
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
    history(text, input, output)
}

fn history<I: PartialEq, O>(
    text: &str,
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
    let operations: Vec<_> = calls(text)?.into_iter().map(operation).collect::<Result<_, _>>()?;
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
