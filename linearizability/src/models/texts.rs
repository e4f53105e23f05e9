//! Texts that are put and appended, as distinct values.
//!
//! If all texts that are written are different, and none is the beginning of another, then a text that
//! is read can be taken apart in one way only, and says by which put and which appends it came about,
//! and in which order. So a read names one value, and an append that was seen is an update from the
//! value before to the value with it. An append that nobody saw may have come anywhere where nobody
//! looked before the next put: it is like a write of a value that is never read.

use std::collections::BTreeMap;

use super::kv::{KvInput, KvOutput};
use crate::model::Access;

/// What was written, in order of the texts.
struct Written<'a> {
    texts: Vec<(&'a str, usize)>,
}

/// A value that was read, as the way to it: the value before, and the operation that changed it.
struct Value {
    before: u32,
    writer: usize,
}

/// All values, by their numbers; the first is the empty text.
struct Values {
    all: Vec<Value>,
    numbers: BTreeMap<(u32, usize), u32>,
}

/// In place of an operation: nobody wrote this.
const NOBODY: usize = usize::MAX;

pub(super) fn accesses(operations: &[(&KvInput, Option<&KvOutput>)]) -> Option<Vec<Access>> {
    let written = Written::new(operations)?;
    let mut values = Values::new();
    let mut read = vec![None; operations.len()];
    for (place, (_, output)) in operations.iter().enumerate() {
        if let Some(KvOutput::Value(text)) = output {
            read[place] = Some(values.read(text, &written, operations));
        }
    }
    let mut seen = vec![None; operations.len()];
    for (number, value) in (0..).zip(&values.all).filter(|(_, value)| value.writer != NOBODY) {
        // A second place of one append in the texts that were read is a value that nobody wrote.
        seen[value.writer].get_or_insert((value.before, number));
    }
    let access = |(place, (input, output)): (usize, &(&KvInput, Option<&KvOutput>))| {
        Some(match (input, output) {
            (KvInput::Get { .. }, None) => Access::Nothing,
            (KvInput::Get { .. }, Some(KvOutput::Value(_))) => Access::Read(read[place]?),
            (KvInput::Put { .. }, None | Some(KvOutput::Done)) => {
                Access::Write(seen[place].map_or_else(|| values.unread(), |(_, to)| to))
            }
            (KvInput::Append { .. }, Some(KvOutput::Value(_))) => {
                Access::Update { from: read[place]?, to: values.after(read[place]?, place) }
            }
            (KvInput::Append { .. }, None | Some(KvOutput::Done)) => match seen[place] {
                Some((from, to)) => Access::Update { from, to },
                None => Access::Write(values.unread()),
            },
            _ => return None,
        })
    };
    operations.iter().enumerate().map(access).collect()
}

impl<'a> Written<'a> {
    /// Nothing if a text cannot be taken apart in one way only.
    fn new(operations: &[(&'a KvInput, Option<&KvOutput>)]) -> Option<Written<'a>> {
        let text = |(place, (input, _)): (usize, &(&'a KvInput, _))| match input {
            KvInput::Get { .. } => None,
            KvInput::Put { value, .. } | KvInput::Append { value, .. } => {
                Some((value.as_str(), place))
            }
        };
        let mut texts: Vec<_> = operations.iter().enumerate().filter_map(text).collect();
        texts.sort_unstable();
        // What begins with a text stands right behind it; all begin with the empty one.
        let is_ambiguous = texts.first().is_some_and(|(text, _)| text.is_empty())
            || texts.windows(2).any(|pair| pair[1].0.starts_with(pair[0].0));
        (!is_ambiguous).then_some(Written { texts })
    }

    /// The operation that wrote what this text begins with, and the rest.
    fn first<'t>(&self, text: &'t str) -> Option<(usize, &'t str)> {
        let behind = self.texts.partition_point(|(written, _)| *written <= text);
        let (written, place) = self.texts[..behind].last()?;
        Some((*place, text.strip_prefix(written)?))
    }
}

impl Values {
    fn new() -> Values {
        let empty = Value { before: 0, writer: NOBODY };
        Values { all: vec![empty], numbers: BTreeMap::new() }
    }

    /// The number of a text that was read.
    fn read(
        &mut self,
        mut text: &str,
        written: &Written,
        operations: &[(&KvInput, Option<&KvOutput>)],
    ) -> u32 {
        let (mut value, mut is_first) = (0, true);
        while !text.is_empty() {
            let Some((writer, rest)) = written.first(text) else { return self.unread() };
            let is_put = matches!(operations[writer].0, KvInput::Put { .. });
            if is_put && !is_first {
                return self.unread();
            }
            value = self.after(value, writer);
            (text, is_first) = (rest, false);
        }
        value
    }

    /// The value that comes of another one by this operation.
    fn after(&mut self, before: u32, writer: usize) -> u32 {
        let next = self.all.len() as u32;
        let number = *self.numbers.entry((before, writer)).or_insert(next);
        if number == next {
            self.all.push(Value { before, writer });
        }
        number
    }

    /// A value of its own, which no operation that was read wrote.
    fn unread(&mut self) -> u32 {
        self.all.push(Value { before: 0, writer: NOBODY });
        self.all.len() as u32 - 1
    }
}
