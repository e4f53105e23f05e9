//! A clerk under the tester's eyes.

use std::fmt;

use labtrace::{Fact, VerdictBuilder, verdict};
use linearizability::models::{KvInput, KvOutput};
use service_watch::{Operation, UnderWay, Watch};

use crate::history::History;
use crate::values;

/// What a clerk of a key/value service can do. Each call returns when it is done.
pub trait KeyValue: Send + 'static {
    /// The value of a key; the empty string if it has none.
    fn get(&mut self, key: &str) -> String;

    /// Gives a key a value.
    fn put(&mut self, key: &str, value: &str);

    /// Adds to the end of a key's value.
    fn append(&mut self, key: &str, value: &str);
}

impl dyn KeyValue {
    /// This clerk, whose type is left behind. The functions are those of its type.
    pub fn of<C: Send + 'static>(
        clerk: C,
        get: fn(&mut C, &str) -> String,
        put: fn(&mut C, &str, &str),
        append: fn(&mut C, &str, &str),
    ) -> Box<dyn KeyValue> {
        Box::new(Typed { clerk, get, put, append })
    }
}

/// A clerk, and what it can do.
struct Typed<C> {
    clerk: C,
    get: fn(&mut C, &str) -> String,
    put: fn(&mut C, &str, &str),
    append: fn(&mut C, &str, &str),
}

impl<C: Send + 'static> KeyValue for Typed<C> {
    fn get(&mut self, key: &str) -> String {
        (self.get)(&mut self.clerk, key)
    }

    fn put(&mut self, key: &str, value: &str) {
        (self.put)(&mut self.clerk, key, value);
    }

    fn append(&mut self, key: &str, value: &str) {
        (self.append)(&mut self.clerk, key, value);
    }
}

/// A clerk with ends of its own, whose calls are counted, stand in the run's trace and are, if asked
/// for, part of a history.
pub struct Client {
    clerk: Box<dyn KeyValue>,
    /// Its ends. Whoever has a clone may connect it, while it is at work elsewhere.
    ends: tester::Client,
    watch: Watch,
    history: Option<(u64, History)>,
    /// Its last call.
    last: Option<Operation>,
}

impl Client {
    /// A client with this clerk, for this watch of the service. With a history, its calls are part of
    /// it, under this number.
    pub fn new(
        clerk: Box<dyn KeyValue>,
        ends: tester::Client,
        watch: Watch,
        history: Option<(u64, History)>,
    ) -> Client {
        Client { clerk, ends, watch, history, last: None }
    }

    /// The tester's side of it: its ends, which can be connected and cut off.
    pub fn ends(&self) -> &tester::Client {
        &self.ends
    }

    /// The value of a key.
    pub fn get(&mut self, key: &str) -> String {
        let input = || KvInput::Get { key: key.into() };
        self.call(input, |clerk| clerk.get(key), |value| KvOutput::Value(value.clone()))
    }

    /// Gives a key a value.
    pub fn put(&mut self, key: &str, value: &str) {
        let input = || KvInput::Put { key: key.into(), value: value.into() };
        self.call(input, |clerk| clerk.put(key, value), |()| KvOutput::Done);
    }

    /// Adds to the end of a key's value.
    pub fn append(&mut self, key: &str, value: &str) {
        let input = || KvInput::Append { key: key.into(), value: value.into() };
        self.call(input, |clerk| clerk.append(key, value), |()| KvOutput::Done);
    }

    /// The entry and the reply behind its last call, as facts of a verdict.
    pub fn behind(&self) -> Vec<Fact> {
        self.last.map_or(Vec::new(), |last| self.watch.behind(last))
    }

    /// Gets a key, which must have this value.
    ///
    /// # Panics
    /// If it has another one.
    #[track_caller]
    pub fn check(&mut self, key: &str, expected: &str) {
        let value = self.get(key);
        if value != expected {
            let [wanted, got] = values::unlike(expected, &value);
            let words = format!("get wrong value, key {key}, wanted {wanted}, got {got}");
            let broken =
                self.behind().into_iter().fold(verdict("get", words), VerdictBuilder::with_fact);
            broken.hint(values::cause(expected, &value)).fail();
        }
    }

    /// The clerk itself: calls that are neither counted nor taken down.
    pub fn clerk(&mut self) -> &mut dyn KeyValue {
        &mut *self.clerk
    }

    fn call<T>(
        &mut self,
        input: impl Fn() -> KvInput,
        call: impl FnOnce(&mut dyn KeyValue) -> T,
        output: impl Fn(&T) -> KvOutput,
    ) -> T {
        let Client { clerk, ends, watch, history, last } = self;
        let work = || {
            let input = input();
            let operation = watch.asks(ends, words::to_watch(&input));
            let waiting = watch.waits(operation); // a test may stop its clients wherever they are
            *last = Some(operation);
            let history = history.as_ref();
            let begun = history.map(|(client, history)| {
                (history, history.calls(*client, (ends.lane(), operation), input))
            });
            let result = call(&mut **clerk);
            let output = output(&result);
            if let Some((history, ticket)) = begun {
                history.returned(ticket, output.clone());
            }
            (waiting, operation, result, output)
        };
        let judge = |(_, operation, _, output): &Returned<T>| {
            let read = match output {
                KvOutput::Value(value) => Some(value.as_str()),
                KvOutput::Done => None,
            };
            watch.answered(*operation, read);
        };
        let got = |(.., output): &Returned<T>| words::got(output);
        let (_, _, result, _) = ends.operate(|| words::asked(&input()), work, got, judge);
        result
    }
}

/// What a call has come to, whose client waits until it is judged.
type Returned<T> = (UnderWay, Operation, T, KvOutput);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("ends", &self.ends).finish_non_exhaustive()
    }
}

/// Calls in words, for traces and verdicts.
pub(crate) mod words {
    use service_watch::{Asked, Change, end_of};

    use super::{KvInput, KvOutput};

    /// How many characters of a value are shown.
    const SHOWN: usize = 40;

    /// A call as the rules for services need to know it.
    pub(crate) fn to_watch(input: &KvInput) -> Asked {
        let (object, change) = match input.clone() {
            KvInput::Get { key } => (key, Change::Nothing),
            KvInput::Put { key, value } => (key, Change::Set(value)),
            KvInput::Append { key, value } => (key, Change::Add(value)),
        };
        Asked { text: asked(input), object, change }
    }

    /// What was asked for.
    pub(crate) fn asked(input: &KvInput) -> String {
        match input {
            KvInput::Get { key } => format!("Get {key:?}"),
            KvInput::Put { key, value } => format!("Put {key:?} {}", end_of(value, SHOWN)),
            KvInput::Append { key, value } => format!("Append {key:?} {}", end_of(value, SHOWN)),
        }
    }

    /// What came of it.
    pub(crate) fn got(output: &KvOutput) -> String {
        match output {
            KvOutput::Value(value) => end_of(value, SHOWN),
            KvOutput::Done => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_value_the_last_forty_characters_are_shown() {
        let put = |length: usize| {
            let value = (0..length).map(|place| if place % 2 == 0 { 'a' } else { 'b' }).collect();
            words::asked(&KvInput::Put { key: "k".into(), value })
        };
        let shown = "ab".repeat(20);
        assert_eq!(put(40), format!("Put \"k\" \"{shown}\""));
        let shown = "ba".repeat(20);
        assert_eq!(put(41), format!("Put \"k\" ...\"{shown}\" (41 bytes)"));
    }
}
